//! Comparison of values: text without regard to case; null equals only null and is never less.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::model::value::Value;

/// Returns whether two values are equal: text without regard to case, and null only to null.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        _ => compared(a, b).is_some_and(Ordering::is_eq),
    }
}

/// Returns the order of two values of one type; `None` when one is null or the types differ.
pub(super) fn compared(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(b)),
        (Value::Id(a), Value::Id(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(caseless(a, b)),
        _ => a.as_number()?.partial_cmp(&b.as_number()?),
    }
}

fn caseless(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        let lower = |text: &str| text.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<u8>>();
        return if a.len() == b.len() && a.eq_ignore_ascii_case(b) { Ordering::Equal } else { lower(a).cmp(&lower(b)) };
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

/// Returns text in lower case, so that it can be sorted directly.
pub(super) fn folded(value: Cow<'_, Value>) -> Cow<'_, Value> {
    match &*value {
        Value::Text(text) if text.chars().any(char::is_uppercase) => Cow::Owned(Value::text(text.to_lowercase())),
        _ => value,
    }
}

/// Returns the order of two values in a sorted result: nulls come first unless `nulls_last` is set.
pub(super) fn sorted(a: &Value, b: &Value, descending: bool, nulls_last: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if nulls_last => Ordering::Greater,
        (false, true) if nulls_last => Ordering::Less,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => {
            let order = compared(a, b).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
    }
}

/// Matches SQL's LIKE on lower-case text: `%` is any run of characters, `_` one character, and a backslash escapes
/// either.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let escaped = pattern.get(p) == Some(&'\\') && matches!(pattern.get(p + 1), Some('%' | '_'));
        match pattern.get(p) {
            Some('%') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(_) if escaped && pattern.get(p + 1) == text.get(t) => (t, p) = (t + 1, p + 2),
            Some(c) if !escaped && (*c == '_' || Some(c) == text.get(t)) => (t, p) = (t + 1, p + 1),
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (t, p) = (from + 1, after);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn like_matches_runs_single_characters_and_escapes() {
        for (text, pattern) in [
            ("acme corp", "acme%"),
            ("acme", "a_me"),
            ("acme", "%"),
            ("", "%"),
            ("50% off", "50\\% %"),
            ("abcabd", "%abd"),
        ] {
            assert!(like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("acme", "acm"), ("acme", "a_e"), ("500 off", "50\\% %"), ("acme", "")] {
            assert!(!like(text, pattern), "{text} {pattern}");
        }
    }

    /// Matches LIKE in the simplest way, for comparison.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['%', rest @ ..], text) => (0..=text.len()).any(|n| naive(&text[n..], rest)),
            (['\\', c @ ('%' | '_'), rest @ ..], [first, text @ ..]) => c == first && naive(text, rest),
            (['\\', '%' | '_', ..], []) | ([_, ..], []) => false,
            (['_', rest @ ..], [_, text @ ..]) => naive(text, rest),
            ([c, rest @ ..], [first, text @ ..]) => c == first && naive(text, rest),
        }
    }

    proptest! {
        #[test]
        fn like_agrees_with_a_naive_matcher(text in "[ab%_]{0,8}", pattern in r"([ab%_]|\\%|\\_){0,6}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&text, &pattern), naive(&chars(&text), &chars(&pattern)));
        }

        #[test]
        fn texts_compare_as_their_lower_case_does(a in "[a-cA-Cé]{0,4}", b in "[a-cA-CÉ]{0,4}") {
            prop_assert_eq!(caseless(&a, &b), a.to_lowercase().cmp(&b.to_lowercase()));
        }
    }
}
