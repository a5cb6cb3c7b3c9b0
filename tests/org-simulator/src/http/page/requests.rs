//! The request log, and the page of a request.

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value as Json;

use super::html::{ROWS, encoded, facts, moment, not_found, pages, table, within};
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::request_log::{Capture, Entry, Message};
use crate::wire::html::escaped;
use crate::wire::masking::Masking;

pub(super) const PATH: &str = "/_simulator/pages/requests";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RequestFilter {
    path: String,
    status: String,
    page: Option<usize>,
}

impl RequestFilter {
    /// Returns whether the path contains the filter's text, and the status begins with the filter's digits.
    fn has(&self, entry: &Entry) -> bool {
        entry.request.path.contains(self.path.trim()) && entry.status.to_string().starts_with(self.status.trim())
    }
}

/// Shows the requests, the newest first.
pub(super) async fn list(State(shared): State<Shared>, Query(filter): Query<RequestFilter>) -> Html<String> {
    let org = shared.org();
    let found: Vec<&Entry> = org.log.entries().rev().filter(|entry| filter.has(entry)).collect();
    let number = filter.page.unwrap_or(1).max(1);
    let rows = found.iter().skip((number - 1) * ROWS).take(ROWS).map(|entry| row(&org, entry));
    let list = table("Requests, newest first", &["Time", "Request", "Status", "Duration", "User"], rows);
    let query = format!("path={}&status={}&", encoded(&filter.path), encoded(&filter.status));
    let form = format!(
        "<form class=\"filter\" method=\"get\" action=\"{PATH}\"><label>Path contains<input name=\"path\" value=\"{}\"></label>\
         <label>Status begins with<input name=\"status\" inputmode=\"numeric\" size=\"6\" value=\"{}\"></label>\
         <button>Filter</button></form>",
        escaped(&filter.path),
        escaped(&filter.status)
    );
    let body = format!("{form}{list}{}", pages(PATH, &query, number, found.len()));
    Html(within(&org, "Requests", PATH, &body))
}

fn row(org: &Org, entry: &Entry) -> Vec<String> {
    vec![
        moment(entry.request.at),
        link(entry),
        entry.status.to_string(),
        format!("{} ms", entry.duration.as_millis()),
        user(org, entry.request.user),
    ]
}

/// Returns the method and the path as a link to the request's page.
pub(super) fn link(entry: &Entry) -> String {
    let (method, path) = (escaped(&entry.request.method), escaped(&entry.request.path));
    format!("<a href=\"{PATH}/{}\">{method} {path}</a>", entry.number)
}

/// Returns the username, for HTML.
pub(super) fn user(org: &Org, user: Option<RecordId>) -> String {
    let row = user.and_then(|user| org.store.get("User", user));
    row.map(|row| escaped(org.value("User", row, "Username").as_text())).unwrap_or_default()
}

/// Shows a request and the org's answer, with secrets masked.
pub(super) async fn one(State(shared): State<Shared>, Path(number): Path<u64>) -> Response {
    let org = shared.org();
    let Some(entry) = org.log.entries().find(|entry| entry.number == number) else {
        let text = "There is no such request. The newest 10,000 are kept.";
        return not_found(&org, PATH, text);
    };
    let masking = Masking::new(org.logins.apps.secrets().into_iter().chain(org.passwords.all()));
    let query = masking.text(&entry.request.query);
    let about = facts(&[
        ("Path", format!("<code>{}</code>", escaped(&entry.request.path))),
        ("Query", if query.is_empty() { quiet("none") } else { format!("<code>{}</code>", escaped(&query)) }),
        ("Status", entry.status.to_string()),
        ("Time", moment(entry.request.at)),
        ("Duration", format!("{} ms", entry.duration.as_millis())),
        ("User", Some(user(&org, entry.request.user)).filter(|user| !user.is_empty()).unwrap_or_else(|| quiet("none"))),
    ]);
    let messages = match entry.exchange.as_ref().map(Capture::get) {
        Some(exchange) => format!(
            "{}{}<p class=\"quiet\">Without compression, and before a fault changed the answer. Tokens, passwords, assertions, \
             codes and cookies are masked.</p>",
            shown("Request", &exchange.request, &masking),
            shown("Answer", &exchange.answer, &masking)
        ),
        None => "<p class=\"quiet\">There are no headers and bodies: a fault replaced the answer, or the request is older than \
                 the newest 1,000.</p>"
            .to_owned(),
    };
    let title = format!("Request {number}: {}", entry.request.method);
    let body = format!("<p><a href=\"{PATH}\">All requests</a></p>{about}{messages}");
    Html(within(&org, &title, PATH, &body)).into_response()
}

fn quiet(text: &str) -> String {
    format!("<span class=\"quiet\">{text}</span>")
}

fn shown(name: &str, message: &Message, masking: &Masking) -> String {
    let headers: String =
        message.headers.iter().map(|(name, value)| format!("{name}: {}\n", masking.header(name, value))).collect();
    let headers = escaped(&headers);
    let size = message.size;
    let body = match message.text().map(|text| indented(masking.text(text))) {
        _ if size == 0 => "<p>No body.</p>".to_owned(),
        _ if message.body.is_empty() => format!("<p>The body of {size} bytes was not read.</p>"),
        Some(text) => format!("{}{}", block(&format!("{name} body, {size} bytes"), &escaped(&text)), cut(message)),
        None => format!("<p>The body is not text: {size} bytes.</p>"),
    };
    format!("<h2>{name}</h2>{}{body}", block(&format!("{name} headers"), &headers))
}

/// Indents a text that is JSON.
fn indented(text: String) -> String {
    let parsed: Option<Json> = serde_json::from_str(&text).ok();
    parsed.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or(text)
}

fn cut(message: &Message) -> String {
    if !message.is_cut() {
        return String::new();
    }
    format!("<p class=\"quiet\">The first {} bytes are kept.</p>", message.body.len())
}

/// Returns preformatted text, which scrolls by itself.
fn block(caption: &str, html: &str) -> String {
    format!(
        "<h3>{caption}</h3><pre class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">{html}</pre>"
    )
}
