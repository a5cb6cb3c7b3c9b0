//! A pure state machine that creates a note exactly once, although notes have no external id (invariant 16). The caller
//! carries out each [`Step`] and passes the result to the step's `after_` function.
//!
//! The rule: an attempt creates a note only without an earlier attempt, or after it has searched for the earlier attempt's
//! note and found none. After a lost response the attempt searches once; a note that is not visible *yet* may still be
//! committed, so a later attempt searches again before it creates.

use salesforce::{Classify, RecordId, Retry};

/// The next step. `E` is the error type of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<E> {
    /// Search for the note of an earlier attempt; then [`after_looking_for_earlier`].
    LookForEarlier,
    /// Create the note; then [`after_creating`].
    Create,
    /// The response to the creation was lost. Search for the note; then [`after_looking_for_lost`].
    LookForLost(E),
    /// The note exists.
    Done(RecordId),
    /// Defer the write to another attempt: it is unknown whether the note exists, or Salesforce was not reached.
    Defer(E),
    /// Salesforce rejected the note. It does not exist.
    Refuse(E),
}

/// Returns the first step of an attempt. `earlier` is true if another attempt was started and never finished.
pub fn begin<E>(earlier: bool) -> Step<E> {
    if earlier { Step::LookForEarlier } else { Step::Create }
}

/// Returns the step after the search for an earlier attempt's note.
pub fn after_looking_for_earlier<E>(found: Result<Option<RecordId>, E>) -> Step<E> {
    match found {
        Ok(Some(id)) => Step::Done(id),
        Ok(None) => Step::Create,
        Err(error) => Step::Defer(error),
    }
}

/// Returns the step after the creation.
pub fn after_creating<E: Classify>(created: Result<RecordId, E>) -> Step<E> {
    match created {
        Ok(id) => Step::Done(id),
        Err(error) => match error.retry() {
            Retry::Unknown(_) => Step::LookForLost(error),
            Retry::After(_) => Step::Defer(error),
            Retry::Never | Retry::NeedsHuman => Step::Refuse(error),
        },
    }
}

/// Returns the step after the search that follows a lost response.
pub fn after_looking_for_lost<E>(lost: E, found: Result<Option<RecordId>, E>) -> Step<E> {
    match found {
        Ok(Some(id)) => Step::Done(id),
        Ok(None) | Err(_) => Step::Defer(lost),
    }
}

#[cfg(test)]
mod tests;
