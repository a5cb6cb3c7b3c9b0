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
mod error;
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
use mirroring::{FieldCache, MirroredFields};
use runtime::sqs::{Answer, Batch};
use runtime::{Env, EnvError, Salesforce};
use salesforce::Clock;
use store::{Budgets, ChangeHint, Deliveries, Queue, Records};

pub use error::Error;

use crate::back_off::BackOff;
use crate::fate::Fate;
use crate::timetable::Timetable;
use crate::work::by_org;

/// Orgs that are worked on at the same time, so that a slow one does not hold up the others.
const ORGS_AT_ONCE: usize = 64;

/// The function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `RECORDS_TABLE`: the mirror.
    pub records_table: String,
    /// `DELIVERIES_TABLE`: the ledger of notifications.
    pub deliveries_table: String,
    /// `BUDGETS_TABLE`: the orgs' API calls.
    pub budgets_table: String,
    /// `RECORD_UPSERT_QUEUE_URL`: where hints come from, and where those go that are put off.
    pub record_upsert_queue_url: String,
    /// `DEAD_LETTERS_QUEUE_URL`: where hints go that no retry can help.
    pub dead_letters_queue_url: String,
    /// `MIRRORED_FIELDS`: which fields of which object, such as `Account:Name,Industry;Contact:Email`; all of an object that
    /// is not named.
    pub mirrored_fields: MirroredFields,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// A setting is missing, or the fields are malformed.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            records_table: env.required("RECORDS_TABLE")?,
            deliveries_table: env.required("DELIVERIES_TABLE")?,
            budgets_table: env.required("BUDGETS_TABLE")?,
            record_upsert_queue_url: env.required("RECORD_UPSERT_QUEUE_URL")?,
            dead_letters_queue_url: env.required("DEAD_LETTERS_QUEUE_URL")?,
            mirrored_fields: env.parsed_or("MIRRORED_FIELDS", MirroredFields::default())?,
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
    /// The queue of hints.
    pub hints: Queue<ChangeHint>,
    /// The queue of dead letters.
    pub dead_letters: Queue<ChangeHint>,
    /// The time at which records are read.
    pub clock: Clock,
    /// The fields of each object, remembered for the life of the sandbox.
    pub fields: FieldCache,
    /// The orgs in trouble, remembered for a moment.
    pub back_off: BackOff,
}

/// Reads again what the batch's hints point to, and answers which messages have to come again as they are: those of which
/// it could not be written down or sent on what becomes of them. It is done before `deadline`, when the invocation ends.
///
/// # Errors
/// None; what failed is in the answer.
pub async fn handle(deps: &Deps, event: SqsEvent, deadline: Timestamp) -> Result<Answer, Error> {
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
    Ok(Answer { failed, counts: fate::counts(fates.iter().map(|(_, fate)| fate)) })
}
