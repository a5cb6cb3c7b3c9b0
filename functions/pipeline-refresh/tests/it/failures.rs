//! Retried and delayed tasks, and that neither stops the others.

use org_simulator::{Effect, Fault};
use salesforce::ObjectName;
use store::{CursorName, RefreshKind, RefreshTask};

use crate::harness::{ACCOUNT, DISCONNECTED, TestContext, run};

fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

#[test]
fn a_task_of_an_unavailable_org_is_retried_and_no_cursor_moves() {
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
fn a_task_of_a_closed_org_does_nothing() {
    run(async {
        let context = TestContext::new().await;
        context.accounts(3);
        context.activate(context.org).await;
        context.orgs.close(context.org, context.deps.clock.now()).await.unwrap();

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        assert_eq!(context.count(&ACCOUNT).await.live, 0);
        assert_eq!((context.simulator.api_calls(), context.queued().await), (0, Vec::new()));
        assert!(context.deps.cursors.list(context.org).await.unwrap().is_empty());
    });
}

#[test]
fn a_truncated_page_is_refused() {
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
        let blocked = RefreshTask { org_id: DISCONNECTED.parse().unwrap(), ..ours.clone() };

        assert!(context.work_on(&[blocked, ours]).await.is_empty());

        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn an_invisible_object_is_skipped() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects.insert(0, ObjectName::from_static("Hidden__c"));

        assert!(context.work_on(&[context.task(RefreshKind::Nightly)]).await.is_empty());

        context.assert_mirrored(&[]).await;
    });
}

#[test]
fn a_refresh_over_the_api_budget_is_delayed() {
    run(async {
        let context = TestContext::new().await;
        context.accounts(2_100);
        context.simulator.set_daily_api_limit(10);

        assert!(context.work_on(&[context.task(RefreshKind::Backfill)]).await.is_empty());

        assert!(context.delayed().await > 0);
        assert!(context.simulator.api_calls() <= 10, "{}", context.simulator.api_calls());
    });
}
