//! Runs a plan over the records.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::plan::{Column, Filter, Plan, Set, SortKey, Test};
use crate::ids::RecordId;
use crate::org::{Actor, Org};
use crate::schema::{ID, Object};
use crate::store::Row;
use crate::value::Value;

const NULL: &Value = &Value::Null;

/// Ids of the rows a plan matches, in its order, within its limit.
pub(super) fn matching(org: &Org, actor: &Actor, plan: &Plan, all_rows: bool) -> Vec<RecordId> {
    let mut rows: Vec<&Arc<Row>> = candidates(org, plan)
        .filter(|row| all_rows || !row.is_deleted())
        .filter(|row| org.may_see(actor, &plan.object, row))
        .filter(|row| plan.filter.as_ref().is_none_or(|filter| holds(org, row, filter)))
        .collect();
    if !plan.order.is_empty() {
        rows = sorted(org, rows, &plan.order);
    }
    let limit = plan.limit.unwrap_or(usize::MAX);
    rows.into_iter().skip(plan.offset).take(limit).filter_map(|row| row.id()).collect()
}

/// The rows that can match at all: those with a given id where the filter names ids, otherwise every row.
fn candidates<'a>(org: &'a Org, plan: &'a Plan) -> Box<dyn Iterator<Item = &'a Arc<Row>> + 'a> {
    let Some(table) = org.store.table(&plan.object.name) else { return Box::new(std::iter::empty()) };
    match plan.filter.as_ref().and_then(ids_named) {
        Some(mut ids) => {
            ids.sort_unstable();
            Box::new(ids.into_iter().filter_map(|id| table.get(id)))
        }
        None => Box::new(table.rows()),
    }
}

fn ids_named(filter: &Filter) -> Option<Vec<RecordId>> {
    match filter {
        Filter::All(parts) => parts.iter().find_map(ids_named),
        Filter::Test { column: Column::Own(ID), test: Test::Equal(Value::Id(id)) } => Some(vec![*id]),
        Filter::Test { column: Column::Own(ID), test: Test::In(set) } => Some(set.ids.iter().copied().collect()),
        _ => None,
    }
}

fn sorted<'a>(org: &'a Org, rows: Vec<&'a Arc<Row>>, order: &[SortKey]) -> Vec<&'a Arc<Row>> {
    let key = |row: &'a Arc<Row>| -> Vec<Cow<'a, Value>> {
        order.iter().map(|sort| folded(value_at(org, row, &sort.column))).collect()
    };
    let mut keyed: Vec<_> = rows.into_iter().map(|row| (key(row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let parts = a.iter().zip(b).zip(order);
        parts.map(|((a, b), sort)| in_order(a, b, sort)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Text in lower case, so that sorting it needs no further work.
fn folded(value: Cow<'_, Value>) -> Cow<'_, Value> {
    match &*value {
        Value::Text(text) if text.chars().any(char::is_uppercase) => Cow::Owned(Value::text(text.to_lowercase())),
        _ => value,
    }
}

fn in_order(a: &Value, b: &Value, sort: &SortKey) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if sort.nulls_last => Ordering::Greater,
        (false, true) if sort.nulls_last => Ordering::Less,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => {
            let order = compared(a, b).unwrap_or(Ordering::Equal);
            if sort.descending { order.reverse() } else { order }
        }
    }
}

/// The value a column has for a row; null where a parent is missing.
pub(super) fn value_at<'a>(org: &'a Org, row: &'a Row, column: &Column) -> Cow<'a, Value> {
    match column {
        Column::Own(at) => Cow::Borrowed(row.get(*at)),
        Column::Parent { at, object, rest } => {
            let parent = row.get(*at).as_id().and_then(|id| org.store.get(&object.name, id));
            parent.map_or(Cow::Borrowed(NULL), |parent| value_at(org, parent, rest))
        }
        Column::AnyParent { at, field } => {
            let parent = row.get(*at).as_id().and_then(|id| any_record(org, id));
            parent.map_or(Cow::Borrowed(NULL), |(object, row)| open_field(object, row, field))
        }
    }
}

/// A record of any kind, deleted or not.
pub(super) fn any_record(org: &Org, id: RecordId) -> Option<(&Arc<Object>, &Arc<Row>)> {
    let object = org.schema.by_prefix(id.key_prefix())?;
    org.store.get(&object.name, id).map(|row| (object, row))
}

fn open_field<'a>(object: &Object, row: &'a Row, field: &str) -> Cow<'a, Value> {
    if field.eq_ignore_ascii_case("Type") {
        return Cow::Owned(Value::text(object.name.as_str()));
    }
    if field.eq_ignore_ascii_case("Name") {
        return Cow::Borrowed(object.name_field().map_or(NULL, |at| row.get(at)));
    }
    Cow::Borrowed(object.position(field).map_or(NULL, |at| row.get(at)))
}

fn holds(org: &Org, row: &Row, filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| holds(org, row, part)),
        Filter::Any(parts) => parts.iter().any(|part| holds(org, row, part)),
        Filter::Not(part) => !holds(org, row, part),
        Filter::Test { column, test } => passes(&value_at(org, row, column), test),
    }
}

fn passes(value: &Value, test: &Test) -> bool {
    let is = |operand: &Value, wanted: fn(Ordering) -> bool| compared(value, operand).is_some_and(wanted);
    match test {
        Test::Equal(operand) => equal(value, operand),
        Test::NotEqual(operand) => !equal(value, operand),
        Test::Less(operand) => is(operand, Ordering::is_lt),
        Test::LessOrEqual(operand) => is(operand, Ordering::is_le),
        Test::Greater(operand) => is(operand, Ordering::is_gt),
        Test::GreaterOrEqual(operand) => is(operand, Ordering::is_ge),
        Test::Like(pattern) => matches!(value, Value::Text(text) if like(&text.to_lowercase(), pattern)),
        Test::In(set) => contains(set, value),
        Test::NotIn(set) => !contains(set, value),
        Test::Within(from, to) => is(from, Ordering::is_ge) && is(to, Ordering::is_lt),
    }
}

fn contains(set: &Set, value: &Value) -> bool {
    match value {
        Value::Id(id) => set.ids.contains(id),
        Value::Text(text) => set.texts.contains(&text.to_lowercase()),
        other => set.others.iter().any(|operand| equal(other, operand)),
    }
}

/// Text is compared without case; null equals only null.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Text(a), Value::Text(b)) => a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase(),
        _ => compared(a, b).is_some_and(Ordering::is_eq),
    }
}

/// Order of two values of one kind; `None` where one is null or the kinds differ.
fn compared(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(b)),
        (Value::Id(a), Value::Id(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) if a == b => Some(Ordering::Equal),
        (Value::Text(a), Value::Text(b)) => Some(a.to_lowercase().cmp(&b.to_lowercase())),
        _ => a.as_number()?.partial_cmp(&b.as_number()?),
    }
}

/// SQL's LIKE: `%` for any run, `_` for one character, a backslash makes either literal.
fn like(text: &str, pattern: &str) -> bool {
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
    use super::*;

    #[test]
    fn like_knows_runs_single_characters_and_escapes() {
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

    #[test]
    fn a_null_equals_only_null_and_is_never_less() {
        assert!(!passes(&Value::Null, &Test::Less(Value::Double(1.0))));
        assert!(passes(&Value::Null, &Test::NotEqual(Value::text("a"))));
        assert!(passes(&Value::Null, &Test::Equal(Value::Null)));
    }
}
