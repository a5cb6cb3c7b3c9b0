//! `query` and `queryAll`: pages of a result, with locators for the rest.

use std::collections::VecDeque;

use serde_json::{Map, Value as Json, json};

use crate::api_error::ApiError;
use crate::org::{Actor, Org};
use crate::rest::{Answer, Call};
use crate::soql::{self, Found};

const PAGE: usize = 2_000;
const SMALLEST_PAGE: usize = 200;
/// Results kept open for the whole org; the oldest is closed for the next.
const OPEN_PER_ORG: usize = 50;

struct Cursor {
    locator: String,
    actor: Actor,
    found: Found,
    page: usize,
}

/// Results that have more pages.
#[derive(Default)]
pub(crate) struct Cursors(VecDeque<Cursor>);

/// Serves the first page of a query.
pub(crate) fn first_page(org: &mut Org, actor: &Actor, call: &Call, all_rows: bool) -> Result<Answer, ApiError> {
    let text =
        call.parameter("q").ok_or_else(|| ApiError::new("MALFORMED_QUERY", "A query string has to be specified"))?;
    let found = soql::run(org, actor, text, all_rows)?;
    if found.plan.counts() {
        return Ok(Answer::json(json!({"totalSize": found.ids.len(), "done": true, "records": []})));
    }
    let page = call.batch_size.unwrap_or(PAGE).clamp(SMALLEST_PAGE, PAGE);
    let cursor = Cursor { locator: String::new(), actor: *actor, found, page };
    let mut body = shown(org, call, &cursor, 0);
    if cursor.found.ids.len() > page {
        let cursor = Cursor { locator: org.ids.next("01g").to_string(), ..cursor };
        body.insert("nextRecordsUrl".to_owned(), Json::from(next_url(call, &cursor.locator, page)));
        if org.cursors.0.len() == OPEN_PER_ORG {
            org.cursors.0.pop_front();
        }
        org.cursors.0.push_back(cursor);
    }
    Ok(Answer::json(Json::Object(body)))
}

/// Serves a later page; the locator says from where, as `01g...-2000`.
pub(crate) fn next_page(org: &Org, actor: &Actor, call: &Call, locator: &str) -> Result<Answer, ApiError> {
    let invalid = || ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (name, from) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let mine = |cursor: &&Cursor| cursor.locator == name && cursor.actor.user == actor.user;
    let cursor = org.cursors.0.iter().find(mine).filter(|cursor| from < cursor.found.ids.len()).ok_or_else(invalid)?;
    let mut body = shown(org, call, cursor, from);
    let next = from + cursor.page;
    if next < cursor.found.ids.len() {
        body.insert("nextRecordsUrl".to_owned(), Json::from(next_url(call, name, next)));
    }
    Ok(Answer::json(Json::Object(body)))
}

fn next_url(call: &Call, locator: &str, from: usize) -> String {
    format!("/services/data/v{}/query/{locator}-{from}", call.version)
}

fn shown(org: &Org, call: &Call, cursor: &Cursor, from: usize) -> Map<String, Json> {
    let ids = &cursor.found.ids;
    let to = ids.len().min(from + cursor.page);
    let records = soql::render(org, &cursor.actor, &cursor.found, &ids[from..to], &call.version);
    Map::from_iter([
        ("totalSize".to_owned(), Json::from(ids.len())),
        ("done".to_owned(), Json::from(to == ids.len())),
        ("records".to_owned(), Json::Array(records)),
    ])
}
