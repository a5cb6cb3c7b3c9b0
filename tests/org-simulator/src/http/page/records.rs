//! Records: the objects with records, the records of an object, a single record.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::html::{ROWS, encoded, facts, pages, table, within};
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::records;
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::wire::html::{escaped, message};

const PATH: &str = "/_simulator/pages/records";

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    object: String,
    #[serde(default)]
    q: String,
    page: Option<usize>,
}

/// Shows the objects, or the records of one.
pub(super) async fn list(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Html<String> {
    let org = shared.org();
    let Some(object) = org.schema.object(&wanted.object).cloned() else {
        return Html(within(&org, "Records", PATH, &objects(&org)));
    };
    let needle = wanted.q.to_lowercase();
    let table = org.store.table(&object.name);
    let mut found: Vec<&Arc<Row>> = table
        .into_iter()
        .flat_map(|table| table.rows())
        .filter(|row| {
            needle.is_empty()
                || name_of(&object, row).to_lowercase().contains(&needle)
                || id_of(row).contains(&wanted.q)
        })
        .collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.get(schema::MODSTAMP).as_instant()));
    let number = wanted.page.unwrap_or(1).max(1);
    let rows = found.iter().skip((number - 1) * ROWS).take(ROWS).map(|row| row_of(&object, row));
    let list = super::html::table(&object.label_plural, &["Name", "Id", "Changed", "State"], rows);
    let query = format!("object={}&q={}&", encoded(&object.name), encoded(&wanted.q));
    let filter = format!(
        "<form class=\"filter\" method=\"get\" action=\"{PATH}\"><input type=\"hidden\" name=\"object\" value=\"{}\">\
         <label>Name or id contains<input name=\"q\" value=\"{}\"></label><button>Filter</button></form>",
        escaped(&object.name),
        escaped(&wanted.q)
    );
    let body =
        format!("<p><a href=\"{PATH}\">All objects</a></p>{filter}{list}{}", pages(PATH, &query, number, found.len()));
    Html(within(&org, &object.label_plural, PATH, &body))
}

fn objects(org: &Org) -> String {
    let counts = records::record_counts(org);
    let rows = counts.iter().map(|(name, count)| {
        vec![format!("<a href=\"{PATH}?object={}\">{}</a>", encoded(name), escaped(name)), count.to_string()]
    });
    table("Objects with records", &["Object", "Records"], rows)
}

fn row_of(object: &Object, row: &Row) -> Vec<String> {
    let id = id_of(row);
    let name = name_of(object, row);
    let name = if name.is_empty() { id.clone() } else { name };
    let changed = row.get(schema::MODSTAMP).as_instant().map(super::html::moment).unwrap_or_default();
    vec![
        format!("<a href=\"{PATH}/{}/{id}\">{}</a>", encoded(&object.name), escaped(&name)),
        format!("<code>{id}</code>"),
        changed,
        if row.is_deleted() { "deleted" } else { "" }.to_owned(),
    ]
}

fn id_of(row: &Row) -> String {
    row.id().map(|id| id.to_string()).unwrap_or_default()
}

fn name_of(object: &Object, row: &Row) -> String {
    object.name_field().map(|at| row.get(at).as_text().to_owned()).unwrap_or_default()
}

/// Shows all fields of a record.
pub(super) async fn one(State(shared): State<Shared>, Path((object, id)): Path<(String, String)>) -> Response {
    let org = shared.org();
    let Some(record) = records::record(&org, &object, &id) else {
        return (StatusCode::NOT_FOUND, Html(message("There is no such record."))).into_response();
    };
    let value = |json: &serde_json::Value| match json {
        serde_json::Value::Null => "<span class=\"quiet\">none</span>".to_owned(),
        serde_json::Value::String(text) => linked(&org, text),
        other => escaped(&other.to_string()),
    };
    let fields: Vec<(&str, String)> = record.iter().map(|(name, json)| (name.as_str(), value(json))).collect();
    let back = format!("<p><a href=\"{PATH}?object={0}\">All of {0}</a></p>", escaped(&object));
    let body = back + &facts(&fields);
    Html(within(&org, &format!("{object} {id}"), PATH, &body)).into_response()
}

/// Returns the text, as a link when it is the id of another record.
fn linked(org: &Org, text: &str) -> String {
    let target = RecordId::parse(text).and_then(|id| org.live_record(id));
    match target {
        Some((object, _)) => format!("<a href=\"{PATH}/{}/{text}\">{text}</a>", encoded(&object.name)),
        None => escaped(text),
    }
}
