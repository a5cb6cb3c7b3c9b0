//! Publishes the changes of the mirror, the pipelines, the connections and the orgs, each at least once.
//!
//! | | |
//! |---|---|
//! | trigger | the streams of the tables `records`, `connections`, `orgs`, `writes`, `audits`, `pipelines`, `cursors` and `budgets`, in batches, in order per row; `cargo ferry replay-events` |
//! | input | rows before and after; rows of the mirror whose state is published again |
//! | output | `record.changed`, `record.deleted`, `record.merged`, `record.restored`; `connection.connected`, `connection.reauth_required` and `connection.upgrade_required` with a ready link, `connection.disconnected`; `org.claimed`, `org.active`, `org.uninstalled`, `org.disconnected`, `org.license_changed`, `org.copy_detected`, `org.erased`; `write.succeeded`, `write.failed` of writes that were answered 202; `audit.completed`; `pipeline.changed`; `object.fields_changed`; `budget.warning`: on the bus, as CloudEvents |
//! | failures | the sequence number of the first change that was not published is returned; Lambda retries from there, and finally stores the batch in the bucket of failed events |
//!
//! The events come from the tables' streams and not from the writers, so a write whose writer is killed right after it is
//! published all the same (invariant 12 of `ARCHITECTURE.md`).

pub mod audit;
pub mod batch;
pub mod budget;
pub mod change;
mod config;
pub mod connection;
mod error;
#[cfg(test)]
mod error_texts;
pub mod object_fields;
pub mod org;
pub mod pipeline;
mod stream_tables;
pub mod write;

use std::collections::HashMap;

use aws_lambda_events::dynamodb::EventRecord;
use connecting::connect_links::{ConnectLink, EVENT_LINK_TTL, Ticket, expiry};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runtime::{Chain, record_freshness};
use salesforce::{HostPolicy, LoginHost, OrgId};
use serde::Deserialize;
use store::origins::{Origin, may_have_origin};
use store::{BusEvent, Connection, MirrorRecord, Org, Tenant, VisibleIn};
use tracing::{error, warn};

use crate::batch::{Batch, BatchReport, Owner, StreamChange, resume_at};
use crate::change::Change;
pub use config::{Config, Deps};
pub use error::Error;
pub use stream_tables::StreamTables;

/// The input of the function.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Members")]
pub enum Input {
    /// Rows of the mirror whose state is published again.
    Replay {
        /// The rows, at most as many as fit into an invocation.
        mirror_rows: Vec<MirrorRecord>,
        /// `true` for the reason of a failure in the response.
        with_reason: bool,
    },
    /// A batch of a stream, from Lambda or replayed from the bucket of failed events.
    Stream {
        /// The records of the stream.
        records: Vec<EventRecord>,
        /// `true` for the reason of a failure in the response. Lambda does not send it, and expects no reason.
        with_reason: bool,
    },
}

/// The members of the input. An untagged or flattened type would not read the fractions in a stream's times, because
/// `serde_json` keeps the digits of numbers.
#[derive(Deserialize)]
struct Members {
    mirror_rows: Option<Vec<MirrorRecord>>,
    #[serde(rename = "Records")]
    records: Option<Vec<EventRecord>>,
    #[serde(default)]
    with_reason: bool,
}

impl TryFrom<Members> for Input {
    type Error = &'static str;

    fn try_from(Members { mirror_rows, records, with_reason }: Members) -> Result<Self, Self::Error> {
        match (mirror_rows, records) {
            (Some(mirror_rows), _) => Ok(Self::Replay { mirror_rows, with_reason }),
            (None, Some(records)) => Ok(Self::Stream { records, with_reason }),
            (None, None) => Err("expected mirror_rows or Records"),
        }
    }
}

/// Publishes the events of a batch and returns the place from which to retry, if any.
///
/// # Errors
/// The first record of the batch cannot be parsed. Other failures are in the report.
pub async fn handle(deps: &Deps, input: Input) -> Result<BatchReport, Error> {
    let (mut batch, with_reason) = match input {
        Input::Replay { mirror_rows, with_reason } => (Batch::replay(mirror_rows), with_reason),
        Input::Stream { records, with_reason } => (Batch::parse(records, &deps.stream_tables).isolate()?, with_reason),
    };
    let (published, failure) = match tenants(deps, &batch).await {
        Ok(tenants) => {
            batch.drop_records_without_tenant(&tenants);
            publish(deps, &batch, &tenants).await
        }
        Err(source) => {
            let (lost, total) = (batch.events.len(), batch.events.len());
            (vec![false; total], Some(Error::NotPublished { lost, total, source }))
        }
    };
    let failure = failure.map(|error| Chain(&error).to_string());
    if let Some(reason) = &failure {
        warn!(retry = "transient", "{reason}");
    }
    if let Some((sequence_number, error)) = &batch.unreadable {
        error!(retry = "never", "the stream stops at record {sequence_number}: {}", Chain(error));
    }
    let measured = batch.measured(&published, deps.clock.now());
    record_freshness(&deps.freshness, VisibleIn::Event, &measured, &deps.clock).await;
    Ok(BatchReport {
        resume_at: resume_at(&batch, &published).map(str::to_owned),
        published: published.iter().filter(|published| **published).count() as u64,
        silent: batch.silent,
        reauth_required: batch.connections(connection::Kind::ReauthRequired, &published),
        blocked: batch.connections(connection::Kind::Blocked, &published),
        measured,
        reason: failure.filter(|_| with_reason),
    })
}

