//! `list-ui` and `list-records`: a list view with its columns, and its records in the form of UI API.

use serde_json::{Map, Value as Json, json};

use super::records;
use crate::api::call::Call;
use crate::api::list_views::{self, ListView};
use crate::api::ui_api::etag::{etag, with_etag};
use crate::api::ui_api::objects::known;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;

const USUAL: usize = 50;
const MOST: usize = 1_999;

/// Fields of every record in a list, whatever its columns.
const ALWAYS: [&str; 5] = ["Id", "CreatedDate", "LastModifiedById", "LastModifiedDate", "SystemModstamp"];

/// Returns a view by its id, or by its object and its name.
fn found(org: &Org, actor: &Actor, path: &[&str]) -> Result<(std::sync::Arc<Object>, ListView), ApiError> {
    let view = match path {
        [id] => list_views::by_id(org, id),
        [object, name] => {
            let object = known(org, actor, object)?;
            let view = list_views::of(org, &object).into_iter().find(|view| view.developer_name == *name);
            view.map(|view| (object, view))
        }
        _ => None,
    };
    view.filter(|(object, _)| org.may(actor, Permission::Read, object)).ok_or_else(ApiError::not_found)
}

/// Serves `GET list-ui/...`: the list's description, and a page of its records.
pub(super) fn list_ui(org: &mut Org, actor: &Actor, call: &Call, path: &[&str]) -> Result<Json, ApiError> {
    let (object, view) = found(org, actor, path)?;
    let info = info(org, actor, &object, &view);
    let records = page(org, actor, call, (&object, &view))?;
    Ok(with_etag(json!({"info": info, "records": records})))
}

/// Serves `GET list-records/...`: a page of the records only.
pub(super) fn list_records(org: &mut Org, actor: &Actor, call: &Call, path: &[&str]) -> Result<Json, ApiError> {
    let (object, view) = found(org, actor, path)?;
    page(org, actor, call, (&object, &view))
}

fn info(org: &Org, actor: &Actor, object: &Object, view: &ListView) -> Json {
    let columns: Vec<_> = list_views::columns(org, actor, object).into_iter().filter(|column| !column.hidden).collect();
    let label = |path: &str, label: &str| match path.split_once('.') {
        Some((of, _)) => format!("{of} {label}"),
        None => label.to_owned(),
    };
    let shown: Vec<Json> = columns
        .iter()
        .map(|c| json!({"fieldApiName": c.path, "label": label(&c.path, &c.field.label), "sortable": true}))
        .collect();
    let each = |value: Json| columns.iter().map(|c| (c.path.clone(), value.clone())).collect::<Map<_, _>>();
    let ordered: Vec<Json> = columns
        .iter()
        .filter(|c| c.field.name_field && !c.path.contains('.'))
        .map(|c| json!({"fieldApiName": c.path, "isAscending": true, "label": c.field.label}))
        .collect();
    // The views that Salesforce creates cannot be changed.
    with_etag(json!({
        "cloneable": true, "createable": true, "deletable": false, "displayColumns": shown, "filterLogicString": null,
        "filteredByInfo": [], "label": view.label, "listReference": list_views::reference(object, view),
        "orderedByInfo": ordered, "updateable": false,
        "userPreferences": {"columnWidths": each(json!(-1)), "columnWrap": each(json!(false))},
        "visibility": "Public", "visibilityEditable": false,
    }))
}

fn page(org: &mut Org, actor: &Actor, call: &Call, (object, view): (&Object, &ListView)) -> Result<Json, ApiError> {
    let size = list_views::number(call, "pageSize", USUAL)?.clamp(1, MOST);
    let from = list_views::number(call, "pageToken", 0)?;
    let (rows, more) = list_views::records(org, actor, call, (object, view), (from, size))?;
    let paths = paths(org, actor, object);
    let ids = rows.iter().filter_map(|row| RecordId::parse(row.get("Id")?.as_str()?));
    let records: Vec<Json> =
        ids.map(|id| records::with_fields(org, actor, (object, id), call, &paths)).collect::<Result<_, _>>()?;
    let url = |token: usize| {
        let (version, object, name) = (&call.version, &object.name, &view.developer_name);
        format!("/services/data/v{version}/ui-api/list-records/{object}/{name}?pageSize={size}&pageToken={token}")
    };
    let next = more.then_some(from + size);
    let previous = (from > 0).then(|| from.saturating_sub(size));
    Ok(json!({
        "count": records.len(), "currentPageToken": from.to_string(), "currentPageUrl": url(from),
        "listInfoETag": etag(&info(org, actor, object, view)), "nextPageToken": next.map(|token| token.to_string()),
        "nextPageUrl": next.map(url), "previousPageToken": previous.map(|token| token.to_string()),
        "previousPageUrl": previous.map(url), "records": records,
    }))
}

/// Returns the fields of each record: those of the columns, of their parents, and those of every list.
fn paths(org: &Org, actor: &Actor, object: &Object) -> Vec<String> {
    let mut paths: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    for column in list_views::columns(org, actor, object) {
        if let Some((relationship, _)) = column.path.split_once('.') {
            paths.extend(ALWAYS.iter().chain(&["Name"]).map(|field| format!("{relationship}.{field}")));
            paths.extend(object.relationship(relationship).map(|at| object.fields[at].name.clone()));
        }
        paths.push(column.path);
    }
    paths
}
