//! Audits: what differs between the mirror and the org is found, repaired and reported, whatever happens on the way.

use jiff::SignedDuration;
use org_simulator::{Effect, ObjectPermissions};
use pipeline_refresh::NightlyAudit;
use pipeline_refresh::audit::RECORDS_VANISHED;
use salesforce::{Record, RecordId};
use serde_json::json;
use store::{Audit, AuditState, Change, CursorName, DeletionReason, Lane, RefreshKind, RefreshTask, Tombstone};

use crate::failures::fault;
use crate::harness::{ACCOUNT, TestContext, run};

/// The longest time for which Salesforce keeps deleted records, and a day.
const PURGED: SignedDuration = SignedDuration::from_hours(16 * 24);

pub(crate) async fn copied(mut context: TestContext, count: usize) -> (TestContext, Vec<String>) {
    context.deps.mirrored_objects = vec![ACCOUNT];
    let accounts = context.accounts(count);
    context.work_on(&[context.task(RefreshKind::Backfill)]).await;
    // An audit leaves the changes of the last minutes to the next scan.
    context.pass(SignedDuration::from_mins(11));
    (context, accounts)
}

impl TestContext {
    /// Works on a task and on all tasks that follow it.
    async fn finish(&self, task: RefreshTask) {
        let mut tasks = vec![task];
        while !tasks.is_empty() {
            assert!(self.work_on(&tasks).await.is_empty());
            tasks = self.queued().await;
        }
    }

    /// Audits now and returns the report.
    async fn audit(&self) -> Audit {
        self.pass(SignedDuration::from_secs(1));
        self.finish(self.task(RefreshKind::Audit)).await;
        self.last_audit().await
    }

    pub(crate) async fn last_audit(&self) -> Audit {
        let audits = self.deps.audits.last(self.org).await.expect("the audits");
        audits.into_iter().find(|audit| audit.object == ACCOUNT).expect("an audit")
    }

    /// Changes the row of a record in the mirror behind the apply rule.
    async fn damage(&self, id: &str, expression: &str, value: &str) {
        let update = self.dynamodb().update_item().table_name(self.table("records"));
        let partition = format!("{}#{ACCOUNT}", self.org);
        let update = update.key("partition", string(&partition)).key("record_id", string(id));
        update.update_expression(expression).expression_attribute_values(":value", string(value)).send().await.unwrap();
    }

    pub(crate) async fn lose(&self, id: &str) {
        let delete = self.dynamodb().delete_item().table_name(self.table("records"));
        let partition = format!("{}#{ACCOUNT}", self.org);
        delete.key("partition", string(&partition)).key("record_id", string(id)).send().await.unwrap();
    }

    async fn reason(&self, id: &str) -> Option<DeletionReason> {
        let row = self.deps.records.load(self.org, &ACCOUNT, record_id(id)).await.unwrap().expect("a row");
        assert!(row.deleted, "{id}");
        row.deletion_reason
    }
}

fn string(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned())
}

fn record_id(id: &str) -> RecordId {
    id.parse().expect("an id")
}

/// Returns the numbers of missing, surplus, stale and repaired rows.
pub(crate) fn found(audit: &Audit) -> [u64; 4] {
    let counts = audit.counts;
    [counts.missing, counts.surplus, counts.stale, counts.repaired]
}

#[test]
fn an_audit_of_an_equal_mirror_finds_nothing_and_is_green() {
    run(async {
        let (context, _) = copied(TestContext::connected().await, 30).await;
        let in_org = context.count_in_org("Account") as u64;
        let before = context.simulator.api_calls();

        let audit = context.audit().await;

        assert_eq!((audit.state, audit.is_green(), &audit.reason), (AuditState::Finished, true, &None));
        assert_eq!((found(&audit), audit.counts.checked, audit.counts.mirrored), ([0; 4], in_org, in_org));
        assert_eq!(audit.org_hash, audit.mirror_hash);
        assert_eq!((audit.counts.calls, context.simulator.api_calls() - before), (1, 1), "a call for 2,000 records");
        let budget = context.deps.budgets.load(context.org, context.deps.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls.get(&Lane::Audit), Some(&1));
        assert!(context.cursor(&CursorName::audit(&ACCOUNT)).await.checkpoint.is_none());
    });
}

