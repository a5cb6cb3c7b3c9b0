//! Records, alone and in batches: each value together with its display value.
//!
//! Without layouts, "all fields of the layout" are the fields that a user can set, and the users who created and
//! changed the record.
//! Display values are those of an en_US user in UTC; their exact form is unverified except for dates and references.

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::api::call::{Body, Call, Response, unknown};
use crate::api::ui_api::etag::with_etag;
use crate::api::ui_api::objects::known;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::record_types::MASTER_RECORD_TYPE;
use crate::model::schema::{self, Access, Field, Object};
use crate::model::store::Row;
use crate::model::value::{Place, Value};

const AUDIT: [&str; 4] = ["CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"];

/// Serves `ui-api/records`.
pub(super) fn serve(org: &mut Org, actor: &Actor, call: &Call, rest: &[&str]) -> Result<Response, ApiError> {
    match (call.method.as_str(), rest) {
        ("POST", []) => {
            let body = call.object()?;
            let name = body.get("apiName").and_then(Json::as_str).unwrap_or_default();
            let object = known(org, actor, name)?;
            let id = org.create(actor, &object.name, &fields_of(body))?;
            record_json(org, actor, &object, id, call).map(|json| Response::json(json).status(201))
        }
        ("GET", ["batch", ids]) => batch(org, actor, call, ids),
        ("GET", [id]) => {
            let (object, id) = found(org, actor, id)?;
            record_json(org, actor, &object, id, call).map(Response::json)
        }
        ("PATCH", [id]) => {
            let (object, id) = found(org, actor, id)?;
            org.update(actor, &object.name, id, &fields_of(call.object()?))?;
            record_json(org, actor, &object, id, call).map(Response::json)
        }
        ("DELETE", [id]) => {
            let (object, id) = found(org, actor, id)?;
            org.delete(actor, &object.name, id)?;
            Ok(Response::no_content())
        }
        _ => Err(unknown(call)),
    }
}

/// Records in a batch. The guide names no number; this is that of other requests.
const MAX_BATCH: usize = 200;

/// Returns several records, each with a status of its own (UI API guide, "Get a Batch of Records"). A field with the name
/// of another object in front is left out.
fn batch(org: &Org, actor: &Actor, call: &Call, ids: &str) -> Result<Response, ApiError> {
    let ids: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() || ids.len() > MAX_BATCH {
        return Err(ApiError::new("INVALID_PARAMETER_VALUE", format!("between 1 and {MAX_BATCH} ids are expected")));
    }
    let one = |id: &str| {
        let (object, id) = found(org, actor, id)?;
        let mut call = call.clone();
        for (_, paths) in call.query.iter_mut().filter(|(name, _)| matches!(name.as_str(), "fields" | "optionalFields"))
        {
            let theirs: Vec<&str> = paths.split(',').filter(|path| belongs(org, &object, path)).collect();
            *paths = theirs.join(",");
        }
        record_json(org, actor, &object, id, &call)
    };
    let results: Vec<Response> = ids.iter().map(|id| one(id).map_or_else(Response::from, Response::json)).collect();
    let failed = results.iter().any(|result| result.status >= 400);
    let shown = results.into_iter().map(|result| {
        let body = if let Body::Json(body) = result.body { body } else { Json::Null };
        json!({"result": body, "statusCode": result.status})
    });
    Ok(Response::json(json!({"hasErrors": failed, "results": shown.collect::<Vec<_>>()})))
}

/// Returns whether a path of a batch is about the object: it has no object's name in front, or this object's.
fn belongs(org: &Org, object: &Object, path: &str) -> bool {
    match path.trim().split_once('.') {
        Some((first, _)) => {
            first == object.name || object.relationship(first).is_some() || org.schema.object(first).is_none()
        }
        None => true,
    }
}

fn fields_of(body: &Map<String, Json>) -> Map<String, Json> {
    body.get("fields").and_then(Json::as_object).cloned().unwrap_or_default()
}

fn found(org: &Org, actor: &Actor, id: &str) -> Result<(std::sync::Arc<Object>, RecordId), ApiError> {
    let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
    let object = org.schema.by_prefix(id.key_prefix()).cloned().ok_or_else(ApiError::not_found)?;
    let object = known(org, actor, &object.name)?;
    match org.visible(actor, &object, id) {
        Some(row) if row.is_deleted() => Err(ApiError::deleted()),
        Some(_) => Ok((object, id)),
        None => Err(ApiError::not_found()),
    }
}

/// Returns the record with the requested fields, or those of its layout.
fn record_json(org: &Org, actor: &Actor, object: &Object, id: RecordId, call: &Call) -> Result<Json, ApiError> {
    let row = org.visible(actor, object, id).ok_or_else(ApiError::not_found)?;
    let record = Record { org, actor, call, object, row };
    let mut fields = Map::new();
    match (call.parameter("fields"), call.parameter("optionalFields")) {
        (None, None) => record.layout(&mut fields),
        (required, optional) => {
            for path in required.unwrap_or_default().split(',').filter(|path| !path.is_empty()) {
                record.add(&mut fields, path.trim())?;
            }
            for path in optional.unwrap_or_default().split(',').filter(|path| !path.is_empty()) {
                // An optional field that the user may not see is left out.
                let _ = record.add(&mut fields, path.trim());
            }
        }
    }
    Ok(record.represented(fields))
}

/// Returns the record with those of these fields that the user may see.
pub(crate) fn with_fields(
    org: &Org,
    actor: &Actor,
    (object, id): (&Object, RecordId),
    call: &Call,
    paths: &[String],
) -> Result<Json, ApiError> {
    let row = org.visible(actor, object, id).ok_or_else(ApiError::not_found)?;
    Ok(of_row((org, actor), call, (object, row), paths))
}

