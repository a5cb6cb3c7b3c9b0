//! A pure state machine that creates something exactly once that has no external id: a note, or records (invariant 16 of
//! `ARCHITECTURE.md`). The caller carries out each [`Step`] and passes the result to the step's `after_` function.
//!
//! A request whose response was lost may take effect later: Salesforce lets a call run for up to 10 minutes. The rule: an
//! attempt creates only without an earlier request, or if a search that missed something began when no earlier request could
//! take effect any more ([`no_effect_from`]). Until then the write is deferred, and each attempt only searches. So the time of
//! a creation is stored before the request is sent, and taken back if Salesforce says that the request had no effect.
//!
//! Of several records, those that a search finds are done, and the others wait together. A search is complete if it leaves
//! none of them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::{Classify, Retry};
use store::writes::rule;

/// The time within which an attempt sends its request, after the time that is stored for it. An attempt's claim of the write
/// lasts as long.
const SEND_LIMIT: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause between two searches for something that may still be created.
const MAX_SEARCH_PAUSE: Duration = Duration::from_mins(2);

/// The next step. `D` is the outcome of the whole write, and `E` the error type of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<D, E> {
    /// Search for what earlier requests created; then [`after_looking_for_earlier`].
    LookForEarlier,
    /// Store the time as that of the last creation, and create what is missing; then [`after_creating`].
    Create,
    /// The response to the creation was lost. Search for what it created; then [`after_looking_for_lost`].
    LookForLost(E),
    /// Everything is decided.
    Done(D),
    /// Defer the write for this time: something is missing, but an earlier request may still create it.
    Wait(Duration),
    /// Store that no request may take effect, and defer the write to another attempt.
    NotSent(E),
    /// Defer the write to another attempt: it is unknown what exists, or the search failed.
    Defer(E),
    /// Salesforce rejected the request. It created nothing.
    Refuse(E),
}

/// Returns the time from which no request can take effect that an attempt sent after it stored `sent_at`.
#[must_use]
pub fn no_effect_from(sent_at: Timestamp) -> Timestamp {
    rule::settled_at(sent_at.saturating_add(SEND_LIMIT).unwrap_or(Timestamp::MAX))
}

/// Returns the first step of an attempt. `earlier` is true if an earlier request may have taken effect, or may still do so.
pub fn begin<D, E>(earlier: bool) -> Step<D, E> {
    if earlier { Step::LookForEarlier } else { Step::Create }
}

/// Returns the step after the search for what earlier requests created: `Ok(None)` if it left something missing.
/// `searched_at` is the time before the search, and `settled_at` the time from which no earlier request can take effect.
pub fn after_looking_for_earlier<D, E>(
    found: Result<Option<D>, E>,
    searched_at: Timestamp,
    settled_at: Timestamp,
) -> Step<D, E> {
    match found {
        Ok(Some(done)) => Step::Done(done),
        Ok(None) if searched_at >= settled_at => Step::Create,
        Ok(None) => {
            let left = Duration::try_from(settled_at.duration_since(searched_at)).unwrap_or_default();
            Step::Wait(left.min(MAX_SEARCH_PAUSE))
        }
        Err(error) => Step::Defer(error),
    }
}

/// Returns the step after the creation.
pub fn after_creating<D, E: Classify>(created: Result<D, E>) -> Step<D, E> {
    match created {
        Ok(done) => Step::Done(done),
        Err(error) => match error.retry() {
            Retry::Unknown(_) => Step::LookForLost(error),
            Retry::After(_) => Step::NotSent(error),
            Retry::Never | Retry::NeedsHuman => Step::Refuse(error),
        },
    }
}

/// Returns the step after the search that follows a lost response.
pub fn after_looking_for_lost<D, E>(lost: E, found: Result<Option<D>, E>) -> Step<D, E> {
    match found {
        Ok(Some(done)) => Step::Done(done),
        Ok(None) | Err(_) => Step::Defer(lost),
    }
}

#[cfg(test)]
mod tests;
