//! Applies the org's rules to a record: validation, duplicates, assignment and locks.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::data::soql::attributes;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::rules::DuplicateRule;
use crate::model::schema::{self, Field, FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;
use crate::model::write_options::AutoAssign;

const DUPLICATE: &str = "Use one of these records?";

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

/// Checks a record that has just been written against the org's validation and duplicate rules.
pub(super) fn check_rules(
    org: &Org,
    actor: &Actor,
    object: &Object,
    id: RecordId,
    changed: &[usize],
) -> Result<(), ApiError> {
    for rule in org.rules.validation.iter().filter(|rule| rule.object == object.name) {
        if org.meets(&object.name, id, &rule.condition)? {
            return Err(ApiError::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", &*rule.message).fields(&rule.field));
        }
    }
    let Some(row) = org.store.get(&object.name, id) else { return Ok(()) };
    for rule in org.rules.duplicate.iter().filter(|rule| rule.object == object.name) {
        let positions: Vec<usize> = rule.fields.iter().filter_map(|name| object.position(name)).collect();
        let may_save = rule.alert && actor.write.allow_duplicates;
        if may_save || !positions.iter().any(|at| changed.contains(at)) {
            continue;
        }
        let same = find_duplicates(org, object, row, &positions);
        if !same.is_empty() {
            return Err(duplicates_detected(org, actor, object, rule, &same));
        }
    }
    Ok(())
}

/// Returns other live records with the same values as `row` in all these fields, none of which may be null.
fn find_duplicates<'a>(org: &'a Org, object: &Object, row: &Row, positions: &[usize]) -> Vec<&'a Arc<Row>> {
    let alike = |a: &Value, b: &Value| match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => !a.is_null() && a == b,
    };
    let rows = org.store.table(&object.name).into_iter().flat_map(|table| table.rows());
    rows.filter(|other| !other.is_deleted() && other.id() != row.id())
        .filter(|other| positions.iter().all(|at| alike(other.get(*at), row.get(*at))))
        .collect()
}

/// The first API version with the key `duplicateResult`. Responses of versions 54 and 56 have `duplicateResut`, one of
/// version 60 the other; where it changed is unverified.
const SPELT_RIGHT: u32 = 57;

/// Returns the error with Salesforce's details of the duplicates.
fn duplicates_detected(
    org: &Org,
    actor: &Actor,
    object: &Object,
    rule: &DuplicateRule,
    same: &[&Arc<Row>],
) -> ApiError {
    let version = format!("{}.0", actor.write.version);
    let record = |row: &&Arc<Row>| -> Option<Json> {
        let id = row.id()?;
        let mut record = Map::from_iter([("attributes".to_owned(), attributes(object, id, &version))]);
        record.insert("Id".to_owned(), Json::from(id.as_str()));
        if actor.write.duplicate_details {
            record.extend(org.render_for(actor, object, row, &version));
        }
        Some(json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record}))
    };
    let records: Vec<Json> = same.iter().filter_map(record).collect();
    let message = if rule.message.is_empty() { DUPLICATE } else { &rule.message };
    let result = json!({
        "allowSave": rule.alert, "duplicateRule": rule.name, "duplicateRuleEntityType": object.name, "errorMessage": message,
        "matchResults": [{
            "entityType": object.name, "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": records,
            "rule": rule.name, "size": same.len(), "success": true,
        }],
    });
    ApiError::new("DUPLICATES_DETECTED", message)
        .with(if actor.write.version < SPELT_RIGHT { "duplicateResut" } else { "duplicateResult" }, result)
}

/// Sets the owner of a new lead or case by the active assignment rule.
pub(super) fn assign(org: &mut Org, actor: &Actor, object: &Arc<Object>, id: RecordId) -> Result<(), ApiError> {
    let Some(rule) = org.rules.assignment.iter().find(|rule| rule.object == object.name) else { return Ok(()) };
    match actor.write.auto_assign {
        AutoAssign::Off => return Ok(()),
        AutoAssign::Rule(named) => {
            tracing::warn!(%named, "the simulator has one assignment rule for each object, without an id, and runs that rule")
        }
        AutoAssign::Active => {}
    }
    let concerned = rule.condition.as_deref().map_or(Ok(true), |condition| org.meets(&object.name, id, condition))?;
    let owner = org.user_named(&rule.owner).filter(|_| concerned);
    if let Some((owner, row)) = owner.zip(org.store.get(&object.name, id)) {
        let mut row = (**row).clone();
        row.set(schema::OWNER, Value::Id(owner));
        org.store.put(object, id, row);
    }
    Ok(())
}
