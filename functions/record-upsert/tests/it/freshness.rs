//! The latencies of changes: each change of the mirror counts once, in the lane of its hint.

use jiff::SignedDuration;
use record_upsert::handle;
use store::freshness::summarize;
use store::{ChangeHint, ChangeLane, Deferrals, Source};

use crate::harness::{TestContext, account, batch, run};

impl TestContext {
    /// Handles hints after a time in the queue. Returns the counts of the objectives, and the samples of the metrics.
    async fn measure(&self, hints: &[ChangeHint], seconds: i64) -> (Vec<u64>, Vec<(&'static str, Vec<u64>)>) {
        self.pass(SignedDuration::from_secs(seconds));
        let deadline = self.clock.now() + SignedDuration::from_mins(1);
        let report = handle(&self.deps, batch(hints), deadline).await.unwrap();
        let objectives = report.counts.iter().filter(|(name, _)| name.starts_with("objective."));
        (objectives.map(|(_, count)| *count).collect(), report.samples)
    }

    /// Returns the lanes of the Accounts with the number of changes, and their longest latency in whole seconds.
    async fn lanes(&self) -> Vec<(ChangeLane, u64, u64)> {
        let now = self.clock.now();
        let lanes = summarize(&self.deps.freshness.load(self.org, now).await.unwrap(), now);
        let longest = lanes.into_iter().map(|((object, lane), freshness)| {
            assert_eq!((object, freshness.event.day.total()), (account(), 0));
            let mirror = freshness.mirror.hour;
            (lane, mirror.total(), mirror.percentile(100).unwrap().as_secs())
        });
        longest.collect()
    }
}

#[test]
fn each_change_counts_once_in_the_lane_of_its_hint() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.objectives = "Account=95%<60s".parse().unwrap();
        let [acme, globex] = ["Acme", "Globex"].map(|name| context.account(name));
        let written = ChangeHint { source: Source::Write, ..context.hint(globex) };

        let (objectives, samples) = context.measure(&[context.hint(acme), written], 10).await;

        assert_eq!(objectives, [2, 0, 1_900]);
        assert_eq!(samples, [("freshness.webhook_s", vec![10]), ("freshness.write_s", vec![10])]);
        let again = context.measure(&[context.hint(acme), context.hint(globex)], 300).await;
        assert_eq!(again, (vec![0; 3], Vec::new()), "nothing changed");

        context.rename(acme, "Acme Corp");
        let (objectives, samples) = context.measure(&[context.hint(acme)], 90).await;
        assert_eq!((objectives, samples), (vec![1, 1, 950], vec![("freshness.webhook_s", vec![90])]));
        let lanes = context.lanes().await;
        let webhook = lanes[0];
        assert!((82..=99).contains(&webhook.2), "{webhook:?}");
        let counts: Vec<_> = lanes.iter().map(|(lane, count, _)| (*lane, *count)).collect();
        assert_eq!(counts, [(ChangeLane::Webhook, 2), (ChangeLane::Write, 1)]);
    });
}

#[test]
fn a_deferred_change_is_as_late_as_its_last_attempt() {
    run(async {
        let context = TestContext::new().await;
        let hint = context.hint(context.account("Acme"));
        let late = ChangeHint { deferrals: Deferrals { count: 3, ..Deferrals::default() }, ..hint };
        let (_, samples) = context.measure(&[late], 3_000).await;
        assert_eq!(samples, [("freshness.webhook_s", vec![3_000])]);
    });
}

#[test]
fn a_change_is_stored_although_its_latency_cannot_be() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.freshness = store::Freshness::new(context.dynamodb(), "no-such-table");
        let acme = context.account("Acme");
        assert!(context.receive(&[context.hint(acme)]).await.is_empty());
        assert_eq!(context.mirrored_name(acme).await.as_deref(), Some("Acme"));
    });
}
