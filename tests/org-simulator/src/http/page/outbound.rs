//! Definitions of outbound messages, and the queue.

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;

use super::forms::{self, Inputs, Posted, Problem};
use super::html::{ROWS, encoded, not_found, pages, table, within};
use crate::Error;
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::messages::definitions;
use crate::messages::outbound::sender;
use crate::model::org::Org;
use crate::model::outbox::delivery::{Delivery, DeliveryState, OutboundMessage};
use crate::model::outbox::settings::OutboundSettings;
use crate::model::people;
use crate::wire::html::escaped;

pub(super) const PATH: &str = "/_simulator/pages/outbound";

pub(super) const EDIT_PATH: &str = "/_simulator/pages/outbound/edit";

/// The input that says whether changes are sent, and its values.
const STATE: &str = "state";
const ACTIVE: &str = "active";
const INACTIVE: &str = "inactive";

/// The definition that a page is about.
#[derive(Deserialize)]
pub(super) struct Chosen {
    name: String,
}

#[derive(Default, Deserialize)]
pub(super) struct NotificationFilter {
    #[serde(default)]
    state: String,
    page: Option<usize>,
}

pub(super) async fn list(State(shared): State<Shared>, Query(params): Query<NotificationFilter>) -> Html<String> {
    Html(rendered(&shared.org(), &params, &Form::default(), &[]))
}

/// Defines an outbound message.
pub(super) async fn define(State(shared): State<Shared>, Posted(sent): Posted) -> Response {
    let mut org = shared.org();
    match defined(&mut org, &sent) {
        Ok(()) => Redirect::to(PATH).into_response(),
        Err(problem) => {
            let page = rendered(&org, &NotificationFilter::default(), &sent, &[problem]);
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
        }
    }
}

fn defined(org: &mut Org, sent: &Form) -> Result<(), Problem> {
    let name = sent.get("name").trim();
    if name.is_empty() || org.outbox.definition_mut(name).is_some() {
        return Err(Problem::new("name", "Enter a name that no other definition has."));
    }
    store(org, sent, (name, sent.get("object")), OutboundSettings::default())
}

/// Shows the form with which a definition is changed.
pub(super) async fn edit(State(shared): State<Shared>, Query(chosen): Query<Chosen>) -> Response {
    let mut org = shared.org();
    let Some(definition) = org.outbox.definition_mut(&chosen.name) else { return unknown(&org, &chosen.name) };
    let values = [
        ("fields", definition.message.fields.join(", ")),
        ("endpoint_url", definition.message.endpoint_url.clone()),
        ("integration_user", definition.settings.integration_user.clone().unwrap_or_default()),
        (STATE, if definition.settings.active { ACTIVE } else { INACTIVE }.to_owned()),
    ];
    let values = Form::new(values.map(|(name, value)| (name.to_owned(), value)).to_vec());
    Html(edit_form(&org, &chosen.name, &values, &[])).into_response()
}

/// Changes a definition.
pub(super) async fn update(
    State(shared): State<Shared>,
    Query(chosen): Query<Chosen>,
    Posted(sent): Posted,
) -> Response {
    let mut org = shared.org();
    let Some(definition) = org.outbox.definition_mut(&chosen.name) else { return unknown(&org, &chosen.name) };
    let (object, settings) = (definition.message.object.clone(), definition.settings.clone());
    let settings = OutboundSettings { active: sent.get(STATE) == ACTIVE, ..settings };
    match store(&mut org, &sent, (&chosen.name, &object), settings) {
        Ok(()) => Redirect::to(PATH).into_response(),
        Err(problem) => {
            let page = edit_form(&org, &chosen.name, &sent, &[problem]);
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
        }
    }
}

/// Stores a definition with what was sent. Nothing changes if a part of it is refused.
fn store(org: &mut Org, sent: &Form, (name, object): (&str, &str), settings: OutboundSettings) -> Result<(), Problem> {
    let username = Some(sent.get("integration_user").to_owned()).filter(|username| !username.is_empty());
    if let Some(username) = &username {
        people::actor(org, username).map_err(|error| Problem::of("integration_user", &error))?;
    }
    let fields = sent.get("fields").split([',', ' ', '\r', '\n']).filter(|field| !field.is_empty());
    let message = OutboundMessage {
        name: name.to_owned(),
        object: object.to_owned(),
        fields: fields.map(str::to_owned).collect(),
        endpoint_url: sent.get("endpoint_url").trim().to_owned(),
    };
    let field_of = |error: &Error| match error {
        Error::NotLoopback { .. } => "endpoint_url",
        Error::Refused { code, .. } if code == "INVALID_FIELD" => "fields",
        Error::Refused { code, .. } if code == "INVALID_TYPE" => "object",
        _ => "",
    };
    let settings = OutboundSettings { integration_user: username, ..settings };
    let outcome = definitions::define_outbound_message(org, &message)
        .and_then(|_| definitions::configure_outbound_message(org, name, settings));
    outcome.map_err(|error| Problem::of(field_of(&error), &error))
}

fn unknown(org: &Org, name: &str) -> Response {
    not_found(org, PATH, &format!("There is no outbound message {name}."))
}

