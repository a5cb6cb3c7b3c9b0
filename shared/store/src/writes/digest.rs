//! The digest of a write's request, which distinguishes a repeated request from another one under the same key.

use salesforce::{Decimal, ObjectName};
use serde_json::{Number, Value, json};

use super::NewWrite;
use crate::ids::{PlatformUser, sha256_hex};

/// Returns the digest of everything that identifies the request. JSON texts that mean the same have the same digest: the
/// order of the members of an object and the form of a number (`7`, `7.0`, `0.7e1`) do not count.
pub(super) fn canonical(write: &NewWrite) -> String {
    sha256_hex(canonical_text(&whole(write)).as_bytes())
}

/// Returns the digest as version 0.1.0 stored it, for which the order of members counted, and fractions were doubles.
pub(super) fn in_order(write: &NewWrite) -> String {
    sha256_hex(with_doubles(whole(write)).to_string().as_bytes())
}

/// Returns the value with every number that is no integer as a double.
fn with_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            number.as_f64().and_then(Number::from_f64).map_or(Value::Number(number), Value::Number)
        }
        Value::Array(elements) => elements.into_iter().map(with_doubles).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, with_doubles(value))).collect())
        }
        other => other,
    }
}

fn whole(write: &NewWrite) -> Value {
    let object = write.object.as_ref().map(ObjectName::as_str);
    let user = write.platform_user.as_ref().map(PlatformUser::as_str);
    match write.retry_of {
        None => json!([write.kind, object, user, write.request]),
        Some(retried) => json!([write.kind, object, user, write.request, retried]),
    }
}

/// Writes JSON with the members of objects in the order of their names, and with numbers in one form.
fn canonical_text(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
        Value::Number(number) => {
            let text = number.to_string();
            text.parse::<Decimal>().map_or(text, |decimal| decimal.to_string())
        }
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(canonical_text).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let member = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), canonical_text(value));
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;

    /// Any JSON value of a few levels.
    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z\"\\\\é]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c]{1,2}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Writes the same JSON in another form: members in the opposite order, whole numbers as decimals.
    fn rewritten(value: &Value) -> Value {
        match value {
            Value::Array(elements) => elements.iter().map(rewritten).collect(),
            Value::Object(members) => {
                let reversed: Map<_, _> =
                    members.iter().rev().map(|(name, value)| (name.clone(), rewritten(value))).collect();
                Value::Object(reversed)
            }
            Value::Number(number) => match number.as_i64().and_then(|number| i32::try_from(number).ok()) {
                Some(whole) => Value::from(f64::from(whole)),
                None => value.clone(),
            },
            other => other.clone(),
        }
    }

    /// Returns whether two values mean the same to JSON.
    fn mean_the_same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| mean_the_same(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                let same = |(name, value): (&String, &Value)| b.get(name).is_some_and(|b| mean_the_same(value, b));
                a.len() == b.len() && a.iter().all(same)
            }
            (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
            _ => a == b,
        }
    }

    proptest! {
        #[test]
        fn equal_json_has_one_form(value in json_value()) {
            let other = rewritten(&value);
            prop_assert!(mean_the_same(&value, &other));
            prop_assert_eq!(canonical_text(&value), canonical_text(&other));
        }

        #[test]
        fn other_json_has_another_form(a in json_value(), b in json_value()) {
            if canonical_text(&a) == canonical_text(&b) {
                prop_assert!(mean_the_same(&a, &b), "{a} {b}");
            }
        }
    }

    #[test]
    fn version_0_1_0_read_fractions_as_doubles() {
        let value = with_doubles(
            serde_json::from_str(r#"[{"a": 7.50, "b": 1234567890123456.78}, 12345678901234567]"#).unwrap(),
        );
        assert_eq!(value.to_string(), r#"[{"a":7.5,"b":1234567890123456.8},12345678901234567]"#);
    }

    #[test]
    fn a_number_has_one_form() {
        for number in ["7", "7.0", "0.7e1", "70E-1"] {
            assert_eq!(canonical_text(&serde_json::from_str(number).unwrap()), "7", "{number}");
        }
        let exact = canonical_text(&serde_json::from_str("1234567890123456.78").unwrap());
        assert_eq!(exact, "1234567890123456.78");
        assert_eq!(canonical_text(&serde_json::from_str("1.23456789012345678E15").unwrap()), exact);
        assert_ne!(canonical_text(&serde_json::from_str("1234567890123456.8").unwrap()), exact);
        assert_ne!(canonical_text(&json!("7")), canonical_text(&json!(7)));
        assert_ne!(canonical_text(&json!([1, 2])), canonical_text(&json!([2, 1])));
    }
}