#[test]
fn an_audit_repairs_lost_stale_and_wrongly_deleted_rows() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 30).await;
        context.lose(&accounts[0]).await;
        context.rename(&accounts[1], "A change that no scan has read");
        context.pass(SignedDuration::from_mins(11));
        let tombstone = Tombstone {
            record_id: record_id(&accounts[2]),
            system_modstamp: context.deps.clock.now() - SignedDuration::from_mins(11),
            read_at: context.deps.clock.now(),
            master_record_id: None,
            reason: None,
        };
        context.deps.records.apply(context.org, &ACCOUNT, Change::Tombstone(tombstone)).await.unwrap();
        context.rename(&accounts[2], "A tombstone by mistake");
        context.pass(SignedDuration::from_mins(11));

        let audit = context.audit().await;

        assert_eq!((found(&audit), audit.is_green()), ([2, 0, 1, 3], true), "{audit:?}");
        assert_ne!(audit.org_hash, audit.mirror_hash, "the hashes are those before the repairs");
        context.assert_mirrored(&accounts).await;
        let again = context.audit().await;
        assert_eq!((found(&again), again.org_hash), ([0; 4], again.mirror_hash));
    });
}

#[test]
fn an_audit_removes_a_row_that_never_had_a_record() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        let row = context.deps.records.load(context.org, &ACCOUNT, record_id(&accounts[0])).await.unwrap().unwrap();
        let foreign = Record { object: ACCOUNT, id: record_id("001000000000001AAA"), fields: row.fields };
        let change = Change::Upsert { record: foreign, read_at: row.read_at };
        context.deps.records.apply(context.org, &ACCOUNT, change).await.unwrap();

        let audit = context.audit().await;

        assert_eq!((found(&audit), audit.is_green()), ([0, 1, 0, 1], true), "{audit:?}");
        assert_eq!(context.reason("001000000000001AAA").await, Some(DeletionReason::PurgedOrHidden));
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn a_row_newer_than_its_record_is_told_and_not_green() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        context.rename(&accounts[0], "Renamed");
        context.pass(SignedDuration::from_mins(1));
        let ahead = context.deps.clock.now().to_string();
        context.damage(&accounts[0], "SET system_modstamp = :value", &ahead).await;
        context.pass(SignedDuration::from_mins(20));

        let audit = context.audit().await;

        assert_eq!((found(&audit), audit.state, audit.is_green()), ([0, 0, 1, 0], AuditState::Finished, false));
    });
}

#[test]
fn purged_deleted_and_merged_records_become_tombstones_with_a_reason() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 30).await;
        context.simulator.purge_record(&context.admin.username, "Account", &accounts[0]).unwrap();
        context.delete("Account", &accounts[1]);
        context.simulator.merge_records(&context.admin.username, "Account", &accounts[2], &[&accounts[3]]).unwrap();
        context.pass(SignedDuration::from_mins(11));

        let audit = context.audit().await;

        assert_eq!((found(&audit), audit.is_green()), ([0, 3, 1, 4], true), "the merge changed its master: {audit:?}");
        let reasons = [context.reason(&accounts[0]).await, context.reason(&accounts[1]).await];
        assert_eq!(reasons, [Some(DeletionReason::PurgedOrHidden), Some(DeletionReason::Deleted)]);
        assert_eq!(context.reason(&accounts[3]).await, Some(DeletionReason::Merged));
        let again = context.audit().await;
        assert_eq!(found(&again), [0; 4]);
    });
}

