//! Records: the objects with records, the records of an object, a single record.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::forms::{self, Inputs};
use super::html::{ROWS, encoded, facts, not_found, pages, table, within};
use super::related;
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::records;
use crate::model::schema::{self, Object};
use crate::model::store::Row;
use crate::wire::html::escaped;

pub(super) const PATH: &str = "/_simulator/pages/records";

#[derive(Deserialize)]
pub(super) struct ListParameters {
    #[serde(default)]
    object: String,
    #[serde(default)]
    q: String,
    page: Option<usize>,
}

/// Shows the objects, or the records of one.
pub(super) async fn list(State(shared): State<Shared>, Query(params): Query<ListParameters>) -> Html<String> {
    let org = shared.org();
    let Some(object) = org.schema.object(&params.object).cloned() else {
        return Html(within(&org, "Records", PATH, &objects(&org)));
    };
    let needle = params.q.to_lowercase();
    let table = org.store.table(&object.name);
    let mut found: Vec<&Arc<Row>> = table
        .into_iter()
        .flat_map(|table| table.rows())
        .filter(|row| {
            needle.is_empty()
                || name_of(&object, row).to_lowercase().contains(&needle)
                || id_of(row).contains(&params.q)
        })
        .collect();
    found.sort_by_key(|row| std::cmp::Reverse(row.get(schema::MODSTAMP).as_instant()));
    let number = params.page.unwrap_or(1).max(1);
    let rows = found.iter().skip((number - 1) * ROWS).take(ROWS).map(|row| row_of(&object, row));
    let list = super::html::table(&object.label_plural, &["Name", "Id", "Changed", "State"], rows);
    let query = format!("object={}&q={}&", encoded(&object.name), encoded(&params.q));
    let filter = format!(
        "<form class=\"filter\" method=\"get\" action=\"{PATH}\"><input type=\"hidden\" name=\"object\" value=\"{}\">\
         <label>Name or id contains<input name=\"q\" value=\"{}\"></label><button>Filter</button></form>",
        escaped(&object.name),
        escaped(&params.q)
    );
    let body = format!(
        "<p class=\"pages\"><a href=\"{PATH}\">All objects</a><a href=\"{PATH}/{}/new\">New</a></p>{filter}{list}{}",
        encoded(&object.name),
        pages(PATH, &query, number, found.len())
    );
    Html(within(&org, &object.label_plural, PATH, &body))
}

fn objects(org: &Org) -> String {
    let counts = records::record_counts(org);
    let rows = counts.iter().map(|(name, count)| {
        vec![format!("<a href=\"{PATH}?object={}\">{}</a>", encoded(name), escaped(name)), count.to_string()]
    });
    let choice =
        Inputs { values: &Form::default(), problems: &[] }.select("Object", "object", "", &forms::objects(org));
    let other =
        format!("<form class=\"filter\" method=\"get\" action=\"{PATH}\">{choice}<button>Show records</button></form>");
    other + &table("Objects with records", &["Object", "Records"], rows)
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

/// Shows the fields of a record, its history, and the records that point to it.
pub(super) async fn one(State(shared): State<Shared>, Path((object, id)): Path<(String, String)>) -> Response {
    let org = shared.org();
    let found = org.schema.object(&object).zip(RecordId::parse(&id));
    let found = found.and_then(|(object, id)| Some((object, id, org.store.get(&object.name, id)?)));
    let Some((object, id, row)) = found else {
        return not_found(&org, PATH, "There is no such record.");
    };
    let value = |json: &serde_json::Value| match json {
        serde_json::Value::Null => "<span class=\"quiet\">none</span>".to_owned(),
        serde_json::Value::String(text) => linked(&org, text),
        other => escaped(&other.to_string()),
    };
    let record = org.render_all(object, row, "66.0");
    let fields: Vec<(&str, String)> = record.iter().map(|(name, json)| (name.as_str(), value(json))).collect();
    let name = encoded(&object.name);
    let edit = if row.is_deleted() {
        "<span>deleted</span>".to_owned()
    } else {
        format!("<a href=\"{PATH}/{name}/{id}/edit\">Edit</a>")
    };
    let body = format!(
        "<p class=\"pages\"><a href=\"{PATH}?object={name}\">All of {}</a>{edit}<a href=\"#history\">History</a>\
         <a href=\"#related\">Related</a></p>{}<h2 id=\"history\">History</h2>{}<h2 id=\"related\">Related</h2>{}",
        escaped(&object.name),
        facts(&fields),
        related::history(&org, row, id),
        related::children(&org, object, id)
    );
    Html(within(&org, &format!("{} {id}", object.name), PATH, &body)).into_response()
}

/// Returns the text, as a link when it is the id of another record.
fn linked(org: &Org, text: &str) -> String {
    let target = RecordId::parse(text).and_then(|id| org.live_record(id));
    match target {
        Some((object, _)) => format!("<a href=\"{PATH}/{}/{text}\">{text}</a>", encoded(&object.name)),
        None => escaped(text),
    }
}
