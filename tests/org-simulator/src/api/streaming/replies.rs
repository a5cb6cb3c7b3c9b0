//! The messages that the org sends.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::model::actor::Actor;
use crate::model::change_events::{ChangeEvent, HEADER};
use crate::model::org::Org;
use crate::model::streams::TIMEOUT;

use super::{CONNECT, HANDSHAKE};

/// Returns an answer with the members that all answers have.
fn reply(message: &Json, channel: &str, successful: bool) -> Json {
    let mut reply = json!({"channel": channel, "successful": successful});
    for name in ["id", "clientId", "subscription"] {
        if !message[name].is_null() {
            reply[name] = message[name].clone();
        }
    }
    reply
}

pub(super) fn succeeded(message: &Json, channel: &str) -> Json {
    reply(message, channel, true)
}

pub(super) fn failed(message: &Json, channel: &str, error: &str) -> Json {
    let mut reply = reply(message, channel, false);
    reply["error"] = json!(error);
    reply
}

pub(super) fn handshake(message: &Json, client: &str) -> Json {
    let mut reply = reply(message, HANDSHAKE, true);
    reply["clientId"] = json!(client);
    reply["version"] = json!("1.0");
    reply["minimumVersion"] = json!("1.0");
    reply["supportedConnectionTypes"] = json!(["long-polling"]);
    reply["ext"] = json!({"replay": true, "payload.format": true});
    reply
}

pub(super) fn connected(message: &Json) -> Json {
    let mut reply = reply(message, CONNECT, true);
    reply["advice"] = json!({"interval": 0, "timeout": TIMEOUT.as_millis(), "reconnect": "retry"});
    reply
}

/// Returns the answer to a client without a valid session.
pub(super) fn denied(message: &Json, channel: &str) -> Json {
    const INVALID: &str = "401::Authentication invalid";
    if channel != HANDSHAKE {
        let mut reply = failed(message, channel, INVALID);
        reply["advice"] = json!({"reconnect": "none", "interval": 0});
        return reply;
    }
    let mut reply = failed(message, channel, "403::Handshake denied");
    reply["ext"] = json!({"sfdc": {"failureReason": INVALID}, "replay": true});
    reply["advice"] = json!({"reconnect": "none"});
    reply
}

/// Returns the answer to a client that has to begin again with a handshake.
pub(super) fn unknown_client(message: &Json, channel: &str) -> Json {
    let mut reply = failed(message, channel, "403::Unknown client");
    reply["advice"] = json!({"reconnect": "handshake", "interval": 0});
    reply
}

/// Returns the messages with the events after those that were sent, by channel.
pub(super) fn events(org: &Org, actor: &Actor, subscriptions: &BTreeMap<String, u64>) -> Vec<Json> {
    let of_channel = |(channel, sent): (&String, &u64)| {
        let name = channel.strip_prefix("/data/").unwrap_or_default();
        let found: Vec<&ChangeEvent> = org.change_events.after(*sent, name).collect();
        found
            .into_iter()
            .map(|event| json!({"channel": channel, "data": visible(org, actor, event)}))
            .collect::<Vec<_>>()
    };
    subscriptions.iter().flat_map(of_channel).collect()
}

/// Returns the message of an event without the fields that field-level security hides from the actor.
fn visible(org: &Org, actor: &Actor, event: &ChangeEvent) -> Json {
    let mut message = event.message();
    if let (Some(object), Some(payload)) = (org.schema.object(&event.object), message["payload"].as_object_mut()) {
        let may_read = |name: &str| object.field(name).is_none_or(|field| org.may_read_field(actor, object, field));
        payload.retain(|name, _| name == HEADER || may_read(name));
    }
    message
}
