//! Turns conditions into filters: literals are converted to the types of their fields, or rejected with Salesforce's
//! message.

use std::borrow::Cow;

use super::ast::{Condition, Expression, List, Literal, Operator};
use super::date_function::DateFunction;
use super::date_literal::DateLiteral;
use super::filter::{Filter, Set, Test};
use super::scope::Scope;
use super::semi_join;
use crate::data::soql::plan::Resolved;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::schema::FieldKind;
use crate::model::time_zones;
use crate::model::value::Value;

/// The left side of a comparison.
pub(super) struct LeftSide<S> {
    pub(super) source: S,
    /// The type of its values; unknown for a polymorphic parent.
    pub(super) kind: Option<FieldKind>,
    pub(super) name: String,
    pub(super) offset: usize,
    /// The field, when the left side is one.
    pub(super) field: Option<Resolved>,
    /// The amount in the corporate currency, where the records have currencies.
    pub(super) converted: Option<S>,
}

/// Returns the type of a date function's values.
pub(super) fn kind_of(function: DateFunction) -> FieldKind {
    if function == DateFunction::DayOnly { FieldKind::Date } else { FieldKind::Int }
}

/// Builds the filter of a condition; `left` resolves the left side of each comparison.
pub(super) fn filter<S>(
    scope: Scope<'_>,
    condition: &Condition,
    left: &mut dyn FnMut(&Expression) -> Result<LeftSide<S>, ApiError>,
) -> Result<Filter<S>, ApiError> {
    match condition {
        Condition::All(parts) => {
            parts.iter().map(|part| filter(scope, part, left)).collect::<Result<_, _>>().map(Filter::All)
        }
        Condition::Any(parts) => {
            parts.iter().map(|part| filter(scope, part, left)).collect::<Result<_, _>>().map(Filter::Any)
        }
        Condition::Not(part) => filter(scope, part, left).map(|part| Filter::Not(Box::new(part))),
        Condition::Compare { left: expression, operator, literal } => {
            let left = left(expression)?;
            let is_distance = matches!(expression, Expression::Distance(..));
            if is_distance && !matches!(operator, Operator::Less | Operator::Greater) {
                return Err(bad_operator(scope, &left));
            }
            let (left, literal) = in_one_currency(scope, left, literal)?;
            let test = compared(scope, &left, *operator, &literal)?;
            Ok(Filter::Test { source: left.source, test })
        }
        Condition::In { left: expression, negated, list } => {
            let left = left(expression)?;
            if matches!(expression, Expression::Distance(..)) {
                return Err(bad_operator(scope, &left));
            }
            let set = match list {
                List::Literals(literals) => listed(scope, &left, literals)?,
                List::Select(select) => semi_join::set(scope, left.field.as_ref(), (expression.path(), select))?,
            };
            Ok(Filter::Test { source: left.source, test: if *negated { Test::NotIn(set) } else { Test::In(set) } })
        }
        Condition::Includes { left: expression, negated, values } => {
            let left = left(expression)?;
            if left.kind.is_some_and(|kind| kind != FieldKind::MultiPicklist) {
                return Err(bad_operator(scope, &left));
            }
            let groups =
                values.iter().map(|text| text.to_lowercase().split(';').map(str::to_owned).collect()).collect();
            let test = if *negated { Test::Excludes(groups) } else { Test::Includes(groups) };
            Ok(Filter::Test { source: left.source, test })
        }
    }
}

/// Replaces a comparison with an amount in a currency by one in the corporate currency.
fn in_one_currency<'l, S>(
    scope: Scope<'_>,
    left: LeftSide<S>,
    literal: &'l Literal,
) -> Result<(LeftSide<S>, Cow<'l, Literal>), ApiError> {
    let Literal::Money(code, amount) = literal else { return Ok((left, Cow::Borrowed(literal))) };
    let Some(source) = left.converted else {
        let message = format!("unexpected token: '{code}{amount}'");
        return Err(scope.error_at("MALFORMED_QUERY", left.offset, &message));
    };
    let Some(amount) = scope.org.corporate_exchange().amount(*amount, code) else {
        let message = format!("invalid currency ISO code: {code}");
        return Err(scope.error_at("INVALID_FIELD", left.offset, &message));
    };
    Ok((LeftSide { source, converted: None, ..left }, Cow::Owned(Literal::Number(amount))))
}

fn listed<S>(scope: Scope<'_>, left: &LeftSide<S>, literals: &[Literal]) -> Result<Set, ApiError> {
    let mut set = Set::default();
    for literal in literals {
        if let Literal::Days(days) = literal {
            let (from, to) = range(scope, left, *days)?;
            set.insert_range(from, to);
        } else {
            set.insert(operand(scope, left, literal)?);
        }
    }
    Ok(set)
}

