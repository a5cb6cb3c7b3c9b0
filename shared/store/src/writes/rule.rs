//! The ownership of a write: the attempt that may finish it. Pure functions.
//!
//! ```text
//! begin ──► in progress ──► finished          every later caller gets the response
//!              │   ▲
//!              ▼   │ resume
//!            queued                            the worker of the queue takes it up
//! ```
//! An attempt owns the write until its deadline. After that the next caller takes it over under a higher attempt
//! number; only the current attempt may finish the write. What an earlier attempt did is found by external ids.

use jiff::Timestamp;

use super::{Write, WriteState};

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

/// Decides about a write that the platform requests again.
#[must_use]
pub fn begin(known: &Write, request_digest: &str, now: Timestamp) -> Action {
    match known.state {
        _ if known.request_digest != request_digest => Action::Refuse,
        WriteState::Finished | WriteState::Queued => Action::Replay,
        WriteState::InProgress => in_progress(known, now),
    }
}

/// Decides about a write that the worker of the queue takes up.
#[must_use]
pub fn resume(known: &Write, now: Timestamp) -> Action {
    match known.state {
        WriteState::Finished => Action::Replay,
        WriteState::Queued => Action::TakeOver,
        WriteState::InProgress => in_progress(known, now),
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
    use crate::writes::{NewWrite, WriteKind};

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
            now: at(0),
            claim_ttl: SignedDuration::from_secs(30),
        }
    }

    fn write(state: WriteState) -> Write {
        Write { state, ..request("a").first_attempt() }
    }

    #[test]
    fn a_reused_key_is_refused_in_every_state() {
        let other = request("b").first_attempt().request_digest;
        for state in [WriteState::InProgress, WriteState::Queued, WriteState::Finished] {
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
        let known = write(WriteState::Finished);
        assert_eq!(begin(&known, &known.request_digest, at(99)), Action::Replay);
        assert_eq!(resume(&known, at(99)), Action::Replay);
    }

    #[test]
    fn only_the_worker_takes_over_a_queued_write() {
        let known = write(WriteState::Queued);
        assert_eq!(begin(&known, &known.request_digest, at(99)), Action::Replay);
        assert_eq!(resume(&known, at(1)), Action::TakeOver);
    }

    proptest! {
        #[test]
        fn a_write_is_taken_over_at_its_deadline(now in 0..60_i64) {
            let known = write(WriteState::InProgress);
            let expected = if now >= 30 { Action::TakeOver } else { Action::Wait };
            prop_assert_eq!(begin(&known, &known.request_digest, at(now)), expected);
            prop_assert_eq!(resume(&known, at(now)), expected);
        }
    }
}
