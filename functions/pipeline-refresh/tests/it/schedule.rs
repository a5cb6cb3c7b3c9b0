//! The schedule's event.

use jiff::SignedDuration;
use pipeline_refresh::{Event, Reply, handle};
use serde_json::json;
use store::{OrgState, RefreshKind};

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
