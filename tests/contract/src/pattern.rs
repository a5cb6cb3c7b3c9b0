//! Patterns of JSON, by which a check says what it expects of an answer.
//!
//! A pattern is a JSON value. An object of the pattern requires its members and permits others; a list requires as many
//! items; texts of the form `<...>` are placeholders; everything else must be equal.
//!
//! | placeholder | matches |
//! |---|---|
//! | `<any>` | any value, if the member is there |
//! | `<absent>` | nothing: the member must not be there |
//! | `<text>`, `<number>`, `<boolean>`, `<object>`, `<list>` | a value of that type |
//! | `<id>`, `<id 001>` | an id of 18 characters with a right suffix, beginning with the prefix |
//! | `<date-time>` | `2026-11-22T10:15:30.000+0000` |
//! | `<date>` | `2026-11-22` |
//! | `<contains TEXT>`, `<starts TEXT>` | a text with that part, in any case of letters, or beginning |

use serde_json::Value;

/// Returns the first place where the value does not match the pattern, with what was expected there.
pub(crate) fn mismatch(pattern: &Value, value: Option<&Value>) -> Option<String> {
    mismatch_at("", pattern, value)
}

fn mismatch_at(path: &str, pattern: &Value, value: Option<&Value>) -> Option<String> {
    let wrong = || Some(format!("{}: {pattern}", if path.is_empty() { "the body" } else { path }));
    let Some(value) = value else { return if pattern == "<absent>" { None } else { wrong() } };
    match (pattern, value) {
        (Value::Object(pattern), Value::Object(value)) => {
            pattern.iter().find_map(|(name, member)| mismatch_at(&format!("{path}/{name}"), member, value.get(name)))
        }
        (Value::Array(pattern), Value::Array(items)) => {
            if pattern.len() != items.len() {
                return wrong();
            }
            let pairs = pattern.iter().zip(items).enumerate();
            pairs
                .into_iter()
                .find_map(|(at, (pattern, item))| mismatch_at(&format!("{path}/{at}"), pattern, Some(item)))
        }
        (Value::String(text), value) if is_placeholder(text) => {
            if matches_placeholder(&text[1..text.len() - 1], value) { None } else { wrong() }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (pattern, value) if pattern == value => None,
        _ => wrong(),
    }
}

fn is_placeholder(text: &str) -> bool {
    text.len() > 2 && text.starts_with('<') && text.ends_with('>')
}

fn matches_placeholder(name: &str, value: &Value) -> bool {
    let (name, argument) = name.split_once(' ').unwrap_or((name, ""));
    let text = value.as_str();
    match name {
        "any" => true,
        "text" => text.is_some(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        "id" => text.is_some_and(|text| text.starts_with(argument) && is_long_id(text)),
        "date-time" => text.is_some_and(is_date_time),
        "date" => text.is_some_and(|text| has_shape(text, "0000-00-00")),
        "contains" => text.is_some_and(|text| text.to_lowercase().contains(&argument.to_lowercase())),
        "starts" => text.is_some_and(|text| text.starts_with(argument)),
        _ => false,
    }
}

/// Returns whether the text is a date and time as the REST API sends it: with milliseconds, and an offset without a colon.
pub(crate) fn is_date_time(text: &str) -> bool {
    has_shape(text, "0000-00-00T00:00:00.000+0000")
}

/// Returns whether the text has the letters of the shape, and a digit for each `0` of it.
pub(crate) fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .chars()
            .zip(shape.chars())
            .all(|(c, wanted)| if wanted == '0' { c.is_ascii_digit() } else { c == wanted })
}

/// Returns whether the text is an id of 18 characters whose suffix fits its first 15.
pub(crate) fn is_long_id(text: &str) -> bool {
    text.is_ascii() && text.len() == 18 && suffix(&text[..15]) == text[15..]
}

/// Returns the three characters that make an id of 15 characters safe to compare in any case.
pub(crate) fn suffix(id: &str) -> String {
    let groups = id.as_bytes().chunks(5);
    let index = |group: &[u8]| {
        let bits = group.iter().enumerate().filter(|(_, c)| c.is_ascii_uppercase());
        bits.fold(0_usize, |index, (bit, _)| index | 1 << bit)
    };
    groups.filter_map(|group| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".get(index(group))).map(|c| char::from(*c)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_permits_members_that_the_pattern_lacks() {
        let value = json!({"id": "001", "more": true});
        assert_eq!(mismatch(&json!({"id": "<text>"}), Some(&value)), None);
        assert_eq!(mismatch(&json!({"id": "<text>", "x": "<absent>"}), Some(&value)), None);
        assert_eq!(mismatch(&json!({"more": "<absent>"}), Some(&value)).unwrap(), r#"/more: "<absent>""#);
        assert_eq!(mismatch(&json!({"x": "<any>"}), Some(&value)).unwrap(), r#"/x: "<any>""#);
    }

    #[test]
    fn a_list_has_as_many_items_as_its_pattern() {
        let value = json!([{"errorCode": "NOT_FOUND"}]);
        assert_eq!(mismatch(&json!([{"errorCode": "NOT_FOUND"}]), Some(&value)), None);
        assert!(mismatch(&json!([]), Some(&value)).is_some());
        assert!(mismatch(&json!([{"errorCode": "OTHER"}]), Some(&value)).unwrap().starts_with("/0/errorCode"));
    }

    #[test]
    fn placeholders_match_their_kind_of_value_only() {
        let matched = |pattern: &str, value: Value| mismatch(&json!(pattern), Some(&value)).is_none();
        assert!(matched("<id 00D>", json!("00D5e000000KQ2eEAG")) && !matched("<id 001>", json!("00D5e000000KQ2eEAG")));
        assert!(!matched("<id>", json!("00D5e000000KQ2eEAA")) && !matched("<id>", json!("00D5e000000KQ2e")));
        assert!(matched("<date-time>", json!("2026-11-22T10:15:30.000+0000")));
        assert!(!matched("<date-time>", json!("2026-11-22T10:15:30.000Z")));
        assert!(matched("<contains LOCK ROW>", json!("unable to lock row")) && !matched("<contains x>", json!("y")));
        assert!(!matched("<number>", json!("1")) && !matched("<misspelt>", json!("misspelt")));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert_eq!(mismatch(&json!(15000), Some(&json!(15000.0))), None);
        assert!(mismatch(&json!(1), Some(&json!(2))).is_some());
    }
}
