//! Applies the org's rules to a record: validation, assignment and locks.

use std::sync::Arc;

use super::check::Purpose;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::rules::AssignmentRule;
use crate::model::schema::{self, Field, FieldKind, Object};
use crate::model::value::Value;
use crate::model::write_options::AutoAssign;

/// Returns `UNABLE_TO_LOCK_ROW` when another transaction has locked the record.
pub(super) fn check_unlocked(org: &Org, id: RecordId) -> Result<(), ApiError> {
    if !org.rules.locked.contains(&id) {
        return Ok(());
    }
    let message = format!("unable to obtain exclusive access to this record or 1 records: {id}");
    Err(ApiError::new("UNABLE_TO_LOCK_ROW", message).no_fields())
}

/// Rejects references to locked records: Salesforce also locks the parents when it saves a child.
pub(super) fn check_parents_unlocked(org: &Org, object: &Object, changes: &[(usize, Value)]) -> Result<(), ApiError> {
    if org.rules.locked.is_empty() {
        return Ok(());
    }
    let is_parent = |field: &Field| field.kind == FieldKind::Reference && field.name != "OwnerId";
    let parents = changes.iter().filter(|(at, _)| object.fields.get(*at).is_some_and(is_parent));
    parents.filter_map(|(_, value)| value.as_id()).try_for_each(|id| check_unlocked(org, id))
}

/// Checks a record that has just been written against the org's validation rules, and returns the errors of all that it
/// breaks.
pub(super) fn check_valid(org: &Org, object: &Object, id: RecordId) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    for rule in org.rules.validation.iter().filter(|rule| rule.object == object.name) {
        if org.meets(&object.name, id, &rule.condition)? {
            errors.push(ApiError::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", &*rule.message).fields(&rule.field));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let first = errors.remove(0);
    Err(ApiError { also: errors, ..first })
}

/// Sets the owner of a lead or case by the assignment rule of the request. The active rule runs on creates and updates, a
/// rule that the request names on creates (REST API guide, assignment rule header).
pub(super) fn assign(
    org: &mut Org,
    actor: &Actor,
    object: &Arc<Object>,
    id: RecordId,
    purpose: Purpose,
) -> Result<(), ApiError> {
    if !matches!(object.name.as_str(), "Lead" | "Case") {
        return Ok(());
    }
    let mut rules = org.rules.assignment.iter().filter(|rule| rule.object == object.name);
    let rule = match actor.write.auto_assign {
        AutoAssign::Off => None,
        AutoAssign::Active => rules.find(|rule| rule.active),
        AutoAssign::Rule(_) if purpose == Purpose::Update => None,
        // The error is unverified.
        AutoAssign::Rule(named) => {
            Some(rules.find(|rule| rule.id.as_deref() == Some(named.as_str())).ok_or_else(|| {
                ApiError::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").no_fields()
            })?)
        }
    };
    let Some(owner) = rule.map(|rule| owner(org, rule, id)).transpose()?.flatten() else { return Ok(()) };
    if let Some(before) = org.store.get(&object.name, id).map(Arc::clone) {
        let mut row = (*before).clone();
        row.set(schema::OWNER, Value::Id(owner));
        org.store.put(object, id, row);
        org.track(actor, &object.name, id, Some(&before));
    }
    Ok(())
}

/// Returns the owner of the first entry that a record meets.
fn owner(org: &Org, rule: &AssignmentRule, id: RecordId) -> Result<Option<RecordId>, ApiError> {
    for entry in &rule.entries {
        let condition = entry.condition.as_deref();
        if condition.map_or(Ok(true), |condition| org.meets(&rule.object, id, condition))? {
            return Ok(org.user_named(&entry.owner));
        }
    }
    Ok(None)
}
