//! Moves accepted writes again whose message was lost: a dead letter that was deleted, or that SQS kept for its 14 days.

use std::time::Duration;

use jiff::SignedDuration;
use salesforce::OrgId;
use tracing::warn;

use crate::Deps;
use crate::error::Error;

/// The time after its next attempt was due from which a write counts as overdue. A busy queue delays a write by less.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// Sends the tasks of an org's overdue writes again, at most 1,000 in a night. Returns their number. A task too many does no
/// harm: the ledger decides which one makes an attempt.
pub(crate) async fn send_again(deps: &Deps, org: OrgId) -> Result<u64, Error> {
    let overdue = deps.writes.overdue(org, deps.clock.now() - OVERDUE).await?;
    for (kind, task) in &overdue {
        deps.queues.of_writes(*kind).send(task, Duration::ZERO).await?;
    }
    if !overdue.is_empty() {
        warn!(org.id = %org, writes = overdue.len(), "sent the tasks of overdue writes of org {org} again");
    }
    Ok(overdue.len() as u64)
}
