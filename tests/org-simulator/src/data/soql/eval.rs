//! Runs a plan over the records that the actor may see.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::compare;
use crate::data::soql::plan::{self, Column, Function, Plan, SortKey, Source};
use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{ID, OWNER, Object};
use crate::model::store::Row;
use crate::model::value::Value;

const NULL: &Value = &Value::Null;

/// The org as one user sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) org: &'a Org,
    pub(super) actor: &'a Actor,
}

impl<'a> View<'a> {
    /// Returns a referenced record, if the user may see it.
    pub(super) fn record(self, object: &Object, id: RecordId) -> Option<&'a Arc<Row>> {
        self.org.store.get(&object.name, id).filter(|row| self.org.may_see(self.actor, object, row))
    }

    /// Returns a record of any object, deleted or not.
    pub(super) fn record_of_any_object(self, id: RecordId) -> Option<(&'a Arc<Object>, &'a Arc<Row>)> {
        let object = self.org.schema.by_prefix(id.key_prefix())?;
        self.record(object, id).map(|row| (object, row))
    }
}

/// Returns the sort key of a value: its position in the picklist, or the value without case.
pub(super) fn rank<'a>(value: Cow<'a, Value>, picklist: &[String]) -> Cow<'a, Value> {
    let place = match &*value {
        Value::Text(text) if !picklist.is_empty() => picklist.iter().position(|known| *known == text.to_lowercase()),
        _ => None,
    };
    let Some(place) = place else { return compare::folded(value) };
    Cow::Owned(Value::Int(i64::try_from(place).unwrap_or(i64::MAX)))
}

/// Returns the rows that a plan matches, in its order, within its limit.
pub(super) fn rows<'a>(view: View<'a>, plan: &Plan, all_rows: bool) -> Vec<&'a Arc<Row>> {
    let limit = plan.limit.unwrap_or(usize::MAX);
    matching(view, plan, all_rows, None).into_iter().skip(plan.offset).take(limit).collect()
}

/// Returns all rows that a plan matches, in its order; `among` restricts them to rows whose reference is in that set.
pub(super) fn matching<'a>(
    view: View<'a>,
    plan: &Plan,
    all_rows: bool,
    among: Option<(usize, &HashSet<RecordId>)>,
) -> Vec<&'a Arc<Row>> {
    let is_among = |row: &Row| among.is_none_or(|(at, ids)| row.get(at).as_id().is_some_and(|id| ids.contains(&id)));
    let is_mine = |row: &Row| !plan.mine || row.get(OWNER).as_id() == Some(view.actor.user);
    let mut rows: Vec<&Arc<Row>> = candidates(view.org, plan)
        .filter(|row| (all_rows || !row.is_deleted()) && is_among(row) && is_mine(row))
        .filter(|row| view.org.may_see(view.actor, &plan.object, row))
        .filter(|row| {
            plan.filter.as_ref().is_none_or(|filter| filter.matches(&|source: &Source| source.value(view, row)))
        })
        .collect();
    if !plan.order.is_empty() {
        rows = sorted(view, rows, &plan.order);
    }
    rows
}

/// Returns the rows to test: those with a given id when the filter names ids, otherwise every row.
fn candidates<'a>(org: &'a Org, plan: &Plan) -> Box<dyn Iterator<Item = &'a Arc<Row>> + 'a> {
    let Some(table) = org.store.table(&plan.object.name) else { return Box::new(std::iter::empty()) };
    match plan.filter.as_ref().and_then(ids_named) {
        Some(mut ids) => {
            ids.sort_unstable();
            Box::new(ids.into_iter().filter_map(|id| table.get(id)))
        }
        None => Box::new(table.rows()),
    }
}

/// Returns rows in the order of the keys.
pub(super) fn sorted<'a>(view: View<'a>, rows: Vec<&'a Arc<Row>>, order: &[SortKey]) -> Vec<&'a Arc<Row>> {
    let key = |row: &'a Arc<Row>| -> Vec<Cow<'a, Value>> {
        order.iter().map(|sort| rank(sort.source.value(view, row), &sort.picklist)).collect()
    };
    let mut keyed: Vec<_> = rows.into_iter().map(|row| (key(row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let parts = a.iter().zip(b).zip(order);
        parts
            .map(|((a, b), sort)| compare::sorted(a, b, sort.descending, sort.nulls_last))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Returns the value of a column for a row; null when a parent is missing or hidden from the user.
pub(super) fn value_at<'a>(view: View<'a>, row: &'a Row, column: &Column) -> Cow<'a, Value> {
    match column {
        Column::Own(at) => Cow::Borrowed(row.get(*at)),
        Column::Computed { object, at } => view.org.field_value(object, row, *at),
        Column::Parent { at, object, rest } => {
            let parent = row.get(*at).as_id().and_then(|id| view.record(object, id));
            parent.map_or(Cow::Borrowed(NULL), |parent| value_at(view, parent, rest))
        }
        Column::PolymorphicParent { at, field } => {
            let parent = row.get(*at).as_id().and_then(|id| view.record_of_any_object(id));
            parent.map_or(Cow::Borrowed(NULL), |(object, row)| polymorphic_field(object, row, field))
        }
    }
}

/// Returns a field of the `Name` object for a record of any object.
pub(super) fn polymorphic_field<'a>(object: &Object, row: &'a Row, field: &str) -> Cow<'a, Value> {
    match field {
        "Type" => Cow::Owned(Value::text(object.name.as_str())),
        "Name" => Cow::Borrowed(object.name_field().map_or(NULL, |at| row.get(at))),
        field => Cow::Borrowed(object.position(field).map_or(NULL, |at| row.get(at))),
    }
}

impl Source {
    pub(super) fn value<'a>(&self, view: View<'a>, row: &'a Row) -> Cow<'a, Value> {
        let value = value_at(view, row, &self.column);
        match &self.function {
            Some(Function::Date(function, zone)) => Cow::Owned(function.of(&value, zone)),
            Some(Function::Convert(currency, exchange)) => {
                Cow::Owned(exchange.value(&value, &value_at(view, row, currency)))
            }
            Some(Function::Distance(longitude, center)) => {
                let place = value.as_number().zip(value_at(view, row, longitude).as_number());
                Cow::Owned(place.map_or(Value::Null, |(north, east)| Value::Double(center.distance(north, east))))
            }
            None => value,
        }
    }
}

/// Returns the ids to which a filter restricts the rows, if it does.
pub(crate) fn ids_named(filter: &crate::data::soql::filter::Filter<plan::Source>) -> Option<Vec<RecordId>> {
    use crate::data::soql::filter::{Filter, Test};
    match filter {
        Filter::All(parts) => parts.iter().find_map(ids_named),
        Filter::Test { source: plan::Source { column: Column::Own(ID), function: None }, test } => match test {
            Test::Equal(Value::Id(id)) => Some(vec![*id]),
            Test::In(set) => Some(set.ids.iter().copied().collect()),
            _ => None,
        },
        _ => None,
    }
}