#[test]
fn a_record_that_the_team_may_not_see_any_more_becomes_a_tombstone_and_comes_back() {
    run(async {
        let context = TestContext::connected().await;
        context.connect_team_as(&context.rep);
        context.simulator.set_private("Account", true).unwrap();
        let ours = |name: &str| context.create(&context.rep, "Account", &json!({ "Name": name }));
        let accounts: Vec<String> = (0..5).map(|n| ours(&format!("Account {n}"))).collect();
        let (context, _) = copied(context, 0).await;
        context.update("Account", &accounts[0], &json!({ "OwnerId": context.admin.id }));
        context.pass(SignedDuration::from_mins(11));

        assert_eq!(found(&context.audit().await), [0, 1, 0, 1]);
        assert_eq!(context.reason(&accounts[0]).await, Some(DeletionReason::PurgedOrHidden));

        context.simulator.set_private("Account", false).unwrap();
        let audit = context.audit().await;
        assert!(audit.counts.missing >= 1 && audit.is_green(), "{audit:?}");
        let row = context.deps.records.load(context.org, &ACCOUNT, record_id(&accounts[0])).await.unwrap().unwrap();
        assert!(!row.deleted, "visible again, at the same SystemModstamp");
    });
}

#[test]
fn a_mass_of_vanished_records_waits_for_a_confirmation() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 60).await;
        for id in &accounts[..40] {
            context.simulator.purge_record(&context.admin.username, "Account", id).unwrap();
        }
        context.pass(SignedDuration::from_mins(11));
        let live = context.count(&ACCOUNT).await.live;

        context.pass(SignedDuration::from_secs(1));
        let task = context.task(RefreshKind::Audit);
        context.finish(task.clone()).await;

        let audit = context.last_audit().await;
        let reason = audit.reason.as_deref();
        assert_eq!(
            (audit.state, reason, found(&audit)),
            (AuditState::Unfinished, Some(RECORDS_VANISHED), [0, 40, 0, 0])
        );
        assert_eq!(context.count(&ACCOUNT).await.live, live, "no row becomes a tombstone");
        let calls = context.calls();
        context.finish(task).await;
        assert_eq!(context.calls(), calls, "the night that was tried again asks for it again");
        context.pass(SignedDuration::from_secs(1));
        context.finish(context.task(RefreshKind::ConfirmedAudit)).await;
        let audit = context.last_audit().await;
        assert_eq!((audit.is_green(), found(&audit)), (true, [0, 40, 0, 40]));
        assert_eq!(context.count(&ACCOUNT).await.live, live - 40);
    });
}

#[test]
fn a_night_audits_every_object_after_its_refresh() {
    run(async {
        let (mut context, accounts) = copied(TestContext::connected().await, 30).await;
        context.deps.nightly_audit = NightlyAudit::On;
        context.rename(&accounts[0], "Renamed");
        context.delete("Account", &accounts[1]);
        context.simulator.purge_record(&context.admin.username, "Account", &accounts[2]).unwrap();
        context.pass(SignedDuration::from_mins(30));

        context.finish(context.task(RefreshKind::Nightly)).await;

        let audit = context.last_audit().await;
        assert_eq!((found(&audit), audit.is_green()), ([0, 1, 0, 1], true), "the scan brought the rest: {audit:?}");
        let left: Vec<String> = [&accounts[..2], &accounts[3..]].concat();
        context.assert_mirrored(&left).await;
    });
}

#[test]
fn a_pause_longer_than_the_recycle_bin_keeps_records_is_audited() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 30).await;
        context.delete("Account", &accounts[0]);
        context.pass(PURGED);

        context.finish(context.task(RefreshKind::Incremental).for_object(ACCOUNT)).await;

        let audit = context.last_audit().await;
        assert_eq!((found(&audit), audit.is_green()), ([0, 1, 0, 1], true));
        context.pass(SignedDuration::from_hours(24));
        context.finish(context.task(RefreshKind::Incremental).for_object(ACCOUNT)).await;
        assert_eq!(context.deps.audits.list(context.org, 10).await.unwrap().len(), 1, "a day is no such pause");
    });
}

/// The schedule's polls are 96 a day, and each would make an audit again that waits for a person.
#[test]
fn a_poll_leaves_the_audit_of_a_long_pause_to_the_next_night() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        context.delete("Account", &accounts[0]);
        context.pass(PURGED);

        for _ in 0..3 {
            context.work_on(&[context.task(RefreshKind::Poll)]).await;
            assert_eq!(context.queued().await, []);
            context.pass(SignedDuration::from_mins(15));
        }
        context.finish(context.task(RefreshKind::Nightly)).await;

        assert_eq!(found(&context.last_audit().await), [0, 1, 0, 1]);
    });
}

