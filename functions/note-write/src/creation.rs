//! How a note is created once and only once, although Salesforce gives notes no external id (invariant 16): a pure
//! state machine. The shell does what a [`Step`] says and hands the result to the step's `after_` function.
//!
//! The rule: a note is created only by an attempt that knows of no earlier one, or that has looked for the earlier
//! one's note and found none. After a lost answer the attempt looks once; a note that is not there *yet* may still
//! be on its way, so the next creation is left to a later attempt, which looks again.

use salesforce::{Classify, RecordId, Retry};

/// What to do next. `E` is why something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<E> {
    /// Look for the note that an earlier attempt may have left; then [`after_looking_for_earlier`].
    LookForEarlier,
    /// Create the note; then [`after_creating`].
    Create,
    /// The answer to the creation was lost. Look whether it took effect; then [`after_looking_for_lost`].
    LookForLost(E),
    /// The note exists.
    Done(RecordId),
    /// Come back later, as another attempt: whether the note exists is open, or Salesforce was not reached.
    Later(E),
    /// Salesforce said no. There is no note.
    Refuse(E),
}

/// The first step of an attempt. `earlier` says whether another attempt was begun and never finished.
pub fn begin<E>(earlier: bool) -> Step<E> {
    if earlier { Step::LookForEarlier } else { Step::Create }
}

/// What follows from the search for an earlier attempt's note.
pub fn after_looking_for_earlier<E>(found: Result<Option<RecordId>, E>) -> Step<E> {
    match found {
        Ok(Some(id)) => Step::Done(id),
        Ok(None) => Step::Create,
        Err(error) => Step::Later(error),
    }
}

/// What follows from the creation.
pub fn after_creating<E: Classify>(created: Result<RecordId, E>) -> Step<E> {
    match created {
        Ok(id) => Step::Done(id),
        Err(error) => match error.retry() {
            Retry::Unknown(_) => Step::LookForLost(error),
            Retry::After(_) => Step::Later(error),
            Retry::Never | Retry::NeedsHuman => Step::Refuse(error),
        },
    }
}

/// What follows from the search after a `lost` answer.
pub fn after_looking_for_lost<E>(lost: E, found: Result<Option<RecordId>, E>) -> Step<E> {
    match found {
        Ok(Some(id)) => Step::Done(id),
        Ok(None) | Err(_) => Step::Later(lost),
    }
}

#[cfg(test)]
mod tests;
