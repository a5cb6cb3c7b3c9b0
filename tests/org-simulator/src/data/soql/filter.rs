//! Filters: conditions in a form that can be evaluated.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use super::compare::{compared, equal, like};
use crate::model::ids::RecordId;
use crate::model::value::Value;

#[derive(Clone, Debug)]
pub(super) enum Test {
    Equal(Value),
    NotEqual(Value),
    Less(Value),
    LessOrEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    /// A lower-case pattern with `%` and `_`.
    Like(String),
    In(Set),
    NotIn(Set),
    /// From (inclusive) to (exclusive).
    Within(Value, Value),
    Outside(Value, Value),
    /// Groups of lower-case values; all values of one group must be selected.
    Includes(Vec<Vec<String>>),
    Excludes(Vec<Vec<String>>),
}

/// The values of an IN list, indexed for fast lookup.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub(super) ids: HashSet<RecordId>,
    /// In lower case.
    texts: HashSet<String>,
    others: Vec<Value>,
    ranges: Vec<(Value, Value)>,
}

impl Set {
    pub(super) fn insert(&mut self, value: Value) {
        match value {
            Value::Id(id) => drop(self.ids.insert(id)),
            Value::Text(text) => drop(self.texts.insert(text.to_lowercase())),
            other => self.others.push(other),
        }
    }

    /// Adds the range from (inclusive) to (exclusive).
    pub(super) fn insert_range(&mut self, from: Value, to: Value) {
        self.ranges.push((from, to));
    }

    fn contains(&self, value: &Value) -> bool {
        let known = match value {
            Value::Id(id) => self.ids.contains(id),
            Value::Text(text) => self.texts.contains(&text.to_lowercase()),
            other => self.others.iter().any(|operand| equal(other, operand)),
        };
        known || self.ranges.iter().any(|(from, to)| within(value, from, to))
    }
}

/// A condition; `S` is the source of a tested value.
#[derive(Clone, Debug)]
pub(super) enum Filter<S> {
    All(Vec<Filter<S>>),
    Any(Vec<Filter<S>>),
    Not(Box<Filter<S>>),
    Test { source: S, test: Test },
}

impl<S> Filter<S> {
    /// Returns whether the condition is true for the values that `value` returns.
    pub(super) fn holds<'v>(&self, value: &impl Fn(&S) -> Cow<'v, Value>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(value)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(value)),
            Self::Not(part) => !part.holds(value),
            Self::Test { source, test } => test.passes(&value(source)),
        }
    }
}

fn within(value: &Value, from: &Value, to: &Value) -> bool {
    compared(value, from).is_some_and(Ordering::is_ge) && compared(value, to).is_some_and(Ordering::is_lt)
}

/// Returns whether all values of one of the groups are among the selected ones, `A;B;C`.
fn chosen(value: &Value, groups: &[Vec<String>]) -> bool {
    let text = value.as_text().to_lowercase();
    let picked: HashSet<&str> = text.split(';').collect();
    groups.iter().any(|group| group.iter().all(|wanted| picked.contains(wanted.as_str())))
}

impl Test {
    pub(super) fn passes(&self, value: &Value) -> bool {
        let is = |operand: &Value, wanted: fn(Ordering) -> bool| compared(value, operand).is_some_and(wanted);
        match self {
            Self::Equal(operand) => equal(value, operand),
            Self::NotEqual(operand) => !equal(value, operand),
            Self::Less(operand) => is(operand, Ordering::is_lt),
            Self::LessOrEqual(operand) => is(operand, Ordering::is_le),
            Self::Greater(operand) => is(operand, Ordering::is_gt),
            Self::GreaterOrEqual(operand) => is(operand, Ordering::is_ge),
            Self::Like(pattern) => matches!(value, Value::Text(text) if like(&text.to_lowercase(), pattern)),
            Self::In(set) => set.contains(value),
            Self::NotIn(set) => !set.contains(value),
            Self::Within(from, to) => within(value, from, to),
            Self::Outside(from, to) => !within(value, from, to),
            Self::Includes(groups) => chosen(value, groups),
            Self::Excludes(groups) => !chosen(value, groups),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_equals_only_null_and_is_never_less() {
        assert!(!Test::Less(Value::Double(1.0)).passes(&Value::Null));
        assert!(Test::NotEqual(Value::text("a")).passes(&Value::Null));
        assert!(Test::Equal(Value::Null).passes(&Value::Null));
    }

    #[test]
    fn includes_matches_all_values_of_one_group() {
        let groups = |text: &str| -> Vec<Vec<String>> {
            text.split(',').map(|group| group.split(';').map(str::to_owned).collect()).collect()
        };
        let value = Value::text("English;German;Dutch");
        assert!(Test::Includes(groups("german;dutch,french")).passes(&value));
        assert!(!Test::Includes(groups("german;french")).passes(&value));
        assert!(Test::Excludes(groups("french")).passes(&value));
        assert!(Test::Excludes(groups("french")).passes(&Value::Null));
    }
}
