//! The object that a batch writes, as its describe shows it: whether its records have owners, and how the values of its key
//! fields are compared.

use std::collections::HashMap;

use salesforce::soql::Literal;
use salesforce::{Decimal, FieldDescribe, FieldName, ObjectDescribe, ObjectName, RecordId};
use serde_json::Value;
use writes::Hidden;

use crate::batch::Batch;

/// The comparison of the values of a key field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    /// Record ids, in 15 or 18 characters. An upsert by `Id` never creates a record.
    Id,
    /// Numbers, which Salesforce rounds to this number of digits after the decimal point.
    Number {
        /// The digits after the decimal point.
        scale: u32,
    },
    /// Texts.
    Text {
        /// `true` if values that differ in case are different values.
        case_sensitive: bool,
    },
}

impl KeyType {
    fn of(field: &FieldDescribe) -> Self {
        match field.field_type.as_str() {
            "id" | "reference" => Self::Id,
            "double" | "int" | "long" | "currency" | "percent" => Self::Number { scale: field.scale },
            _ => Self::Text { case_sensitive: field.case_sensitive },
        }
    }

    /// Returns the literals of a query for existing records with this value; none if no new record can have the value, or
    /// Salesforce refuses it.
    pub(crate) fn literals(&self, value: &Value) -> Vec<Literal> {
        match self {
            Self::Id => Vec::new(),
            Self::Number { scale } => {
                let Some(number) = number(value) else { return Vec::new() };
                let rounded = number.rounded(*scale);
                let numbers = if rounded == number { vec![number] } else { vec![number, rounded] };
                numbers.into_iter().map(Literal::Decimal).collect()
            }
            Self::Text { .. } => text(value).map(Literal::Text).into_iter().collect(),
        }
    }

