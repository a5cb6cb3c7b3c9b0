//! Posts what is due. Definitions do not wait for each other: a slow endpoint holds up only its own messages.

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

/// Sends everything that is due now and returns what was tried.
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

/// Posts one message, and once more for every duplicate that was ordered.
async fn send(shared: &Shared, batch: &Batch) -> Vec<Delivery> {
    let (body, duplicates) = {
        let mut org = shared.org();
        let session = session(&mut org, batch);
        (message::render(&org, batch, session.as_deref()), org.outbox.disturbance.duplicates)
    };
    let url = &batch.definition.message.endpoint_url;
    let (acknowledged, outcome) = post(shared, url, body.clone()).await;
    for _ in 0..if acknowledged { duplicates } else { 0 } {
        // Salesforce forgets that it has sent the message; what the endpoint says now changes nothing.
        let _ = post(shared, url, body.clone()).await;
    }
    let mut org = shared.org();
    let now = org.clock.now();
    org.outbox.settle(batch, acknowledged, &outcome, now)
}

/// A session of the user the message is sent as, for definitions of the old kind.
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

/// What the endpoint's answer means, as the delivery status shows it.
fn validated(reply: &Reply) -> (bool, String) {
    match (ack::verdict(&reply.body), reply.status) {
        (Verdict::Acknowledged, 200) => (true, "acknowledged".to_owned()),
        (Verdict::Refused, 200) => (false, "status 200 with Ack false".to_owned()),
        (Verdict::Fault(text), status) => (false, format!("status {status} with a SOAP fault: {text}")),
        (_, 200) => (false, "status 200 without an Ack".to_owned()),
        (_, status) => (false, format!("status {status}")),
    }
}
