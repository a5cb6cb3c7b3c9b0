//! The outcomes of a batch's records, which of them are tried again, and when. Pure functions.
//!
//! Salesforce decides each record of a collection by itself. A record that was refused for a reason that passes by itself,
//! such as a row lock, is sent again within the attempt, and after that from the queue. A record that is decided is not sent
//! again. An upsert by external id is idempotent, so a record may be sent again after a lost response as well.

mod advice;
mod parents;

use std::collections::BTreeMap;
use std::time::Duration;

use salesforce::deadline::TimeLimit;
use salesforce::{Backoff, Classify, RecordId, Retry, SaveError, SaveOutcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use parents::by_parent;

use crate::duplicates::Duplicates;

/// The maximum number of times that a record is sent in one attempt.
const MAX_SENDS: u32 = 3;
/// The time of an attempt after which no record is sent again. A request that waits for a lock takes up to 10 seconds.
const RESEND_WINDOW: Duration = Duration::from_secs(8);
/// The time in which a record may be sent again, so that a slow response can still be stored and the write be queued.
pub(crate) const RESEND: TimeLimit =
    TimeLimit { longest: RESEND_WINDOW, shortest: Duration::from_millis(500), reserve: Duration::from_secs(12) };
/// The longest pause for which a record is tried again by itself. A refusal that lasts longer, such as a lock by an approval
/// process, is reported to the platform, so that it does not hold back the other records' outcomes.
const MAX_PAUSE: Duration = Duration::from_mins(15);
/// The maximum stored length of one of Salesforce's messages.
const MAX_MESSAGE_CHARS: usize = 400;

/// The outcome of one record, as the ledger stores it and the platform reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowOutcome {
    /// The id of the record; `None` if it was not written.
    pub(crate) id: Option<RecordId>,
    /// `true` if the record was written.
    pub(crate) success: bool,
    /// `true` if the write created the record, `None` if that is not known: Salesforce reports an update where an earlier
    /// request, whose response was lost, may have created the record.
    pub(crate) created: Option<bool>,
    /// The reasons for which it was not written.
    pub(crate) errors: Vec<SaveError>,
    /// `true` if the write updated a record that a duplicate rule found, and set its external id; `None` if that is not known: an
    /// earlier request, whose response was lost, may have done so.
    #[serde(default = "not_adopted", skip_serializing_if = "is_not_adopted")]
    pub(crate) adopted: Option<bool>,
    /// `true` if the same record may be written later without a change.
    #[serde(default)]
    pub(crate) retryable: bool,
    /// The remedy for a record that was not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

fn not_adopted() -> Option<bool> {
    Some(false)
}

fn is_not_adopted(adopted: &Option<bool>) -> bool {
    *adopted == Some(false)
}

impl RowOutcome {
    /// Keeps the reasons for which the record was refused before, if it was only rolled back this time: Salesforce stops at the
    /// first record of a graph that it refuses.
    pub(crate) fn keep_refusal(&mut self, known: Self) {
        if decision(self) == Decision::RolledBack && decision(&known) != Decision::RolledBack {
            (self.errors, self.next) = (known.errors, known.next);
        }
    }

    /// Returns whether Salesforce reports an update.
    pub(crate) fn is_update(&self) -> bool {
        self.success && self.created == Some(false)
    }

    /// Returns the outcome of a record of which an update was sent to `target`, because a duplicate rule had found it.
    pub(crate) fn adopted_as(self, target: Option<&RecordId>) -> Self {
        let is_adopted = self.success && target.is_some() && self.id.as_ref() == target;
        Self { adopted: Some(is_adopted), ..self }
    }

    /// Corrects what Salesforce reports as an update, if an earlier request of the write may have created or adopted the record.
    /// `is_older` says that the record existed before the write.
    pub(crate) fn correct_created(&mut self, is_older: bool, duplicates: Duplicates) {
        self.created = is_older.then_some(false);
        if is_older && duplicates == Duplicates::Adopt && self.adopted == Some(false) {
            self.adopted = None;
        }
    }
}

/// Salesforce's decision about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// It was written.
    Written,
    /// It was refused, and this retry is allowed.
    Refused(Retry),
    /// It was rolled back, because another record of the batch was refused.
    RolledBack,
}

