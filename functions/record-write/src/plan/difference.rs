//! The fields whose values a write changes. Pure functions.

use std::collections::{BTreeMap, BTreeSet};

use salesforce::external_id::order_key;
use salesforce::{Decimal, FieldDescribe, FieldName, JsonObject, ObjectDescribe, Record, RecordId, datetime};
use serde::Serialize;
use serde_json::Value;

use crate::batch::find_field;
use crate::check::{find, find_by_relationship, is_empty};

/// The change of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    /// The value in Salesforce; null for a new record.
    pub(super) from: Value,
    /// The value of the request.
    pub(super) to: Value,
}

/// Returns the fields that differ between the record of the request and the existing one, as the request spells them. The key
/// identifies an existing record, and is set in a new one.
pub(super) fn of(
    describe: &ObjectDescribe,
    key: &FieldName,
    record: &JsonObject,
    existing: Option<&Record>,
) -> BTreeMap<String, Difference> {
    let is_key = |name: &str| name.eq_ignore_ascii_case(key.as_str());
    let set = record.iter().filter(|(name, _)| existing.is_none() || !is_key(name));
    let change = |(name, to): (&String, &Value)| {
        let from = existing.map(|existing| current(describe, existing, name, to)).unwrap_or_default();
        let field = find_by_relationship(describe, name).filter(|_| to.is_object()).or_else(|| find(describe, name));
        let is_same = is_empty(&from) && is_empty(to) || field.is_some_and(|field| is_same(field, &from, to));
        (!is_same).then(|| (name.clone(), Difference { from, to: to.clone() }))
    };
    set.filter_map(change).collect()
}

/// Returns the value of the existing record: of a parent, the field by which the request names it, or else its id.
fn current(describe: &ObjectDescribe, existing: &Record, name: &str, to: &Value) -> Value {
    let value = |name: &str| find_field(&existing.fields, name).cloned();
    if !to.is_object() {
        return value(name).unwrap_or_default();
    }
    let parent = value(name).filter(Value::is_object);
    let id = || find_by_relationship(describe, name).and_then(|reference| value(reference.name.as_str()));
    parent.or_else(id).unwrap_or_default()
}

/// Returns whether Salesforce would store the value that the record has.
fn is_same(field: &FieldDescribe, from: &Value, to: &Value) -> bool {
    if let Value::Object(parent) = to {
        let named = parent.iter().find(|(name, _)| *name != "attributes");
        return named.zip(from.as_object()).is_some_and(|((name, to), from)| {
            find_field(from, name).is_some_and(|from| order_key(from).is_some() && order_key(from) == order_key(to))
        });
    }
    match field.field_type.as_str() {
        "boolean" => boolean(from).is_some() && boolean(from) == boolean(to),
        "int" | "long" | "double" | "currency" | "percent" => {
            let same = |(from, to): (Decimal, Decimal)| from.is_same(&to) || from.is_same(&to.rounded(field.scale));
            decimal(from).zip(decimal(to)).is_some_and(same)
        }
        "datetime" => time(from).is_some() && time(from) == time(to),
        "id" | "reference" => id(from).is_some() && id(from) == id(to),
        "multipicklist" => values(from) == values(to),
        _ => text(from) == text(to),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}

fn boolean(value: &Value) -> Option<bool> {
    match text(value).to_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    text(value).parse().ok()
}

fn time(value: &Value) -> Option<jiff::Timestamp> {
    datetime::parse(&text(value)).ok()
}

fn id(value: &Value) -> Option<RecordId> {
    text(value).parse().ok()
}

fn values(value: &Value) -> BTreeSet<String> {
    text(value).split(';').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "001D000000IRFmaIAH";

    fn field(name: &str, field_type: &str, more: Value) -> Value {
        let mut field = json!({
            "name": name, "label": name, "type": field_type, "nillable": true, "createable": true, "updateable": true,
        });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    }

    fn describe() -> ObjectDescribe {
        let fields = json!([
            field("K__c", "string", json!({"externalId": true})),
            field("Name", "string", json!({})),
            field("Amount", "currency", json!({"precision": 18, "scale": 2})),
            field("Private", "boolean", json!({})),
            field("Start", "datetime", json!({})),
            field("Tags", "multipicklist", json!({})),
            field("AccountId", "reference", json!({"referenceTo": ["Account"], "relationshipName": "Account"})),
        ]);
        serde_json::from_value(json!({
            "name": "Deal__c", "label": "Deal", "keyPrefix": "a00", "custom": true, "queryable": true, "createable": true,
            "updateable": true, "replicateable": true, "fields": fields,
        }))
        .unwrap()
    }

    fn changed(existing: &Value, record: &Value) -> Vec<String> {
        let fields = existing.as_object().unwrap().clone();
        let existing = Record { object: "Deal__c".parse().unwrap(), id: "a00D000000IRFma".parse().unwrap(), fields };
        let key = FieldName::from_static("K__c");
        of(&describe(), &key, record.as_object().unwrap(), Some(&existing)).into_keys().collect()
    }

    #[test]
    fn values_are_compared_as_salesforce_stores_them() {
        let existing = json!({
            "K__c": "A-1", "Name": "Acme", "Amount": 7.5, "Private": false, "Start": "2026-11-22T10:00:00.000+0000",
            "Tags": "a;b", "AccountId": ACCOUNT, "Account": {"Code__c": "C-1"},
        });
        let same = json!({
            "K__c": "a-1", "name": " Acme ", "Amount": "7.504", "Private": "FALSE", "Start": "2026-11-22T11:00:00+01:00",
            "Tags": "b; a", "AccountId": &ACCOUNT[..15], "Account": {"Code__c": "c-1"},
        });
        assert_eq!(changed(&existing, &same), [""; 0]);
        for (name, other) in [
            ("Name", json!("ACME")),
            ("Amount", json!(7.51)),
            ("Private", json!(true)),
            ("Start", json!("2026-11-22T10:00:01Z")),
            ("Tags", json!("a")),
            ("AccountId", json!("001D000000IRFmb")),
            ("Account", json!({"Code__c": "C-2"})),
        ] {
            assert_eq!(changed(&existing, &json!({"K__c": "A-1", name: other})), [name]);
            assert_eq!(changed(&existing, &json!({"K__c": "A-1", name: null})).len(), 1, "{name}");
        }
        let empty = json!({"Name": null, "Tags": null, "AccountId": null, "Account": null});
        assert_eq!(changed(&empty, &json!({"Name": "", "Tags": null})), [""; 0]);
        assert_eq!(changed(&empty, &json!({"Name": "Acme", "Account": {"Code__c": "C-1"}})), ["Account", "Name"]);
    }

    #[test]
    fn a_new_record_changes_from_nothing() {
        let record = json!({"K__c": "A-1", "Name": "Acme", "Amount": null});
        let differences = of(&describe(), &FieldName::from_static("K__c"), record.as_object().unwrap(), None);
        let expected = [("K__c", "A-1"), ("Name", "Acme")];
        let expected = expected.map(|(name, to)| (name.to_owned(), Difference { from: Value::Null, to: json!(to) }));
        assert_eq!(differences, BTreeMap::from(expected));
    }
}