/// Reads the tenants of the orgs whose records or pipelines changed, or whose writes or audits ended. An org without a tenant is left out, and so is
/// one whose data were erased, because a failed batch may be replayed after that. If the tenant has connected it again, only
/// what is older than the erasure is left out.
async fn tenants(deps: &Deps, batch: &Batch) -> Result<HashMap<OrgId, Owner>, store::Error> {
    let orgs = stream::iter(batch.orgs_of_records()).map(|org| deps.orgs.load(org)).buffered(BUILT_AT_ONCE);
    let orgs: Vec<Option<Org>> = orgs.try_collect().await?;
    let kept = orgs.into_iter().flatten().filter(|org| org.erased_at.is_none());
    let owner =
        |org: Org| Some((org.org_id, Owner { tenant: org.tenant?, since: org.bound_at.max(org.last_erased_at) }));
    Ok(kept.filter_map(owner).collect())
}

/// Publishes the events and returns which of them were published, and the failure of the first other one. After one that cannot
/// be built or published, none follows.
async fn publish(deps: &Deps, batch: &Batch, tenants: &HashMap<OrgId, Owner>) -> (Vec<bool>, Option<Error>) {
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
    let source = results.into_iter().find_map(Result::err).or(failed);
    let (lost, total) = (published.iter().filter(|published| !**published).count(), published.len());
    (published, source.map(|source| Error::NotPublished { lost, total, source }))
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
        StreamChange::Audit { audit, change_id } => Ok(audit::event(audit, tenant(tenants, audit.org_id)?, change_id)),
        StreamChange::Pipeline(changed) => Ok(pipeline::event(changed, tenant(tenants, changed.org_id)?)),
        StreamChange::Fields { fields, change_id } => {
            Ok(object_fields::event(fields, tenant(tenants, fields.org_id)?, change_id))
        }
        StreamChange::Budget { warning, change_id } => {
            Ok(budget::event(warning, tenant(tenants, warning.org_id)?, change_id))
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Parses an event as the loop of `main` does.
    fn parse(event: &serde_json::Value) -> Option<Input> {
        serde_json::from_str(&event.to_string()).ok()
    }

    #[test]
    fn a_batch_of_a_stream_and_rows_of_the_mirror_are_accepted() {
        let row = json!({
            "org_id": "00D5e000000KQ2eEAG", "object": "Account", "record_id": "0015e00000ZkM3hAAF", "fields": "{}",
            "system_modstamp": "2026-11-22T10:15:30.000Z", "read_at": "2026-11-22T10:16:00.000Z", "deleted": false,
        });
        let Some(Input::Replay { mirror_rows, with_reason: false }) = parse(&json!({ "mirror_rows": [row] })) else {
            panic!("no rows")
        };
        assert_eq!(mirror_rows.len(), 1);

        // As in "Using AWS Lambda with Amazon DynamoDB" of the AWS Lambda Developer Guide.
        let record = json!({
            "eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": "INSERT", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "us-east-2",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_479_499_740.0, "Keys": { "Id": { "N": "101" } },
                "NewImage": { "Id": { "N": "101" }, "deleted": { "BOOL": false }, "names": { "L": [{ "S": "a" }] } },
                "SequenceNumber": "4421584500000000017450439091", "SizeBytes": 26,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": "arn:aws:dynamodb:us-east-2:123456789012:table/t/stream/2024-06-10T19:26:16.525",
        });
        let Some(Input::Stream { records, with_reason: false }) = parse(&json!({ "Records": [record] })) else {
            panic!("no batch")
        };
        assert_eq!(records[0].change.sequence_number.as_deref(), Some("4421584500000000017450439091"));
        assert_eq!(records[0].change.new_image.len(), 3);

        assert!(parse(&json!({ "kind": "nightly" })).is_none());
    }
}
