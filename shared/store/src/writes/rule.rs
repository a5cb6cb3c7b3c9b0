//! Who may be at a write: pure rules.
//!
//! ```text
//! begin ──► in progress ──► finished          every later caller gets the answer
//!              │   ▲
//!              ▼   │ resume
//!            queued                            the worker behind the queue takes it up
//! ```
//! Whoever is at a write has until its deadline; after that the next caller takes it over under a higher attempt number, and
//! only the last of them may finish it. What an earlier one did meanwhile is found by its external ids.

use jiff::Timestamp;

use super::{Write, WriteState};

/// What a caller who finds a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is another request under the same key.
    Refuse,
    /// It stands as it stands.
    Replay,
    /// Someone is at it.
    Wait,
    /// Take it up under the next attempt number.
    TakeOver,
}

/// What the platform's request does with a write that is known.
#[must_use]
pub fn begin(known: &Write, request_digest: &str, now: Timestamp) -> Step {
    match known.state {
        _ if known.request_digest != request_digest => Step::Refuse,
        WriteState::Finished | WriteState::Queued => Step::Replay,
        WriteState::InProgress => in_progress(known, now),
    }
}

/// What the worker behind the queue does with a write.
#[must_use]
pub fn resume(known: &Write, now: Timestamp) -> Step {
    match known.state {
        WriteState::Finished => Step::Replay,
        WriteState::Queued => Step::TakeOver,
        WriteState::InProgress => in_progress(known, now),
    }
}

fn in_progress(known: &Write, now: Timestamp) -> Step {
    if known.deadline <= now { Step::TakeOver } else { Step::Wait }
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

    fn asked(name: &str) -> NewWrite {
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
        Write { state, ..asked("a").first_attempt() }
    }

    #[test]
    fn another_request_under_the_same_key_is_refused_in_every_state() {
        let other = asked("b").first_attempt().request_digest;
        for state in [WriteState::InProgress, WriteState::Queued, WriteState::Finished] {
            assert_eq!(begin(&write(state), &other, at(99)), Step::Refuse);
        }
    }

    #[test]
    fn the_acting_user_and_the_object_make_another_request_too() {
        let digest = asked("a").first_attempt().request_digest;
        let user = NewWrite { platform_user: Some("rep".parse().unwrap()), ..asked("a") };
        let object = NewWrite { object: Some("Lead".parse().unwrap()), ..asked("a") };
        assert_ne!(user.first_attempt().request_digest, digest);
        assert_ne!(object.first_attempt().request_digest, digest);
    }

    #[test]
    fn a_finished_write_is_replayed_to_everyone() {
        let known = write(WriteState::Finished);
        assert_eq!(begin(&known, &known.request_digest, at(99)), Step::Replay);
        assert_eq!(resume(&known, at(99)), Step::Replay);
    }

    #[test]
    fn only_the_worker_takes_a_queued_write_up() {
        let known = write(WriteState::Queued);
        assert_eq!(begin(&known, &known.request_digest, at(99)), Step::Replay);
        assert_eq!(resume(&known, at(1)), Step::TakeOver);
    }

    proptest! {
        #[test]
        fn a_write_is_taken_over_at_its_deadline_and_never_before(now in 0..60_i64) {
            let known = write(WriteState::InProgress);
            let expected = if now >= 30 { Step::TakeOver } else { Step::Wait };
            prop_assert_eq!(begin(&known, &known.request_digest, at(now)), expected);
            prop_assert_eq!(resume(&known, at(now)), expected);
        }
    }
}
