//! Publishes what changed in the mirror, the connections and the orgs, so that the platform hears of every applied change at least
//! once.
//!
//! | | |
//! |---|---|
//! | trigger | the streams of the `records`, the `connections` and the `orgs` table, in batches, in order per row |
//! | input | rows before and after |
//! | output | `record.changed`, `record.deleted`, `record.merged`, `record.restored`; `connection.connected`, `connection.reauth_required` and `connection.upgrade_required` with a ready link, `connection.disconnected`; `org.claimed`, `org.active`, `org.uninstalled`, `org.disconnected`, `org.quarantined`, `org.license_changed`: on the bus, as CloudEvents |
//! | failures | the first row that did not get through is reported; the stream goes on from there |
//!
//! The events come from the tables and not from whoever wrote to them: a writer that is killed right after its write is told
//! of all the same (invariant 12 of `ARCHITECTURE.md`).

pub mod batch;
pub mod change;
mod config;
pub mod connection;
mod error;
#[cfg(test)]
mod error_texts;
pub mod org;

use aws_lambda_events::dynamodb::Event;
use connecting::connect_links::{ConnectLink, EVENT_LINK_TTL, Ticket, expiry};
use futures::{StreamExt as _, stream};
use runtime::Chain;
use salesforce::{HostPolicy, LoginHost};
use store::origins::{Origin, may_have_origin};
use store::{BusEvent, Connection};
use tracing::{error, warn};

use crate::batch::{Answer, Batch, Told, resume_at};
use crate::change::Change;
pub use config::{Config, Deps};
pub use error::Error;

/// Publishes the events of a batch and answers where the stream must go on, if anything did not get through.
///
/// # Errors
/// None; what failed is in the answer.
pub async fn handle(deps: &Deps, event: Event) -> Result<Answer, Error> {
    let batch = Batch::read(event.records);
    let published = publish(deps, &batch).await;
    if let Some((sequence_number, error)) = &batch.unreadable {
        error!(retry = "never", "stream record {sequence_number} stops the stream: {}", Chain(error));
    }
    Ok(Answer {
        resume_at: resume_at(&batch, &published).map(str::to_owned),
        published: published.iter().filter(|published| **published).count() as u64,
        silent: batch.silent,
    })
}

/// Which of the batch's events are on the bus. One that cannot be made holds back those after it, as one that is lost does.
async fn publish(deps: &Deps, batch: &Batch) -> Vec<bool> {
    let mut made = stream::iter(&batch.events).map(|(_, told)| event_of(deps, told)).buffered(MADE_TOGETHER);
    let mut events = Vec::with_capacity(batch.events.len());
    let mut failed = None;
    while let Some(event) = made.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(source) => {
                failed = Some(source);
                break;
            }
        }
    }
    let results = deps.bus.publish(&events).await;
    let mut published: Vec<bool> = results.iter().map(Result::is_ok).collect();
    published.resize(batch.events.len(), false);
    if let Some(source) = results.into_iter().find_map(Result::err).or(failed) {
        let lost = published.iter().filter(|published| !**published).count();
        let error = Error::NotPublished { lost, total: published.len(), source };
        warn!(retry = "transient", "{}", Chain(&error));
    }
    published
}

async fn event_of(deps: &Deps, told: &Told) -> Result<BusEvent, store::Error> {
    match told {
        Told::Record(change) => {
            let origin = origin(deps, change).await?;
            Ok(change::event(change, origin.as_ref(), deps.values))
        }
        Told::Org(event) => Ok(BusEvent::clone(event)),
        Told::Connection { connection, kind, change_id } => {
            let link = if kind.wants_link() { link(deps, connection).await? } else { None };
            Ok(connection::event(connection, *kind, link.as_ref(), change_id))
        }
    }
}

/// The write of Ferry's that made the change. While that cannot be told the event waits: an echo that looks like a person's
/// change could be written back, and come again, whereas a late event harms nobody.
async fn origin(deps: &Deps, change: &Change) -> Result<Option<Origin>, store::Error> {
    match change.saved() {
        Some(saved) if may_have_origin(saved, deps.clock.now()) => {
            deps.origins.find(change.new.org_id, change.new.record_id, saved).await
        }
        _ => Ok(None),
    }
}

/// How many events are made at a time: each asks a table at most twice.
const MADE_TOGETHER: usize = 16;

/// A link by which the connection's person connects again; none where the org is no longer known.
async fn link(deps: &Deps, connection: &Connection) -> Result<Option<ConnectLink>, store::Error> {
    let Some(org) = deps.orgs.load(connection.org_id).await? else { return Ok(None) };
    // Who signed in at the org's own host does so again; the host of the environment may not let them in.
    let my_domain = LoginHost::parse_my_domain(&connection.login_url, HostPolicy::SalesforceOnly);
    let ticket = Ticket {
        tenant: connection.tenant.clone(),
        kind: connection.kind.clone(),
        environment: org.environment,
        org_id: Some(connection.org_id),
        my_domain_url: my_domain.ok().map(|host| host.to_string()),
        expires_at: expiry(deps.clock.now(), EVENT_LINK_TTL),
    };
    deps.links.create(ticket).await.map(Some)
}
