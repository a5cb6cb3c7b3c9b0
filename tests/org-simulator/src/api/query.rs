//! `query` and `queryAll`: pages of a result, with locators for the rest (REST API guide, "Query").

use serde_json::{Map, Value as Json, json};

use crate::api::call::{Call, Response};
use crate::data::soql::{self, PageOptions};
use crate::model::actor::Actor;
use crate::model::cursors::Cursor;
use crate::model::errors::ApiError;
use crate::model::org::Org;

const PAGE: usize = 2_000;
const SMALLEST_PAGE: usize = 200;

/// Serves the first page of a query, or its description with `explain` or `columns`.
pub(crate) fn first_page(org: &mut Org, actor: &Actor, call: &Call, all_rows: bool) -> Result<Response, ApiError> {
    if let Some(text) = call.parameter("explain") {
        return soql::explain_query(org, actor, text).map(Response::json);
    }
    let text =
        call.parameter("q").ok_or_else(|| ApiError::new("MALFORMED_QUERY", "A query string has to be specified"))?;
    if call.parameter("columns").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return soql::metadata(org, actor, text).map(Response::json);
    }
    warn_of_unknown(call);
    let found = soql::run(org, actor, text, all_rows)?;
    let page = call.batch_size.unwrap_or(PAGE).clamp(SMALLEST_PAGE, PAGE);
    if found.is_grouped() && found.len() > PAGE {
        let message =
            "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
        return Err(ApiError::new("EXCEEDED_ID_LIMIT", message));
    }
    let page = if found.is_grouped() { PAGE } else { page };
    let opened = org.clock.now();
    let cursor = Cursor { locator: String::new(), actor: *actor, found, page, opened, nested: false };
    let (mut body, more) = page_body(org, call, &cursor, 0);
    if more {
        let cursor = Cursor { locator: org.ids.next("01g").to_string(), ..cursor };
        next_url(&mut body, call, &cursor.locator, page);
        org.cursors.open(cursor);
    }
    Ok(Response::json(in_order(body)))
}

fn warn_of_unknown(call: &Call) {
    for (name, _) in &call.query {
        if !matches!(name.as_str(), "q" | "columns" | "explain") {
            tracing::warn!(name, "the simulator does not support this parameter of a query");
        }
    }
}

/// Serves a later page; the locator has the position, as `01g...-2000`.
pub(crate) fn next_page(org: &mut Org, actor: &Actor, call: &Call, locator: &str) -> Result<Response, ApiError> {
    let invalid = || ApiError::new("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (name, from) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let now = org.clock.now();
    org.cursors.close_old(now);
    let (at, cursor) = org.cursors.take(name, actor.user).ok_or_else(invalid)?;
    let page = (from < cursor.found.len()).then(|| page_body(org, call, &cursor, from));
    let step = cursor.page;
    org.cursors.put_back(at, cursor);
    let (mut body, more) = page.ok_or_else(invalid)?;
    if more {
        next_url(&mut body, call, name, from + step);
    }
    Ok(Response::json(in_order(body)))
}

fn next_url(body: &mut Map<String, Json>, call: &Call, locator: &str, from: usize) {
    let url = format!("/services/data/v{}/query/{locator}-{from}", call.version);
    body.insert("nextRecordsUrl".to_owned(), Json::from(url));
}

/// Returns the body with its keys in Salesforce's order.
fn in_order(mut body: Map<String, Json>) -> Json {
    let mut ordered = Map::new();
    for key in ["totalSize", "done", "nextRecordsUrl", "records"] {
        ordered.extend(body.remove_entry(key));
    }
    Json::Object(ordered)
}

/// Returns a page, and whether there are more; results of subqueries with more pages stay open.
fn page_body(org: &mut Org, call: &Call, cursor: &Cursor, from: usize) -> (Map<String, Json>, bool) {
    let paper = PageOptions { version: &call.version, page: cursor.page };
    let page = soql::page(org, &cursor.actor, &cursor.found, from, paper);
    let now = org.clock.now();
    for (locator, found) in page.opened {
        let locator = locator.to_string();
        let nested = Cursor { locator, actor: cursor.actor, found, page: cursor.page, opened: now, nested: true };
        org.cursors.open(nested);
    }
    let more = from + cursor.page < cursor.found.len();
    let body = Map::from_iter([
        ("totalSize".to_owned(), Json::from(cursor.found.total())),
        ("done".to_owned(), json!(!more)),
        ("records".to_owned(), Json::Array(page.records)),
    ]);
    (body, more)
}
