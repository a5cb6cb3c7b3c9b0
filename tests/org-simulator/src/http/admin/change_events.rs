//! Change Data Capture: selects objects, and returns events as Event Relay publishes them.

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;

use super::Body;
use crate::Error;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::messages::event_relay;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/change-events", get(relayed).post(capture))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    channel: String,
    objects: Vec<String>,
}

async fn capture(State(shared): State<Shared>, Body(selection): Body<Selection>) -> Outcome {
    let objects: Vec<&str> = selection.objects.iter().map(String::as_str).collect();
    event_relay::capture(&mut shared.org(), &selection.channel, &objects)?;
    Ok(done("capture"))
}

#[derive(Deserialize)]
struct Channel {
    channel: Option<String>,
}

async fn relayed(State(shared): State<Shared>, Query(Channel { channel }): Query<Channel>) -> Outcome {
    let missing = || Error::Invalid { what: "query", reason: "the parameter `channel` is missing".to_owned() };
    event_relay::relayed(&mut shared.org(), &channel.ok_or_else(missing)?).map(ok)
}
