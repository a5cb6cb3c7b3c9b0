//! The time at which a session that the org refused is replaced. Pure.
//!
//! One refused session says little: an administrator has ended it, or the page of a proxy had the status 401. Only an org that refuses
//! one new session after the other refuses the next one too, as one that locks sessions to addresses does.

use std::time::Duration;

use jiff::SignedDuration;

/// The refusal of the session that was issued last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefusedSession {
    /// `true` if the session was too young to have ended by itself.
    pub(crate) is_new: bool,
    /// The rest of the pause before the next refresh; `None` if it may begin now.
    pub(crate) pause_left: Option<Duration>,
}

/// The time that the shortest session of an org lasts.
const SHORTEST_SESSION: SignedDuration = SignedDuration::from_mins(15);

/// The times between the refresh that issued a session and the next one, by the number of new sessions that were refused in a row
/// before it; after more, [`SHORTEST_SESSION`].
const PAUSES: [SignedDuration; 5] = [
    SignedDuration::ZERO,
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(5),
];

impl RefusedSession {
    /// Decides about a session that was refused at this age, after `replaced` new sessions in a row were refused and replaced.
    pub(crate) fn new(replaced: u32, age: SignedDuration) -> Self {
        // Whole seconds, so that a caller which waits for the rest of the pause never comes too early.
        let age = SignedDuration::from_secs(age.as_secs().max(0));
        if age >= SHORTEST_SESSION {
            return Self { is_new: false, pause_left: None };
        }
        let index = usize::try_from(replaced).unwrap_or(usize::MAX);
        let left = PAUSES.get(index).copied().unwrap_or(SHORTEST_SESSION) - age;
        Self { is_new: true, pause_left: Duration::try_from(left).ok().filter(|left| !left.is_zero()) }
    }
}

#[cfg(test)]
mod tests;
