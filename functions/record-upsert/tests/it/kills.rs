//! A killed function loses nothing that was acknowledged.

use org_simulator::Effect;
use record_upsert::handle;
use salesforce::RecordId;
use serde_json::json;
use store::{ChangeHint, DeliveryOutcome};

use crate::failures::fault;
use crate::world::{MINUTE, World, batch, run};

#[test]
fn a_batch_killed_at_every_point_ends_in_the_org_s_state_with_every_outcome_written_down() {
    run(async {
        let world = World::new().await;
        let accounts: Vec<RecordId> = (0..30).map(|n| world.account(&format!("Account {n}"))).collect();
        world.delete("Account", accounts[0].as_str());
        let mut hints: Vec<_> = accounts.iter().map(|id| world.hint(*id)).collect();
        hints.push(ChangeHint { record: None, ..world.hint(accounts[1]) });

        let mut kills = 0;
        while !killed_after(&world, &hints, kills).await {
            world.rename(accounts[1], &format!("Renamed {kills}"));
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        assert!(world.mirrored(accounts[0]).await.unwrap().deleted);
        for id in &accounts[1..] {
            let in_org = world.simulator.record("Account", id.as_str()).unwrap();
            assert_eq!(world.mirrored(*id).await.unwrap().fields.get("Name"), in_org.get("Name"));
        }
        for hint in &hints {
            let outcome = world.outcome(hint).await;
            assert!(outcome.as_ref().is_some_and(DeliveryOutcome::is_settled), "{outcome:?}");
        }
    });
}

#[test]
fn a_batch_killed_while_it_is_put_off_or_given_up_is_in_a_queue_and_in_the_ledger() {
    run(async {
        let world = World::new().await;
        let put_off: Vec<_> = (0..12).map(|n| world.hint(world.account(&format!("Account {n}")))).collect();
        let contact = world.create(&world.admin, "Contact", &json!({ "LastName": "Ames" }));
        let mut poison = world.hint(contact.parse().unwrap());
        poison.record.as_mut().unwrap().object = "Contact".parse().unwrap();
        let refused = Effect::Error { status: 400, code: "SOMETHING_NEW".to_owned(), message: "No.".to_owned() };
        world.simulator.fault(fault("composite/sobjects/Account", 10_000, Effect::UnableToLockRow));
        world.simulator.fault(fault("composite/sobjects/Contact", 10_000, refused));
        let hints: Vec<_> = put_off.iter().cloned().chain([poison.clone()]).collect();

        let mut kills = 0;
        while !killed_after(&world, &hints, kills).await {
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        let (visible, delayed) = world.queued().await;
        let again = world.take_hints(visible + delayed).await;
        for hint in &put_off {
            assert!(again.contains(&ChangeHint { put_off: 1, ..hint.clone() }), "{hint:?} is lost");
            let reason = "UNABLE_TO_LOCK_ROW".to_owned();
            assert_eq!(world.outcome(hint).await, Some(DeliveryOutcome::PutOff { reason }));
        }
        let letters = world.take_dead_letters(1).await;
        assert_eq!(letters[0], (serde_json::to_string(&poison).unwrap(), "SOMETHING_NEW".to_owned()));
        let failed = DeliveryOutcome::Failed { reason: "SOMETHING_NEW".to_owned() };
        assert_eq!(world.outcome(&poison).await, Some(failed));

        world.simulator.clear_faults();
        assert!(world.receive(&again).await.is_empty());
        for hint in &put_off {
            assert_eq!(world.outcome(hint).await, Some(DeliveryOutcome::Applied));
        }
    });
}

/// Whether the batch was worked on to its end.
async fn killed_after(world: &World, hints: &[ChangeHint], polls: usize) -> bool {
    world.pass(jiff::SignedDuration::from_secs(1));
    world::killed_after(handle(&world.deps, batch(hints), world.clock.now() + MINUTE), polls).await
}
