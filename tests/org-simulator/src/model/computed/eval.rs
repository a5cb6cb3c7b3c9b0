//! Evaluates formulas. A blank stays blank in arithmetic, unless the formula treats blank numbers as zero
//! (`formulaTreatBlanksAs`), and is an empty text in a concatenation.

use std::cmp::Ordering;

use jiff::Span;

use super::formula::{Expression, Formula, Function, Operator};
use crate::model::datetime;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Value;

/// The record for which a formula is evaluated.
#[derive(Clone, Copy)]
struct Record<'a> {
    org: &'a Org,
    object: &'a Object,
    row: &'a Row,
    depth: usize,
    blanks_as_zero: bool,
}

impl Formula {
    pub(super) fn value(&self, org: &Org, object: &Object, row: &Row, depth: usize) -> Value {
        Record { org, object, row, depth: depth + 1, blanks_as_zero: self.blanks_as_zero }.value(&self.tree)
    }
}

impl Record<'_> {
    fn value(self, tree: &Expression) -> Value {
        match tree {
            Expression::Number(number) => Value::Double(*number),
            Expression::Text(text) if text.is_empty() => Value::Null,
            Expression::Text(text) => Value::text(text),
            Expression::Bool(value) => Value::Bool(*value),
            Expression::Null => Value::Null,
            Expression::Field(path) => self.field(path),
            Expression::Negative(inner) => {
                self.value(inner).as_number().map_or(Value::Null, |number| Value::Double(-number))
            }
            Expression::Binary(Operator::And, a, b) => Value::Bool(self.holds(a) && self.holds(b)),
            Expression::Binary(Operator::Or, a, b) => Value::Bool(self.holds(a) || self.holds(b)),
            Expression::Binary(operator, a, b) => combined(*operator, &self.value(a), &self.value(b)),
            Expression::Call(function, arguments) => self.call(*function, arguments),
        }
    }

    fn holds(self, tree: &Expression) -> bool {
        self.value(tree) == Value::Bool(true)
    }

    /// Returns a field of the record or of a parent; null when a parent is missing or in the recycle bin.
    fn field(self, path: &[String]) -> Value {
        let (name, rest) = match path {
            [] => return Value::Null,
            [name, rest @ ..] => (name, rest),
        };
        if rest.is_empty() {
            let Some(at) = self.object.position(name) else { return Value::Null };
            let value = self.org.value_within(self.object, self.row, at, self.depth).into_owned();
            let is_number = self.object.fields.get(at).is_some_and(|field| field.kind.is_number());
            return if value.is_null() && is_number { self.blank_number() } else { value };
        }
        let parent = self.object.relationship(name).and_then(|at| self.row.get(at).as_id());
        let parent = parent.and_then(|id| self.org.live_record(id));
        parent.map_or(Value::Null, |(object, row)| Record { object, row, ..self }.field(rest))
    }

    fn blank_number(self) -> Value {
        if self.blanks_as_zero { Value::Double(0.0) } else { Value::Null }
    }

    fn call(self, function: Function, arguments: &[Expression]) -> Value {
        match (function, arguments) {
            (Function::And, all) => Value::Bool(all.iter().all(|part| self.holds(part))),
            (Function::Or, all) => Value::Bool(all.iter().any(|part| self.holds(part))),
            (Function::Not, [part]) => Value::Bool(!self.holds(part)),
            (Function::If, [condition, then, otherwise]) => {
                self.value(if self.holds(condition) { then } else { otherwise })
            }
            (Function::IsBlank, [part]) => Value::Bool(self.value(part).is_null()),
            (Function::BlankValue, [part, otherwise]) => {
                let value = self.value(part);
                if value.is_null() { self.value(otherwise) } else { value }
            }
            (Function::IsPickVal, [part, wanted]) => Value::Bool(self.value(part) == self.value(wanted)),
            (Function::Case, [subject, cases @ .., otherwise]) => {
                let subject = self.value(subject);
                let hit = cases.chunks_exact(2).find(|pair| is_equal(&self.value(&pair[0]), &subject));
                self.value(hit.map_or(otherwise, |pair| &pair[1]))
            }
            (Function::Text, [part]) => text_of(&self.value(part)).map_or(Value::Null, Value::text),
            (Function::Today, _) => Value::Date(datetime::day(self.org.clock.now())),
            _ => Value::Null,
        }
    }
}

/// Returns the text of a value; numbers have no needless decimals.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Double(number) => Some(number.to_string()),
        Value::Int(number) => Some(number.to_string()),
        value => value.soap(),
    }
}

/// Returns the order of two values of one kind; texts are compared with regard to case.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some((**a).cmp(&**b)),
        _ => a.as_number()?.partial_cmp(&b.as_number()?),
    }
}

fn is_equal(a: &Value, b: &Value) -> bool {
    a == b || order(a, b) == Some(Ordering::Equal)
}

fn combined(operator: Operator, a: &Value, b: &Value) -> Value {
    let is = |wanted: fn(Ordering) -> bool| Value::Bool(order(a, b).is_some_and(wanted));
    let number = |of: fn(f64, f64) -> f64| {
        let result = a.as_number().zip(b.as_number()).map(|(a, b)| of(a, b));
        result.filter(|result| result.is_finite()).map_or(Value::Null, Value::Double)
    };
    match operator {
        Operator::Equal => Value::Bool(is_equal(a, b)),
        Operator::NotEqual => Value::Bool(!is_equal(a, b)),
        Operator::Less => is(Ordering::is_lt),
        Operator::LessOrEqual => is(Ordering::is_le),
        Operator::Greater => is(Ordering::is_gt),
        Operator::GreaterOrEqual => is(Ordering::is_ge),
        Operator::Multiply => number(|a, b| a * b),
        Operator::Divide => number(|a, b| a / b),
        Operator::Join => joined(a, b),
        Operator::Add => match (a, b) {
            (Value::Text(_), _) | (_, Value::Text(_)) => joined(a, b),
            (Value::Date(_), _) => days_later(a, b.as_number()),
            (_, Value::Date(_)) => days_later(b, a.as_number()),
            _ => number(|a, b| a + b),
        },
        Operator::Subtract => match (a, b) {
            (Value::Date(a), Value::Date(b)) => {
                b.until(*a).map_or(Value::Null, |span| Value::Double(f64::from(span.get_days())))
            }
            (Value::Date(_), _) => days_later(a, b.as_number().map(|days| -days)),
            _ => number(|a, b| a - b),
        },
        Operator::And | Operator::Or => Value::Null,
    }
}

fn joined(a: &Value, b: &Value) -> Value {
    let text = [text_of(a), text_of(b)].into_iter().flatten().collect::<String>();
    if text.is_empty() { Value::Null } else { Value::text(text) }
}

fn days_later(date: &Value, days: Option<f64>) -> Value {
    let (Value::Date(date), Some(days)) = (date, days) else { return Value::Null };
    #[expect(clippy::cast_possible_truncation, reason = "the fraction of a day has no effect on a date")]
    let days = days.trunc() as i64;
    Span::new().try_days(days).ok().and_then(|span| date.checked_add(span).ok()).map_or(Value::Null, Value::Date)
}
