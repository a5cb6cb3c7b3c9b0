//! Reads changed records again and applies them to the mirror.
//!
//! | | |
//! |---|---|
//! | trigger | the `record-upsert` queue, in batches |
//! | input | hints: a record of an org may have changed |
//! | output | rows of the mirror, and the outcome of every notification in the ledger |
//! | failures | a hint whose org cannot be called now is deferred, for three days; a hint that no retry can help becomes a dead letter with its reason; a hint that has waited for a person for three days is left to the refresh; the hints of an org that is not active are dropped |
//!
//! The record is read again with Ferry's own token (invariant 9 of `ARCHITECTURE.md`). All hints of a batch about one
//! record are one read, and up to 2,000 records of an object are one call. Orgs are processed side by side, each within its
//! own time and budget. If the function is killed at any point, SQS delivers its messages again, and applying a record
//! twice changes nothing.

mod config;
pub mod deadlines;
pub mod disposition;
mod error;
#[cfg(test)]
mod error_texts;
pub mod left_to_refresh;
mod org;
pub mod org_backoff;
mod reread;
mod settle;
pub mod work;

use aws_lambda_events::sqs::SqsEvent;
use futures::future::join;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use runtime::record_freshness;
use runtime::sqs::{Batch, BatchReport};
use store::{ChangeHint, Measured, VisibleIn};

pub use config::{Config, Deps};
pub use error::Error;

use crate::deadlines::Deadlines;
use crate::disposition::Disposition;
use crate::work::by_org;

/// The number of orgs that are processed at the same time, so that a slow one does not delay the others.
const ORGS_AT_ONCE: usize = 64;

/// Reads the records of a batch's hints again and applies them to the mirror.
///
/// Returns the ids of the messages that stay in the queue because their outcome could not be recorded. Finishes before
/// `deadline`, the end of the invocation.
///
/// # Errors
/// None; failed messages are in the report.
pub async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> Result<BatchReport, Error> {
    let deadlines = Deadlines::new(deps.clock.now(), deadline);
    let Batch { messages, unreadable } = Batch::<ChangeHint>::parse(event);
    let hints: Vec<&ChangeHint> = messages.iter().map(|message| &message.body).collect();
    let hints = hints.as_slice();
    let orgs = stream::iter(by_org(hints))
        .map(|(org, work)| Box::pin(org::refresh(deps, hints, org, work, deadlines)))
        .buffer_unordered(ORGS_AT_ONCE)
        .collect::<Vec<(Vec<(usize, Disposition)>, Measured)>>();
    let unparseable = settle::dead_letter_unparseable(deps, unreadable, deadlines);
    let (orgs, not_moved) = join(orgs, unparseable).await;
    let (mut dispositions, mut measured) = (Vec::new(), Measured::default());
    for (of_org, measured_of_org) in orgs {
        dispositions.extend(of_org);
        measured.extend(measured_of_org);
    }
    record_freshness(&deps.freshness, VisibleIn::Mirror, &measured, &deps.clock).await;
    let retained = dispositions.iter().filter(|(_, disposition)| matches!(disposition, Disposition::Retained(_)));
    let retained = retained.filter_map(|(index, _)| Some(messages.get(*index)?.id.clone()));
    let failed = retained.chain(not_moved).collect();
    let mut counts = disposition::counts(dispositions.iter().map(|(_, disposition)| disposition));
    let late = dispositions.iter().filter(|(_, disposition)| disposition.is_late());
    let late = late.filter_map(|(index, _)| Some(hints.get(*index)?.deferrals));
    counts.push(store::deferral::oldest(late, deps.clock.now()));
    counts.extend(measured.against(&deps.objectives));
    Ok(BatchReport { failed, counts, samples: measured.samples() })
}
