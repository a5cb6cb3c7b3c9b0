//! Sends due messages. Definitions do not wait for each other: a slow endpoint delays only its own messages.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::ack::{self, Verdict};
use super::message;
use crate::Error;
use crate::identity::realm::Shared;
use crate::messages::callout::Reply;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::outbox::Batch;
use crate::model::outbox::delivery::Delivery;
use crate::model::people;

/// Sends all messages that are due and returns the notifications that were attempted.
pub(crate) async fn deliver(shared: &Shared) -> Vec<Delivery> {
    let due = {
        let mut org = shared.org();
        let now = org.clock.now();
        org.outbox.take_due(now)
    };
    let mut order: Vec<RecordId> = Vec::new();
    let mut by_definition: BTreeMap<RecordId, Vec<Batch>> = BTreeMap::new();
    for batch in due {
        let action = batch.definition.action_id;
        if !order.contains(&action) {
            order.push(action);
        }
        by_definition.entry(action).or_default().push(batch);
    }
    let queues =
        order.iter().filter_map(|action| by_definition.remove(action)).map(|batches| send_all(shared, batches));
    join_all(queues).await.into_iter().flatten().collect()
}

async fn send_all(shared: &Shared, batches: Vec<Batch>) -> Vec<Delivery> {
    let mut tried = Vec::new();
    for batch in batches {
        tried.extend(send(shared, &batch).await);
    }
    tried
}

/// Posts one message, and repeats it for every duplicate that a test has set.
async fn send(shared: &Shared, batch: &Batch) -> Vec<Delivery> {
    let (body, duplicates) = {
        let mut org = shared.org();
        let session = session(&mut org, batch);
        (message::render(&org, batch, session.as_deref()), org.outbox.disturbance.duplicates)
    };
    let url = &batch.definition.message.endpoint_url;
    let (acknowledged, outcome) = post(shared, url, body.clone()).await;
    for _ in 0..if acknowledged { duplicates } else { 0 } {
        // Salesforce has lost track of the first delivery; the response to the duplicate is ignored.
        let _ = post(shared, url, body.clone()).await;
    }
    let mut org = shared.org();
    let now = org.clock.now();
    org.outbox.settle(batch, acknowledged, &outcome, now)
}

/// Opens a session of the user as whom the message is sent, for definitions that include the session id.
fn session(org: &mut Org, batch: &Batch) -> Option<String> {
    let settings = &batch.definition.settings;
    if !settings.include_session_id {
        return None;
    }
    let named = settings.integration_user.as_deref().and_then(|username| org.user_named(username));
    let user = named.unwrap_or_else(|| people::admin(org).user);
    let (now, id) = (org.clock.now(), org.id);
    Some(org.logins.open_session(id.short(), user, now))
}

async fn post(shared: &Shared, url: &str, body: String) -> (bool, String) {
    match shared.callouts.post(url, "text/xml; charset=utf-8", body).await {
        Err(error) => (false, failure(&error)),
        Ok(reply) => validated(&reply),
    }
}

fn failure(error: &Error) -> String {
    match error {
        Error::NoAnswer { timed_out: true, .. } => format!("timeout: {error}"),
        error => error.to_string(),
    }
}

/// Returns whether the response acknowledges the message, and the outcome for the delivery status.
fn validated(reply: &Reply) -> (bool, String) {
    match (ack::verdict(&reply.body), reply.status) {
        (Verdict::Acknowledged, 200) => (true, "acknowledged".to_owned()),
        (Verdict::Refused, 200) => (false, "status 200 with Ack false".to_owned()),
        (Verdict::Fault(text), status) => (false, format!("status {status} with a SOAP fault: {text}")),
        (_, 200) => (false, "status 200 without an Ack".to_owned()),
        (_, status) => (false, format!("status {status}")),
    }
}