/// Without an audit every night, one has to follow a pause in which deletions may have left the recycle bin.
#[test]
fn an_audit_follows_a_long_pause_wherever_the_scan_is_killed() {
    run(async {
        for kind in [RefreshKind::Nightly, RefreshKind::Incremental] {
            let (context, accounts) = copied(TestContext::connected_killable().await, 3).await;
            context.delete("Account", &accounts[0]);
            context.pass(PURGED);
            let task = context.task(kind).for_object(ACCOUNT);

            let kills = context.work_killed_at_every_point(&task, |_| ()).await;

            assert!(kills > 6, "killed {kills} times");
            let queued = context.queued().await;
            assert!(queued.iter().any(|task| task.kind == RefreshKind::Audit), "{kind:?}: {queued:?}");
            for task in queued {
                context.finish(task).await;
            }
            assert_eq!(found(&context.last_audit().await), [0, 1, 0, 1], "{kind:?}");
        }
    });
}

#[test]
fn every_night_asks_for_the_audit_until_deletions_are_known() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        context.delete("Account", &accounts[0]);
        context.pass(PURGED);
        let audits = async || {
            context.work_on(&[context.task(RefreshKind::Nightly)]).await;
            context.queued().await.into_iter().filter(|task| task.kind == RefreshKind::Audit).collect::<Vec<_>>()
        };
        // Its message is lost, so that only the cursor of the deletions tells.
        assert_eq!(audits().await.len(), 1);
        context.pass(SignedDuration::from_hours(24));

        let [audit] = audits().await.try_into().expect("the audit of the next night");
        context.finish(audit).await;

        assert_eq!(found(&context.last_audit().await), [0, 1, 0, 1]);
        context.pass(SignedDuration::from_hours(24));
        assert_eq!(audits().await, [], "the audit has seen all deletions");
    });
}

#[test]
fn an_audit_that_cannot_finish_says_so_and_goes_on_later() {
    run(async {
        let (context, _) = copied(TestContext::connected().await, 4_100).await;
        let task = context.task(RefreshKind::Audit);
        let now = context.deps.clock.now();
        assert!(context.work_until(std::slice::from_ref(&task), now).await.is_empty());
        let begun = context.last_audit().await;
        assert_eq!((begun.state, begun.counts.buckets, begun.counts.checked), (AuditState::Running, 1, 2_000));
        assert!(!begun.is_green());
        context.simulator.fault(fault("queryAll", 100, Effect::Unavailable));

        let [rest] = context.queued().await.try_into().expect("the rest");
        assert!(context.work_on(std::slice::from_ref(&rest)).await.is_empty());

        let stopped = context.last_audit().await;
        let (state, reason) = (AuditState::Unfinished, Some("salesforce_unavailable"));
        assert_eq!((stopped.state, stopped.reason.as_deref(), stopped.is_green()), (state, reason, false));
        let cursor = context.cursor(&CursorName::audit(&ACCOUNT)).await;
        assert_eq!(cursor.failure.as_deref(), Some("salesforce_unavailable"));
        context.simulator.clear_faults();
        context.finish(rest).await;
        let audit = context.last_audit().await;
        assert_eq!(
            (audit.started_at, audit.state, audit.reason.as_ref()),
            (begun.started_at, AuditState::Finished, None)
        );
        assert_eq!((audit.counts.checked, found(&audit)), (context.count_in_org("Account") as u64, [0; 4]));
        assert_eq!(context.cursor(&CursorName::audit(&ACCOUNT)).await.failure, None);
    });
}

#[test]
fn an_audit_over_its_share_of_the_calls_waits_and_says_so() {
    run(async {
        let (context, _) = copied(TestContext::connected().await, 4_100).await;
        let used = context.simulator.api_calls();
        context.simulator.set_daily_api_limit(used + 2);

        assert!(context.work_on(&[context.task(RefreshKind::Audit)]).await.is_empty());

        let audit = context.last_audit().await;
        assert_eq!((audit.state, audit.reason.as_deref()), (AuditState::Unfinished, Some("over_budget")));
        assert_eq!(context.delayed().await, 1, "it goes on once the lane has calls again");
    });
}

