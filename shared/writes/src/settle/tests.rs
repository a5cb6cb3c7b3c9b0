use proptest::prelude::*;
use store::OrgState;
use store::deferral::OUTAGE;
use store::owner_policy::RouteError;

use super::*;
use crate::samples::{now, requested};

const PAUSE: Duration = Duration::from_secs(3);

fn no_session(retry: Retry) -> Error {
    Error::Salesforce(salesforce::Error::NoSession { reason: "test".to_owned(), retry })
}

fn rejected(code: &str) -> Error {
    let problems = vec![salesforce::Problem { code: code.to_owned(), fields: Vec::new() }];
    Error::Salesforce(salesforce::Error::Rejected { operation: "upsert records", status: 400, problems })
}

fn accepted() -> Write {
    Write { queued_at: Some(now()), attempt: 2, ..requested() }
}

fn of_request(error: &Error, needs_lookup: bool) -> Verdict {
    verdict(&requested(), error, needs_lookup, now())
}

#[test]
fn a_transient_failure_defers_the_write() {
    for retry in [Retry::After(PAUSE), Retry::Unknown(PAUSE)] {
        for write in [requested(), accepted()] {
            let verdict = verdict(&write, &no_session(retry), false, now());
            let Verdict::Defer(deferrals, delay) = verdict else { panic!("{verdict:?}") };
            assert_eq!((deferrals.count, deferrals.since), (1, Some(now())));
            assert!(delay >= PAUSE);
        }
    }
}

#[test]
fn an_unknown_outcome_is_deferred_and_looked_up() {
    let Error::Salesforce(cause) = no_session(Retry::NeedsHuman) else { panic!() };
    assert!(matches!(of_request(&Error::OutcomeUnknown(cause), false), Verdict::Defer(..)));
}

#[test]
fn a_write_that_needs_a_person_is_abandoned_until_it_is_accepted() {
    for error in [no_session(Retry::NeedsHuman), Error::NoRoute(RouteError::RepMustReconnect)] {
        assert_eq!(of_request(&error, false), Verdict::Abandon);
        assert_eq!(of_request(&error, true), Verdict::Leave);
        let verdict = verdict(&accepted(), &error, false, now() + OUTAGE * 10);
        assert!(matches!(verdict, Verdict::Defer(..)), "{verdict:?}");
    }
}

#[test]
fn a_permanent_failure_is_the_outcome() {
    assert_eq!(of_request(&no_session(Retry::Never), false), Verdict::Fail { retryable: false });
    assert_eq!(verdict(&accepted(), &no_session(Retry::Never), true, now()), Verdict::Fail { retryable: false });
}

#[test]
fn an_accepted_write_for_a_closed_org_fails() {
    for state in [OrgState::Disconnected, OrgState::Uninstalled] {
        let verdict = verdict(&accepted(), &Error::OrgNotActive(state), false, now());
        assert_eq!(verdict, Verdict::Fail { retryable: false }, "{state:?}");
    }
    let waits = verdict(&accepted(), &Error::OrgNotActive(OrgState::Quarantined), false, now());
    assert!(matches!(waits, Verdict::Defer(..)), "{waits:?}");
}

#[test]
fn an_unavailable_store_decides_nothing() {
    let error = || Error::Store(store::Error::Conflict { operation: "finish the write" });
    assert_eq!(of_request(&error(), false), Verdict::Leave);
    assert_eq!(verdict(&accepted(), &error(), false, now()), Verdict::Leave);
}

#[test]
fn a_write_that_was_given_up_says_how_to_send_it_again() {
    let outcome = failed(&no_session(Retry::After(PAUSE)), true, false);
    assert_eq!((&outcome["retryable"], &outcome["problem"]["next"]), (&json!(true), &json!(SEND_AGAIN)));
    assert_eq!(failed(&no_session(Retry::Never), false, false).get("retryable"), None);
}

#[test]
fn every_failed_write_is_sent_again_with_a_new_key() {
    for error in [
        Error::OrgNotActive(OrgState::Disconnected),
        Error::NoRoute(RouteError::RepDisconnected),
        Error::NoRoute(RouteError::RepInactive),
        rejected("REQUIRED_FIELD_MISSING"),
        no_session(Retry::After(PAUSE)),
    ] {
        let remedy = Problem::from(&error).next;
        let is_told = error.retry_of_accepted() == Retry::Never;
        for (retryable, is_unsure) in [(false, false), (false, true), (true, false)] {
            let outcome = failed(&error, retryable, is_unsure);
            let next = outcome["problem"]["next"].as_str().unwrap();
            assert_eq!(next.matches("with a new Idempotency-Key").count(), 1, "{next}");
            assert_eq!(next.starts_with(&*remedy), is_told && !retryable && !is_unsure, "{next}");
        }
    }
}

