//! The differences between two versions of settings. A pure function.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::OrgSettings;

/// A difference of one setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The setting: `poll_minutes`, or `fields.Account` for the value of one object.
    pub setting: String,
    /// The value before; `null` for the deployed default.
    pub before: Value,
    /// The value after; `null` for the deployed default.
    pub after: Value,
}

/// Returns the differences between two versions, in the order of their names.
#[must_use]
pub fn differences(before: &OrgSettings, after: &OrgSettings) -> Vec<Difference> {
    let (before, after) = (flat(before), flat(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    let both = names.into_iter().map(|name| Difference {
        setting: name.clone(),
        before: value(&before, name),
        after: value(&after, name),
    });
    both.filter(|difference| difference.before != difference.after).collect()
}

/// Returns the settings under their names, those of objects under `fields.Account`.
fn flat(settings: &OrgSettings) -> Map<String, Value> {
    let mut flat = Map::new();
    let Ok(Value::Object(settings)) = serde_json::to_value(settings) else { return flat };
    for (name, value) in settings {
        match value {
            Value::Object(of_objects) if name == "fields" || name == "filters" => {
                flat.extend(of_objects.into_iter().map(|(object, value)| (format!("{name}.{object}"), value)));
            }
            value => drop(flat.insert(name, value)),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn settings() -> impl Strategy<Value = OrgSettings> {
        let objects = prop::option::of(prop::sample::subsequence(vec!["Account", "Contact", "Invoice__c"], 0..=3));
        let fields = prop::option::of(prop::sample::subsequence(vec!["Name", "Industry"], 1..=2));
        let filter = prop::option::of(prop::sample::select(vec!["Name != NULL", "Name LIKE 'A%'"]));
        (objects, fields, filter, prop::option::of(1..1_440_u16), prop::option::of(1..100_u8)).prop_map(
            |(objects, fields, filter, poll, percent)| {
                let mut json = json!({});
                let members = [
                    ("objects", objects.map(|objects| json!(objects))),
                    ("fields", fields.map(|fields| json!({ "Account": fields }))),
                    ("filters", filter.map(|filter| json!({ "Account": filter }))),
                    ("poll_minutes", poll.map(|poll| json!(poll))),
                    ("api_allocation", percent.map(|percent| json!({ "percent": percent }))),
                ];
                for (name, value) in members {
                    if let Some(value) = value {
                        json[name] = value;
                    }
                }
                serde_json::from_value(json).unwrap()
            },
        )
    }

    proptest! {
        #[test]
        fn only_equal_settings_have_no_difference(before in settings(), after in settings()) {
            let found = differences(&before, &after);
            prop_assert_eq!(found.is_empty(), before == after);
            let back = differences(&after, &before);
            let turned: Vec<Difference> = found
                .into_iter()
                .map(|found| Difference { before: found.after, after: found.before, ..found })
                .collect();
            prop_assert_eq!(back, turned);
        }
    }

    #[test]
    fn a_difference_names_the_object() {
        let parse = |json| serde_json::from_value::<OrgSettings>(json).unwrap();
        let before = parse(json!({ "fields": { "Account": ["Name"], "Lead": ["Name"] } }));
        let after =
            parse(json!({ "fields": { "Account": ["Name", "Industry"], "Lead": ["Name"] }, "poll_minutes": 60 }));
        let expected = [
            ("fields.Account", json!(["Name"]), json!(["Name", "Industry"])),
            ("poll_minutes", Value::Null, json!(60)),
        ];
        let expected =
            expected.map(|(setting, before, after)| Difference { setting: setting.to_owned(), before, after });
        assert_eq!(differences(&before, &after), expected);
    }
}
