//! What readings make of the mirror.

use salesforce::RecordId;
use store::DeliveryOutcome;

use crate::world::{World, record_of, run};

#[test]
fn a_changed_record_is_read_again_mirrored_and_written_down() {
    run(async {
        let world = World::new().await;
        let id = world.account("Acme");

        let first = world.hint(id);
        assert!(world.receive(std::slice::from_ref(&first)).await.is_empty());
        world.rename(id, "Acme & Sons");
        let second = world.hint(id);
        assert!(world.receive(std::slice::from_ref(&second)).await.is_empty());

        assert_eq!(world.mirrored_name(id).await.as_deref(), Some("Acme & Sons"));
        assert_eq!(world.outcome(&first).await, Some(DeliveryOutcome::Applied));
        assert_eq!(world.outcome(&second).await, Some(DeliveryOutcome::Applied));
    });
}

#[test]
fn the_same_notification_twice_writes_once() {
    run(async {
        let world = World::new().await;
        let hint = world.hint(world.account("Acme"));
        world.receive(std::slice::from_ref(&hint)).await;
        let before = world.mirrored(record_of(&hint)).await;

        assert!(world.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(world.mirrored(record_of(&hint)).await, before);
        assert_eq!(world.outcome(&hint).await, Some(DeliveryOutcome::Unchanged));
    });
}

#[test]
fn a_batch_reads_each_object_once_however_many_hints_it_has() {
    run(async {
        let world = World::new().await;
        let accounts: Vec<RecordId> = (0..40).map(|n| world.account(&format!("Account {n}"))).collect();
        let hints: Vec<_> = accounts.iter().chain(&accounts).chain(&accounts).map(|id| world.hint(*id)).collect();

        assert!(world.receive(&hints).await.is_empty());

        let calls = world.calls();
        assert_eq!(calls.get("composite/sobjects/Account"), Some(&1), "{calls:?}");
        assert_eq!(calls.get("sobjects/Account/describe"), Some(&1), "{calls:?}");
        assert_eq!(calls.len(), 2, "{calls:?}");
        for hint in &hints {
            assert_eq!(world.outcome(hint).await, Some(DeliveryOutcome::Applied));
        }
        let budget = world.deps.budgets.load(world.org, world.deps.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls.values().sum::<u64>(), 2);
    });
}

#[test]
fn a_deleted_record_becomes_a_tombstone() {
    run(async {
        let world = World::new().await;
        let id = world.account("Acme");
        world.receive(&[world.hint(id)]).await;

        world.delete("Account", id.as_str());
        let hint = world.hint(id);
        assert!(world.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert!(world.mirrored(id).await.unwrap().deleted);
        assert_eq!(world.outcome(&hint).await, Some(DeliveryOutcome::Deleted));
    });
}

#[test]
fn a_record_that_nobody_can_see_leaves_the_mirror_alone() {
    run(async {
        let world = World::new().await;
        let hint = world.hint("0015e00000ZkM3hAAF".parse().unwrap());

        assert!(world.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(world.mirrored(record_of(&hint)).await, None);
        assert_eq!(world.outcome(&hint).await, Some(DeliveryOutcome::NotVisible));
    });
}

#[test]
fn an_object_that_the_connection_cannot_see_is_written_down_as_such() {
    run(async {
        let world = World::new().await;
        let mut hint = world.hint("a015e00000ZkM3h".parse().unwrap());
        hint.record.as_mut().unwrap().object = "Hidden__c".parse().unwrap();

        assert!(world.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(world.outcome(&hint).await, Some(DeliveryOutcome::NotVisible));
    });
}
