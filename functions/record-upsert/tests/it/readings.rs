//! The effect of reads on the mirror.

use mirroring::FieldCache;
use org_simulator::ObjectPermissions;
use salesforce::RecordId;
use store::{ChangeHint, DeliveryOutcome, MirrorRecord};

use crate::harness::{TestContext, record_of, run};

#[test]
fn a_changed_record_is_mirrored_and_recorded() {
    run(async {
        let context = TestContext::new().await;
        let id = context.account("Acme");

        let first = context.hint(id);
        assert!(context.receive(std::slice::from_ref(&first)).await.is_empty());
        context.rename(id, "Acme & Sons");
        let second = context.hint(id);
        assert!(context.receive(std::slice::from_ref(&second)).await.is_empty());

        assert_eq!(context.mirrored_name(id).await.as_deref(), Some("Acme & Sons"));
        assert_eq!(context.outcome(&first).await, Some(DeliveryOutcome::Applied));
        assert_eq!(context.outcome(&second).await, Some(DeliveryOutcome::Applied));
    });
}

#[test]
fn a_duplicate_notification_stays_applied() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        context.receive(std::slice::from_ref(&hint)).await;
        let before = context.mirrored(record_of(&hint)).await.unwrap();

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());
        let another = context.hint(record_of(&hint));
        assert!(context.receive(std::slice::from_ref(&another)).await.is_empty());

        let after = context.mirrored(record_of(&hint)).await.unwrap();
        assert_eq!(MirrorRecord { read_at: before.read_at, ..after }, before);
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::Applied));
        assert_eq!(context.outcome(&another).await, Some(DeliveryOutcome::Unchanged));
    });
}

#[test]
fn a_record_deleted_before_sending_is_recorded_without_a_call() {
    run(async {
        let context = TestContext::new().await;
        let hint = ChangeHint { record: None, ..context.hint(context.account("Acme")) };

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        let delivery = context.deps.deliveries.load(hint.org_id, &hint.delivery_id).await.unwrap().unwrap();
        assert_eq!((delivery.outcome, delivery.record), (DeliveryOutcome::Deleted, None));
        assert!(context.calls().is_empty());
    });
}

#[test]
fn only_configured_and_required_fields_are_mirrored() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.fields = FieldCache::new("Account:Industry,No_Such_Field__c".parse().unwrap());
        let id = context.account("Acme");

        assert!(context.receive(&[context.hint(id)]).await.is_empty());

        let row = context.mirrored(id).await.unwrap();
        let mut names: Vec<_> = row.fields.keys().map(String::as_str).filter(|name| *name != "attributes").collect();
        names.sort_unstable();
        assert_eq!(names, ["Id", "Industry", "IsDeleted", "LastModifiedById", "MasterRecordId", "SystemModstamp"]);
    });
}

#[test]
fn merges_are_followed_to_the_remaining_record() {
    run(async {
        let context = TestContext::new().await;
        let [first, second, last] = ["First", "Second", "Last"].map(|name| context.account(name));
        context.receive(&[context.hint(first), context.hint(second)]).await;
        context.merge(second, first);
        context.merge(last, second);

        assert!(context.receive(&[context.hint(first)]).await.is_empty());

        assert_eq!(context.mirrored(first).await.unwrap().master_record_id, Some(second));
        assert_eq!(context.mirrored(second).await.unwrap().master_record_id, Some(last));
        assert_eq!(context.mirrored_name(last).await.as_deref(), Some("Last"));
    });
}

#[test]
fn a_batch_reads_each_object_once() {
    run(async {
        let context = TestContext::new().await;
        let accounts: Vec<RecordId> = (0..40).map(|n| context.account(&format!("Account {n}"))).collect();
        let hints: Vec<_> = accounts.iter().chain(&accounts).chain(&accounts).map(|id| context.hint(*id)).collect();

        assert!(context.receive(&hints).await.is_empty());

        let calls = context.calls();
        assert_eq!(calls.get("composite/sobjects/Account"), Some(&1), "{calls:?}");
        assert_eq!(calls.get("sobjects/Account/describe"), Some(&1), "{calls:?}");
        assert_eq!(calls.len(), 2, "{calls:?}");
        for hint in &hints {
            assert_eq!(context.outcome(hint).await, Some(DeliveryOutcome::Applied));
        }
        let budget = context.deps.budgets.load(context.org, context.deps.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls.values().sum::<u64>(), 2);
    });
}

#[test]
fn a_deleted_record_becomes_a_tombstone() {
    run(async {
        let context = TestContext::new().await;
        let id = context.account("Acme");
        context.receive(&[context.hint(id)]).await;

        context.delete("Account", id.as_str());
        let hint = context.hint(id);
        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert!(context.mirrored(id).await.unwrap().deleted);
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::Deleted));
    });
}

#[test]
fn an_invisible_record_does_not_change_the_mirror() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint("0015e00000ZkM3hAAF".parse().unwrap());

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(context.mirrored(record_of(&hint)).await, None);
        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::NotVisible));
    });
}

/// The fields of the object are still remembered.
#[test]
fn an_object_that_was_hidden_meanwhile_is_not_visible() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());
        let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Account", &hidden).unwrap();
        let again = context.hint(record_of(&hint));

        assert!(context.receive(std::slice::from_ref(&again)).await.is_empty());

        assert_eq!(context.outcome(&again).await, Some(DeliveryOutcome::NotVisible));
        assert_eq!(context.queued().await, (0, 0));
    });
}

#[test]
fn an_invisible_object_is_recorded_as_not_visible() {
    run(async {
        let context = TestContext::new().await;
        let mut hint = context.hint("a015e00000ZkM3h".parse().unwrap());
        hint.record.as_mut().unwrap().object = "Hidden__c".parse().unwrap();

        assert!(context.receive(std::slice::from_ref(&hint)).await.is_empty());

        assert_eq!(context.outcome(&hint).await, Some(DeliveryOutcome::NotVisible));
        assert_eq!(context.queued().await, (0, 0), "the list of the objects has confirmed it");
    });
}
