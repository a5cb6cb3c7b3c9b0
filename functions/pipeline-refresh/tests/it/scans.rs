//! Scans: the backfill, the increments, and what an end in between leaves behind.

use jiff::SignedDuration;
use org_simulator::ObjectPermissions;
use runtime::DEFAULT_MIRRORED_OBJECTS;
use salesforce::ObjectName;
use serde_json::json;
use store::cursors::{Progress, ScanState};
use store::{CursorName, Lane, RefreshKind};

use crate::harness::{ACCOUNT, TestContext, run};

#[test]
fn a_backfill_copies_every_mirrored_object() {
    run(async {
        let context = TestContext::new().await;

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        let in_org = context.simulator.record_counts();
        for object in &context.deps.mirrored_objects {
            let wanted = in_org.get(object.as_str()).copied().unwrap_or_default();
            assert_eq!(context.count(object).await.live, wanted as u64, "{object}");
        }
        assert!(context.count(&ACCOUNT).await.live > 0);
        let budget = context.deps.budgets.load(context.org, context.deps.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls.values().sum::<u64>(), context.calls().values().sum::<usize>() as u64);
        let objects = 3 * context.deps.mirrored_objects.len() as u64;
        assert_eq!(budget.calls.get(&Lane::Backfill), Some(&objects), "a describe, a count and a page for each object");
    });
}

#[test]
fn record_types_are_mirrored_by_default() {
    run(async {
        let mut context = TestContext::connected().await;
        let record_type: ObjectName = "RecordType".parse().unwrap();
        let mirrored = DEFAULT_MIRRORED_OBJECTS.split(',').map(|name| name.parse().unwrap());
        context.deps.mirrored_objects = mirrored.collect();
        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());
        let types = context.count_in_org("RecordType") as u64;
        assert!(types > 0 && context.count(&record_type).await.live == types);

        context.pass(SignedDuration::from_hours(1));
        context.simulator.rename_record_type("Renewal", "Renewals").unwrap();
        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        let rows = context.deps.records.list(context.org, &record_type, None, 100).await.unwrap().records;
        assert!(rows.iter().any(|row| row.fields["Name"] == "Renewals"), "{rows:?}");
    });
}

/// The team sees less than the rep here, and the rep's connection does not help it.
#[test]
fn the_mirror_is_read_by_the_team_alone() {
    run(async {
        let context = TestContext::new().await;
        let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
        context.simulator.limit_profile("System Administrator", "Opportunity", &hidden).unwrap();

        context.work_on(&[context.task(RefreshKind::Backfill)]).await;
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;

        assert!(context.count(&ACCOUNT).await.live > 0);
        assert_eq!(context.count(&"Opportunity".parse().unwrap()).await.live, 0);
        let of_rep = context.simulator.requests_of(&context.rep.username).unwrap();
        assert!(of_rep.is_empty(), "asked with a session of the rep: {of_rep:#?}");
        assert!(!context.simulator.requests_of(&context.admin.username).unwrap().is_empty());
    });
}

#[test]
fn a_night_brings_what_was_created_changed_and_deleted() {
    run(async {
        let context = TestContext::new().await;
        let mut accounts = context.accounts(3);
        context.work_on(&[context.task(RefreshKind::Backfill)]).await;

        context.rename(&accounts[0], "Renamed");
        context.delete("Account", &accounts[1]);
        accounts.extend(context.accounts(1));
        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        context.assert_mirrored(&accounts).await;
        assert_eq!(context.count(&ACCOUNT).await.deleted, 1);
        let cursor = context.deps.cursors.load(context.org, &CursorName::incremental(&ACCOUNT)).await.unwrap();
        assert!(cursor.is_some_and(|cursor| cursor.checkpoint.is_none()));
    });
}

#[test]
fn a_duplicate_task_reads_no_row_twice() {
    run(async {
        let context = TestContext::new().await;
        let task = context.task(RefreshKind::Backfill);
        context.work_on(std::slice::from_ref(&task)).await;
        let before = context.calls().get("queryAll").copied();

        assert!(context.work_on(&[task]).await.is_empty());

        assert_eq!(context.calls().get("queryAll").copied(), before);
    });
}

