//! `composite/sobjects`: up to 200 records in one request, each with its own result.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Call, Response, unknown};
use crate::api::rest::record_json::named_fields;
use crate::data::soql::attributes;
use crate::data::write::Upserted;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::plain;

const MAX_RECORDS: usize = 200;
const MAX_RETRIEVED: usize = 2_000;
/// Chunks of records of one type in a request.
const MAX_CHUNKS: usize = 10;

/// Serves everything below `composite/sobjects`.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.as_str(), rest) {
        ("POST", []) => each(org, call, |org, record| create(org, actor, record)),
        ("PATCH", []) => each(org, call, |org, record| update(org, actor, record)),
        ("PATCH", [object, key]) => upsert(org, actor, call, (object, key)),
        ("DELETE", []) => delete(org, actor, call),
        ("GET" | "POST", [object]) => retrieve(org, actor, call, object),
        _ => Err(unknown(call)),
    }
}

type Outcome = Result<Json, ApiError>;

fn records(call: &Call) -> Result<Vec<Map<String, Json>>, ApiError> {
    let body = call.object()?;
    let records = body.get("records").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if records.is_empty() {
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", "At least 1 record is required"));
    }
    if records.len() > MAX_RECORDS {
        return Err(ApiError::new(
            "EXCEEDED_ID_LIMIT",
            format!("record limit reached. cannot submit more than {MAX_RECORDS} records into this call"),
        ));
    }
    let as_object = |record: &Json| {
        record.as_object().cloned().ok_or_else(|| ApiError::bad_json("records must be an array of objects"))
    };
    let records: Vec<Map<String, Json>> = records.iter().map(as_object).collect::<Result<_, _>>()?;
    check_chunks(records.iter().map(|record| type_of(record).unwrap_or_default().to_ascii_lowercase()))?;
    Ok(records)
}

/// Rejects a request with too many chunks; records are processed in chunks of one type (REST API guide, collections).
fn check_chunks(types: impl Iterator<Item = String>) -> Result<(), ApiError> {
    let mut types: Vec<String> = types.collect();
    types.dedup();
    if types.len() <= MAX_CHUNKS {
        return Ok(());
    }
    let message = format!(
        "Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange the data to reduce chunking."
    );
    Err(ApiError::new("INVALID_INPUT", message))
}

fn all_or_none(call: &Call) -> bool {
    let in_body = call.body.as_ref().and_then(|body| body.get("allOrNone")).and_then(Json::as_bool);
    in_body.unwrap_or_else(|| call.parameter("allOrNone") == Some("true"))
}

/// Applies an operation to each record, in one transaction for all or in one for each.
fn each(
    org: &mut Org,
    call: &Call,
    mut act: impl FnMut(&mut Org, &Map<String, Json>) -> Outcome,
) -> Result<Response, ApiError> {
    let records = records(call)?;
    let outcomes = attempt(org, records.iter(), |org, record| act(org, record));
    Ok(finish(org, call, outcomes, ApiError::result))
}

struct Attempted {
    start: crate::model::transaction::Savepoint,
    outcomes: Vec<Outcome>,
}

fn attempt<T>(org: &mut Org, items: impl Iterator<Item = T>, mut act: impl FnMut(&mut Org, T) -> Outcome) -> Attempted {
    let start = org.savepoint();
    let mut outcomes = Vec::new();
    for item in items {
        let before = org.savepoint();
        let outcome = act(org, item);
        if outcome.is_err() {
            org.rollback(&before);
        }
        outcomes.push(outcome);
    }
    Attempted { start, outcomes }
}

/// Returns the results, those of failed records by `failure`. With `allOrNone`, one failure rolls everything back, and
/// the results of the other records say so.
fn finish(org: &mut Org, call: &Call, attempted: Attempted, failure: fn(&ApiError) -> Json) -> Response {
    let failed = attempted.outcomes.iter().any(Result::is_err);
    let halted = failed && all_or_none(call);
    if halted {
        org.rollback(&attempted.start);
    }
    let shown = |outcome: Outcome| match outcome {
        Ok(_) if halted => failure(&ApiError::rolled_back()),
        Ok(json) => json,
        Err(error) => failure(&error),
    };
    Response::json(attempted.outcomes.into_iter().map(shown).collect())
}

fn type_of(record: &Map<String, Json>) -> Result<&str, ApiError> {
    let named = record.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Json::as_str);
    named.ok_or_else(|| {
        ApiError::bad_json(
            "Nested object for polymorphic foreign key must have an attributes field before any other fields.",
        )
    })
}

fn done(id: RecordId) -> Json {
    json!({"id": id.as_str(), "success": true, "errors": []})
}

fn create(org: &mut Org, actor: &Actor, record: &Map<String, Json>) -> Outcome {
    org.create(actor, type_of(record)?, record).map(done)
}

fn update(org: &mut Org, actor: &Actor, record: &Map<String, Json>) -> Outcome {
    let mut fields = record.clone();
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case("id")).cloned();
    let id = key.and_then(|key| fields.remove(&key)).filter(|id| !id.is_null());
    let object = type_of(record)?;
    let id = id.ok_or_else(|| ApiError::no_id("an update"))?;
    let text = id.as_str().unwrap_or_default();
    let id = RecordId::parse(text)
        .ok_or_else(|| ApiError::new("MALFORMED_ID", format!("malformed id {text}")).fields(["Id"]))?;
    org.update(actor, object, id, &fields)?;
    Ok(done(id))
}

