//! The Streaming API: the Bayeux protocol of CometD over long polling, for change events (Streaming API Developer Guide,
//! "Message Durability", "Handling Streaming API Errors" and "Streaming API Error Codes").
//!
//! Each message has an answer at once, except `/meta/connect`, whose answer waits for events. Topics, generic channels and
//! platform events are not supported: subscribing to them fails like subscribing to any other unknown channel. Cookies
//! are neither set nor required.

mod channels;
mod replies;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::model::actor::Actor;
use crate::model::org::Org;
use crate::model::streams::TIMEOUT;

use replies::{denied, events, failed, succeeded, unknown_client};

const HANDSHAKE: &str = "/meta/handshake";
const CONNECT: &str = "/meta/connect";
const SUBSCRIBE: &str = "/meta/subscribe";
const UNSUBSCRIBE: &str = "/meta/unsubscribe";
const DISCONNECT: &str = "/meta/disconnect";
/// The oldest API version with the Streaming API.
const OLDEST: u32 = 23;

/// The answer to a message.
pub(crate) enum Answer {
    Now(Json),
    /// The answer waits for events, see [`look`].
    Wait(Waiting),
}

/// A `/meta/connect` that waits for events.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    message: Json,
    client: String,
    number: u64,
    pub(crate) timeout: Duration,
}

/// Checks the API version in the path, as in `/cometd/66.0`.
///
/// # Errors
/// The text of the error.
pub(crate) fn check_version(path: &str) -> Result<(), String> {
    let version = path.trim_matches('/').split('/').next().unwrap_or_default();
    if version.is_empty() {
        return Err("400::API version in the URI is mandatory. URI format: '/cometd/66.0'".to_owned());
    }
    let number = version.strip_suffix(".0").and_then(|number| number.parse::<u32>().ok());
    if number.is_some_and(|number| number >= OLDEST) {
        return Ok(());
    }
    let text =
        "400::Unsupported API version. Only API versions '23.0' and above are supported. URI format: '/cometd/66.0'";
    Err(text.to_owned())
}

/// The access token of a request, and the address that it came from.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) from: Option<IpAddr>,
}

impl Caller<'_> {
    fn actor(self, org: &mut Org) -> Option<Actor> {
        org.api_actor(self.token?, self.from).ok()
    }
}

/// Answers a message of a client.
pub(crate) fn answer(org: &mut Org, caller: Caller<'_>, message: &Json) -> Answer {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let (channel, client) = (text("channel"), text("clientId"));
    let Some(actor) = caller.actor(org) else {
        return Answer::Now(denied(message, &channel));
    };
    let now = org.clock.now();
    if channel == HANDSHAKE {
        let id = org.random.text();
        org.streams.add(id.clone(), actor.user, now);
        return Answer::Now(replies::handshake(message, &id));
    }
    if org.streams.client(&client, actor.user, now).is_none() {
        return Answer::Now(unknown_client(message, &channel));
    }
    let done = match channel.as_str() {
        CONNECT => return connect(org, &actor, message, client),
        SUBSCRIBE => subscribe(org, &actor, message, &client),
        UNSUBSCRIBE => {
            if let Some(client) = org.streams.client(&client, actor.user, now) {
                client.subscriptions.remove(&text("subscription"));
            }
            Ok(())
        }
        DISCONNECT => {
            org.streams.remove(&client);
            Ok(())
        }
        // Clients cannot publish change events.
        _ => Err("403::Publish denied".to_owned()),
    };
    Answer::Now(match done {
        Ok(()) => succeeded(message, &channel),
        Err(error) => failed(message, &channel, &error),
    })
}

fn connect(org: &mut Org, actor: &Actor, message: &Json, id: String) -> Answer {
    if let Some(kind) = message["connectionType"].as_str().filter(|kind| *kind != "long-polling") {
        return Answer::Now(failed(message, CONNECT, &format!("400::Invalid connection type {kind}")));
    }
    let asked = message.pointer("/advice/timeout").and_then(Json::as_u64).map(Duration::from_millis);
    let timeout = asked.unwrap_or(TIMEOUT).min(TIMEOUT);
    let now = org.clock.now();
    let number = org.streams.client(&id, actor.user, now).map_or(0, |client| client.wait(timeout, now));
    // An earlier request of the client ends.
    org.streams.wake();
    Answer::Wait(Waiting { message: message.clone(), client: id, number, timeout })
}

fn subscribe(org: &mut Org, actor: &Actor, message: &Json, id: &str) -> Result<(), String> {
    let channel = message["subscription"].as_str().filter(|channel| !channel.is_empty());
    let channel = channel.ok_or("400::Channel name not specified")?;
    channels::check(org, actor, channel)?;
    let now = org.clock.now();
    org.change_events.drop_old(now);
    let replay = message["ext"]["replay"][channel].as_i64().unwrap_or(-1);
    let from = match replay {
        -1 => org.change_events.last_replay_id(),
        -2 => 0,
        id => u64::try_from(id).ok().filter(|id| org.change_events.has(*id)).ok_or_else(|| {
            format!(
                "400::The replayId {{{id}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events."
            )
        })?,
    };
    if let Some(client) = org.streams.client(id, actor.user, now) {
        client.subscriptions.insert(channel.to_owned(), from);
    }
    org.streams.wake();
    Ok(())
}

/// Returns the answer to a waiting request: events, or an error; `None` while there is none. With `is_over` the answer has no
/// events.
pub(crate) fn look(org: &mut Org, caller: Caller<'_>, waiting: &Waiting, is_over: bool) -> Option<Vec<Json>> {
    let Some(actor) = caller.actor(org) else {
        return Some(vec![denied(&waiting.message, CONNECT)]);
    };
    let now = org.clock.now();
    let is_over = is_over || org.streams.is_stopping;
    let Some(client) = org.streams.client(&waiting.client, actor.user, now) else {
        return Some(vec![unknown_client(&waiting.message, CONNECT)]);
    };
    let is_newest = client.newest == waiting.number;
    let subscriptions = if is_newest { client.subscriptions.clone() } else { Default::default() };
    let found = events(org, &actor, &subscriptions);
    if found.is_empty() && is_newest && !is_over {
        return None;
    }
    let last = org.change_events.last_replay_id();
    if let Some(client) = org.streams.client(&waiting.client, actor.user, now).filter(|_| is_newest) {
        client.answered(now);
        client.subscriptions.values_mut().for_each(|sent| *sent = last);
    }
    let mut answer = found;
    answer.push(replies::connected(&waiting.message));
    Some(answer)
}

/// Returns the messages of a request: an array, or one message.
pub(crate) fn messages(body: &[u8]) -> Option<Vec<Json>> {
    match serde_json::from_slice(body).ok()? {
        Json::Array(messages) => Some(messages),
        message @ Json::Object(_) => Some(vec![message]),
        _ => None,
    }
}

/// Returns the answer to a request whose path has no supported version.
pub(crate) fn refused(message: &Json, error: &str) -> Json {
    let channel = message["channel"].as_str().unwrap_or_default();
    let mut answer = failed(message, channel, error);
    answer["advice"] = json!({"reconnect": "none"});
    answer
}
