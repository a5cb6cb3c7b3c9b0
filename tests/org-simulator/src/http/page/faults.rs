//! Faults: what can be broken, a form to break it, and the faults of the org.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde_json::{Map, Value as Json};

use super::forms::{self, Inputs, Posted, Problem};
use super::html::{not_found, table, within};
use crate::FaultReport;
use crate::http::admin;
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::model::org::Org;
use crate::wire::html::escaped;

pub(super) const PATH: &str = "/_simulator/pages/faults";

/// An effect that a fault can have: its name, a sentence, and the names of its values.
struct Kind(&'static str, &'static str, &'static [&'static str]);

const KINDS: [Kind; 18] = [
    Kind("reset_before", "The connection is closed and the request is not executed.", &[]),
    Kind("reset_after", "The request is executed and the connection is closed without an answer.", &[]),
    Kind(
        "commit_late",
        "The connection is closed, and the request is executed once the clock has moved.",
        &["delay_s"],
    ),
    Kind(
        "error",
        "An error of the data API is the answer; the request is not executed.",
        &["status", "code", "message"],
    ),
    Kind(
        "error_after",
        "The request is executed, and an error of the data API is the answer.",
        &["status", "code", "message"],
    ),
    Kind("answer", "Any other answer; the request is not executed.", &["status", "content_type", "body"]),
    Kind("delay", "The request is executed, and its answer comes late.", &["delay_ms"]),
    Kind("delay_before", "The request is executed late, also if the client has left by then.", &["delay_ms"]),
    Kind("unavailable", "503 with an HTML page, as during maintenance.", &[]),
    Kind("internal_error", "500 without a body.", &[]),
    Kind("request_limit_exceeded", "403 REQUEST_LIMIT_EXCEEDED: the calls of the day are used up.", &[]),
    Kind("concurrent_limit_exceeded", "403 REQUEST_LIMIT_EXCEEDED: too many long requests at once.", &[]),
    Kind("unable_to_lock_row", "400 UNABLE_TO_LOCK_ROW: another transaction holds the record.", &[]),
    Kind("query_timeout", "400 QUERY_TIMEOUT: the query ran too long.", &[]),
    Kind("truncate", "The request is executed, and its answer ends early.", &["keep_bytes"]),
    Kind("trickle", "The request is executed, and its answer comes in small pieces.", &["chunk_bytes", "pause_ms"]),
    Kind("malformed_json", "The request is executed, and half of its answer is sent as the whole.", &[]),
    Kind("content_type", "The request is executed, and its answer has another content type.", &["content_type"]),
];

/// The values of effects: their names, labels, and whether they are numbers.
const VALUES: [(&str, &str, bool); 10] = [
    ("status", "HTTP status", true),
    ("code", "Error code", false),
    ("message", "Message", false),
    ("content_type", "Content type", false),
    ("body", "Body", false),
    ("delay_ms", "Delay in milliseconds", true),
    ("delay_s", "Delay in seconds of the org's clock", true),
    ("keep_bytes", "Bytes that are sent", true),
    ("chunk_bytes", "Bytes of a piece", true),
    ("pause_ms", "Pause in milliseconds", true),
];

/// The conditions of a fault: their names, labels, hints, and whether they are numbers.
const CONDITIONS: [(&str, &str, &str, bool); 8] = [
    ("method", "Method", "any if empty", false),
    (
        "path",
        "Path",
        "any if empty; * matches within a segment, ** any characters: /services/data/*/sobjects/**",
        false,
    ),
    ("skip", "Requests that pass first", "0 if empty", true),
    ("times", "Requests that are affected", "without end if empty", true),
    ("probability", "Share of the requests", "from 0 to 1; all if empty", true),
    ("seed", "Seed of the share", "the same seed affects the same requests", true),
    ("from", "From", "time of the org's clock, for example 2026-11-22T10:00:00Z", false),
    ("until", "Until", "time of the org's clock", false),
];

pub(super) async fn list(State(shared): State<Shared>) -> Html<String> {
    Html(rendered(&shared.org(), &Form::default(), &[]))
}

/// Adds a fault.
pub(super) async fn add(State(shared): State<Shared>, Posted(sent): Posted) -> Response {
    let mut org = shared.org();
    match rule(&sent).and_then(|rule| admin::faults::rule(rule).map_err(|error| Problem::of("", &error))) {
        Ok(rule) => {
            org.faults.add(rule);
            Redirect::to(PATH).into_response()
        }
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, Html(rendered(&org, &sent, &[problem]))).into_response(),
    }
}

