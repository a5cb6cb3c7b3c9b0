//! The forms that create and change a record as a chosen user, by the rules of the data API.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::forms::{Inputs, Posted, Problem, form, hidden, users};
use super::html::{encoded, not_found, within};
use super::records::PATH;
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::model::actor::Actor;
use crate::model::change_events::Origin;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::request_log::{Capture, Exchange, LoggedRequest, Message};
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::{people, records};
use crate::wire::html::escaped;

/// The input that holds the username; no field has this name.
const USER: &str = "as";
/// The input that holds the time of the last change when the form was opened.
const OPENED: &str = "opened";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewParameters {
    r#as: String,
}

/// Shows the form for a new record of an object.
pub(super) async fn new(
    State(shared): State<Shared>,
    Path(object): Path<String>,
    Query(params): Query<NewParameters>,
) -> Response {
    let org = shared.org();
    let Some(object) = org.schema.object(&object).cloned() else { return no_such(&org, "object") };
    let values = Form::new(vec![(USER.to_owned(), params.r#as)]);
    (StatusCode::OK, Html(rendered(&org, &object, None, &values, &[]))).into_response()
}

/// Creates a record.
pub(super) async fn create(State(shared): State<Shared>, Path(object): Path<String>, Posted(sent): Posted) -> Response {
    let mut org = shared.org();
    let Some(object) = org.schema.object(&object).cloned() else { return no_such(&org, "object") };
    let filled = |field: &&Field| field.createable && !sent.get(&field.name).is_empty();
    let fields: Map<String, Json> =
        shown(&object).filter(filled).map(|field| (field.name.clone(), json(sent.get(&field.name)))).collect();
    let path = format!("{PATH}/{}/new", object.name);
    let outcome = write(&mut org, &sent, (&path, &fields), |org, actor| org.create(actor, &object.name, &fields));
    match outcome {
        Ok(id) => Redirect::to(&format!("{PATH}/{}/{id}", encoded(&object.name))).into_response(),
        Err(problems) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Html(rendered(&org, &object, None, &sent, &problems))).into_response()
        }
    }
}

/// Shows the form of a record.
pub(super) async fn edit(State(shared): State<Shared>, Path((object, id)): Path<(String, String)>) -> Response {
    let org = shared.org();
    match current(&org, &object, &id) {
        Some((object, id, values)) => {
            (StatusCode::OK, Html(rendered(&org, &object, Some(id), &values, &[]))).into_response()
        }
        None => no_such(&org, "record"),
    }
}

/// Changes the fields of a record whose values differ from the present ones.
pub(super) async fn update(
    State(shared): State<Shared>,
    Path((object, id)): Path<(String, String)>,
    Posted(sent): Posted,
) -> Response {
    let mut org = shared.org();
    let Some((object, id, values)) = current(&org, &object, &id) else { return no_such(&org, "record") };
    let changed = |field: &&Field| field.updateable && lines(sent.get(&field.name)) != values.get(&field.name);
    let fields: Map<String, Json> =
        shown(&object).filter(changed).map(|field| (field.name.clone(), json(sent.get(&field.name)))).collect();
    let path = format!("{PATH}/{}/{id}/edit", object.name);
    let outcome = if sent.get(OPENED) == values.get(OPENED) {
        write(&mut org, &sent, (&path, &fields), |org, actor| org.update(actor, &object.name, id, &fields))
    } else {
        Err(vec![Problem::new("", "The record has changed since you opened the form. Open it again.")])
    };
    match outcome {
        Ok(()) => Redirect::to(&format!("{PATH}/{}/{id}", encoded(&object.name))).into_response(),
        Err(problems) => (StatusCode::UNPROCESSABLE_ENTITY, Html(rendered(&org, &object, Some(id), &sent, &problems)))
            .into_response(),
    }
}

fn no_such(org: &Org, what: &str) -> Response {
    not_found(org, PATH, &format!("There is no such {what}."))
}

/// Returns the fields that a form can show: all that can be written, except for binary ones.
fn shown(object: &Object) -> impl Iterator<Item = &Field> {
    let writable = |field: &&Field| field.createable || field.updateable;
    object.fields.iter().filter(writable).filter(|field| field.kind != FieldKind::Base64 && !field.kind.is_compound())
}

/// Returns a live record with the values of its form.
fn current(org: &Org, object: &str, id: &str) -> Option<(std::sync::Arc<Object>, RecordId, Form)> {
    let object = org.schema.object(object).cloned()?;
    let id = RecordId::parse(id)?;
    org.store.get(&object.name, id).filter(|row| !row.is_deleted())?;
    let record = records::record(org, &object.name, id.as_str())?;
    let text = |json: &Json| match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut values: Vec<(String, String)> = record.iter().map(|(name, json)| (name.clone(), text(json))).collect();
    values.push((OPENED.to_owned(), record.get("SystemModstamp").map(text).unwrap_or_default()));
    Some((object, id, Form::new(values)))
}

/// Returns a text with the line breaks of the org; a browser sends a carriage return before each.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Returns the value of a body: an empty input is null.
fn json(text: &str) -> Json {
    if text.is_empty() { Json::Null } else { Json::String(lines(text)) }
}

/// Writes as the chosen user, all or nothing, and logs the request with the fields that were sent.
fn write<T>(
    org: &mut Org,
    sent: &Form,
    (path, fields): (&str, &Map<String, Json>),
    work: impl FnOnce(&mut Org, &Actor) -> Result<T, ApiError>,
) -> Result<T, Vec<Problem>> {
    let actor = people::actor(org, sent.get(USER)).map_err(|error| vec![Problem::of(USER, &error)])?;
    let (start, at) = (org.savepoint(), org.clock.now());
    let outcome = work(org, &actor);
    if outcome.is_err() {
        org.rollback(&start);
    }
    org.commit(Origin { user: Some(actor.user), ..Origin::default() });
    let (status, answer) = match &outcome {
        Ok(_) => (StatusCode::SEE_OTHER, Vec::new()),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.body().to_string().into_bytes()),
    };
    let message = |body: &[u8]| {
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Message::new(HeaderMap::from_iter([json]), body)
    };
    let body = Json::Object(fields.clone()).to_string();
    let exchange = Exchange { request: message(body.as_bytes()), status: Some(status), answer: message(&answer) };
    let (method, query) = ("POST".to_owned(), String::new());
    let request = LoggedRequest { method, path: path.to_owned(), query, user: Some(actor.user), at };
    org.log.add(request, status.as_u16(), Duration::ZERO, Some(Capture::new(exchange)));
    outcome.map_err(|error| error.all().flat_map(problems).collect())
}

