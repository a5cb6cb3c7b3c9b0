//! Semi-joins and anti-joins, `Id IN (SELECT AccountId FROM Contact)`, with Salesforce's restrictions
//! (SOQL reference, "Comparison operators").

use super::ast::{Condition, Expression, Item, List, Path, Select};
use super::eval;
use super::filter::Set;
use super::scope::{self, Scope};
use crate::data::soql::plan::{Plan, Resolved};
use crate::model::errors::ApiError;
use crate::model::schema::{FieldKind, ID};
use crate::model::value::Value;

const MAX_JOINS: usize = 2;

/// Rejects joins in places where Salesforce does not allow them.
pub(super) fn check(condition: &Condition) -> Result<(), ApiError> {
    let refused = |message: &str| Err(ApiError::new("MALFORMED_QUERY", message));
    if count(condition) > MAX_JOINS {
        return refused("Maximum 2 semi join sub-selects are allowed.");
    }
    match condition {
        Condition::All(parts) if parts.iter().any(|part| !is_join(part) && count(part) > 0) => refused(
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.",
        ),
        Condition::Any(parts) if parts.iter().any(|part| count(part) > 0) => {
            refused("Semi join sub-selects are not allowed with the 'OR' operator")
        }
        Condition::Not(part) if count(part) > 0 => refused(
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.",
        ),
        _ => Ok(()),
    }
}

fn is_join(condition: &Condition) -> bool {
    matches!(condition, Condition::In { list: List::Select(_), .. })
}

fn count(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(count).sum(),
        Condition::Not(part) => count(part),
        condition => usize::from(is_join(condition)),
    }
}

/// Returns the ids that the subquery finds, without nulls.
pub(super) fn set(
    outer: Scope<'_>,
    left: Option<&Resolved>,
    (path, select): (&Path, &Select),
) -> Result<Set, ApiError> {
    let Some(Item::Value { expression: Expression::Field(selected), .. }) = select.items.first() else {
        return Err(outer.error_at("MALFORMED_QUERY", path.offset, "semi join sub-select must select one field"));
    };
    if select.condition.as_ref().is_some_and(|condition| count(condition) > 0) {
        return Err(ApiError::new("MALFORMED_QUERY", "Nesting of semi join sub-selects is not supported"));
    }
    let Some(left) = left.filter(|left| is_id(left)) else {
        let name = path.names.join(".");
        let message = format!(
            "The left operand field in the where expression for outer query should be an id field, cannot use: '{name}'"
        );
        return Err(outer.error_at("MALFORMED_QUERY", path.offset, &message));
    };
    let object = scope::queried(outer.org, outer.actor, &select.from, outer.text)?;
    let inner = Scope { object: &object, alias: select.alias.as_deref(), joins: &select.joins, ..outer };
    let found = inner.resolve(selected)?;
    if !is_id(&found) {
        let message = format!("Semi join sub-selects can only query id fields, cannot use: '{}'", found.name);
        return Err(outer.error_at("MALFORMED_QUERY", selected.offset, &message));
    }
    if object.name == outer.object.name {
        let message = "The inner and outer selects should not be on the same object type";
        return Err(outer.error_at("MALFORMED_QUERY", select.from.offset, message));
    }
    if !may_share_ids(left, &found) {
        let message = format!(
            "The selected field '{}' in the subquery and the left operand field in the where expression in the outer query '{}' \
             should point to the same object type",
            found.name, left.name
        );
        return Err(outer.error_at("MALFORMED_QUERY", path.offset, &message));
    }
    let plan = Plan::of(inner, select)?;
    let mut set = Set::default();
    for row in eval::rows(inner.view(), &plan, false) {
        if let Value::Id(id) = &*eval::value_at(inner.view(), row, &found.column) {
            set.insert(Value::Id(*id));
        }
    }
    Ok(set)
}

fn is_id(field: &Resolved) -> bool {
    matches!(field.kind(), Some(FieldKind::Id | FieldKind::Reference))
}

/// Returns whether both fields may hold ids of the same object; a reference to any object matches every field.
fn may_share_ids(a: &Resolved, b: &Resolved) -> bool {
    let kinds = |field: &Resolved| -> Vec<String> {
        let Some((object, at)) = &field.home else { return Vec::new() };
        if *at == ID { vec![object.name.clone()] } else { object.fields[*at].reference_to.clone() }
    };
    let (a, b) = (kinds(a), kinds(b));
    a.is_empty() || b.is_empty() || a.iter().any(|kind| b.contains(kind))
}
