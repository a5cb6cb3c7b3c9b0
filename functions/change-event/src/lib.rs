//! Takes Change Data Capture events that orgs relay to EventBridge, and queues what they say has changed: another lane to the
//! same mirror.
//!
//! | | |
//! |---|---|
//! | trigger | the bus of change events: what Salesforce's Event Relay sends, one event an invocation |
//! | input | the event's header: which records changed, were deleted, or fell into a gap |
//! | output | one hint a record on the `record-upsert` queue; for what names no record a refresh of the object, and a line in the delivery ledger |
//! | failures | an event of an org that is not active is refused and logged; any other comes again, twice, and then is a dead letter |
//!
//! An event is believed as to where it comes from: EventBridge lets only Salesforce send under the name of an org's partner
//! event source. Its values are never read (invariant 9 of `ARCHITECTURE.md`); a gap is a reading again like any change.

mod error;
pub mod work;

use jiff::Timestamp;
use runtime::{Aws, Env, EnvError, Outcome, Report};
use salesforce::{Clock, OrgId, change_event};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{ChangeHint, Deliveries, OrgState, Orgs, Queue, RefreshTask};
use tracing::warn;

pub use error::Error;

use crate::work::Work;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `ORGS_TABLE`: read, to see whether the org is active.
    pub orgs_table: String,
    /// `DELIVERIES_TABLE`: the ledger of notifications.
    pub deliveries_table: String,
    /// `RECORD_UPSERT_QUEUE_URL`: where the hints go.
    pub record_upsert_queue_url: String,
    /// `PIPELINE_REFRESH_QUEUE_URL`: where an object is queued that has to be looked through.
    pub pipeline_refresh_queue_url: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            orgs_table: env.required("ORGS_TABLE")?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            pipeline_refresh_queue_url: env.required("PIPELINE_REFRESH_QUEUE_URL")?,
        })
    }
}

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The orgs.
    pub orgs: Orgs,
    /// The ledger of notifications.
    pub deliveries: Deliveries,
    /// Where the hints go.
    pub hints: Queue<ChangeHint>,
    /// Where refreshes go.
    pub refreshes: Queue<RefreshTask>,
    /// The time at which events arrive.
    pub clock: Clock,
}

impl Deps {
    /// The real ones.
    #[must_use]
    pub fn new(aws: &Aws, config: Config) -> Self {
        Self {
            orgs: Orgs::new(aws.dynamodb(), config.orgs_table),
            deliveries: Deliveries::new(aws.dynamodb(), config.deliveries_table),
            hints: Queue::new(aws.sqs(), config.record_upsert_queue_url, aws.clock()),
            refreshes: Queue::new(aws.sqs(), config.pipeline_refresh_queue_url, aws.clock()),
            clock: aws.clock(),
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether its org is not active, so that it was let go.
    pub refused: bool,
    /// Hints that were queued.
    pub hints: u64,
    /// Refreshes that were queued.
    pub refreshes: u64,
}

impl Report for Answer {
    fn outcome(&self) -> Outcome {
        if self.refused { Outcome::Refused } else { Outcome::Ok }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("hints.queued", self.hints), ("refreshes.queued", self.refreshes)]
    }
}

/// Queues what an event says has changed. It is all queued, or the event comes again; it is done before `deadline`.
///
/// # Errors
/// The event cannot be read, or not all could be queued.
pub async fn handle(deps: &Deps, event: Box<RawValue>, deadline: Timestamp) -> Result<Answer, Error> {
    let received_at = deps.clock.now();
    let event = change_event::parse(event.get())?;
    if !is_active(deps, event.org_id).await? {
        return Ok(Answer { refused: true, ..Answer::default() });
    }
    let Work { hints, refresh } = Work::of(&event, received_at)?;
    deps.hints.send_all(&hints, deadline).await.map_err(Error::state("queue the hints"))?;
    if let Some((task, delivery)) = &refresh {
        let queued = deps.refreshes.send_all(std::slice::from_ref(task), deadline).await;
        queued.map_err(Error::state("queue the refresh"))?;
        let written = deps.deliveries.record(std::slice::from_ref(delivery)).await;
        written.map_err(Error::state("write the ledger"))?;
    }
    Ok(Answer { refused: false, hints: hints.len() as u64, refreshes: u64::from(refresh.is_some()) })
}

async fn is_active(deps: &Deps, org: OrgId) -> Result<bool, Error> {
    let known = deps.orgs.load(org).await.map_err(Error::state("read the org"))?;
    let state = known.map(|org| org.state);
    if state != Some(OrgState::Active) {
        warn!(org.id = %org, org.state = ?state, "a change event was refused: its org is not active");
    }
    Ok(state == Some(OrgState::Active))
}