/// The next step after the records were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every record is decided.
    Finish,
    /// Send those that are retryable again after a pause, within this attempt.
    SendAgain(Duration),
    /// Send them again in a later attempt.
    Defer(Retry),
}

/// The sends of an attempt so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sends {
    /// The number, at least 1.
    pub(crate) count: u32,
    /// The time since the first one.
    pub(crate) spent: Duration,
    /// The time that is left for a further one to begin ([`RESEND`]).
    pub(crate) left: Duration,
    /// A random number from 0 to 1, which keeps writes that met at a lock from meeting again.
    pub(crate) jitter: f64,
}

impl Sends {
    /// Returns the pause before the next send; `None` if there is no further one in this attempt.
    pub(crate) fn pause(self, base: Duration) -> Option<Duration> {
        let pause = Backoff::new(base, 2, Duration::MAX).lengthened_pause(self.count.saturating_sub(1), self.jitter);
        let in_time = self.spent.saturating_add(pause) < RESEND_WINDOW && pause < self.left;
        (self.count < MAX_SENDS && in_time).then_some(pause)
    }
}

/// Returns what follows, by the outcomes of all records of the batch.
pub(crate) fn next_step(rows: &[RowOutcome], all_or_none: bool, sends: Sends) -> Step {
    let refused = rows.iter().filter_map(|row| match decision(row) {
        Decision::Refused(retry) => Some(retry),
        Decision::Written | Decision::RolledBack => None,
    });
    let refused: Vec<Retry> = refused.collect();
    let passing: Vec<Retry> = refused.iter().copied().filter(|retry| is_passing(*retry)).collect();
    if all_or_none && passing.len() < refused.len() {
        return Step::Finish;
    }
    let Some(retry) = passing.into_iter().reduce(longer) else { return Step::Finish };
    match sends.pause(pause_of(retry)) {
        Some(pause) => Step::SendAgain(pause),
        None => Step::Defer(retry),
    }
}

/// Returns the outcomes with `retryable` and `next`, from what Salesforce returned for the records.
pub(crate) fn classified(outcomes: Vec<SaveOutcome>, all_or_none: bool) -> Vec<RowOutcome> {
    let mut rows: Vec<RowOutcome> = outcomes.into_iter().map(row).collect();
    let refused = rows.iter().map(decision).filter_map(|decision| match decision {
        Decision::Refused(retry) => Some(may_pass(retry)),
        Decision::Written | Decision::RolledBack => None,
    });
    // With all_or_none one refusal decides the batch.
    let all_may_pass = refused.clone().all(|passes| passes) && refused.count() > 0;
    for row in &mut rows {
        row.retryable = match decision(row) {
            Decision::Written => false,
            Decision::Refused(retry) => may_pass(retry) && (!all_or_none || all_may_pass),
            Decision::RolledBack => all_may_pass,
        };
        row.next = (!row.success).then(|| advice::next(row));
    }
    rows
}

/// Returns the outcome of a record that exists. `created` says that this write created it.
pub(crate) fn existing(id: RecordId, created: bool) -> RowOutcome {
    RowOutcome {
        id: Some(id),
        success: true,
        created: Some(created),
        errors: Vec::new(),
        adopted: Some(false),
        retryable: false,
        next: None,
    }
}

/// Returns the outcome of a record of which it is not known whether it was created, as it stands if no later attempt decides it.
pub(crate) fn undecided() -> RowOutcome {
    let next = Some(advice::LATER.to_owned());
    RowOutcome {
        id: None,
        success: false,
        created: None,
        errors: Vec::new(),
        adopted: Some(false),
        retryable: true,
        next,
    }
}

/// Returns an outcome that is final by itself.
pub(crate) fn decided(outcome: SaveOutcome) -> RowOutcome {
    let row = row(outcome);
    RowOutcome { next: (!row.success).then(|| advice::next(&row)), ..row }
}

/// Returns the part of the outcome that the ledger stores.
pub(crate) fn stored(rows: &[RowOutcome]) -> Value {
    json!({ "records": rows })
}

