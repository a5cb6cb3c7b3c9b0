//! Publishes the changes of the mirror, the connections and the orgs, each at least once.
//!
//! | | |
//! |---|---|
//! | trigger | the streams of the tables `records`, `connections`, `orgs` and `writes`, in batches, in order per row |
//! | input | rows before and after |
//! | output | `record.changed`, `record.deleted`, `record.merged`, `record.restored`; `connection.connected`, `connection.reauth_required` and `connection.upgrade_required` with a ready link, `connection.disconnected`; `org.claimed`, `org.active`, `org.uninstalled`, `org.disconnected`, `org.license_changed`, `org.copy_detected`, `org.erased`; `write.succeeded`, `write.failed` of writes that were answered 202: on the bus, as CloudEvents |
//! | failures | the sequence number of the first change that was not published is returned; Lambda retries from there |
//!
//! The events come from the tables' streams and not from the writers, so a write whose writer is killed right after it is
//! published all the same (invariant 12 of `ARCHITECTURE.md`).

pub mod batch;
pub mod change;
mod config;
pub mod connection;
mod error;
#[cfg(test)]
mod error_texts;
pub mod org;
mod stream_tables;
pub mod write;

use std::collections::HashMap;

use aws_lambda_events::dynamodb::Event;
use connecting::connect_links::{ConnectLink, EVENT_LINK_TTL, Ticket, expiry};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runtime::Chain;
use salesforce::{HostPolicy, LoginHost, OrgId};
use store::origins::{Origin, may_have_origin};
use store::{BusEvent, Connection, Org, Tenant};
use tracing::{error, warn};

use crate::batch::{Batch, BatchReport, Owner, StreamChange, resume_at};
use crate::change::Change;
pub use config::{Config, Deps};
pub use error::Error;
pub use stream_tables::StreamTables;

/// Publishes the events of a batch and returns the place from which Lambda has to retry, if any.
///
/// # Errors
/// None; failures are in the report.
pub async fn handle(deps: &Deps, event: Event) -> Result<BatchReport, Error> {
    let mut batch = Batch::parse(event.records, &deps.stream_tables);
    let published = match tenants(deps, &batch).await {
        Ok(tenants) => {
            batch.drop_records_without_tenant(&tenants);
            publish(deps, &batch, &tenants).await
        }
        Err(source) => {
            let (lost, total) = (batch.events.len(), batch.events.len());
            warn!(retry = "transient", "{}", Chain(&Error::NotPublished { lost, total, source }));
            vec![false; total]
        }
    };
    if let Some((sequence_number, error)) = &batch.unreadable {
        error!(retry = "never", "the stream stops at record {sequence_number}: {}", Chain(error));
    }
    Ok(BatchReport {
        resume_at: resume_at(&batch, &published).map(str::to_owned),
        published: published.iter().filter(|published| **published).count() as u64,
        silent: batch.silent,
    })
}

/// Reads the tenants of the orgs whose records changed or whose writes ended. An org without a tenant is left out.
async fn tenants(deps: &Deps, batch: &Batch) -> Result<HashMap<OrgId, Owner>, store::Error> {
    let orgs = stream::iter(batch.orgs_of_records()).map(|org| deps.orgs.load(org)).buffered(BUILT_AT_ONCE);
    let orgs: Vec<Option<Org>> = orgs.try_collect().await?;
    let owner = |org: Org| Some((org.org_id, Owner { tenant: org.tenant?, since: org.bound_at }));
    Ok(orgs.into_iter().flatten().filter_map(owner).collect())
}

/// Publishes the events and returns which of them were published. After one that cannot be built or published, none follows.
async fn publish(deps: &Deps, batch: &Batch, tenants: &HashMap<OrgId, Owner>) -> Vec<bool> {
    let mut built =
        stream::iter(&batch.events).map(|(_, change)| build_event(deps, tenants, change)).buffered(BUILT_AT_ONCE);
    let mut events = Vec::with_capacity(batch.events.len());
    let mut failed = None;
    while let Some(event) = built.next().await {
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

async fn build_event(
    deps: &Deps,
    tenants: &HashMap<OrgId, Owner>,
    change: &StreamChange,
) -> Result<BusEvent, store::Error> {
    match change {
        StreamChange::Record(change) => {
            let tenant = tenant(tenants, change.new.org_id)?;
            let origin = origin(deps, change).await?;
            Ok(change::event(change, tenant, origin.as_ref(), deps.values))
        }
        StreamChange::Write { write, change_id } => Ok(write::event(write, tenant(tenants, write.org_id)?, change_id)),
        StreamChange::Org(event) => Ok(BusEvent::clone(event)),
        StreamChange::Connection { connection, kind, change_id } => {
            let link = if kind.has_link() { link(deps, connection).await? } else { None };
            Ok(connection::event(connection, *kind, link.as_ref(), change_id))
        }
    }
}

fn tenant(tenants: &HashMap<OrgId, Owner>, org: OrgId) -> Result<&Tenant, store::Error> {
    let owner = tenants.get(&org).ok_or(store::Error::NotFound { operation: "build the event", entity: "tenant" })?;
    Ok(&owner.tenant)
}

/// Finds the write of Ferry's that made the change. While the table cannot be read the event waits: an echo without its mark
/// could be written back in an endless loop, a late event does no harm.
async fn origin(deps: &Deps, change: &Change) -> Result<Option<Origin>, store::Error> {
    match change.saved() {
        Some(saved) if may_have_origin(saved, deps.clock.now()) => {
            deps.origins.find(change.new.org_id, change.new.record_id, saved).await
        }
        _ => Ok(None),
    }
}

/// The number of events that are built at the same time; each makes at most two requests to DynamoDB.
const BUILT_AT_ONCE: usize = 16;

/// Creates a link with which the connection's user connects again; `None` where the org is unknown.
async fn link(deps: &Deps, connection: &Connection) -> Result<Option<ConnectLink>, store::Error> {
    let Some(org) = deps.orgs.load(connection.org_id).await? else { return Ok(None) };
    // A user who signed in at the org's My Domain does so again: the org may not allow the general login host.
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
