//! Creates a job from a client's request.

use serde_json::{Map, Value as Json};

use super::job::invalid_job;
use super::query::unsupported;
use crate::api::bulk::work::take_query_job;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::bulk::csv::{Format, LineEnding};
use crate::model::bulk::ingest::{Ingest, Operation};
use crate::model::bulk::job::{Head, Job, State, Work};
use crate::model::bulk::query::Query;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::write_options::{AutoAssign, WriteOptions};

/// Objects whose records cannot be loaded in bulk.
const NOT_IN_BULK: [&str; 2] = ["ContentNote", "ContentVersion"];
const INGEST_KEYS: [&str; 8] = [
    "object",
    "operation",
    "externalIdFieldName",
    "assignmentRuleId",
    "contentType",
    "lineEnding",
    "columnDelimiter",
    "concurrencyMode",
];
const QUERY_KEYS: [&str; 6] = ["operation", "query", "contentType", "lineEnding", "columnDelimiter", "concurrencyMode"];

/// Creates a query job in the state `UploadComplete`.
pub(super) fn query(org: &mut Org, actor: &Actor, version: &str, body: &Map<String, Json>) -> Result<Job, ApiError> {
    known(body, &QUERY_KEYS)?;
    let all = match text(body, "operation")? {
        Some("query") => false,
        Some("queryAll") => true,
        other => return Err(invalid_operation(other)),
    };
    let soql = text(body, "query")?.filter(|soql| !soql.trim().is_empty());
    let soql = soql.ok_or_else(|| ApiError::new("INVALIDJOB", "InvalidJob : Query is required"))?;
    let format = format(body)?;
    let (query, object) = Query::new(org, actor, soql, all)?;
    take_query_job(org)?;
    let head = head(org, actor, version, (object, State::UploadComplete, format));
    Ok(Job { head, work: Work::Query(query) })
}

/// Creates an ingest job in the state `Open`.
pub(super) fn ingest(org: &mut Org, actor: &Actor, version: &str, body: &Map<String, Json>) -> Result<Job, ApiError> {
    known(body, &INGEST_KEYS)?;
    let operation = text(body, "operation")?;
    let operation = operation.and_then(Operation::named).ok_or_else(|| invalid_operation(operation))?;
    let name = text(body, "object")?.unwrap_or_default();
    let unknown = || invalid_job(format!("Unable to find object: {name}"));
    let object = org.schema.object(name).cloned().ok_or_else(unknown)?;
    if !org.may(actor, Permission::Read, &object) {
        return Err(unknown());
    }
    if NOT_IN_BULK.contains(&object.name.as_str()) {
        return Err(unsupported(&object.name));
    }
    if operation == Operation::HardDelete && !org.bulk.hard_deleters.contains(&actor.user) {
        let message = "FeatureNotEnabled : hardDelete operation requires special user profile permission, please contact \
                       your system administrator";
        return Err(ApiError::new("FEATURENOTENABLED", message));
    }
    let external_id = external_id(&object, operation, text(body, "externalIdFieldName")?)?;
    let rule = text(body, "assignmentRuleId")?.map(|rule| assignment_rule(&object.name, rule)).transpose()?;
    let format = format(body)?;
    if org.bulk.batches.left(org.clock.now()) == 0 {
        return Err(ApiError::new("EXCEEDEDQUOTA", "ExceededQuota : ApiBatchItems Limit exceeded."));
    }
    // Without a rule in the job, no assignment rule runs.
    let auto_assign = rule.map_or(AutoAssign::Off, AutoAssign::Rule);
    let actor = &Actor { write: WriteOptions { auto_assign, ..actor.write }, ..*actor };
    let head = head(org, actor, version, (object.name.clone(), State::Open, format));
    Ok(Job { head, work: Work::Ingest(Ingest::new(operation, external_id, rule)) })
}

fn head(org: &mut Org, actor: &Actor, version: &str, (object, state, format): (String, State, Format)) -> Head {
    let now = org.stamp();
    Head {
        id: org.ids.next("750"),
        actor: *actor,
        version: version.to_owned(),
        object,
        created: now,
        changed: now,
        queued: org.clock.now(),
        state,
        format,
        error: None,
        took_ms: 0,
    }
}

/// Returns the external id field of an upsert; `None` for other operations.
fn external_id(
    object: &crate::model::schema::Object,
    operation: Operation,
    given: Option<&str>,
) -> Result<Option<String>, ApiError> {
    if operation != Operation::Upsert {
        return given.map_or(Ok(None), |_| {
            Err(invalid_job(format!("External ID field name cannot be specified for {}", operation.name())))
        });
    }
    let name = given.filter(|name| !name.is_empty()).ok_or_else(|| {
        invalid_job(format!("External ID was blank for {}. An External ID must be specified for upsert.", object.name))
    })?;
    // The message is that of the SOAP API's upsert; for Bulk API 2.0 it is unverified.
    let field = object.field(name).filter(|field| field.external_id || field.id_lookup).ok_or_else(|| {
        invalid_job(format!(
            "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {}",
            object.name
        ))
    })?;
    Ok(Some(field.name.clone()))
}

/// Returns the assignment rule of an object that supports them; an unknown id is reported only when a row is written.
fn assignment_rule(object: &str, rule: &str) -> Result<RecordId, ApiError> {
    let is_rule = |id: &RecordId| id.key_prefix() == "01Q" && ["Case", "Lead"].contains(&object);
    let unknown = || invalid_job(format!("assignmentRuleId {rule} is not a rule of {object}"));
    RecordId::parse(rule).filter(is_rule).ok_or_else(unknown)
}

/// Returns the CSV format of the upload or of the results.
fn format(body: &Map<String, Json>) -> Result<Format, ApiError> {
    let wrong = |key: &str, value: &str| {
        ApiError::bad_json(format!(
            "Cannot deserialize value of type {key} from String \"{value}\": value not one of declared Enum instance names"
        ))
    };
    let mut format = Format::default();
    if let Some(name) = text(body, "lineEnding")? {
        format.line_ending = LineEnding::named(name).ok_or_else(|| wrong("LineEnding", name))?;
    }
    if let Some(name) = text(body, "columnDelimiter")? {
        format.delimiter = Format::delimiter_named(name).ok_or_else(|| wrong("ColumnDelimiter", name))?;
    }
    for (key, only) in [("contentType", "CSV"), ("concurrencyMode", "Parallel")] {
        if let Some(value) = text(body, key)?.filter(|value| *value != only) {
            return Err(wrong(key, value));
        }
    }
    Ok(format)
}

fn text<'a>(body: &'a Map<String, Json>, key: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => {
            Err(ApiError::bad_json(format!("Cannot deserialize instance of string from {other} at property {key}")))
        }
    }
}

/// Rejects a property that jobs do not have.
pub(super) fn known(body: &Map<String, Json>, keys: &[&str]) -> Result<(), ApiError> {
    match body.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            tracing::warn!(property = key, "the simulator does not know this property of a job");
            Err(ApiError::bad_json(format!("Unrecognized field \"{key}\"")))
        }
    }
}

fn invalid_operation(operation: Option<&str>) -> ApiError {
    let operation = operation.unwrap_or_default();
    ApiError::new("INVALIDOPERATION", format!("InvalidOperation : Invalid operation: {operation}"))
}
