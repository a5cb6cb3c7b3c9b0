//! The running state of an aggregate function over rows; nulls are ignored.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::data::soql::ast::Aggregate;
use crate::data::soql::plan::Call;
use crate::data::soql::{compare, eval};
use crate::model::value::Value;

#[derive(Debug)]
pub(super) struct Tally {
    function: Aggregate,
    /// The field is an integer, and so is its sum.
    whole: bool,
    count: i64,
    sum: f64,
    extreme: Value,
    seen: HashSet<String>,
}

/// Returns a text that is equal for equal values.
pub(super) fn key_of(value: &Value) -> String {
    let text = match value {
        Value::Null | Value::Blob(_) => return "-;".to_owned(),
        Value::Text(text) => text.to_lowercase(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Digits(digits) => digits.to_string(),
        Value::Date(day) => day.to_string(),
        Value::Instant(at) => at.to_string(),
        Value::Id(id) => id.to_string(),
    };
    format!("{}:{text};", text.len())
}

impl Tally {
    pub(super) fn new(call: &Call) -> Self {
        let (function, whole) = (call.function, call.whole);
        Self { function, whole, count: 0, sum: 0.0, extreme: Value::Null, seen: HashSet::new() }
    }

    /// Adds a row's value; the least and the greatest value of a picklist are those of its order.
    pub(super) fn add(&mut self, call: &Call, value: &Value) {
        if value.is_null() {
            return;
        }
        self.count += 1;
        match self.function {
            Aggregate::Count => {}
            Aggregate::CountDistinct => drop(self.seen.insert(key_of(value))),
            Aggregate::Sum | Aggregate::Avg => self.sum += value.as_number().unwrap_or_default(),
            Aggregate::Min | Aggregate::Max => {
                let rank = |value| eval::rank(Cow::Borrowed(value), &call.picklist);
                let order = compare::compared(&rank(value), &rank(&self.extreme));
                let better = if self.function == Aggregate::Min {
                    order.is_some_and(std::cmp::Ordering::is_lt)
                } else {
                    order.is_some_and(std::cmp::Ordering::is_gt)
                };
                if self.extreme.is_null() || better {
                    self.extreme = value.clone();
                }
            }
        }
    }

    pub(super) fn value(&self) -> Value {
        match self.function {
            Aggregate::Count => Value::Int(self.count),
            Aggregate::CountDistinct => Value::Int(i64::try_from(self.seen.len()).unwrap_or(i64::MAX)),
            Aggregate::Sum | Aggregate::Avg if self.count == 0 => Value::Null,
            #[expect(clippy::cast_possible_truncation, reason = "a sum of whole numbers is whole")]
            Aggregate::Sum if self.whole => Value::Int(self.sum as i64),
            Aggregate::Sum => Value::Double(self.sum),
            #[expect(clippy::cast_precision_loss, reason = "no table has 2^52 rows")]
            Aggregate::Avg => Value::Double(self.sum / self.count as f64),
            Aggregate::Min | Aggregate::Max => self.extreme.clone(),
        }
    }
}