/// Returns the same for a row that need not be a saved record.
pub(super) fn of_row(
    (org, actor): (&Org, &Actor),
    call: &Call,
    (object, row): (&Object, &Row),
    paths: &[String],
) -> Json {
    let record = Record { org, actor, call, object, row };
    let mut fields = Map::new();
    for path in paths {
        // A field that the user may not see is left out.
        let _ = record.add(&mut fields, path);
    }
    fields.sort_keys();
    record.represented(fields)
}

struct Record<'a> {
    org: &'a Org,
    actor: &'a Actor,
    call: &'a Call,
    object: &'a Object,
    row: &'a Row,
}

impl<'a> Record<'a> {
    fn represented(&self, fields: Map<String, Json>) -> Json {
        let instant = |at: usize| self.row.get(at).as_instant().map(instant);
        let id = |at: usize| self.row.get(at).as_id().map(|id| id.to_string());
        with_etag(json!({
            "apiName": self.object.name, "childRelationships": {}, "fields": fields, "id": id(schema::ID),
            "lastModifiedById": id(schema::MODIFIED_BY), "lastModifiedDate": instant(schema::MODIFIED_DATE),
            "recordTypeId": self.record_type(), "recordTypeInfo": self.record_type_info(),
            "systemModstamp": instant(schema::MODSTAMP),
        }))
    }

    fn record_type(&self) -> Option<String> {
        let at = self.object.position("RecordTypeId")?;
        Some(self.row.get(at).as_id().map_or_else(|| MASTER_RECORD_TYPE.to_owned(), |id| id.to_string()))
    }

    fn record_type_info(&self) -> Json {
        let requested = self.record_type();
        let types = self.org.record_types(self.object);
        let info = types.iter().find(|info| Some(&info.id) == requested.as_ref() && !info.is_master);
        info.map_or(Json::Null, |info| {
            json!({
                "available": info.active, "defaultRecordTypeMapping": info.is_default, "master": false, "name": info.name,
                "recordTypeId": info.id,
            })
        })
    }

    fn layout(&self, fields: &mut Map<String, Json>) {
        let settable = |field: &&Field| {
            AUDIT.contains(&field.name.as_str())
                || (self.object.access != Access::ReadOnly && (field.createable || field.name_field))
        };
        let seen = self.object.fields.iter().filter(|field| self.org.may_read_field(self.actor, self.object, field));
        for field in seen.filter(settable) {
            // The fields come from the object itself, so each exists.
            let _ = self.add(fields, &field.name);
            if let Some(relationship) = &field.relationship {
                let _ = self.add(fields, &format!("{relationship}.Name"));
            }
        }
        fields.sort_keys();
    }

    /// Adds one field by its path, with or without the object's name in front.
    fn add(&self, fields: &mut Map<String, Json>, path: &str) -> Result<(), ApiError> {
        let prefix = format!("{}.", self.object.name);
        let path = path.strip_prefix(prefix.as_str()).unwrap_or(path);
        let unknown = || ApiError::no_column(path, &self.object.name);
        let seen = |at: &usize| self.org.may_read_field(self.actor, self.object, &self.object.fields[*at]);
        if let Some((relationship, rest)) = path.split_once('.') {
            let at = self.object.relationship(relationship).filter(seen).ok_or_else(unknown)?;
            let parent = self.row.get(at).as_id().and_then(|id| self.org.live_record(id));
            let parent = parent.filter(|(object, row)| self.org.may_see(self.actor, object, row));
            let shown = match parent {
                None => json!({"displayValue": null, "value": null}),
                Some((object, row)) => {
                    let parent = Record { object, row, ..*self };
                    let mut inner = nested(fields.get(relationship));
                    parent.add(&mut inner, "Id")?;
                    parent.add(&mut inner, rest)?;
                    let name = self.org.value(&object.name, row, "Name").as_text();
                    json!({"displayValue": name, "value": parent.represented(inner)})
                }
            };
            fields.insert(relationship.to_owned(), shown);
            return Ok(());
        }
        let at = self.object.position(path).filter(seen).ok_or_else(unknown)?;
        let field = &self.object.fields[at];
        let value = self.row.get(at);
        let display = displayed(value).map_or(Json::Null, Json::from);
        fields.insert(field.name.clone(), json!({"displayValue": display, "value": self.value(at, value)}));
        Ok(())
    }

    fn value(&self, at: usize, value: &Value) -> Json {
        match value {
            Value::Instant(moment) => Json::from(instant(*moment)),
            _ if self.row.id().is_none() => {
                let (version, object, field) = (&self.call.version, &self.object.name, &self.object.fields[at].name);
                // Only the value of a blob depends on the record's id, and no blob field has a default.
                value.json(Place { version, object, field, id: self.actor.user })
            }
            _ => self.org.render_field(self.object, self.row, at, &self.call.version),
        }
    }
}

/// Returns the fields that were already added under a relationship.
fn nested(before: Option<&Json>) -> Map<String, Json> {
    before.and_then(|json| json.pointer("/value/fields")).and_then(Json::as_object).cloned().unwrap_or_default()
}

/// Formats a time for UI API, which writes `Z` instead of `+0000`.
fn instant(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn displayed(value: &Value) -> Option<String> {
    match value {
        Value::Instant(moment) => Some(moment.strftime("%-m/%-d/%Y %-I:%M %p").to_string()),
        Value::Date(date) => Some(date.strftime("%-m/%-d/%Y").to_string()),
        _ => None,
    }
}
