//! The latencies of changes that a scan finds.

use jiff::SignedDuration;
use pipeline_refresh::{Reply, handle};
use store::freshness::summarize;
use store::{ChangeLane, RefreshKind, RefreshTask};

use crate::harness::{ACCOUNT, TestContext, event, run};

impl TestContext {
    /// Works on a task. Returns the samples of the metrics.
    async fn samples(&self, task: RefreshTask) -> Vec<(&'static str, Vec<u64>)> {
        let deadline = self.deps.clock.now() + SignedDuration::from_mins(15);
        let Reply::Tasks(report) = handle(&self.deps, event(&[task]), deadline).await.unwrap() else { panic!() };
        report.samples
    }
}

#[test]
fn a_scan_measures_the_changes_that_it_found_but_no_backfill() {
    run(async {
        let context = TestContext::connected().await;
        let accounts = context.accounts(3);
        context.pass(SignedDuration::from_secs(60));
        assert_eq!(context.samples(context.task(RefreshKind::Backfill)).await, []);
        for task in context.queued().await {
            assert_eq!(context.samples(task).await, []);
        }
        context.rename(&accounts[0], "Renamed");
        context.delete("Account", &accounts[1]);
        context.pass(SignedDuration::from_secs(500));

        let samples = context.samples(context.task(RefreshKind::Nightly)).await;

        assert_eq!(samples, [("freshness.incremental_s", vec![500, 500])]);
        let now = context.deps.clock.now();
        let mut lanes = summarize(&context.deps.freshness.load(context.org, now).await.unwrap(), now);
        let mirror = lanes.remove(&(ACCOUNT, ChangeLane::Incremental)).unwrap().mirror;
        assert_eq!((mirror.hour.total(), lanes.len()), (2, 0));
        assert_eq!(context.samples(context.task(RefreshKind::Nightly)).await, [], "nothing changed since");
    });
}
