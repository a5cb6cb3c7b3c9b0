use jiff::SignedDuration;
use proptest::prelude::*;
use store::{DeliveryOutcome, Source};

use super::*;

fn hint((delivery, put_off, hours_ago): (usize, u32, i64)) -> ChangeHint {
    ChangeHint {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        delivery_id: format!("04l5e00000{delivery:05}").parse().unwrap(),
        source: Source::OutboundMessage,
        record: None,
        received_at: now() - SignedDuration::from_hours(hours_ago),
        deferrals: put_off,
    }
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Settled(DeliveryOutcome::Applied)),
        Just(Fate::Parked("reconnect_required".to_owned())),
        Just(Fate::PutOff { reason: "salesforce_unavailable".to_owned(), pause: Duration::from_secs(1) }),
        Just(Fate::Poison("too_large".to_owned())),
    ]
}

fn times(messages: &[Vec<usize>], index: usize) -> usize {
    messages.iter().flatten().filter(|one| **one == index).count()
}

proptest! {
    #[test]
    fn every_message_ends_here_or_is_sent_on_once(
        batch in prop::collection::vec(((0..6_usize, 0..120_u32, 0..48_i64).prop_map(hint), fates()), 0..30)
    ) {
        let hints: Vec<&ChangeHint> = batch.iter().map(|(hint, _)| hint).collect();
        let given = batch.iter().map(|(_, fate)| fate.clone()).enumerate().collect();

        let (planned, sending) = plan(&hints, given, now());

        let later: Vec<_> = sending.later.into_values().map(|(_, messages)| messages).collect();
        let dead: Vec<_> = sending.dead.into_values().map(|(_, messages)| messages).collect();
        prop_assert_eq!(planned.len(), batch.len());
        for (index, fate) in planned {
            let expected = match fate {
                Fate::PutOff { .. } => (1, 0),
                Fate::Poison(_) => (0, 1),
                Fate::Settled(_) | Fate::Parked(_) | Fate::Returned(_) => (0, 0),
            };
            prop_assert_eq!((times(&later, index), times(&dead, index)), expected);
        }
    }
}

#[test]
fn a_hint_that_was_put_off_for_a_day_is_a_dead_letter_that_says_why() {
    let hint = hint((1, 96, 25));
    let put_off = Fate::PutOff { reason: "UNABLE_TO_LOCK_ROW".to_owned(), pause: Duration::ZERO };

    let (fates, sending) = plan(&[&hint], vec![(0, put_off)], now());

    assert_eq!(fates, [(0, Fate::Poison("put_off_for_a_day:UNABLE_TO_LOCK_ROW".to_owned()))]);
    let (letter, _) = sending.dead.into_values().next().unwrap();
    assert_eq!(serde_json::from_str::<ChangeHint>(&letter.body).unwrap(), hint);
    assert_eq!((letter.group.as_deref(), letter.failed_at), (Some("00D5e000000KQ2eEAG"), now()));
}

#[test]
fn copies_of_a_hint_are_sent_again_as_one() {
    let hint = hint((1, 0, 0));
    let put_off = || Fate::PutOff { reason: "over_budget".to_owned(), pause: Duration::ZERO };

    let (_, sending) = plan(&[&hint, &hint], vec![(0, put_off()), (1, put_off())], now());

    let messages: Vec<_> = sending.later.into_values().map(|(_, messages)| messages).collect();
    assert_eq!(messages, [[0, 1]]);
}