/// Removes one fault, or all without an id.
pub(super) async fn remove(State(shared): State<Shared>, Posted(sent): Posted) -> Response {
    let mut org = shared.org();
    match sent.get("id") {
        "" => org.faults.clear(),
        id => {
            if !id.parse().is_ok_and(|id| org.faults.remove(id)) {
                return not_found(&org, PATH, "There is no such fault.");
            }
        }
    }
    Redirect::to(PATH).into_response()
}

/// Returns the rule of a form, as the admin API takes it.
fn rule(sent: &Form) -> Result<Json, Problem> {
    let mut rule = Map::new();
    for (name, _, _, is_number) in CONDITIONS {
        insert(&mut rule, sent, name, is_number)?;
    }
    let mut effect = Map::new();
    effect.insert("kind".to_owned(), sent.get("kind").into());
    for (name, _, is_number) in VALUES {
        insert(&mut effect, sent, name, is_number)?;
    }
    let mut needed = KINDS.iter().filter(|kind| kind.0 == sent.get("kind")).flat_map(|kind| kind.2);
    if let Some(name) = needed.find(|name| **name != "keep_bytes" && !effect.contains_key(**name)) {
        return Err(Problem::new(name, "This effect needs the value."));
    }
    rule.insert("effect".to_owned(), Json::Object(effect));
    Ok(Json::Object(rule))
}

fn insert(into: &mut Map<String, Json>, sent: &Form, name: &str, is_number: bool) -> Result<(), Problem> {
    let text = sent.get(name).trim();
    if text.is_empty() {
        return Ok(());
    }
    let value = if is_number {
        let number = text.parse::<serde_json::Number>();
        number.map(Json::Number).map_err(|_| Problem::new(name, "Enter a number."))?
    } else {
        Json::from(text)
    };
    into.insert(name.to_owned(), value);
    Ok(())
}

fn rendered(org: &Org, values: &Form, problems: &[Problem]) -> String {
    let inputs = Inputs { values, problems };
    let kinds: Vec<(String, String)> =
        KINDS.iter().map(|kind| (kind.0.to_owned(), format!("{}: {}", kind.0, kind.1))).collect();
    let conditions: String = CONDITIONS.iter().map(|(name, label, hint, _)| inputs.text(label, name, hint)).collect();
    let parameters: String = VALUES
        .iter()
        .map(|(name, label, _)| {
            let users: Vec<&str> = KINDS.iter().filter(|kind| kind.2.contains(name)).map(|kind| kind.0).collect();
            inputs.text(label, name, &format!("for {}", users.join(", ")))
        })
        .collect();
    let fields = format!(
        "{}<fieldset><legend>Values of the effect</legend><div class=\"columns\">{parameters}</div></fieldset>\
         <fieldset><legend>Requests</legend><div class=\"columns\">{conditions}</div></fieldset>",
        inputs.select("Effect", "kind", "", &kinds)
    );
    let effects = KINDS
        .iter()
        .map(|kind| vec![format!("<code>{}</code>", kind.0), kind.1.to_owned(), escaped(&kind.2.join(", "))]);
    let clear = forms::button(org, &format!("{PATH}/remove"), &[], "Remove all faults");
    let body = format!(
        "{}{clear}<h2>Break something</h2>{}{}<h2>What can be broken</h2>{}",
        active(org),
        inputs.summary(),
        forms::form(org, PATH, &fields, "Add the fault"),
        table("Effects", &["Effect", "What happens", "Values"], effects)
    );
    within(org, "Faults", PATH, &body)
}

fn active(org: &Org) -> String {
    let row = |fault: FaultReport| {
        let rule = serde_json::to_string(&fault.rule).unwrap_or_default();
        let id = fault.id.to_string();
        vec![
            id.clone(),
            if fault.spent { "spent" } else { "open" }.to_owned(),
            fault.matched.to_string(),
            fault.used.to_string(),
            forms::button(org, &format!("{PATH}/remove"), &[("id", &id)], &format!("Remove {id}")),
            format!("<code>{}</code>", escaped(&rule)),
        ]
    };
    let rows = org.faults.reports().into_iter().map(row);
    table("Faults, oldest first", &["Id", "State", "Matched", "Affected", "Remove", "Rule"], rows)
}
