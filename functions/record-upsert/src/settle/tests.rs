use jiff::SignedDuration;
use proptest::prelude::*;
use salesforce::Retry;
use store::{Deferrals, DeliveryOutcome, Source};

use super::*;

fn hint((delivery, count, hours_ago): (usize, u32, i64)) -> ChangeHint {
    ChangeHint {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        delivery_id: format!("04l5e00000{delivery:05}").parse().unwrap(),
        source: Source::OutboundMessage,
        record: None,
        received_at: now(),
        deferrals: Deferrals { count, since: Some(now() - SignedDuration::from_hours(hours_ago)), refusals: 0 },
    }
}

/// Returns a hint about a record that arrived this many hours ago.
fn about(object: &str, hours_ago: i64) -> ChangeHint {
    let record_id = "0015e00000ZkM3hAAF".parse().unwrap();
    ChangeHint {
        record: Some(RecordRef { object: object.parse().unwrap(), record_id }),
        received_at: now() - SignedDuration::from_hours(hours_ago),
        ..hint((1, 1_000, hours_ago))
    }
}

fn scanned() -> BTreeSet<ObjectName> {
    BTreeSet::from(["Account".parse().unwrap()])
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn dispositions() -> impl Strategy<Value = Disposition> {
    prop_oneof![
        Just(Disposition::Settled(DeliveryOutcome::Applied)),
        Just(deferred("reconnect_required", Retry::NeedsHuman)),
        Just(deferred("salesforce_unavailable", Retry::After(Duration::from_secs(1)))),
        Just(Disposition::Unconfirmed { reason: "SOMETHING_NEW".to_owned() }),
        Just(Disposition::DeadLettered("too_large".to_owned())),
    ]
}

fn deferred(reason: &str, retry: Retry) -> Disposition {
    Disposition::Deferred { reason: reason.to_owned(), retry }
}

fn count(messages: &[Vec<usize>], index: usize) -> usize {
    messages.iter().flatten().filter(|message| **message == index).count()
}

proptest! {
    #[test]
    fn every_message_is_settled_or_sent_once(
        batch in prop::collection::vec(((0..6_usize, 0..400_u32, 0..96_i64).prop_map(hint), dispositions()), 0..30)
    ) {
        let hints: Vec<&ChangeHint> = batch.iter().map(|(hint, _)| hint).collect();
        let given = batch.iter().map(|(_, disposition)| disposition.clone()).enumerate().collect();

        let (planned, sends) = plan(&hints, given, &scanned(), now());

        let deferred: Vec<_> = sends.deferred.into_values().map(|(_, messages)| messages).collect();
        let dead: Vec<_> = sends.dead.into_values().map(|(_, messages)| messages).collect();
        prop_assert_eq!(planned.len(), batch.len());
        for (index, disposition) in planned {
            let expected = match disposition {
                Disposition::Deferred { .. } | Disposition::Unconfirmed { .. } => (1, 0),
                Disposition::DeadLettered(_) => (0, 1),
                Disposition::Settled(_) | Disposition::Dropped | Disposition::Retained(_) => (0, 0),
            };
            prop_assert_eq!((count(&deferred, index), count(&dead, index)), expected);
        }
    }
}

#[test]
fn a_hint_deferred_too_long_is_a_dead_letter_with_its_reason() {
    let hint = hint((1, 300, 73));
    let deferred = deferred("UNABLE_TO_LOCK_ROW", Retry::After(Duration::ZERO));

    let (dispositions, sends) = plan(&[&hint], vec![(0, deferred)], &scanned(), now());

    assert_eq!(dispositions, [(0, Disposition::DeadLettered("deferred_too_long:UNABLE_TO_LOCK_ROW".to_owned()))]);
    let (letter, _) = sends.dead.into_values().next().unwrap();
    assert_eq!(serde_json::from_str::<ChangeHint>(&letter.body).unwrap(), hint);
    assert_eq!((letter.group.as_deref(), letter.failed_at), (Some("00D5e000000KQ2eEAG"), now()));
}

#[test]
fn a_hint_of_an_object_that_is_not_scanned_waits_without_limit() {
    let hint = about("Invoice__c", 24 * 365);
    let blocked = deferred("reconnect_required", Retry::NeedsHuman);

    let (dispositions, sends) = plan(&[&hint], vec![(0, blocked.clone())], &scanned(), now());

    assert_eq!(dispositions, [(0, blocked)]);
    let ((sent, _), _) = sends.deferred.into_values().next().unwrap();
    assert_eq!(sent.deferrals.since, None);
}

#[test]
fn a_hint_that_waited_for_three_days_is_left_to_the_refresh() {
    for (hours, is_left) in [(71, false), (72, true)] {
        let hint = about("Account", hours);
        let blocked = deferred("reconnect_required", Retry::NeedsHuman);

        let (dispositions, sends) = plan(&[&hint], vec![(0, blocked.clone())], &scanned(), now());

        let left = DeliveryOutcome::LeftToRefresh { reason: "reconnect_required".to_owned() };
        let expected = if is_left { Disposition::Settled(left) } else { blocked };
        assert_eq!(dispositions, [(0, expected)], "after {hours} hours");
        assert_eq!((sends.deferred.is_empty(), sends.dead.len()), (is_left, 0), "after {hours} hours");
    }
}

#[test]
fn a_refusal_is_asked_three_more_times() {
    let unconfirmed = Disposition::Unconfirmed { reason: "SOMETHING_NEW".to_owned() };
    let mut hint = ChangeHint { deferrals: Deferrals::default(), ..hint((1, 0, 0)) };
    for _ in 0..store::deferral::CONFIRMATIONS {
        let (dispositions, sends) = plan(&[&hint], vec![(0, unconfirmed.clone())], &scanned(), now());
        assert_eq!(dispositions, [(0, unconfirmed.clone())]);
        let ((sent, _), _) = sends.deferred.into_values().next().unwrap();
        hint = sent;
    }
    let (dispositions, _) = plan(&[&hint], vec![(0, unconfirmed)], &scanned(), now());
    assert_eq!(dispositions, [(0, Disposition::DeadLettered("SOMETHING_NEW".to_owned()))]);
}

#[test]
fn duplicates_of_a_hint_are_re_queued_once() {
    let hint = hint((1, 0, 0));
    let deferred = || deferred("over_budget", Retry::After(Duration::ZERO));

    let (_, sends) = plan(&[&hint, &hint], vec![(0, deferred()), (1, deferred())], &scanned(), now());

    let messages: Vec<_> = sends.deferred.into_values().map(|(_, messages)| messages).collect();
    assert_eq!(messages, [[0, 1]]);
}