    /// Returns whether a requested value and that of an existing record are the same to Salesforce.
    pub(crate) fn is_same(&self, requested: &Value, existing: &Value) -> bool {
        match self {
            Self::Id => {
                let id = |value: &Value| text(value)?.parse::<RecordId>().ok();
                id(requested).is_some_and(|requested| id(existing) == Some(requested))
            }
            Self::Number { scale } => match (number(requested), number(existing)) {
                (Some(requested), Some(existing)) => {
                    existing.is_same(&requested) || existing.is_same(&requested.rounded(*scale))
                }
                _ => false,
            },
            Self::Text { case_sensitive } => match (text(requested), text(existing)) {
                (Some(requested), Some(existing)) if *case_sensitive => requested == existing,
                (Some(requested), Some(existing)) => requested.to_lowercase() == existing.to_lowercase(),
                _ => false,
            },
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<Decimal> {
    text(value)?.parse().ok()
}

/// The properties of an object on which a write on a rep's behalf depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `true` if records of the object have an owner.
    pub(crate) has_owner: bool,
    /// The key fields by their names in lower case.
    keys: HashMap<String, KeyType>,
}

impl Target {
    pub(crate) fn new(describe: &ObjectDescribe) -> Self {
        let keys = describe.fields.iter().filter(|field| is_key(field));
        Self {
            has_owner: describe.fields.iter().any(|field| field.name.as_str() == "OwnerId"),
            keys: keys.map(|field| (field.name.as_str().to_lowercase(), KeyType::of(field))).collect(),
        }
    }

    pub(crate) fn key(&self, field: &FieldName) -> Option<&KeyType> {
        self.keys.get(&field.as_str().to_lowercase())
    }
}

fn is_key(field: &FieldDescribe) -> bool {
    field.external_id || field.id_lookup || field.field_type == "id"
}

/// Returns the reason for which Salesforce knows nothing of a batch's fields, as the describe of the object shows it; `None` if
/// the connection's user sees each of them.
pub(crate) fn hidden(describe: &ObjectDescribe, object: &ObjectName, batch: &Batch) -> Option<Hidden> {
    let key = &batch.external_id_field;
    let find = |name: &str| describe.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name));
    match find(key.as_str()) {
        None => return Some(Hidden::Key(object.clone(), key.clone())),
        Some(field) if !is_key(field) => return Some(Hidden::NotAKey(object.clone(), key.clone())),
        Some(_) => {}
    }
    let is_relationship = |name: &str| {
        let of =
            |field: &FieldDescribe| field.relationship_name.as_ref().is_some_and(|of| of.eq_ignore_ascii_case(name));
        describe.fields.iter().any(of)
    };
    let mut fields: Vec<String> = Vec::new();
    for name in batch.records.iter().flat_map(|record| record.keys()) {
        if find(name).is_none() && !is_relationship(name) && !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    (!fields.is_empty()).then(|| Hidden::Fields(object.clone(), fields))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NUMBER: KeyType = KeyType::Number { scale: 2 };
    const TEXT: KeyType = KeyType::Text { case_sensitive: false };

    fn rendered(key_type: &KeyType, value: &Value) -> Vec<String> {
        key_type.literals(value).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn numbers_are_compared_by_value() {
        for requested in [json!(7), json!(7.0), json!("7"), json!(" 7.00 "), json!("0.7e1")] {
            for existing in [json!(7), json!(7.0), json!("7")] {
                assert!(NUMBER.is_same(&requested, &existing), "{requested} {existing}");
            }
            assert_eq!(rendered(&NUMBER, &requested), ["7"], "{requested}");
        }
        assert_eq!(rendered(&NUMBER, &json!(77.5)), ["77.5"]);
        assert!(!NUMBER.is_same(&json!(77.5), &json!(77)));
        assert!(NUMBER.is_same(&json!(77.504), &json!(77.5)));
        assert_eq!(rendered(&NUMBER, &json!(77.504)), ["77.504", "77.5"]);
        let long = json!(123_456_789_012_345_678_i64);
        assert_eq!(rendered(&NUMBER, &long), ["123456789012345678"]);
        assert!(NUMBER.is_same(&long, &json!(1.234_567_890_123_456_8E17)));
        assert_eq!(rendered(&NUMBER, &json!("seven")), [""; 0]);
    }

    #[test]
    fn texts_are_compared_as_salesforce_compares_them() {
        assert!(TEXT.is_same(&json!("a-1"), &json!("A-1")));
        assert!(TEXT.is_same(&json!(1234), &json!("1234")));
        assert_eq!(rendered(&TEXT, &json!(1234)), ["'1234'"]);
        let case_sensitive = KeyType::Text { case_sensitive: true };
        assert!(!case_sensitive.is_same(&json!("a-1"), &json!("A-1")));
        assert!(!TEXT.is_same(&json!("7"), &json!("7.0")));
    }

    #[test]
    fn a_short_id_and_its_long_form_are_the_same() {
        let (short, long) = (json!("001D000000IRFma"), json!("001D000000IRFmaIAH"));
        assert!(KeyType::Id.is_same(&short, &long));
        assert!(!KeyType::Id.is_same(&json!("001D000000IRFmA"), &long));
        assert!(KeyType::Id.literals(&short).is_empty());
    }

    proptest! {
        #[test]
        fn a_number_is_found_however_it_is_written(value in any::<i32>(), zeros in 0usize..4, as_text in any::<bool>()) {
            let written = format!("{value}.{}", "0".repeat(zeros + 1));
            let requested = if as_text { json!(written) } else { json!(written.parse::<f64>().unwrap()) };
            prop_assert!(NUMBER.is_same(&requested, &json!(value)));
            prop_assert_eq!(rendered(&NUMBER, &requested), [value.to_string()]);
            prop_assert!(!NUMBER.is_same(&requested, &json!(i64::from(value) + 1)));
        }

        #[test]
        fn a_text_is_found_in_any_case(text in "[a-zA-Z0-9éÉ]{1,12}") {
            prop_assert!(TEXT.is_same(&json!(text), &json!(text.to_lowercase())));
            let padded = format!(" {text} ");
            prop_assert!(TEXT.is_same(&json!(padded), &json!(text)));
        }
    }
}
