//! Receives Change Data Capture events that orgs relay to EventBridge, and queues the same hints as `outbound-message`.
//!
//! | | |
//! |---|---|
//! | trigger | the bus of change events: the events of Salesforce's Event Relay, one in each invocation |
//! | input | the event's header: the records that changed, were deleted, or are in a gap |
//! | output | one hint for each record on the `record-upsert` queue; for an event that does not list all records, a refresh of the object and an entry in the delivery ledger |
//! | failures | an event of an org that is not active is refused and logged; an event that fails is retried twice and then becomes a dead letter |
//!
//! The event's source is authentic: EventBridge lets only Salesforce publish under the name of an org's partner event source.
//! Its field values are never used (invariant 9 of `ARCHITECTURE.md`); a gap event is handled like a change.

mod config;
mod error;
#[cfg(test)]
mod error_texts;
pub mod work;

use jiff::Timestamp;
use runtime::{Outcome, Report};
use salesforce::{OrgId, change_event};
use serde::Serialize;
use serde_json::value::RawValue;
use store::OrgState;
use tracing::warn;

pub use config::{Config, Deps};
pub use error::Error;

use crate::work::Work;

/// The result of handling an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EventReport {
    /// `true` if the event was refused because its org is not active.
    pub refused: bool,
    /// The number of queued hints, one for each record.
    pub hints: u64,
    /// The number of queued refreshes of an object: 0 or 1.
    pub refreshes: u64,
}

impl Report for EventReport {
    fn outcome(&self) -> Outcome {
        if self.refused { Outcome::Refused } else { Outcome::Ok }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("hints.queued", self.hints), ("refreshes.queued", self.refreshes)]
    }
}

/// Queues the hints and the refresh of an event before `deadline`.
///
/// # Errors
/// The event does not parse, or not all of its hints were queued. AWS retries the event.
pub async fn handle(deps: &Deps, event: Box<RawValue>, deadline: Timestamp) -> Result<EventReport, Error> {
    let received_at = deps.clock.now();
    let event = change_event::parse(event.get())?;
    if !is_active(deps, event.org_id).await? {
        return Ok(EventReport { refused: true, ..EventReport::default() });
    }
    let Work { hints, refresh } = Work::of(&event, received_at)?;
    deps.hints.send_all(&hints, deadline).await?;
    if let Some((task, delivery)) = &refresh {
        let queued = deps.refreshes.send_all(std::slice::from_ref(task), deadline).await;
        queued?;
        let written = deps.deliveries.replace([delivery]).await;
        written?;
    }
    Ok(EventReport { refused: false, hints: hints.len() as u64, refreshes: u64::from(refresh.is_some()) })
}

async fn is_active(deps: &Deps, org: OrgId) -> Result<bool, Error> {
    let org_item = deps.orgs.load(org).await?;
    let state = org_item.map(|org| org.state);
    if state != Some(OrgState::Active) {
        warn!(org.id = %org, org.state = ?state, "refused a change event of org {org}: the org is not active");
    }
    Ok(state == Some(OrgState::Active))
}
