//! The rules for `OpenActivities` and `ActivityHistories`: they are read in subqueries only, and a user without View All Data
//! reads the activities of one record, in a fixed order and number.
//!
//! Source: the pages of `OpenActivity` and `ActivityHistory` in the Object Reference; the error's text is known in parts
//! from public reports.

use std::collections::HashMap;

use super::ast::{Condition, Expression, Item, List, Literal, Operator, Order, Select};
use super::plan::Plan;
use crate::data::soql::scope::Scope;
use crate::model::activity_views::{VIEWS, is_activity_view};
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::Value;

const MAX_ROWS: usize = 499;
const LISTS: [&str; 2] = ["OpenActivities", "ActivityHistories"];

/// Returns the activities of people, each with those of them to whom it is related, first or not; `None` if the subquery is
/// not a list of the activities of people.
pub(super) fn people(
    org: &Org,
    plan: &Plan,
    at: usize,
    parents: &[RecordId],
) -> Option<HashMap<RecordId, Vec<RecordId>>> {
    let is_list = is_activity_view(&plan.object.name) && plan.object.fields.get(at)?.name == "WhoId";
    if !is_list {
        return None;
    }
    let mut activities: HashMap<RecordId, Vec<RecordId>> = HashMap::new();
    for person in parents.iter().filter(|id| matches!(id.key_prefix(), "003" | "00Q")) {
        for (relation, activity) in [("TaskRelation", "TaskId"), ("EventRelation", "EventId")] {
            let related = org.rows_below(relation, "RelationId", *person);
            let related = related.iter().filter(|row| *org.value(relation, row, "IsInvitee") != Value::Bool(true));
            for id in related.filter_map(|row| org.value(relation, row, activity).as_id()) {
                activities.entry(id).or_default().push(*person);
            }
        }
    }
    Some(activities)
}

/// Checks the lists of activities among the subqueries of a query.
pub(super) fn check(scope: Scope<'_>, select: &Select) -> Result<(), ApiError> {
    for item in &select.items {
        let Item::Children(list) = item else { continue };
        let name = list.from.names.last().map_or("", String::as_str);
        let known = LISTS.iter().zip(VIEWS).find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((name, view)) = known.filter(|_| !views_all_data(scope)) {
            check_list(select, list, name, view == VIEWS[1])?;
        }
    }
    Ok(())
}

fn views_all_data(scope: Scope<'_>) -> bool {
    scope.actor.is_admin || scope.org.views_all_data(scope.actor)
}

fn check_list(select: &Select, list: &Select, name: &str, closed: bool) -> Result<(), ApiError> {
    let refused = |what: &str| {
        let message = format!(
            "There is an implementation restriction on {name}. When you query this relationship, security evaluation is \
             implemented for users who don't have administrator permissions, and you must {what}."
        );
        Err(ApiError::new("MALFORMED_QUERY", message))
    };
    if !select.condition.as_ref().is_some_and(names_one_record) {
        return refused("evaluate a single parent record");
    }
    if list.condition.is_some() {
        return refused("not use a WHERE clause");
    }
    if list.limit.is_none_or(|limit| limit > MAX_ROWS) {
        return refused("specify a row limit with a maximum of 499");
    }
    let by = |order: &Order, field: &str, descending: bool| {
        let names = order.expression.path().names.last();
        names.is_some_and(|name| name.eq_ignore_ascii_case(field)) && order.descending == descending
    };
    match list.order.as_slice() {
        [day, changed] if by(day, "ActivityDate", closed) && by(changed, "LastModifiedDate", true) => Ok(()),
        _ if closed => refused("use a specific sort order: ActivityDate DESC, LastModifiedDate DESC"),
        _ => refused("use a specific sort order: ActivityDate ASC, LastModifiedDate DESC"),
    }
}

/// Returns whether the condition names one record by its id.
fn names_one_record(condition: &Condition) -> bool {
    let is_id = |left: &Expression| {
        matches!(left, Expression::Field(_))
            && left.path().names.last().is_some_and(|name| name.eq_ignore_ascii_case("Id"))
            && left.path().names.len() <= 2
    };
    match condition {
        Condition::All(parts) => parts.iter().any(names_one_record),
        Condition::Compare { left, operator: Operator::Equal, literal: Literal::Text(_) } => is_id(left),
        Condition::In { left, negated: false, list: List::Literals(ids) } => is_id(left) && ids.len() == 1,
        _ => false,
    }
}
