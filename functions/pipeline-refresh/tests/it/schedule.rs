//! The schedule's event.

use std::time::Duration;

use jiff::SignedDuration;
use pipeline_refresh::{Event, Reply, handle};
use serde_json::json;
use store::{OrgState, RefreshKind, RefreshTask};

use crate::harness::{DISCONNECTED, TestContext, run};

#[test]
fn the_schedule_queues_one_task_for_every_active_org() {
    run(async {
        let context = TestContext::new().await;
        let (other, gone) = (DISCONNECTED.parse().unwrap(), "00D5e000000KQ2f".parse().unwrap());
        for org in [context.org, other, gone] {
            context.activate(org).await;
        }
        context.deps.orgs.set_state(gone, OrgState::Uninstalled, context.deps.clock.now()).await.unwrap();

        let event: Event = serde_json::from_value(json!({"kind": "nightly"})).unwrap();
        let deadline = context.deps.clock.now() + SignedDuration::from_secs(60);
        let reply = handle(&context.deps, event, deadline).await.unwrap();

        assert!(matches!(reply, Reply::Schedule(scheduled) if scheduled.orgs == 2));
        let mut orgs: Vec<_> = context.queued().await.into_iter().map(|task| (task.org_id, task.kind)).collect();
        orgs.sort_by_key(|(org, _)| *org);
        let mut wanted = [(context.org, RefreshKind::Nightly), (other, RefreshKind::Nightly)];
        wanted.sort_by_key(|(org, _)| *org);
        assert_eq!(orgs, wanted);
    });
}

#[test]
fn a_task_of_the_night_waits_for_its_time() {
    run(async {
        let mut context = TestContext::new().await;
        context.activate(context.org).await;
        context.deps.refresh_window = Duration::from_mins(10_000);
        let event: Event = serde_json::from_value(json!({"kind": "nightly"})).unwrap();
        let deadline = context.deps.clock.now() + SignedDuration::from_secs(60);
        handle(&context.deps, event, deadline).await.unwrap();
        assert_eq!((context.queued().await.len(), context.delayed().await), (0, 1));

        let not_before = Some(context.deps.clock.now() + SignedDuration::from_hours(1));
        let task = RefreshTask { not_before, ..context.task(RefreshKind::Nightly) };
        assert!(context.work_on(std::slice::from_ref(&task)).await.is_empty());
        assert_eq!((context.delayed().await, context.simulator.api_calls()), (2, 0), "it waits again");

        let task = RefreshTask { not_before: Some(context.deps.clock.now()), ..task };
        assert!(context.work_on(&[task]).await.is_empty());
        context.assert_mirrored(&[]).await;
    });
}