#[test]
fn a_write_that_may_have_taken_effect_is_not_to_be_repeated_blindly() {
    let given_up =
        Write { deferrals: Deferrals { count: 1_000, since: Some(now()), ..Deferrals::default() }, ..accepted() };
    let later = now() + OUTAGE * 2;
    let unavailable = no_session(Retry::After(PAUSE));
    let Error::Salesforce(cause) = no_session(Retry::Unknown(PAUSE)) else { panic!() };
    let unknown = Error::OutcomeUnknown(cause);
    assert_eq!(verdict(&given_up, &unavailable, false, later), Verdict::Fail { retryable: true });
    assert_eq!(verdict(&given_up, &unavailable, true, later), Verdict::Fail { retryable: false });
    assert_eq!(verdict(&given_up, &unknown, false, later), Verdict::Fail { retryable: false });
    assert_eq!(failed(&unknown, false, false)["problem"]["next"], LOOK_FIRST);
}

#[test]
fn a_note_that_may_exist_is_looked_for_before_it_is_sent_again() {
    let (write, stored_request) = (accepted(), json!({}));
    let attempt = |needs_lookup| Attempt {
        write: &write,
        stored_request: &stored_request,
        records: &[],
        needs_lookup,
        remaining: &|_| None,
    };
    let gone = Error::OrgNotActive(OrgState::Disconnected);
    let is_unsure = |needs_lookup| attempt(needs_lookup).is_unsure(&gone);
    assert_eq!([true, false].map(is_unsure), [true, false]);
    assert!(!attempt(true).is_unsure(&no_session(Retry::Never)), "refused after the look");
    assert_eq!(failed(&gone, false, true)["problem"]["next"], LOOK_FIRST);
    assert_ne!(failed(&gone, false, false)["problem"]["next"], LOOK_FIRST);
}

fn failure() -> impl Strategy<Value = Retry> {
    prop_oneof![
        4 => (0..2_000_u64).prop_map(|seconds| Retry::After(Duration::from_secs(seconds))),
        2 => (0..60_u64).prop_map(|seconds| Retry::Unknown(Duration::from_secs(seconds))),
        1 => Just(Retry::NeedsHuman),
    ]
}

proptest! {
    #[test]
    fn an_accepted_write_is_tried_again_within_15_minutes_or_has_failed(failures in prop::collection::vec(failure(), 1..1_000)) {
        let (mut write, mut now) = (accepted(), now());
        let mut since_person = now;
        for retry in failures {
            match verdict(&write, &no_session(retry), false, now) {
                Verdict::Defer(deferrals, delay) => {
                    prop_assert!(delay <= Duration::from_secs(900), "{delay:?}");
                    prop_assert!(deferrals.count > write.deferrals.count);
                    let is_person = retry == Retry::NeedsHuman;
                    prop_assert_eq!(waiting_for(retry) == WaitingFor::Person, is_person);
                    write.deferrals = deferrals;
                    now += SignedDuration::try_from(delay).unwrap();
                    if is_person {
                        since_person = now;
                    }
                }
                verdict => {
                    prop_assert_eq!(verdict, Verdict::Fail { retryable: true });
                    prop_assert!(now.duration_since(since_person) >= OUTAGE);
                    return Ok(());
                }
            }
            let outage = now.duration_since(since_person);
            prop_assert!(outage <= OUTAGE + SignedDuration::from_hours(1) || write.deferrals.count < 100, "{outage:?}");
        }
    }
}

#[test]
fn an_accepted_write_waits_only_for_a_person_who_is_told() {
    for error in [
        RouteError::RepMustReconnect,
        RouteError::RepFrozen,
        RouteError::TeamMustReconnect,
        RouteError::TeamMustConnect,
    ] {
        let verdict = verdict(&accepted(), &Error::NoRoute(error), false, now());
        assert!(matches!(verdict, Verdict::Defer(Deferrals { since: None, .. }, _)), "{error:?}: {verdict:?}");
    }
    for error in [RouteError::RepDisconnected, RouteError::RepInactive, RouteError::RepUnknown] {
        let verdict = verdict(&accepted(), &Error::NoRoute(error), false, now());
        assert_eq!(verdict, Verdict::Fail { retryable: false }, "{error:?}");
    }
    let full = rejected("STORAGE_LIMIT_EXCEEDED");
    assert_eq!(full.retry(), Retry::NeedsHuman);
    assert!(matches!(verdict(&accepted(), &full, false, now()), Verdict::Defer(Deferrals { since: Some(_), .. }, _)));
}
