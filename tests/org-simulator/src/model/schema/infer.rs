//! Infers a custom field from its values in a data file.

use serde_json::Value as Json;

use super::{Field, FieldKind};

/// Returns a custom field that can hold all `values`; `target` is the object of the `@references` among them.
pub(crate) fn infer_field(name: &str, values: &[&Json], target: Option<&str>) -> Field {
    let mut field = Field::new(name, target.map_or_else(|| kind_of(values), |_| FieldKind::Reference));
    if let Some(target) = target {
        field.reference_to = vec![target.to_owned()];
        field.relationship = Some(relationship_of(name));
    }
    if field.kind == FieldKind::Double {
        field.scale = 15_usize.min(values.iter().map(|v| decimals(v)).max().unwrap_or_default());
    }
    field
}

/// Returns the relationship name of a lookup field: `Broker__c` -> `Broker__r`, `AccountId` -> `Account`.
pub(crate) fn relationship_of(field: &str) -> String {
    match field.strip_suffix("__c") {
        Some(base) => format!("{base}__r"),
        None => field.trim_end_matches("Id").to_owned(),
    }
}

fn kind_of(values: &[&Json]) -> FieldKind {
    let given: Vec<&&Json> = values.iter().filter(|v| !v.is_null()).collect();
    let all = |test: fn(&Json) -> bool| !given.is_empty() && given.iter().all(|v| test(v));
    if all(Json::is_boolean) {
        FieldKind::Boolean
    } else if all(Json::is_number) {
        FieldKind::Double
    } else if all(|v| v.as_str().is_some_and(|t| t.parse::<jiff::civil::Date>().is_ok() && t.len() == 10)) {
        FieldKind::Date
    } else if all(|v| v.as_str().is_some_and(|t| crate::model::datetime::parse(t).is_some())) {
        FieldKind::DateTime
    } else if given.iter().any(|v| v.as_str().is_some_and(|t| t.chars().count() > 255)) {
        FieldKind::TextArea
    } else {
        FieldKind::String
    }
}

fn decimals(json: &Json) -> usize {
    json.to_string().split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_kind_follows_the_values() {
        let kind = |values: &[Json]| infer_field("X__c", &values.iter().collect::<Vec<_>>(), None).kind;
        assert_eq!(kind(&[json!(975_000), json!(1.5)]), FieldKind::Double);
        assert_eq!(kind(&[json!("2018-08-30"), Json::Null]), FieldKind::Date);
        assert_eq!(kind(&[json!("2018-08-30"), json!("Draft")]), FieldKind::String);
        assert_eq!(kind(&[json!(true)]), FieldKind::Boolean);
        assert_eq!(kind(&[json!("x".repeat(256))]), FieldKind::TextArea);
        assert_eq!(kind(&[Json::Null]), FieldKind::String);
    }

    #[test]
    fn a_reference_becomes_a_lookup() {
        let field = infer_field("Broker__c", &[&json!("@Caroline")], Some("Broker__c"));
        assert_eq!((field.kind, field.relationship.as_deref()), (FieldKind::Reference, Some("Broker__r")));
    }
}
