//! A killed function loses no acknowledged notification.

use org_simulator::Effect;
use record_upsert::handle;
use salesforce::RecordId;
use serde_json::json;
use store::{ChangeHint, DeliveryOutcome};

use crate::failures::{deferred_once, fault};
use crate::harness::{MINUTE, TestContext, batch, run};

#[test]
fn a_batch_killed_at_every_point_loses_nothing() {
    run(async {
        let context = TestContext::killable().await;
        let accounts: Vec<RecordId> = (0..30).map(|n| context.account(&format!("Account {n}"))).collect();
        context.delete("Account", accounts[0].as_str());
        let mut hints: Vec<_> = accounts.iter().map(|id| context.hint(*id)).collect();
        hints.push(ChangeHint { record: None, ..context.hint(accounts[1]) });

        let mut kills = 0;
        while !killed_at(&context, kills, &hints).await {
            context.rename(accounts[1], &format!("Renamed {kills}"));
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        assert!(context.mirrored(accounts[0]).await.unwrap().deleted);
        for id in &accounts[1..] {
            let in_org = context.simulator.record("Account", id.as_str()).unwrap();
            assert_eq!(context.mirrored(*id).await.unwrap().fields.get("Name"), in_org.get("Name"));
        }
        for hint in &hints {
            let outcome = context.outcome(hint).await;
            assert!(outcome.as_ref().is_some_and(DeliveryOutcome::is_settled), "{outcome:?}");
        }
    });
}

#[test]
fn a_batch_killed_while_deferring_is_in_queue_and_ledger() {
    run(async {
        let context = TestContext::killable().await;
        let deferred: Vec<_> = (0..12).map(|n| context.hint(context.account(&format!("Account {n}")))).collect();
        let contact = context.create(&context.admin, "Contact", &json!({ "LastName": "Ames" }));
        let mut refused_hint = context.hint(contact.parse().unwrap());
        refused_hint.record.as_mut().unwrap().object = "Contact".parse().unwrap();
        let refused = Effect::Error { status: 400, code: "SOMETHING_NEW".to_owned(), message: "No.".to_owned() };
        context.simulator.fault(fault("composite/sobjects/Account", 10_000, Effect::UnableToLockRow));
        context.simulator.fault(fault("composite/sobjects/Contact", 10_000, refused));
        let refused_hint = context.refused_often(refused_hint);
        let hints: Vec<_> = deferred.iter().cloned().chain([refused_hint.clone()]).collect();

        let mut kills = 0;
        while !killed_at(&context, kills, &hints).await {
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        let (visible, delayed) = context.queued().await;
        let again = context.take_hints(visible + delayed).await;
        for hint in &deferred {
            assert!(again.contains(&deferred_once(hint, context.deps.clock.now())), "{hint:?} is lost");
            let reason = "UNABLE_TO_LOCK_ROW".to_owned();
            assert_eq!(context.outcome(hint).await, Some(DeliveryOutcome::Deferred { reason }));
        }
        let letters = context.take_dead_letters(1).await;
        assert_eq!(letters[0], (serde_json::to_string(&refused_hint).unwrap(), "SOMETHING_NEW".to_owned()));
        let failed = DeliveryOutcome::Failed { reason: "SOMETHING_NEW".to_owned() };
        assert_eq!(context.outcome(&refused_hint).await, Some(failed));

        context.simulator.clear_faults();
        assert!(context.receive(&again).await.is_empty());
        for hint in &deferred {
            assert_eq!(context.outcome(hint).await, Some(DeliveryOutcome::Applied));
        }
    });
}

/// Runs the batch and kills it at the request after the first `passes`. Returns whether it finished before.
async fn killed_at(context: &TestContext, passes: usize, hints: &[ChangeHint]) -> bool {
    context.pass(jiff::SignedDuration::from_secs(1));
    context.killed_at(passes, handle(&context.deps, batch(hints), context.clock.now() + MINUTE)).await
}
