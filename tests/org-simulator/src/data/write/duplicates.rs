//! Applies the org's duplicate rules to a record.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::check::Purpose;
use crate::data::soql::attributes;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::rules::{DuplicateAction, DuplicateRule};
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Value;

const DUPLICATE: &str = "Use one of these records?";

/// The first API version with the key `duplicateResult`. Responses of versions 54 and 56 have `duplicateResut`, one of
/// version 60 the other; where it changed is unverified.
const SPELT_RIGHT: u32 = 57;

/// Checks a record that has just been written against the org's duplicate rules, which compare it only if the write has
/// changed one of their fields.
pub(super) fn check(
    org: &Org,
    actor: &Actor,
    object: &Object,
    id: RecordId,
    (purpose, changed): (Purpose, &[usize]),
) -> Result<(), ApiError> {
    let Some(row) = org.store.get(&object.name, id) else { return Ok(()) };
    for rule in org.rules.duplicate.iter().filter(|rule| rule.object == object.name) {
        let action = if purpose == Purpose::Update { rule.on_edit } else { rule.on_create };
        let saves = match action {
            DuplicateAction::Block => false,
            DuplicateAction::Alert => actor.write.allow_duplicates,
            DuplicateAction::Allow => true,
        };
        let compares = rule.fields.iter().filter_map(|name| object.position(name)).any(|at| changed.contains(&at));
        if saves || !compares {
            continue;
        }
        if let Some(condition) = &rule.condition
            && !org.meets(&object.name, id, condition)?
        {
            continue;
        }
        let existing = org.object(rule.match_object.as_deref().unwrap_or(&object.name))?;
        let same = find_duplicates(org, actor, (object, row), (&existing, rule));
        if !same.is_empty() {
            let allow_save = action == DuplicateAction::Alert;
            return Err(duplicates_detected(org, actor, (&existing, &same), rule, allow_save));
        }
    }
    Ok(())
}

/// Returns other live records with the same values as `row` in all fields of the rule, none of which may be null.
fn find_duplicates<'a>(
    org: &'a Org,
    actor: &Actor,
    (object, row): (&Object, &Row),
    (existing, rule): (&Object, &DuplicateRule),
) -> Vec<&'a Arc<Row>> {
    let pairs: Vec<(usize, usize)> =
        rule.fields.iter().filter_map(|name| existing.position(name).zip(object.position(name))).collect();
    let alike = |a: &Value, b: &Value| match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => !a.is_null() && a == b,
    };
    let rows = org.store.table(&existing.name).into_iter().flat_map(|table| table.rows());
    rows.filter(|other| !other.is_deleted() && other.id() != row.id())
        .filter(|other| pairs.iter().all(|(theirs, ours)| alike(other.get(*theirs), row.get(*ours))))
        .filter(|other| !actor.write.duplicates_as_user || org.may_see(actor, existing, other))
        .collect()
}

/// Returns the error with Salesforce's details of the duplicates.
fn duplicates_detected(
    org: &Org,
    actor: &Actor,
    (existing, same): (&Object, &[&Arc<Row>]),
    rule: &DuplicateRule,
    allow_save: bool,
) -> ApiError {
    let version = format!("{}.0", actor.write.version);
    let record = |row: &&Arc<Row>| -> Option<Json> {
        let id = row.id()?;
        let mut record = Map::from_iter([("attributes".to_owned(), attributes(existing, id, &version))]);
        record.insert("Id".to_owned(), Json::from(id.as_str()));
        if actor.write.duplicate_details && org.may_see(actor, existing, row) {
            record.extend(org.render_for(actor, existing, row, &version));
        }
        Some(json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record}))
    };
    let records: Vec<Json> = same.iter().filter_map(record).collect();
    let message = if rule.message.is_empty() { DUPLICATE } else { &rule.message };
    let result = json!({
        "allowSave": allow_save, "duplicateRule": rule.name, "duplicateRuleEntityType": rule.object, "errorMessage": message,
        "matchResults": [{
            "entityType": existing.name, "errors": [], "matchEngine": "ExactMatchEngine", "matchRecords": records,
            "rule": rule.matching_rule.as_ref().unwrap_or(&rule.name), "size": same.len(), "success": true,
        }],
    });
    let key = if actor.write.version < SPELT_RIGHT { "duplicateResut" } else { "duplicateResult" };
    ApiError::new("DUPLICATES_DETECTED", message).with(key, result)
}