fn compared<S>(scope: Scope<'_>, left: &LeftSide<S>, operator: Operator, literal: &Literal) -> Result<Test, ApiError> {
    let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual | Operator::Like);
    if ordered && matches!(left.kind, Some(FieldKind::Boolean | FieldKind::MultiPicklist)) {
        return Err(bad_operator(scope, left));
    }
    if operator == Operator::Like {
        return match literal {
            Literal::Text(pattern) if left.kind.is_none_or(FieldKind::is_text) => {
                Ok(Test::Like(pattern.to_lowercase()))
            }
            _ => Err(bad_operator(scope, left)),
        };
    }
    if let Literal::Days(days) = literal {
        let (start, end) = range(scope, left, *days)?;
        return Ok(match operator {
            Operator::Less => Test::Less(start),
            Operator::GreaterOrEqual => Test::GreaterOrEqual(start),
            Operator::LessOrEqual => Test::Less(end),
            Operator::Greater => Test::GreaterOrEqual(end),
            Operator::NotEqual => Test::Outside(start, end),
            Operator::Equal | Operator::Like => Test::Within(start, end),
        });
    }
    let text = left.kind.is_none_or(|kind| kind.is_text() || matches!(kind, FieldKind::Id | FieldKind::Reference));
    if ordered && text && matches!(literal, Literal::Text(text) if text.is_empty()) {
        // Every value is greater than the empty text, and none is less.
        let above = matches!(operator, Operator::Greater | Operator::GreaterOrEqual);
        return Ok(if above { Test::NotEqual(Value::Null) } else { Test::In(Set::default()) });
    }
    let value = operand(scope, left, literal)?;
    Ok(match operator {
        Operator::NotEqual => Test::NotEqual(value),
        Operator::Less => Test::Less(value),
        Operator::LessOrEqual => Test::LessOrEqual(value),
        Operator::Greater => Test::Greater(value),
        Operator::GreaterOrEqual => Test::GreaterOrEqual(value),
        Operator::Equal | Operator::Like => Test::Equal(value),
    })
}

fn bad_operator<S>(scope: Scope<'_>, left: &LeftSide<S>) -> ApiError {
    let kind = left.kind.map_or("reference", FieldKind::name);
    scope.error_at("INVALID_QUERY_FILTER_OPERATOR", left.offset, &format!("invalid operator on {kind} field"))
}

/// Turns a date literal into a range of days, or of times.
fn range<S>(scope: Scope<'_>, left: &LeftSide<S>, days: DateLiteral) -> Result<(Value, Value), ApiError> {
    let zone = scope.org.time_zone(scope.actor.user);
    let (from, to) = days.days(scope.org.today(scope.actor.user)).ok_or_else(|| wrong_kind(scope, left, "date"))?;
    let moment = |day| time_zones::start_of(day, &zone).map_or(Value::Null, Value::Instant);
    match left.kind {
        Some(FieldKind::Date) => Ok((Value::Date(from), Value::Date(to))),
        Some(FieldKind::DateTime) => Ok((moment(from), moment(to))),
        kind => Err(wrong_kind(scope, left, kind.map_or("string", type_name))),
    }
}

/// Returns the name of a field's type in error messages.
fn type_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Boolean => "boolean",
        FieldKind::Int => "int",
        FieldKind::Double | FieldKind::Currency | FieldKind::Percent => "double",
        FieldKind::Date => "date",
        FieldKind::DateTime => "dateTime",
        FieldKind::Id | FieldKind::Reference => "ID",
        _ => "string",
    }
}

fn wrong_kind<S>(scope: Scope<'_>, left: &LeftSide<S>, wanted: &str) -> ApiError {
    let quotes = if matches!(wanted, "string" | "ID") { "should be" } else { "should not be" };
    let message = format!(
        "value of filter criterion for field '{}' must be of type {wanted} and {quotes} enclosed in quotes",
        left.name
    );
    scope.error_at("INVALID_FIELD", left.offset, &message)
}

/// Converts a literal to the field's type; an empty text is null.
fn operand<S>(scope: Scope<'_>, left: &LeftSide<S>, literal: &Literal) -> Result<Value, ApiError> {
    let text_kind = left.kind.is_none_or(|kind| kind.is_text() || kind == FieldKind::Reference);
    match (left.kind, literal) {
        (_, Literal::Null) => Ok(Value::Null),
        (_, Literal::Text(text)) if text.is_empty() && text_kind => Ok(Value::Null),
        (Some(FieldKind::Id | FieldKind::Reference), Literal::Text(text)) => {
            let message = format!("invalid ID field: {text}");
            let error = || scope.error_at("INVALID_QUERY_FILTER_OPERATOR", left.offset, &message);
            RecordId::parse(text).map(Value::Id).ok_or_else(error)
        }
        (Some(FieldKind::Boolean), Literal::Bool(b)) => Ok(Value::Bool(*b)),
        (Some(FieldKind::Date), Literal::Date(day)) => Ok(Value::Date(*day)),
        (Some(FieldKind::DateTime), Literal::Instant(at)) => Ok(Value::Instant(*at)),
        (Some(kind), Literal::Number(n)) if kind.is_number() => Ok(Value::Double(*n)),
        (Some(kind), Literal::Text(text)) if kind.is_text() => Ok(Value::text(text.as_str())),
        (None, Literal::Text(text)) => Ok(RecordId::parse(text).map_or_else(|| Value::text(text.as_str()), Value::Id)),
        (None, Literal::Bool(b)) => Ok(Value::Bool(*b)),
        (None, Literal::Number(n)) => Ok(Value::Double(*n)),
        (kind, _) => Err(wrong_kind(scope, left, kind.map_or("string", type_name))),
    }
}
