//! Scans: the first copy, the increments, and what an end in between leaves behind.

use jiff::SignedDuration;
use org_simulator::ObjectPermissions;
use pipeline_refresh::handle;
use serde_json::json;
use store::{CursorName, RefreshKind};

use crate::world::{ACCOUNT, World, event, run};

#[test]
fn a_backfill_copies_every_mirrored_object() {
    run(async {
        let world = World::new().await;

        assert!(world.work_on(&[world.task(RefreshKind::Backfill)]).await.is_empty());

        let in_org = world.simulator.record_counts();
        for object in &world.deps.mirrored_objects {
            let wanted = in_org.get(object.as_str()).copied().unwrap_or_default();
            assert_eq!(world.count(object).await.live, wanted as u64, "{object}");
        }
        assert!(world.count(&ACCOUNT).await.live > 0);
        let budget = world.deps.budgets.load(world.org, world.deps.clock.now()).await.unwrap().unwrap();
        assert_eq!(budget.calls.values().sum::<u64>(), world.calls().values().sum::<usize>() as u64);
    });
}

/// The team sees less than the rep here, and the rep's connection does not help it.
#[test]
fn the_mirror_is_read_by_the_team_alone() {
    run(async {
        let world = World::new().await;
        let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
        world.simulator.limit_profile("System Administrator", "Opportunity", &hidden).unwrap();

        world.work_on(&[world.task(RefreshKind::Backfill)]).await;
        world.work_on(&[world.task(RefreshKind::Nightly)]).await;

        assert!(world.count(&ACCOUNT).await.live > 0);
        assert_eq!(world.count(&"Opportunity".parse().unwrap()).await.live, 0);
        let of_rep = world.simulator.requests_of(&world.rep.username).unwrap();
        assert!(of_rep.is_empty(), "asked with a session of the rep: {of_rep:#?}");
        assert!(!world.simulator.requests_of(&world.admin.username).unwrap().is_empty());
    });
}

#[test]
fn a_night_brings_what_was_created_changed_and_deleted() {
    run(async {
        let world = World::new().await;
        let mut accounts = world.accounts(3);
        world.work_on(&[world.task(RefreshKind::Backfill)]).await;

        world.rename(&accounts[0], "Renamed");
        world.delete("Account", &accounts[1]);
        accounts.extend(world.accounts(1));
        assert!(world.work_on(&[world.task(RefreshKind::Nightly)]).await.is_empty());

        world.assert_mirrored(&accounts).await;
        assert_eq!(world.count(&ACCOUNT).await.deleted, 1);
        let cursor = world.deps.cursors.load(world.org, &CursorName::incremental(&ACCOUNT)).await.unwrap();
        assert!(cursor.is_some_and(|cursor| cursor.checkpoint.is_none()));
    });
}

#[test]
fn a_task_that_comes_twice_asks_the_org_for_no_row_twice() {
    run(async {
        let world = World::new().await;
        let task = world.task(RefreshKind::Backfill);
        world.work_on(std::slice::from_ref(&task)).await;
        let before = world.calls().get("queryAll").copied();

        assert!(world.work_on(&[task]).await.is_empty());

        assert_eq!(world.calls().get("queryAll").copied(), before);
    });
}

#[test]
fn an_object_wider_than_a_url_is_copied_by_its_keys() {
    run(async {
        let mut world = World::new().await;
        world.deps.mirrored_objects = vec!["Wide__c".parse().unwrap()];
        let names: Vec<String> = (0..700).map(|n| format!("A_rather_long_field_name_{n}__c")).collect();
        world.define("Wide__c", &names).await;
        let ids: Vec<String> = (0..3)
            .map(|n| world.create(&world.admin, "Wide__c", &json!({ &names[699]: format!("value {n}") })))
            .collect();
        world.delete("Wide__c", &ids[2]);

        assert!(world.work_on(&[world.task(RefreshKind::Backfill)]).await.is_empty());

        let object = &world.deps.mirrored_objects[0];
        let row = world.deps.records.load(world.org, object, ids[1].parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(row.fields[&names[699]], "value 1");
        let gone = world.deps.records.load(world.org, object, ids[2].parse().unwrap()).await.unwrap().unwrap();
        assert!(gone.deleted);
    });
}

#[test]
fn an_invocation_without_time_left_stores_one_page_and_queues_the_rest() {
    run(async {
        let world = World::new().await;
        let accounts = world.accounts(4_500);
        let mut invocations = 0;

        let mut tasks = vec![world.task(RefreshKind::Backfill)];
        while !tasks.is_empty() {
            let soon = world.deps.clock.now() + SignedDuration::from_millis(1);
            assert!(world.work_until(&tasks, soon).await.is_empty());
            tasks = world.queued().await;
            invocations += 1;
        }

        assert!((3..20).contains(&invocations), "{invocations} invocations");
        world.assert_mirrored(&accounts[..5]).await;
        world.assert_mirrored(&accounts[4_495..]).await;
    });
}

#[test]
fn a_refresh_killed_at_every_point_still_ends_with_the_org_s_records() {
    run(async {
        let mut world = World::new().await;
        world.deps.mirrored_objects = vec![ACCOUNT];
        let mut accounts = world.accounts(20);
        let task = world.task(RefreshKind::Backfill);

        let mut kills = 0;
        loop {
            let deadline = world.deps.clock.now() + SignedDuration::from_mins(15);
            if world::killed_after(handle(&world.deps, event(std::slice::from_ref(&task)), deadline), kills).await {
                break;
            }
            world.rename(&accounts[kills % 20], &format!("Renamed {kills}"));
            accounts.extend((kills % 5 == 0).then(|| world.create(&world.admin, "Account", &json!({"Name": "Late"}))));
            kills += 1;
        }
        world.work_on(&[world.task(RefreshKind::Nightly)]).await;

        assert!(kills > 3, "killed {kills} times");
        world.assert_mirrored(&accounts).await;
    });
}
