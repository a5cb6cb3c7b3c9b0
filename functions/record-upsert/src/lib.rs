//! Brings the mirror up to date with the records that notifications say have changed.
//!
//! | | |
//! |---|---|
//! | trigger | the `record-upsert` queue, in batches |
//! | input | hints: this record of that org may have changed |
//! | output | rows of the mirror, and the outcome of every notification in the ledger |
//! | failures | a message comes again while a retry can help, and becomes a dead letter when none did; what only a person can mend is parked in the ledger, and the refresh catches up later |
//!
//! A hint is not believed: the record is read again with Ferry's own token (invariant 9 of `ARCHITECTURE.md`). All
//! hints of a batch about one record are one reading, and up to 2,000 records of an object are one call. Killed at any point,
//! the function loses nothing: its messages come again, and applying a record twice changes nothing.

mod error;
pub mod fate;
pub mod fields;
mod org;
mod reread;
pub mod work;

use aws_lambda_events::sqs::SqsEvent;
use futures::stream::{self, StreamExt as _};
use runtime::sqs::{Answer, Batch};
use runtime::{Env, EnvError, Salesforce};
use salesforce::Clock;
use store::{Budgets, ChangeHint, Deliveries, Records};

pub use error::Error;

use crate::fate::Fate;
use crate::fields::FieldCache;
use crate::work::by_org;

/// Orgs that are worked on at the same time, so that a slow one does not hold up the others.
const ORGS_AT_ONCE: usize = 16;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `RECORDS_TABLE`: the mirror.
    pub records_table: String,
    /// `DELIVERIES_TABLE`: the ledger of notifications.
    pub deliveries_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            records_table: env.required("RECORDS_TABLE")?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
        })
    }
}

/// What the function works with.
pub struct Deps {
    /// The way to each org.
    pub salesforce: Salesforce,
    /// The mirror.
    pub records: Records,
    /// The ledger of notifications.
    pub deliveries: Deliveries,
    /// The orgs' API calls.
    pub budgets: Budgets,
    /// The time at which records are read.
    pub clock: Clock,
    /// The fields of each object, remembered for the life of the sandbox.
    pub fields: FieldCache,
}

/// Reads again what the batch's hints point to, and answers which messages have to come again.
///
/// # Errors
/// None; what failed is in the answer.
pub async fn handle(deps: &Deps, event: SqsEvent) -> Result<Answer, Error> {
    let batch = Batch::<ChangeHint>::parse(event);
    let hints: Vec<&ChangeHint> = batch.messages.iter().map(|message| &message.body).collect();
    let hints = hints.as_slice();
    let refreshed = stream::iter(by_org(hints))
        .map(|(org, asked)| org::refresh(deps, hints, org, asked))
        .buffer_unordered(ORGS_AT_ONCE)
        .collect::<Vec<Vec<(usize, Fate)>>>()
        .await;
    let fates: Vec<(usize, Fate)> = refreshed.into_iter().flatten().collect();
    let comes_again = fates.iter().filter(|(_, fate)| fate.comes_again());
    let again = comes_again.filter_map(|(index, _)| Some(batch.messages.get(*index)?.id.clone()));
    let failed = again.chain(batch.unreadable.iter().cloned()).collect();
    Ok(Answer { failed, counts: fate::counts(fates.iter().map(|(_, fate)| fate)) })
}
