//! The parts of a record's page beside its fields: the records that point to it, and the requests that changed it.

use super::html::{encoded, moment, table};
use super::requests;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::request_log::{Entry, Exchange};
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::wire::html::escaped;

/// Records that are listed for each relationship.
const LISTED: usize = 20;
/// Requests that are listed.
const CHANGES: usize = 50;

/// Returns a table of the live records that point to a record, by relationship.
pub(super) fn children(org: &Org, object: &Object, id: RecordId) -> String {
    let mut rows = Vec::new();
    for child in org.schema.children_of(&object.name) {
        let all = org.store.table(&child.object.name).into_iter().flat_map(|table| table.rows());
        let theirs: Vec<_> = all.filter(|row| row.get(child.field).as_id() == Some(id) && !row.is_deleted()).collect();
        if theirs.is_empty() {
            continue;
        }
        let mut links: Vec<String> = theirs.iter().take(LISTED).map(|row| link(org, child.object, row)).collect();
        if theirs.len() > LISTED {
            links.push(format!("and {} more", theirs.len() - LISTED));
        }
        let field = child.object.fields.get(child.field).map_or("", |field| field.name.as_str());
        let name = child.name.unwrap_or_default();
        rows.push(vec![
            escaped(&child.object.name),
            escaped(field),
            escaped(name),
            theirs.len().to_string(),
            links.join("<br>"),
        ]);
    }
    if rows.is_empty() {
        return "<p>No record points to this one.</p>".to_owned();
    }
    table("Records that point to this one", &["Object", "Field", "Relationship", "Records", "Newest 20"], rows)
}

/// Returns a link to a record, by its name; a link between a document and a record leads to the document.
fn link(org: &Org, object: &Object, row: &Row) -> String {
    let document = object.position("ContentDocumentId").and_then(|at| row.get(at).as_id());
    let target = document.filter(|_| object.name == "ContentDocumentLink").and_then(|id| org.live_record(id));
    let (object, row) = target.map_or((object, row), |(object, row)| (object, row));
    let id = row.id().map(|id| id.to_string()).unwrap_or_default();
    let mut name =
        ["Name", "Title", "Subject"].iter().filter_map(|name| object.position(name)).map(|at| row.get(at).as_text());
    let name = name.find(|name| !name.is_empty()).unwrap_or(&id).to_owned();
    format!("<a href=\"{}/{}/{id}\">{}</a>", super::records::PATH, encoded(&object.name), escaped(&name))
}

/// Returns a table of the logged requests that may have written the record: those whose method is not GET and whose
/// path, body or answer names its id.
pub(super) fn history(org: &Org, row: &Row, id: RecordId) -> String {
    let stamp = |date: usize, by: usize| {
        let at = row.get(date).as_instant().map(moment).unwrap_or_default();
        vec![at, requests::user(org, row.get(by).as_id())]
    };
    use crate::model::schema::{CREATED_BY, CREATED_DATE, MODIFIED_BY, MODIFIED_DATE};
    let own = |what: &str, stamp: Vec<String>| [stamp, vec![what.to_owned(), String::new()]].concat();
    let created = own("created, as the record says", stamp(CREATED_DATE, CREATED_BY));
    let changed = own("last changed, as the record says", stamp(MODIFIED_DATE, MODIFIED_BY));
    let writes =
        org.log.entries().rev().filter(|entry| entry.request.method != "GET" && names(entry, id)).take(CHANGES);
    let rows = writes.map(|entry| {
        vec![
            moment(entry.request.at),
            requests::user(org, entry.request.user),
            requests::link(entry),
            entry.status.to_string(),
        ]
    });
    let rows: Vec<Vec<String>> = [changed].into_iter().chain(rows).chain([created]).collect();
    table("History, newest first", &["Time", "User", "Change", "Status"], rows)
}

/// Returns whether a request names the record, by either form of its id.
fn names(entry: &Entry, id: RecordId) -> bool {
    let short = id.short();
    let holds = |bytes: &[u8]| bytes.windows(short.len()).any(|part| part == short.as_bytes());
    let in_bodies = |exchange: &Exchange| holds(&exchange.request.body) || holds(&exchange.answer.body);
    entry.request.path.contains(short) || entry.exchange.as_ref().is_some_and(|capture| in_bodies(&capture.get()))
}
