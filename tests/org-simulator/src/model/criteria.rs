//! Criteria of sharing rules and of roll-up summaries: a field, an operation and a value, as in the Metadata API
//! (`FilterItem`).
//!
//! Texts are compared without regard to case. Several values separated by commas mean any of them; a blank value means a
//! blank field. Dates and times are written as in SOQL (in the Metadata API, in the format of the user's locale).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::model::datetime;
use crate::model::ids::RecordId;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::value::Value;

/// The comparison of a field with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FilterOperation {
    /// The field has the value.
    Equals,
    /// The field has another value, or none.
    NotEqual,
    /// The field is less than the value.
    LessThan,
    /// The field is greater than the value.
    GreaterThan,
    /// The field is not greater than the value.
    LessOrEqual,
    /// The field is not less than the value.
    GreaterOrEqual,
    /// The text contains the value.
    Contains,
    /// The text does not contain the value.
    NotContain,
    /// The text begins with the value.
    StartsWith,
    /// One of the values of a multi-select picklist is selected.
    Includes,
    /// None of the values of a multi-select picklist is selected.
    Excludes,
}

/// One criterion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterItem {
    /// Name of a field of the record.
    pub field: String,
    /// The comparison.
    pub operation: FilterOperation,
    /// The value, as text; empty for blank.
    #[serde(default)]
    pub value: String,
}

impl FilterItem {
    /// Checks the criterion against the object: the field, the operation for its type, and the value.
    pub(crate) fn check(&self, object: &Object) -> Result<(), String> {
        let name = &self.field;
        let field = object.field(name).ok_or_else(|| format!("{name} is no field of {}", object.name))?;
        let ordered = field.kind.is_number() || matches!(field.kind, FieldKind::Date | FieldKind::DateTime);
        let fits = match self.operation {
            FilterOperation::Equals | FilterOperation::NotEqual => {
                !field.kind.is_compound() && !matches!(field.kind, FieldKind::Base64 | FieldKind::MultiPicklist)
            }
            FilterOperation::LessThan
            | FilterOperation::GreaterThan
            | FilterOperation::LessOrEqual
            | FilterOperation::GreaterOrEqual => ordered,
            FilterOperation::Contains | FilterOperation::NotContain | FilterOperation::StartsWith => {
                field.kind.is_text()
            }
            FilterOperation::Includes | FilterOperation::Excludes => field.kind == FieldKind::MultiPicklist,
        };
        if !fits {
            return Err(format!("{name} is of type {}, which has no {:?}", field.kind.name(), self.operation));
        }
        match self.values().find(|text| operand(field, text).is_none()) {
            Some(wrong) => Err(format!("'{wrong}' is no {}", field.kind.name())),
            None => Ok(()),
        }
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        self.value.split(',').map(str::trim)
    }

    /// Returns whether the value of the field meets the criterion.
    pub(crate) fn is_met(&self, field: &Field, value: &Value) -> bool {
        let any =
            |test: &dyn Fn(&Value) -> bool| self.values().filter_map(|text| operand(field, text)).any(|v| test(&v));
        let is = |wanted: fn(Ordering) -> bool| any(&|operand| order(value, operand).is_some_and(wanted));
        let text = value.as_text().to_lowercase();
        let has = |test: fn(&str, &str) -> bool| {
            any(&|operand| test(&text, &operand.as_text().to_lowercase()) && (!text.is_empty() || operand.is_null()))
        };
        let selects = || any(&|operand| text.split(';').any(|chosen| chosen == operand.as_text().to_lowercase()));
        match self.operation {
            FilterOperation::Equals => any(&|operand| is_equal(value, operand)),
            FilterOperation::NotEqual => !any(&|operand| is_equal(value, operand)),
            FilterOperation::LessThan => is(Ordering::is_lt),
            FilterOperation::GreaterThan => is(Ordering::is_gt),
            FilterOperation::LessOrEqual => is(Ordering::is_le),
            FilterOperation::GreaterOrEqual => is(Ordering::is_ge),
            FilterOperation::Contains => has(str_contains),
            FilterOperation::NotContain => !has(str_contains),
            FilterOperation::StartsWith => has(str_starts_with),
            FilterOperation::Includes => selects(),
            FilterOperation::Excludes => !selects(),
        }
    }
}

fn str_contains(text: &str, part: &str) -> bool {
    text.contains(part)
}

fn str_starts_with(text: &str, part: &str) -> bool {
    text.starts_with(part)
}

/// Reads a value for a field; `None` if the text is none of its type.
fn operand(field: &Field, text: &str) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Null);
    }
    match field.kind {
        FieldKind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        kind if kind.is_number() => text.parse().ok().map(Value::Double),
        FieldKind::Date => text.parse().ok().map(Value::Date),
        FieldKind::DateTime => datetime::parse(text).map(Value::Instant),
        FieldKind::Id | FieldKind::Reference => RecordId::parse(text).map(Value::Id),
        _ => Some(Value::text(text)),
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(b)),
        _ => a.as_number()?.partial_cmp(&b.as_number()?),
    }
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.to_lowercase() == b.to_lowercase(),
        _ => a == b || order(a, b) == Some(Ordering::Equal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(kind: FieldKind, operation: FilterOperation, wanted: &str, value: &Value) -> bool {
        let item = FilterItem { field: "F".to_owned(), operation, value: wanted.to_owned() };
        item.is_met(&Field::new("F", kind), value)
    }

    #[test]
    fn every_operation_compares_by_the_fields_type() {
        use FilterOperation as Op;
        let text = |text: &str| Value::text(text);
        for (kind, operation, wanted, value, expected) in [
            (FieldKind::Picklist, Op::Equals, "web, Other", text("WEB"), true),
            (FieldKind::Picklist, Op::NotEqual, "Web,Other", text("Other"), false),
            (FieldKind::Picklist, Op::NotEqual, "Web", Value::Null, true),
            (FieldKind::Picklist, Op::Equals, "", Value::Null, true),
            (FieldKind::Currency, Op::LessThan, "10", Value::Double(9.5), true),
            (FieldKind::Currency, Op::LessOrEqual, "10", Value::Double(10.0), true),
            (FieldKind::Currency, Op::GreaterThan, "10", Value::Null, false),
            (FieldKind::Int, Op::Equals, "3", Value::Int(3), true),
            (FieldKind::Date, Op::GreaterOrEqual, "2026-11-22", Value::Date("2026-11-22".parse().unwrap()), true),
            (FieldKind::Boolean, Op::Equals, "True", Value::Bool(true), true),
            (FieldKind::String, Op::Contains, "glass", text("Fjordglass"), true),
            (FieldKind::String, Op::Contains, "glass", Value::Null, false),
            (FieldKind::String, Op::NotContain, "glass", Value::Null, true),
            (FieldKind::String, Op::StartsWith, "fjord", text("Fjordglass"), true),
            (FieldKind::MultiPicklist, Op::Includes, "B, C", text("A;B"), true),
            (FieldKind::MultiPicklist, Op::Excludes, "C", text("A;B"), true),
        ] {
            assert_eq!(met(kind, operation, wanted, &value), expected, "{operation:?} {wanted} {value:?}");
        }
    }
}