/// Returns Salesforce's error, at each of its fields.
fn problems(error: &ApiError) -> Vec<Problem> {
    let text = format!("{}: {}", error.code, error.message);
    match error.fields.as_deref().unwrap_or_default() {
        [] => vec![Problem::new("", text)],
        fields => fields.iter().map(|field| Problem::new(field, text.clone())).collect(),
    }
}

fn rendered(org: &Org, object: &Object, id: Option<RecordId>, values: &Form, problems: &[Problem]) -> String {
    let inputs = Inputs { values, problems };
    let is_new = id.is_none();
    let fields: String = shown(object)
        .filter(|field| if is_new { field.createable } else { field.updateable })
        .map(|field| input(&inputs, field, is_new))
        .collect();
    let user = inputs.select("As user", USER, "", &users(org));
    let name = encoded(&object.name);
    let (title, path, back, button) = match id {
        Some(id) => (
            format!("Edit {} {id}", object.name),
            format!("{PATH}/{name}/{id}/edit"),
            format!("{PATH}/{name}/{id}"),
            "Save",
        ),
        None => {
            (format!("New {}", object.name), format!("{PATH}/{name}/new"), format!("{PATH}?object={name}"), "Create")
        }
    };
    let opened = if is_new { String::new() } else { hidden(OPENED, values.get(OPENED)) };
    let form = form(org, &path, &format!("{opened}{user}<div class=\"columns\">{fields}</div>"), button);
    let note = "An empty input is null. The rules, permissions and messages are those of the data API.";
    let body = format!(
        "<p><a href=\"{}\">Back</a></p><p class=\"quiet\">{note}</p>{}{form}",
        escaped(&back),
        inputs.summary()
    );
    within(org, &title, PATH, &body)
}

fn input(inputs: &Inputs<'_>, field: &Field, is_new: bool) -> String {
    let label = if field.required() { format!("{} (required)", field.name) } else { field.name.clone() };
    let choices = |texts: &[&str]| -> Vec<(String, String)> {
        texts
            .iter()
            .map(|text| ((*text).to_owned(), if text.is_empty() { "(empty)" } else { text }.to_owned()))
            .collect()
    };
    match field.kind {
        FieldKind::Boolean if is_new => inputs.select(&label, &field.name, "", &choices(&["", "true", "false"])),
        FieldKind::Boolean => inputs.select(&label, &field.name, "", &choices(&["true", "false"])),
        FieldKind::TextArea => inputs.area(&label, &field.name, ""),
        FieldKind::Picklist if field.restricted => {
            let values: Vec<&str> = [""].into_iter().chain(field.picklist.iter().map(|p| p.value.as_str())).collect();
            inputs.select(&label, &field.name, "", &choices(&values))
        }
        _ => inputs.text(&label, &field.name, &hint(field)),
    }
}

/// Returns the form of a field's value, where its name does not tell.
fn hint(field: &Field) -> String {
    let values = |separator: &str| {
        let values: Vec<&str> = field.picklist.iter().map(|value| value.value.as_str()).take(12).collect();
        values.join(separator)
    };
    match field.kind {
        FieldKind::Reference if field.reference_to.is_empty() => "id of a record".to_owned(),
        FieldKind::Reference => format!("id of {}", field.reference_to.join(" or ")),
        FieldKind::Date => "for example 2026-11-22".to_owned(),
        FieldKind::DateTime => "for example 2026-11-22T10:00:00Z".to_owned(),
        FieldKind::MultiPicklist => format!("separated by ;, of {}", values("; ")),
        FieldKind::Picklist if !field.picklist.is_empty() => format!("for example {}", values(", ")),
        _ => String::new(),
    }
}