fn upsert(org: &mut Org, actor: &Actor, call: &Call, (object, key): (&str, &str)) -> Result<Response, ApiError> {
    let known = org.schema.object(object).filter(|o| org.has_permission(actor, Permission::Read, o)).cloned();
    let known = known.ok_or_else(ApiError::not_found)?;
    org.key_field(actor, &known, key)?;
    let records = records(call)?;
    let key_of = |record: &Map<String, Json>| {
        record.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
    };
    let mut seen: HashMap<String, usize> = HashMap::new();
    for value in records.iter().filter_map(key_of).filter(|value| !value.is_null()) {
        *seen.entry(plain(&value).to_lowercase()).or_default() += 1;
    }
    let outcomes = attempt(org, records.iter(), |org, record| {
        let value = key_of(record).unwrap_or(Json::Null);
        if seen.get(&plain(&value).to_lowercase()).is_some_and(|count| *count > 1) {
            let message = format!("Duplicate external id specified: {}", plain(&value));
            return Err(ApiError::new("DUPLICATE_VALUE", message).fields([key]));
        }
        upsert_one(org, actor, (&known.name, key), (record, &value))
    });
    Ok(finish(org, call, outcomes, failed_upsert))
}

/// Returns the result of a failed upsert, which names `created` too.
fn failed_upsert(error: &ApiError) -> Json {
    let mut result = error.result();
    result["created"] = Json::from(false);
    result
}

fn upsert_one(
    org: &mut Org,
    actor: &Actor,
    (object, key): (&str, &str),
    (record, value): (&Map<String, Json>, &Json),
) -> Outcome {
    if !type_of(record)?.eq_ignore_ascii_case(object) {
        return Err(ApiError::new("INVALID_TYPE", format!("all records must be of type {object}")));
    }
    let fields: Map<String, Json> = record
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    match org.upsert(actor, object, (key, value), &fields)? {
        Upserted::Created(id) => Ok(json!({"id": id.as_str(), "success": true, "errors": [], "created": true})),
        Upserted::Updated(id) => Ok(json!({"id": id.as_str(), "success": true, "errors": [], "created": false})),
        Upserted::Ambiguous(ids) => {
            let message = format!("{key}: more than one record found for external id field: {ids:?}");
            Err(ApiError::new("DUPLICATE_EXTERNAL_ID", message).fields([key]))
        }
    }
}

fn delete(org: &mut Org, actor: &Actor, call: &Call) -> Result<Response, ApiError> {
    let ids: Vec<&str> =
        call.parameter("ids").unwrap_or_default().split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() || ids.len() > MAX_RECORDS {
        return Err(ApiError::new("EXCEEDED_ID_LIMIT", format!("between 1 and {MAX_RECORDS} ids are expected")));
    }
    check_chunks(ids.iter().map(|id| id.chars().take(3).collect()))?;
    let outcomes = attempt(org, ids.into_iter(), |org, text| {
        let id = RecordId::parse(text)
            .ok_or_else(|| ApiError::new("MALFORMED_ID", format!("malformed id {text}")).no_fields())?;
        let object = org.schema.by_prefix(id.key_prefix()).ok_or_else(ApiError::not_found)?.name.clone();
        org.delete(actor, &object, id).map(|()| done(id))
    });
    Ok(finish(org, call, outcomes, ApiError::result))
}

/// Returns records by id, `null` for those that do not exist or that the user may not see.
fn retrieve(org: &Org, actor: &Actor, call: &Call, object: &str) -> Result<Response, ApiError> {
    let object = org
        .schema
        .object(object)
        .filter(|o| org.has_permission(actor, Permission::Read, o))
        .ok_or_else(ApiError::not_found)?;
    let list = |name: &str| -> Vec<String> {
        let in_body = call.body.as_ref().and_then(|body| body.get(name)).and_then(Json::as_array);
        match in_body {
            Some(values) => values.iter().map(plain).collect(),
            None => call
                .parameter(name)
                .unwrap_or_default()
                .split(',')
                .map(|s| s.trim().to_owned())
                .filter(|s| !s.is_empty())
                .collect(),
        }
    };
    let (ids, fields) = (list("ids"), list("fields"));
    if ids.is_empty() || fields.is_empty() {
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", "ids and fields are required"));
    }
    if ids.len() > MAX_RETRIEVED {
        return Err(ApiError::new("EXCEEDED_ID_LIMIT", format!("cannot retrieve more than {MAX_RETRIEVED} records")));
    }
    let is_unknown = |name: &&String| {
        let seen = |at: usize| org.may_read_field(actor, object, &object.fields[at]);
        !object.position(name.trim()).is_some_and(seen)
    };
    if let Some(name) = fields.iter().find(is_unknown) {
        return Err(ApiError::no_column(name.trim(), &object.name));
    }
    let mut found = Vec::with_capacity(ids.len());
    for text in &ids {
        let id = RecordId::parse(text).ok_or_else(|| ApiError::new("MALFORMED_ID", format!("malformed id {text}")))?;
        let row = org.visible(actor, object, id).filter(|row| !row.is_deleted());
        let shown = row
            .map(|row| named_fields((org, actor), object, row, fields.iter().map(String::as_str), &call.version))
            .transpose()?;
        found.push(shown.map_or(Json::Null, |fields| {
            let mut record = Map::from_iter([("attributes".to_owned(), attributes(object, id, &call.version))]);
            record.extend(fields);
            Json::Object(record)
        }));
    }
    Ok(Response::json(Json::Array(found)))
}
