//! Posts what is due.

use super::{Batch, ack, message};
use crate::Delivery;
use crate::server::Shared;

/// Sends everything that is due now and returns what was tried.
pub(crate) async fn deliver(shared: &Shared) -> Vec<Delivery> {
    let due: Vec<(Batch, String)> = {
        let mut org = shared.org();
        let now = org.clock.now();
        let batches = org.outbox.take_due(now);
        batches
            .into_iter()
            .map(|batch| (message::render(&org, &batch), batch))
            .map(|(body, batch)| (batch, body))
            .collect()
    };
    let mut tried = Vec::new();
    for (batch, body) in due {
        let (acknowledged, outcome) = post(shared, &batch.definition.message.endpoint_url, body).await;
        let mut org = shared.org();
        let now = org.clock.now();
        tried.extend(org.outbox.settle(&batch, acknowledged, &outcome, now));
    }
    tried
}

async fn post(shared: &Shared, url: &str, body: String) -> (bool, String) {
    match shared.callouts.post(url, "text/xml; charset=utf-8", body).await {
        Err(error) => (false, error.to_string()),
        Ok(reply) if ack::acknowledges(reply.status, &reply.body) => (true, "acknowledged".to_owned()),
        Ok(reply) if reply.status == 200 => (false, "status 200 without an Ack".to_owned()),
        Ok(reply) => (false, format!("status {}", reply.status)),
    }
}
