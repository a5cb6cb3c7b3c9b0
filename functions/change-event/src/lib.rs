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

mod config;
mod error;
#[cfg(test)]
mod error_texts;
pub mod work;

use jiff::Timestamp;
use runtime::{Outcome, Report, StateError};
use salesforce::{OrgId, change_event};
use serde::Serialize;
use serde_json::value::RawValue;
use store::OrgState;
use tracing::warn;

pub use config::{Config, Deps};
pub use error::Error;

use crate::work::Work;

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
    deps.hints.send_all(&hints, deadline).await.map_err(StateError::during("queue the hints"))?;
    if let Some((task, delivery)) = &refresh {
        let queued = deps.refreshes.send_all(std::slice::from_ref(task), deadline).await;
        queued.map_err(StateError::during("queue the refresh"))?;
        let written = deps.deliveries.record(std::slice::from_ref(delivery)).await;
        written.map_err(StateError::during("update the delivery ledger"))?;
    }
    Ok(Answer { refused: false, hints: hints.len() as u64, refreshes: u64::from(refresh.is_some()) })
}

async fn is_active(deps: &Deps, org: OrgId) -> Result<bool, Error> {
    let known = deps.orgs.load(org).await.map_err(StateError::during("load the org"))?;
    let state = known.map(|org| org.state);
    if state != Some(OrgState::Active) {
        warn!(org.id = %org, org.state = ?state, "a change event was refused: its org is not active");
    }
    Ok(state == Some(OrgState::Active))
}