/// Removes a definition.
pub(super) async fn remove(State(shared): State<Shared>, Posted(sent): Posted) -> Response {
    let mut org = shared.org();
    match definitions::remove_outbound_message(&mut org, sent.get("name")) {
        Ok(()) => Redirect::to(PATH).into_response(),
        Err(_) => unknown(&org, sent.get("name")),
    }
}

/// Sends the messages that are due.
pub(super) async fn send(State(shared): State<Shared>, Posted(_): Posted) -> Redirect {
    sender::deliver(&shared).await;
    Redirect::to(PATH)
}

fn rendered(org: &Org, params: &NotificationFilter, values: &Form, problems: &[Problem]) -> String {
    let mut all = org.outbox.deliveries();
    all.retain(|delivery| params.state.is_empty() || params.state == name(delivery.state));
    let number = params.page.unwrap_or(1).max(1);
    let rows = all.iter().rev().skip((number - 1) * ROWS).take(ROWS).map(row);
    let heads = ["Notification", "Object", "Record", "State", "Attempts", "Last outcome", "Next attempt"];
    let queue = table("Notifications, newest first", &heads, rows);
    let query = format!("state={}&", encoded(&params.state));
    let body = format!(
        "{}<h2>Queue</h2>{}{}{queue}{}<h2>Define a message</h2>{}",
        definitions_of(org),
        filter(&params.state),
        forms::button(org, &format!("{PATH}/send"), &[], "Send what is due"),
        pages(PATH, &query, number, all.len()),
        definition_form(org, &Inputs { values, problems })
    );
    within(org, "Outbound messages", PATH, &body)
}

fn definition_form(org: &Org, inputs: &Inputs<'_>) -> String {
    let object =
        inputs.select("Object", "object", "Every create and update of its records is sent.", &forms::objects(org));
    let fields = [inputs.text("Name", "name", ""), object, contents(org, inputs)];
    inputs.summary() + &forms::form(org, PATH, &fields.concat(), "Define")
}

fn edit_form(org: &Org, name: &str, values: &Form, problems: &[Problem]) -> String {
    let inputs = Inputs { values, problems };
    let choice = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let states = [choice(ACTIVE, "active"), choice(INACTIVE, "inactive")];
    let state = inputs.select("State", STATE, "Only changes that are made while it is active are sent.", &states);
    let action = format!("{EDIT_PATH}?name={}", encoded(name));
    let form = inputs.summary() + &forms::form(org, &action, &(contents(org, &inputs) + &state), "Save");
    let body = format!("<p><a href=\"{PATH}\">All outbound messages</a></p>{form}");
    within(org, &format!("Edit the outbound message {name}"), PATH, &body)
}

/// Returns the inputs that a new definition and a changed one have.
fn contents(org: &Org, inputs: &Inputs<'_>) -> String {
    let everything = (String::new(), "a user who sees everything".to_owned());
    let users: Vec<(String, String)> = [everything].into_iter().chain(forms::users(org)).collect();
    let fields = [
        inputs.text("Fields", "fields", "separated by commas; Id is always sent"),
        inputs.text("Endpoint", "endpoint_url", "a URL on this machine, for example http://localhost:8580/hook"),
        inputs.select("User", "integration_user", "The message contains only what this user may see.", &users),
    ];
    fields.concat()
}

fn definitions_of(org: &Org) -> String {
    let rows = org.outbox.definitions().iter().map(|definition| {
        let active = if definition.settings.active { ACTIVE } else { INACTIVE };
        let name = definition.message.name.as_str();
        vec![
            format!("<a href=\"{EDIT_PATH}?name={}\">{}</a>", encoded(name), escaped(name)),
            escaped(&definition.message.object),
            escaped(&definition.message.fields.join(", ")),
            format!("<code>{}</code>", escaped(&definition.message.endpoint_url)),
            escaped(definition.settings.integration_user.as_deref().unwrap_or("sees everything")),
            format!("<code>{}</code>", definition.action_id),
            active.to_owned(),
            forms::button(org, &format!("{PATH}/remove"), &[("name", name)], &format!("Remove {name}")),
        ]
    });
    let heads = ["Name", "Object", "Fields", "Endpoint", "User", "Action id", "State", "Remove"];
    table("Definitions", &heads, rows)
}

fn filter(state: &str) -> String {
    let option = |value: &str, text: &str| {
        let selected = if value == state { " selected" } else { "" };
        format!("<option value=\"{value}\"{selected}>{text}</option>")
    };
    let states = [("", "all"), ("pending", "pending"), ("delivered", "delivered"), ("dropped", "dropped")];
    let options: String = states.iter().map(|(value, text)| option(value, text)).collect();
    format!(
        "<form class=\"filter\" method=\"get\" action=\"{PATH}\"><label>State<select name=\"state\">{options}</select></label>\
         <button>Filter</button></form>"
    )
}

fn row(delivery: &Delivery) -> Vec<String> {
    vec![
        format!("<code>{}</code>", delivery.notification_id),
        escaped(&delivery.object),
        format!("<code>{}</code>", delivery.record_id),
        name(delivery.state).to_owned(),
        delivery.attempts.to_string(),
        escaped(delivery.last_outcome.as_deref().unwrap_or_default()),
        delivery.next_attempt_at.map(super::html::moment).unwrap_or_default(),
    ]
}

fn name(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "pending",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dropped => "dropped",
    }
}
