//! A pure state machine that creates something exactly once that has no external id, such as a note (invariant 16 of
//! `ARCHITECTURE.md`). The caller carries out each [`Step`] and passes the result to the step's `after_` function.
//!
//! A request whose response was lost may take effect later: Salesforce lets a call run for up to 10 minutes. The rule: an
//! attempt creates only without an earlier attempt, or if a search found none that began when no earlier request could
//! take effect any more ([`no_effect_from`]). Until then the write is deferred, and each attempt only searches. So the ledger
//! stores the time of a creation before the request is sent, and takes it back if Salesforce says that the request had no effect.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::{Classify, Retry};
use store::writes::rule;

/// The time within which an attempt sends its request, after the time that the ledger stores for it. An attempt's claim of
/// the write lasts as long.
const SEND_LIMIT: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause between two searches for what may still be created.
const MAX_SEARCH_PAUSE: Duration = Duration::from_mins(2);

/// The next step. `T` is what is created, and `E` the error type of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T, E> {
    /// Search for what an earlier attempt created; then [`after_looking_for_earlier`].
    LookForEarlier,
    /// Store the time as that of the last creation, and create; then [`after_creating`].
    Create,
    /// The response to the creation was lost. Search; then [`after_looking_for_lost`].
    LookForLost(E),
    /// It exists.
    Done(T),
    /// Defer the write for this time: nothing is there, but an earlier attempt's request may still create it.
    Wait(Duration),
    /// Store that no request may take effect, and defer the write to another attempt.
    NotSent(E),
    /// Defer the write to another attempt: it is unknown whether it exists, or the search failed.
    Defer(E),
    /// Salesforce rejected it. It does not exist.
    Refuse(E),
}

/// Returns the time from which no request can take effect that an attempt sent after it stored `sent_at`.
#[must_use]
pub fn no_effect_from(sent_at: Timestamp) -> Timestamp {
    rule::settled_at(sent_at.saturating_add(SEND_LIMIT).unwrap_or(Timestamp::MAX))
}

/// Returns the first step of an attempt. `earlier` is true if a request of an earlier attempt may have taken effect, or may still
/// do so.
pub fn begin<T, E>(earlier: bool) -> Step<T, E> {
    if earlier { Step::LookForEarlier } else { Step::Create }
}

/// Returns the step after the search for what an earlier attempt created. `searched_at` is the time before the search, and
/// `settled_at` the time from which no earlier request can take effect.
pub fn after_looking_for_earlier<T, E>(
    found: Result<Option<T>, E>,
    searched_at: Timestamp,
    settled_at: Timestamp,
) -> Step<T, E> {
    match found {
        Ok(Some(found)) => Step::Done(found),
        Ok(None) if searched_at >= settled_at => Step::Create,
        Ok(None) => {
            let left = Duration::try_from(settled_at.duration_since(searched_at)).unwrap_or_default();
            Step::Wait(left.min(MAX_SEARCH_PAUSE))
        }
        Err(error) => Step::Defer(error),
    }
}

/// Returns the step after the creation.
pub fn after_creating<T, E: Classify>(created: Result<T, E>) -> Step<T, E> {
    match created {
        Ok(created) => Step::Done(created),
        Err(error) => match error.retry() {
            Retry::Unknown(_) => Step::LookForLost(error),
            Retry::After(_) => Step::NotSent(error),
            Retry::Never | Retry::NeedsHuman => Step::Refuse(error),
        },
    }
}

/// Returns the step after the search that follows a lost response.
pub fn after_looking_for_lost<T, E>(lost: E, found: Result<Option<T>, E>) -> Step<T, E> {
    match found {
        Ok(Some(found)) => Step::Done(found),
        Ok(None) | Err(_) => Step::Defer(lost),
    }
}

#[cfg(test)]
mod tests;