#[test]
fn an_object_wider_than_a_url_is_copied_by_its_keys() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects = vec!["Wide__c".parse().unwrap()];
        let names: Vec<String> = (0..700).map(|n| format!("A_rather_long_field_name_{n}__c")).collect();
        context.define("Wide__c", &names);
        let ids: Vec<String> = (0..3)
            .map(|n| context.create(&context.admin, "Wide__c", &json!({ &names[699]: format!("value {n}") })))
            .collect();
        context.delete("Wide__c", &ids[2]);

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        let object = &context.deps.mirrored_objects[0];
        let row = context.deps.records.load(context.org, object, ids[1].parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(row.fields[&names[699]], "value 1");
        let gone = context.deps.records.load(context.org, object, ids[2].parse().unwrap()).await.unwrap().unwrap();
        assert!(gone.deleted);
    });
}

#[test]
fn an_invocation_without_time_stores_a_page_and_queues_the_rest() {
    run(async {
        let context = TestContext::new().await;
        let accounts = context.accounts(4_500);
        let mut invocations = 0;

        let mut tasks = vec![context.task(RefreshKind::Backfill)];
        while !tasks.is_empty() {
            let soon = context.deps.clock.now() + SignedDuration::from_millis(1);
            assert!(context.work_until(&tasks, soon).await.is_empty());
            tasks = context.take_backfills().await;
            invocations += 1;
        }

        assert!((3..20).contains(&invocations), "{invocations} invocations");
        context.assert_mirrored(&accounts[..5]).await;
        context.assert_mirrored(&accounts[4_495..]).await;
    });
}

#[test]
fn a_refresh_killed_at_every_point_loses_no_row() {
    run(async {
        let mut context = TestContext::killable().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        let mut accounts = context.accounts(20);
        let task = context.task(RefreshKind::Backfill);

        let kills = context
            .work_killed_at_every_point(&task, |kills| {
                context.rename(&accounts[kills % 20], &format!("Renamed {kills}"));
                let late = || context.create(&context.admin, "Account", &json!({"Name": "Late"}));
                accounts.extend((kills % 5 == 0).then(late));
            })
            .await;
        context.work_on(&[context.task(RefreshKind::Nightly)]).await;

        assert!(kills > 3, "killed {kills} times");
        context.assert_mirrored(&accounts).await;
    });
}

#[test]
fn a_copy_that_the_night_begins_is_one_of_the_backfills() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects = vec![ACCOUNT];
        context.accounts(2_100);
        let task = context.task(RefreshKind::Nightly);
        let soon = context.deps.clock.now() + SignedDuration::from_millis(1);

        assert!(context.work_until(&[task], soon).await.is_empty());

        let rest = context.take_backfills().await;
        assert_eq!(
            rest.iter().map(|task| (task.kind, &task.object)).collect::<Vec<_>>(),
            [(RefreshKind::Nightly, &Some(ACCOUNT))]
        );
        let budget = context.deps.budgets.load(context.org, context.deps.clock.now()).await.unwrap().unwrap();
        assert!(budget.calls.contains_key(&Lane::Backfill), "{budget:?}");
    });
}

#[test]
fn a_night_that_resumes_an_older_scan_covers_the_day_too() {
    run(async {
        let context = TestContext::new().await;
        context.work_on(&[context.task(RefreshKind::Backfill)]).await;
        let (cursors, name) = (&context.deps.cursors, CursorName::incremental(&ACCOUNT));
        let yesterday = context.deps.clock.now() - SignedDuration::from_hours(23);
        let interrupted = pipeline_refresh::scan::Scan::fresh(Some(yesterday), yesterday);
        let running = Progress { seen: None, last_row: None, state: ScanState::Running(interrupted.checkpoint()) };
        cursors.advance(context.org, &name, &running, context.deps.clock.now()).await.unwrap();
        let accounts = context.accounts(3);
        let task = context.task(RefreshKind::Nightly);

        assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());

        context.assert_mirrored(&accounts).await;
        assert!(context.cursor(&name).await.covered_until >= Some(task.requested_at));
    });
}