#[test]
fn an_object_that_is_not_copied_yet_is_not_audited() {
    run(async {
        let mut context = TestContext::connected().await;
        context.deps.mirrored_objects = vec![ACCOUNT];

        let audit = context.audit().await;

        assert_eq!((audit.state, audit.reason.as_deref()), (AuditState::Unfinished, Some("backfill_not_complete")));
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn an_object_that_became_invisible_is_not_green() {
    run(async {
        let (mut context, _) = copied(TestContext::connected().await, 3).await;
        let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Account", &hidden).unwrap();
        context.deps.fields = mirroring::FieldCache::default();
        let live = context.count(&ACCOUNT).await.live;

        let audit = context.audit().await;

        assert_eq!((audit.state, audit.reason.as_deref()), (AuditState::Unfinished, Some("object_not_visible")));
        assert_eq!(context.count(&ACCOUNT).await.live, live, "hidden rows are kept until an administrator has looked");
    });
}

#[test]
fn an_audit_killed_at_every_point_finds_and_repairs_the_same() {
    run(async {
        let (context, accounts) = copied(TestContext::connected_killable().await, 12).await;
        context.lose(&accounts[0]).await;
        context.simulator.purge_record(&context.admin.username, "Account", &accounts[1]).unwrap();
        context.delete("Account", &accounts[2]);
        context.pass(SignedDuration::from_mins(11));
        let task = context.task(RefreshKind::Audit);

        let kills = context.work_killed_at_every_point(&task, |_| ()).await;

        assert!(kills > 6, "killed {kills} times");
        let audit = context.last_audit().await;
        assert!(audit.is_green(), "{audit:?}");
        let left: Vec<String> = [&accounts[..1], &accounts[2..]].concat();
        context.assert_mirrored(&left).await;
        assert_eq!(context.reason(&accounts[1]).await, Some(DeletionReason::PurgedOrHidden));
        assert_eq!(found(&context.audit().await), [0; 4]);
    });
}

#[test]
fn a_night_lists_the_deletions_since_the_last_complete_list() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 30).await;
        context.finish(context.task(RefreshKind::Nightly)).await;
        let name = CursorName::deletions(&ACCOUNT);
        let first = context.cursor(&name).await.covered_until.unwrap();
        let now = context.deps.clock.now();
        assert!(first <= now && now.duration_since(first) < SignedDuration::from_mins(1), "{first}");
        context.delete("Account", &accounts[0]);
        context.pass(SignedDuration::from_hours(24));
        // The scan does not see the deletion, as where the connection may not query the deleted row any more.
        let seen = context.deps.clock.now();
        let cursors = &context.deps.cursors;
        cursors
            .finish(context.org, &CursorName::incremental(&ACCOUNT), seen - SignedDuration::from_hours(1))
            .await
            .unwrap();

        context.finish(context.task(RefreshKind::Nightly)).await;

        assert_eq!(context.reason(&accounts[0]).await, Some(DeletionReason::Deleted));
        assert!(context.cursor(&name).await.covered_until.unwrap() > first);
        let calls = context.calls();
        assert_eq!(calls.get("sobjects/Account/deleted/"), Some(&2), "a call a night");
    });
}

#[test]
fn a_list_of_deletions_that_fails_begins_at_the_same_time_again() {
    run(async {
        let (context, accounts) = copied(TestContext::connected().await, 3).await;
        let refused =
            Effect::Error { status: 400, code: "INVALID_REPLICATION_DATE".to_owned(), message: "No.".to_owned() };
        context.simulator.fault(fault("sobjects/Account/deleted", 1, refused));
        context.pass(SignedDuration::from_hours(1));
        context.rename(&accounts[0], "Renamed");

        context.finish(context.task(RefreshKind::Nightly)).await;

        context.assert_mirrored(&accounts).await;
        let copied = context.cursor(&CursorName::backfill(&ACCOUNT)).await.covered_until;
        assert_eq!(context.cursor(&CursorName::deletions(&ACCOUNT)).await.covered_until, copied);
    });
}
