//! External ids as Salesforce compares them. Pure functions.
//!
//! [`ExternalIdType`] compares exactly, and needs the describe of the field. [`order_key`] needs none: values that Salesforce
//! may take for the same have the same key.

use serde_json::Value;

use crate::soql::Literal;
use crate::{Decimal, FieldDescribe, RecordId};

/// The comparison of the values of a key field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalIdType {
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

impl ExternalIdType {
    /// Returns the comparison of a field's values.
    #[must_use]
    pub fn of(field: &FieldDescribe) -> Self {
        match field.field_type.as_str() {
            "id" | "reference" => Self::Id,
            "double" | "int" | "long" | "currency" | "percent" => Self::Number { scale: field.scale },
            _ => Self::Text { case_sensitive: field.case_sensitive },
        }
    }

    /// Returns the value in the one form that all values have which Salesforce takes for the same; `None` if Salesforce
    /// refuses it as a value of the field.
    #[must_use]
    pub fn canonical(&self, value: &Value) -> Option<String> {
        match self {
            Self::Id => text(value)?.parse::<RecordId>().ok().map(|id| id.to_string()),
            Self::Number { scale } => number(value).map(|number| number.rounded(*scale).to_string()),
            Self::Text { case_sensitive: true } => text(value),
            Self::Text { case_sensitive: false } => text(value).map(|text| text.to_lowercase()),
        }
    }

    /// Returns the literals of a query for existing records with this value; none if no new record can have the value, or
    /// Salesforce refuses it.
    #[must_use]
    pub fn literals(&self, value: &Value) -> Vec<Literal> {
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
    #[must_use]
    pub fn is_same(&self, requested: &Value, existing: &Value) -> bool {
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

/// Returns a key of an external id that is the same for any two values that Salesforce may take for the same, whatever the type
/// of the field; `None` if it is neither a text nor a number, or empty.
///
/// It ignores case, the spelling of numbers, and the last three characters of record ids. So it also merges values that some
/// fields tell apart, such as `7` and `7.0` in a text: use it for order and locks, not to refuse. Of numbers with more digits
/// after the decimal point than the field has, only the ones that are equal before Salesforce rounds them are merged.
#[must_use]
pub fn order_key(value: &Value) -> Option<String> {
    let text = text(value)?;
    let id = text.parse::<RecordId>().ok();
    let text = id.as_ref().map_or(text.as_str(), RecordId::short);
    // Two numbers of which Salesforce keeps the same double are merged as well.
    let double = text.parse::<Decimal>().ok().and_then(|number| number.to_string().parse::<f64>().ok());
    Some(double.map_or_else(|| text.to_lowercase(), |double| double.to_string()))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NUMBER: ExternalIdType = ExternalIdType::Number { scale: 2 };
    const TEXT: ExternalIdType = ExternalIdType::Text { case_sensitive: false };

    fn rendered(key_type: &ExternalIdType, value: &Value) -> Vec<String> {
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
        let case_sensitive = ExternalIdType::Text { case_sensitive: true };
        assert!(!case_sensitive.is_same(&json!("a-1"), &json!("A-1")));
        assert!(!TEXT.is_same(&json!("7"), &json!("7.0")));
    }

    #[test]
    fn a_short_id_and_its_long_form_are_the_same() {
        let (short, long) = (json!("001D000000IRFma"), json!("001D000000IRFmaIAH"));
        assert!(ExternalIdType::Id.is_same(&short, &long));
        assert!(!ExternalIdType::Id.is_same(&json!("001D000000IRFmA"), &long));
        assert!(ExternalIdType::Id.literals(&short).is_empty());
    }

    #[test]
    fn equal_external_ids_have_one_canonical_form() {
        let canonical = |kind: &ExternalIdType, value: Value| kind.canonical(&value).unwrap();
        assert_eq!(canonical(&NUMBER, json!("07.0")), canonical(&NUMBER, json!(7)));
        assert_eq!(canonical(&NUMBER, json!(77.504)), canonical(&NUMBER, json!("77.50")));
        assert_ne!(canonical(&TEXT, json!("7.0")), canonical(&TEXT, json!(7)));
        assert_eq!(canonical(&TEXT, json!("É-1")), canonical(&TEXT, json!("é-1")));
        let case_sensitive = ExternalIdType::Text { case_sensitive: true };
        assert_ne!(canonical(&case_sensitive, json!("a")), canonical(&case_sensitive, json!("A")));
        assert_eq!(canonical(&ExternalIdType::Id, json!("001D000000IRFma")), "001D000000IRFmaIAH");
        assert_eq!(NUMBER.canonical(&json!("seven")), None);
    }

    #[test]
    fn an_order_key_ignores_case_spelling_and_length_of_ids() {
        for (one, other) in [
            (json!("A-1"), json!(" a-1 ")),
            (json!(7), json!("7.0")),
            (json!(77.5), json!("77.50")),
            (json!("001D000000IRFma"), json!("001D000000IRFmaIAH")),
            (json!("001000000000001"), json!("001000000000001AAA")),
            (json!(123_456_789_012_345_678_i64), json!(1.234_567_890_123_456_8E17)),
        ] {
            assert_eq!(order_key(&one), order_key(&other), "{one} {other}");
        }
        for (one, other) in [(json!("A-1"), json!("A-2")), (json!(77.5), json!(77))] {
            assert_ne!(order_key(&one), order_key(&other), "{one} {other}");
        }
        assert_eq!(order_key(&json!(" ")), None);
        assert_eq!(order_key(&json!(null)), None);
    }

    /// A value of an external id.
    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            (0i32..20, 0usize..3).prop_map(|(number, zeros)| json!(format!("{number}.{}", "0".repeat(zeros)))),
            (0i32..20).prop_map(|number| json!(number)),
            "[aAbB]{1,2}".prop_map(|text| json!(text)),
            "[01aA]{15}".prop_map(|id| json!(id)),
            "[01aA]{15}".prop_map(|id| json!(id.parse::<RecordId>().unwrap())),
        ]
    }

    proptest! {
        #[test]
        fn values_that_are_the_same_to_salesforce_have_one_order_key(one in value(), other in value()) {
            for kind in [ExternalIdType::Id, NUMBER, TEXT, ExternalIdType::Text { case_sensitive: true }] {
                if kind.is_same(&one, &other) {
                    prop_assert_eq!(order_key(&one), order_key(&other));
                }
            }
        }

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
