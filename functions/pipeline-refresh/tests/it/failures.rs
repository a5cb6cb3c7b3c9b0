//! What comes again, what waits, and that neither holds up the rest.

use org_simulator::{Effect, Fault};
use salesforce::ObjectName;
use store::{CursorName, RefreshKind, RefreshTask};

use crate::harness::{ACCOUNT, DISCONNECTED, TestContext, run};

fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

#[test]
fn an_org_under_maintenance_gets_its_task_again_and_no_cursor_moves() {
    run(async {
        let context = TestContext::new().await;
        let task = context.task(RefreshKind::Backfill);
        context.simulator.fault(fault("queryAll", 100, Effect::Unavailable));

        assert_eq!(context.work_on(std::slice::from_ref(&task)).await, [0]);
        assert_eq!(context.deps.cursors.load(context.org, &CursorName::backfill(&ACCOUNT)).await.unwrap(), None);
        assert_eq!(context.queued().await, []);

        context.simulator.clear_faults();
        assert!(context.work_on(&[task]).await.is_empty());
        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn a_page_that_is_cut_short_is_not_believed() {
    run(async {
        let context = TestContext::new().await;
        let body = r#"{"totalSize": 2, "done": true, "records": []}"#.to_owned();
        let cut = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body };
        context.simulator.fault(fault("queryAll", 1, cut));
        let task = context.task(RefreshKind::Backfill);

        assert_eq!(context.work_on(std::slice::from_ref(&task)).await, [0]);
        assert_eq!(context.deps.cursors.load(context.org, &CursorName::backfill(&ACCOUNT)).await.unwrap(), None);

        assert!(context.work_on(&[task]).await.is_empty());
        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn an_org_that_must_reconnect_does_not_stop_the_others() {
    run(async {
        let context = TestContext::new().await;
        let ours = context.task(RefreshKind::Nightly);
        let parked = RefreshTask { org_id: DISCONNECTED.parse().unwrap(), ..ours.clone() };

        assert!(context.work_on(&[parked, ours]).await.is_empty());

        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn an_object_that_the_connection_cannot_see_is_left_out() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects.insert(0, ObjectName::from_static("Hidden__c"));

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn an_org_whose_calls_run_low_has_the_rest_of_its_refresh_held_back() {
    run(async {
        let context = TestContext::new().await;
        context.accounts(2_100);
        context.simulator.set_daily_api_limit(10);

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        assert!(context.held_back().await > 0);
        assert!(context.simulator.api_calls() <= 10, "{}", context.simulator.api_calls());
    });
}
