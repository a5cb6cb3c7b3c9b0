//! Fields that appear, vanish or change their type between two nights.

use jiff::SignedDuration;
use org_simulator::ObjectPermissions;
use serde_json::json;
use store::{FieldChanges, MirrorRecord, RefreshKind, RefreshTask};

use crate::harness::{ACCOUNT, TestContext, run};

/// Returns a context with a copy of its accounts; the first account has a phone number.
async fn copied(hidden_fields: &[&str]) -> (TestContext, String) {
    let mut context = TestContext::connected().await;
    context.deps.mirrored_objects = vec![ACCOUNT];
    let account = context.accounts(1).remove(0);
    context.update("Account", &account, &json!({ "Phone": "555-0100" }));
    hide(&context, hidden_fields);
    assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());
    (context, account)
}

/// Hides these fields of accounts from the team, and no others.
pub(crate) fn hide(context: &TestContext, fields: &[&str]) {
    let hidden_fields = fields.iter().map(|field| (*field).to_owned()).collect();
    let permissions = ObjectPermissions { hidden_fields, ..ObjectPermissions::default() };
    context.simulator.limit_profile("System Administrator", "Account", &permissions).unwrap();
}

/// Runs the next night. Returns the tasks that it queued, and the changes of the fields.
async fn night(context: &TestContext) -> (Vec<RefreshTask>, Option<FieldChanges>) {
    context.pass(SignedDuration::from_hours(24));
    assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());
    let seen = context.deps.cursors.seen_fields(context.org, &ACCOUNT).await.unwrap().unwrap();
    (context.queued().await, seen.last_change)
}

async fn row(context: &TestContext, account: &str) -> MirrorRecord {
    context.deps.records.load(context.org, &ACCOUNT, account.parse().unwrap()).await.unwrap().unwrap()
}

#[test]
fn a_newly_visible_field_is_backfilled_for_all_rows() {
    run(async {
        let (context, account) = copied(&["Phone"]).await;
        assert!(!row(&context, &account).await.fields.contains_key("Phone"));
        assert_eq!(night(&context).await, (Vec::new(), None));

        hide(&context, &[]);
        let (queued, changes) = night(&context).await;

        assert_eq!(changes.unwrap().added, ["Phone".parse().unwrap()]);
        let [backfill] = &queued[..] else { panic!("{queued:?}") };
        assert_eq!((backfill.kind, &backfill.object), (RefreshKind::Backfill, &Some(ACCOUNT)));
        let before = row(&context, &account).await;
        assert!(context.work_on(&queued).await.is_empty());
        let after = row(&context, &account).await;
        assert_eq!(after.fields["Phone"], "555-0100");
        let changed: Vec<String> = store::records::rule::changed_between(&before, &after);
        assert!(changed.is_empty(), "the record did not change: {changed:?}");
        assert!(night(&context).await.0.is_empty(), "it is told once");
    });
}

#[test]
fn a_hidden_field_is_kept_marked_and_told() {
    run(async {
        let (context, account) = copied(&[]).await;
        hide(&context, &["Phone"]);
        context.rename(&account, "Renamed");

        let (queued, changes) = night(&context).await;

        assert_eq!((queued, changes.unwrap().hidden), (Vec::new(), vec!["Phone".parse().unwrap()]));
        let row = row(&context, &account).await;
        assert_eq!((&row.fields["Name"], &row.fields["Phone"]), (&json!("Renamed"), &json!("555-0100")));
        assert_eq!(row.carried.fields.keys().collect::<Vec<_>>(), ["Phone"]);
        let seen = context.deps.cursors.seen_fields(context.org, &ACCOUNT).await.unwrap().unwrap();
        assert!(seen.hidden.contains_key(&"Phone".parse().unwrap()), "{:?}", seen.hidden);
    });
}

#[test]
fn a_field_of_another_type_is_told_and_read_again() {
    run(async {
        let (context, _) = copied(&[]).await;
        let define = |of: &str| {
            let definition = json!({ "name": "Account", "fields": [{ "name": "Score__c", "type": of }] });
            context.simulator.define_object(definition).unwrap();
        };
        define("string");
        let (queued, _) = night(&context).await;
        assert!(context.work_on(&queued).await.is_empty());

        define("double");
        let (queued, changes) = night(&context).await;

        let retyped = changes.unwrap().retyped;
        let [retyped] = &retyped[..] else { panic!("{retyped:?}") };
        assert_eq!(
            (retyped.field.as_str(), retyped.from.as_str(), retyped.to.as_str()),
            ("Score__c", "string", "double")
        );
        assert_eq!(queued.iter().map(|task| task.kind).collect::<Vec<_>>(), [RefreshKind::Backfill]);
    });
}

#[test]
fn a_poll_leaves_new_fields_to_the_night() {
    run(async {
        let (context, _) = copied(&["Phone"]).await;
        hide(&context, &[]);
        context.pass(SignedDuration::from_hours(1));

        assert!(context.work_on(&[context.task(RefreshKind::Poll)]).await.is_empty());

        assert!(context.queued().await.is_empty());
        assert!(night(&context).await.1.is_some());
    });
}

#[test]
fn a_backfill_reads_a_field_that_was_shown_a_moment_ago() {
    run(async {
        let (context, account) = copied(&["Phone"]).await;
        hide(&context, &[]);
        context.pass(SignedDuration::from_secs(1));

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        assert_eq!(row(&context, &account).await.fields["Phone"], "555-0100");
    });
}
