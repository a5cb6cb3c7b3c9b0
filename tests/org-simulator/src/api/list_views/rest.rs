//! `sobjects/{object}/listviews/...`.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{Column, ListView, Scope, columns, number, of, records, soql};
use crate::api::call::{Call, Response, unknown};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{FieldKind, Object};

/// Records in a page by default, and the maximum.
const USUAL: usize = 25;
const MOST: usize = 1_999;

/// Serves everything below `sobjects/{object}/listviews`.
pub(crate) fn serve(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, rest): (&Object, &[&str]),
) -> Result<Response, ApiError> {
    let views = of(org, object);
    let found = |id: &str| {
        let id = RecordId::parse(id);
        views.iter().find(|view| Some(view.id) == id).ok_or_else(ApiError::not_found)
    };
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let all: Vec<Json> = views.iter().map(|view| entry(call, object, view)).collect();
            Ok(Response::json(json!({
                "done": true, "listviews": all, "nextRecordsUrl": null, "size": views.len(), "sobjectType": object.name,
            })))
        }
        ("GET", [id]) => Ok(Response::json(entry(call, object, found(id)?))),
        ("GET", [id, "describe"]) => Ok(Response::json(described(org, actor, object, found(id)?))),
        ("GET", [id, "results"]) => results(org, actor, call, (object, found(id)?)),
        _ => Err(unknown(call)),
    }
}

fn entry(call: &Call, object: &Object, view: &ListView) -> Json {
    let url = format!("/services/data/v{}/sobjects/{}/listviews/{}", call.version, object.name, view.id);
    json!({
        "describeUrl": format!("{url}/describe"), "developerName": view.developer_name, "id": view.id.as_str(),
        "label": view.label, "resultsUrl": format!("{url}/results"), "soqlCompatible": true, "url": url,
    })
}

fn described(org: &Org, actor: &Actor, object: &Object, view: &ListView) -> Json {
    let shown: Vec<Json> = columns(org, actor, object).iter().map(|column| described_column(object, column)).collect();
    let scope = match view.scope {
        Scope::Everything => "everything",
        Scope::Mine => "mine",
        Scope::RecentlyViewed => "mru",
    };
    let order = |path: &str| json!({"fieldNameOrPath": path, "nullsPosition": "first", "sortDirection": "ascending"});
    let name = object.name_field().map(|at| object.fields[at].name.as_str());
    let orders: Vec<Json> = name.into_iter().chain(["Id"]).map(order).collect();
    json!({
        "columns": shown, "id": view.id.as_str(), "orderBy": orders, "query": soql(org, actor, object, view), "relatedEntityId": null,
        "scope": scope, "sobjectType": object.name, "whereCondition": {"conditions": [], "conjunction": "and"},
    })
}

fn described_column(object: &Object, Column { path, field, hidden }: &Column<'_>) -> Json {
    let (ascending, descending) = match field.kind {
        _ if *hidden => (None, None),
        FieldKind::Picklist => (Some("Low to High"), Some("High to Low")),
        FieldKind::Phone => (Some("9-0"), Some("0-9")),
        _ => (Some("Z-A"), Some("A-Z")),
    };
    let label = path.split_once('.').map_or_else(|| field.label.clone(), |(of, _)| format!("{of} {}", field.label));
    let item = if field.kind == FieldKind::Picklist { format!("toLabel({path})") } else { path.clone() };
    let sorted = object.name_field().is_some_and(|at| object.fields[at].name == *path);
    json!({
        "ascendingLabel": ascending, "descendingLabel": descending, "fieldNameOrPath": path, "hidden": hidden, "label": label,
        "selectListItem": item, "sortDirection": sorted.then_some("ascending"), "sortIndex": sorted.then_some(0),
        "sortable": !hidden, "type": field.kind.name(),
    })
}

fn results(
    org: &mut Org,
    actor: &Actor,
    call: &Call,
    (object, view): (&Object, &ListView),
) -> Result<Response, ApiError> {
    let page = (number(call, "offset", 0)?, number(call, "limit", USUAL)?.clamp(1, MOST));
    let (rows, more) = records(org, actor, call, (object, view), page)?;
    let columns = columns(org, actor, object);
    let shown: Vec<Json> = columns.iter().map(|column| described_column(object, column)).collect();
    let value = |row: &Json, column: &Column<'_>| {
        let found = row.pointer(&format!("/{}", column.path.replace('.', "/")));
        json!({"fieldNameOrPath": column.path, "value": as_text(column.field.kind, found)})
    };
    let rows: Vec<Json> = rows
        .iter()
        .map(|row| json!({"columns": columns.iter().map(|column| value(row, column)).collect::<Vec<_>>()}))
        .collect();
    Ok(Response::json(json!({
        "columns": shown, "developerName": view.developer_name, "done": !more, "id": view.id.as_str(), "label": view.label,
        "size": rows.len(), "records": rows,
    })))
}

/// Returns a value as text, as this resource does for every type; times have Java's format.
fn as_text(kind: FieldKind, value: Option<&Json>) -> Option<String> {
    match value? {
        Json::Null => None,
        Json::String(text) if kind == FieldKind::DateTime => {
            let moment: Option<Timestamp> = crate::model::datetime::parse(text);
            moment.map(|moment| moment.strftime("%a %b %d %H:%M:%S GMT %Y").to_string())
        }
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
