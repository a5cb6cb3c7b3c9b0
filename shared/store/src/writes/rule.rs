//! The ownership of a write: the attempt that may finish it. Pure functions.
//!
//! ```text
//! begin ──► in progress ──► finished, failed  every later caller gets the response
//!              │   ▲
//!              ▼   │ resume
//!            queued                            accepted: the worker of the queue takes it up
//! ```
//! An attempt owns the write until its deadline. After that the next caller takes it over under a higher attempt
//! number; only the current attempt may finish the write. What an earlier attempt did is found by external ids.

use jiff::{SignedDuration, Timestamp};

use super::{Write, WriteState};

/// The time for which Salesforce carries out a call (Salesforce Developer Limits, API timeouts).
const CALL_LIMIT: SignedDuration = SignedDuration::from_mins(10);
/// An allowance for a request that waits before Salesforce takes it up.
const MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// Returns the time from which no request can take effect that was sent until `sent_by`, although its response was lost.
/// Every request of an attempt is sent before the deadline of the attempt, 60 seconds after it began; so this is 12 minutes
/// after it began.
#[must_use]
pub fn settled_at(sent_by: Timestamp) -> Timestamp {
    sent_by.saturating_add(CALL_LIMIT + MARGIN).unwrap_or(Timestamp::MAX)
}

/// The next step of a caller that finds a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Refuse: the key was used for another request.
    Refuse,
    /// Return the write as it is.
    Replay,
    /// Wait: another attempt owns it.
    Wait,
    /// Take it over under the next attempt number.
    TakeOver,
}

/// Decides about a write that the platform requests again. `request_digests` are the digests of the request, one of which
/// is stored with a write of the same request.
#[must_use]
pub fn begin(known: &Write, request_digests: &[String], now: Timestamp) -> Action {
    match known.state {
        _ if !request_digests.contains(&known.request_digest) => Action::Refuse,
        WriteState::Finished | WriteState::Failed | WriteState::Queued => Action::Replay,
        WriteState::InProgress => in_progress(known, now),
    }
}

/// Decides about a write that the worker of the queue takes up, with a task that was sent with this number of deferrals.
///
/// A superseded task is dropped ([`Action::Replay`]): the task of the later deferral was sent before the write was stored
/// with it. So is that of a first attempt that ended between the two: the write was not accepted, and its request is not
/// stored.
#[must_use]
pub fn resume(known: &Write, deferrals: u32, now: Timestamp) -> Action {
    match known.state {
        WriteState::Finished | WriteState::Failed => Action::Replay,
        _ if deferrals < known.deferrals.count => Action::Replay,
        WriteState::Queued => Action::TakeOver,
        WriteState::InProgress => match in_progress(known, now) {
            Action::TakeOver if known.request.is_none() => Action::Replay,
            action => action,
        },
    }
}

fn in_progress(known: &Write, now: Timestamp) -> Action {
    if known.deadline <= now { Action::TakeOver } else { Action::Wait }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::Deferrals;
    use crate::writes::{NewWrite, WriteKind, digest};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn request(name: &str) -> NewWrite {
        NewWrite {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            idempotency_key: "key-1".parse().unwrap(),
            kind: WriteKind::Records,
            object: Some("Account".parse().unwrap()),
            platform_user: None,
            request: json!({ "Name": name }),
            retry_of: None,
            now: at(0),
            claim_ttl: SignedDuration::from_secs(30),
        }
    }

    fn write(state: WriteState) -> Write {
        Write { state, ..request("a").first_attempt() }
    }

    fn digests(write: &Write) -> [String; 1] {
        [write.request_digest.clone()]
    }

    #[test]
    fn a_reused_key_is_refused_in_every_state() {
        let other = [request("b").first_attempt().request_digest];
        for state in [WriteState::InProgress, WriteState::Queued, WriteState::Finished, WriteState::Failed] {
            assert_eq!(begin(&write(state), &other, at(99)), Action::Refuse);
        }
    }

    #[test]
    fn user_and_object_are_part_of_the_request() {
        let digest = request("a").first_attempt().request_digest;
        let user = NewWrite { platform_user: Some("rep".parse().unwrap()), ..request("a") };
        let object = NewWrite { object: Some("Lead".parse().unwrap()), ..request("a") };
        assert_ne!(user.first_attempt().request_digest, digest);
        assert_ne!(object.first_attempt().request_digest, digest);
    }

    #[test]
    fn a_finished_write_is_replayed_to_everyone() {
        for state in [WriteState::Finished, WriteState::Failed] {
            let known = write(state);
            assert_eq!(begin(&known, &digests(&known), at(99)), Action::Replay);
            assert_eq!(resume(&known, 0, at(99)), Action::Replay);
        }
    }

    #[test]
    fn only_the_worker_takes_over_a_queued_write() {
        let known = write(WriteState::Queued);
        assert_eq!(begin(&known, &digests(&known), at(99)), Action::Replay);
        assert_eq!(resume(&known, 0, at(1)), Action::TakeOver);
    }

    #[test]
    fn a_superseded_task_is_dropped() {
        let known = Write { deferrals: Deferrals { count: 2, ..Deferrals::default() }, ..write(WriteState::Queued) };
        assert_eq!(resume(&known, 1, at(1)), Action::Replay);
        assert_eq!(resume(&known, 2, at(1)), Action::TakeOver);
        // The task was sent, and the write could not be stored with its number.
        assert_eq!(resume(&known, 3, at(1)), Action::TakeOver);
    }

    #[test]
    fn a_write_that_was_never_accepted_is_not_resumed() {
        let known = write(WriteState::InProgress);
        assert_eq!(resume(&known, 1, at(1)), Action::Wait);
        assert_eq!(resume(&known, 1, at(99)), Action::Replay);
    }

    #[test]
    fn a_digest_of_an_earlier_version_is_the_requests() {
        let repeated = NewWrite { request: json!({ "b": 1, "a": 2 }), ..request("a") };
        let stored = Write { request_digest: digest::in_order(&repeated), ..write(WriteState::Finished) };
        let digests = [repeated.first_attempt().request_digest, digest::in_order(&repeated)];
        assert_ne!(digests[0], digests[1]);
        assert_eq!(begin(&stored, &digests, at(99)), Action::Replay);
    }

    proptest! {
        #[test]
        fn a_write_is_taken_over_at_its_deadline(now in 0..60_i64) {
            let known = Write { request: Some(json!({})), ..write(WriteState::InProgress) };
            let expected = if now >= 30 { Action::TakeOver } else { Action::Wait };
            prop_assert_eq!(begin(&known, &digests(&known), at(now)), expected);
            prop_assert_eq!(resume(&known, 0, at(now)), expected);
        }
    }
}
