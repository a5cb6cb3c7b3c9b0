//! Definitions of outbound messages, and the queue.

use axum::extract::{Query, State};
use axum::response::Html;
use serde::Deserialize;

use super::html::{ROWS, pages, table, within};
use crate::identity::realm::Shared;
use crate::model::org::Org;
use crate::model::outbox::delivery::{Delivery, DeliveryState};
use crate::wire::html::escaped;

const PATH: &str = "/_simulator/pages/outbound";

#[derive(Deserialize)]
pub(super) struct NotificationFilter {
    #[serde(default)]
    state: String,
    page: Option<usize>,
}

pub(super) async fn list(State(shared): State<Shared>, Query(params): Query<NotificationFilter>) -> Html<String> {
    let org = shared.org();
    let mut all = org.outbox.deliveries();
    all.retain(|delivery| params.state.is_empty() || params.state == name(delivery.state));
    let number = params.page.unwrap_or(1).max(1);
    let rows = all.iter().rev().skip((number - 1) * ROWS).take(ROWS).map(row);
    let heads = ["Notification", "Object", "Record", "State", "Attempts", "Last outcome", "Next attempt"];
    let queue = table("Notifications, newest first", &heads, rows);
    let query = format!("state={}&", super::html::encoded(&params.state));
    let body = format!(
        "{}<h2>Queue</h2>{}{queue}{}",
        definitions(&org),
        filter(&params.state),
        pages(PATH, &query, number, all.len())
    );
    Html(within(&org, "Outbound messages", PATH, &body))
}

fn definitions(org: &Org) -> String {
    let rows = org.outbox.definitions().iter().map(|definition| {
        let active = if definition.settings.active { "active" } else { "inactive" };
        vec![
            escaped(&definition.message.name),
            escaped(&definition.message.object),
            definition.message.fields.len().to_string(),
            format!("<code>{}</code>", definition.action_id),
            active.to_owned(),
        ]
    });
    table("Definitions", &["Name", "Object", "Fields", "Action id", "State"], rows)
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
