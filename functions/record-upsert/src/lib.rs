//! Brings the mirror up to date with the records that notifications say have changed.
//!
//! | | |
//! |---|---|
//! | trigger | the `record-upsert` queue, in batches |
//! | input | hints: this record of that org may have changed |
//! | output | rows of the mirror, and the outcome of every notification in the ledger |
//! | failures | a hint whose org cannot be asked now is sent again with a delay, for about a day; what no retry can help is a dead letter with its reason; what only a person can mend is parked in the ledger, and the refresh catches up later |
//!
//! A hint is not believed: the record is read again with Ferry's own token (invariant 9 of `ARCHITECTURE.md`). All
//! hints of a batch about one record are one reading, and up to 2,000 records of an object are one call. Orgs are worked on
//! side by side, each within its own time and budget. Killed at any point, the function loses nothing: its messages come
//! again, and applying a record twice changes nothing.

mod allowance;
pub mod back_off;
mod config;
mod error;
#[cfg(test)]
mod error_texts;
pub mod fate;
mod org;
pub mod put_off;
mod reread;
mod settle;
pub mod timetable;
pub mod work;

use aws_lambda_events::sqs::SqsEvent;
use futures::future::join;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use runtime::sqs::{Batch, BatchReport};
use store::ChangeHint;

pub use config::{Config, Deps};
pub use error::Error;

use crate::fate::Fate;
use crate::timetable::Timetable;
use crate::work::by_org;

/// Orgs that are worked on at the same time, so that a slow one does not hold up the others.
const ORGS_AT_ONCE: usize = 64;

/// Reads again what the batch's hints point to, and answers which messages have to come again as they are: those of which
/// it could not be written down or sent on what becomes of them. It is done before `deadline`, when the invocation ends.
///
/// # Errors
/// None; what failed is in the answer.
pub async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> Result<BatchReport, Error> {
    let timetable = Timetable::of(deps.clock.now(), deadline);
    let Batch { messages, unreadable } = Batch::<ChangeHint>::parse(event);
    let hints: Vec<&ChangeHint> = messages.iter().map(|message| &message.body).collect();
    let hints = hints.as_slice();
    let orgs = stream::iter(by_org(hints))
        .map(|(org, asked)| Box::pin(org::refresh(deps, hints, org, asked, timetable)))
        .buffer_unordered(ORGS_AT_ONCE)
        .collect::<Vec<Vec<(usize, Fate)>>>();
    let (fates, unburied) = join(orgs, settle::bury(deps, unreadable, timetable)).await;
    let fates: Vec<(usize, Fate)> = fates.into_iter().flatten().collect();
    let returned = fates.iter().filter(|(_, fate)| matches!(fate, Fate::Returned(_)));
    let returned = returned.filter_map(|(index, _)| Some(messages.get(*index)?.id.clone()));
    let failed = returned.chain(unburied).collect();
    Ok(BatchReport { failed, counts: fate::counts(fates.iter().map(|(_, fate)| fate)) })
}
