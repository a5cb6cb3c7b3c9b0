//! The rule about the first waiting event of a record: when it is sent, and when it is given up. Pure.
//!
//! A message names the event that it was sent for. It works on the events with the same partition key, one after the other,
//! and it leaves them if one before its own waits: that one has a message of its own, which goes on with the later ones. So
//! an event is sent only after every earlier one that waits was delivered or given up, and whatever waits has a message. The
//! message of an event that is overdue by `OVERDUE` may have become a dead letter, so a later one takes its place. While
//! the endpoint is paused the messages wait too, because they end the delivery if nobody resumes it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{KEPT, WaitingEvent};
use crate::event_endpoints::EventEndpoint;
use crate::event_endpoints::health::{Admission, Health};
use crate::time;

/// The delays between the attempts; the last one repeats.
const DELAYS: [i64; 8] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 10_800];
/// The longest `Retry-After` that is obeyed.
const MAX_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// The delay after the planned attempt from which a message of a later event goes on with this one.
const OVERDUE: SignedDuration = SignedDuration::from_mins(30);

/// The next step of a message about the first event that waits with its partition key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: an earlier event waits, whose message goes on with this one.
    Leave,
    /// The endpoint was deleted: delete the event.
    Drop,
    /// End the delivery without success.
    GiveUp,
    /// Send the message again at this time.
    Wait(Timestamp),
    /// Send the event.
    Send,
    /// Send the event if this health can be stored.
    SendAlone(Health),
}

/// Returns the next step of a message for `place`, whose partition key has `first` as its first event. Unless it is
/// [`Step::Leave`], the message is from now on one for the earlier of the two.
#[must_use]
pub fn next(place: &str, first: &WaitingEvent, endpoint: Option<&EventEndpoint>, now: Timestamp) -> Step {
    let step = step_of(first, endpoint, now);
    let is_overdue = now.duration_since(first.next_attempt_at) > OVERDUE;
    // Nothing is overdue while it has to wait: each later event would add a message that waits.
    if first.place.as_str() < place && (!is_overdue || matches!(step, Step::Wait(_))) {
        return Step::Leave;
    }
    step
}

fn step_of(first: &WaitingEvent, endpoint: Option<&EventEndpoint>, now: Timestamp) -> Step {
    let Some(endpoint) = endpoint else { return Step::Drop };
    let given_up_at = first.accepted_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
    if now >= given_up_at {
        return Step::GiveUp;
    }
    if endpoint.paused.is_some() {
        return Step::Wait(given_up_at);
    }
    // A person who resumes the endpoint does not wait for the delays of the failures before.
    let failed_before = |resumed: Timestamp| first.last.as_ref().is_some_and(|last| last.at <= resumed);
    if first.next_attempt_at > now && !endpoint.resumed_at.is_some_and(failed_before) {
        return Step::Wait(first.next_attempt_at);
    }
    match endpoint.health.admit(now) {
        Admission::Free => Step::Send,
        Admission::Alone(health) => Step::SendAlone(health),
        Admission::Hold(until) => Step::Wait(until),
    }
}

/// Returns the time of the next attempt after this number of failures, not before `retry_after` has passed. `random` is between
/// 0 and 1, and moves the time by up to a fifth.
#[must_use]
pub fn next_attempt_at(failures: u32, retry_after: Option<Duration>, random: f64, now: Timestamp) -> Timestamp {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(DELAYS.len() - 1);
    let seconds = DELAYS.get(index).copied().unwrap_or_default();
    let delay = SignedDuration::from_secs(seconds).mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0));
    let asked = retry_after.and_then(|pause| SignedDuration::try_from(pause).ok()).unwrap_or_default();
    let delay = delay.max(asked.min(MAX_RETRY_AFTER));
    time::to_millis(now.saturating_add(delay).unwrap_or(now))
}

#[cfg(test)]
mod tests;