/// Returns whether a retry of a write with this outcome may succeed: it failed as a whole, or a record may be written later.
pub(crate) fn is_open(outcome: &Value) -> bool {
    let rows = outcome.get("records").and_then(|rows| Vec::<RowOutcome>::deserialize(rows).ok());
    rows.is_none_or(|rows| rows.iter().any(|row| row.retryable))
}

/// Keeps those of the records of a write that were not written; `None` if none of them may be written later.
pub(crate) fn retain_open<T>(records: &mut Vec<T>, outcome: &Value) -> Option<()> {
    if !is_open(outcome) {
        return None;
    }
    if let Some(rows) = resumed(Some(outcome), records.len()) {
        let mut written = rows.iter().map(|row| row.success);
        records.retain(|_| written.next() == Some(false));
    }
    Some(())
}

/// Returns the outcomes that an earlier attempt stored; `None` if there are none for each of `count` records.
pub(crate) fn resumed(stored: Option<&Value>, count: usize) -> Option<Vec<RowOutcome>> {
    let rows = Vec::<RowOutcome>::deserialize(stored?.get("records")?).ok()?;
    (rows.len() == count).then_some(rows)
}

/// Returns the outcomes of all records: those known so far, and those of the records that were sent, by their positions.
pub(crate) fn merged(known: Option<Vec<RowOutcome>>, sent: &[usize], outcomes: Vec<RowOutcome>) -> Vec<RowOutcome> {
    let mut merged: BTreeMap<usize, RowOutcome> = known.into_iter().flatten().enumerate().collect();
    merged.extend(sent.iter().copied().zip(outcomes));
    merged.into_values().collect()
}

/// Returns the positions of the records that are still to be sent.
pub(crate) fn open(rows: Option<&[RowOutcome]>, records: &[Map<String, Value>]) -> Vec<usize> {
    let is_open = |index: &usize| rows.is_none_or(|rows| rows.get(*index).is_none_or(|row| row.retryable));
    by_parent(records).into_iter().filter(is_open).collect()
}

fn row(mut outcome: SaveOutcome) -> RowOutcome {
    for error in &mut outcome.errors {
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            error.message.truncate(end);
        }
    }
    let SaveOutcome { id, success, created, errors } = outcome;
    RowOutcome { id, success, created: Some(created), errors, adopted: not_adopted(), retryable: false, next: None }
}

fn decision(row: &RowOutcome) -> Decision {
    if row.success {
        return Decision::Written;
    }
    let refusals = row.errors.iter().filter(|error| !error.is_rollback()).map(Classify::retry);
    match refusals.reduce(stricter) {
        Some(retry) => Decision::Refused(retry),
        None if row.errors.is_empty() => Decision::Refused(Retry::Never),
        None => Decision::RolledBack,
    }
}

/// Returns the retry that two errors of one record allow together.
fn stricter(one: Retry, other: Retry) -> Retry {
    match (one, other) {
        (Retry::Never, _) | (_, Retry::Never) => Retry::Never,
        (Retry::NeedsHuman, _) | (_, Retry::NeedsHuman) => Retry::NeedsHuman,
        (one, other) => longer(one, other),
    }
}

/// Returns the retry with the longer pause. Its outcome is unknown if one of the two is.
fn longer(one: Retry, other: Retry) -> Retry {
    let pause = pause_of(one).max(pause_of(other));
    match (one, other) {
        (Retry::After(_), Retry::After(_)) => Retry::After(pause),
        _ => Retry::Unknown(pause),
    }
}

fn pause_of(retry: Retry) -> Duration {
    match retry {
        Retry::After(pause) | Retry::Unknown(pause) => pause,
        Retry::Never | Retry::NeedsHuman => Duration::ZERO,
    }
}

/// Returns whether the refusal passes without a change of the record.
fn may_pass(retry: Retry) -> bool {
    matches!(retry, Retry::After(_) | Retry::Unknown(_))
}

/// Returns whether the refusal passes soon.
fn is_passing(retry: Retry) -> bool {
    may_pass(retry) && pause_of(retry) <= MAX_PAUSE
}

#[cfg(test)]
mod tests;
