//! The latencies of events.

use std::time::Duration;

use jiff::Timestamp;
use record_events::{Deps, handle};
use salesforce::Clock;
use serde_json::{Value, json};
use store::freshness::summarize;
use store::{ChangeLane, Orgs};

use crate::{ORG, RECORDS, TestContext, row, stream};

/// The mark of a row that came in a lane.
fn in_lane(mut row: Value, lane: &str) -> Value {
    row["lane"] = json!({ "S": lane });
    row
}

/// A row that was saved later.
fn saved_at(mut row: Value, at: &str) -> Value {
    row["system_modstamp"] = json!({ "S": at });
    row
}

async fn measured(deps: &Deps, now: Timestamp) -> Vec<(ChangeLane, u64, u64)> {
    let rows = deps.freshness.load(ORG.parse().unwrap(), now).await.unwrap();
    let lanes = summarize(&rows, now).into_iter().map(|((object, lane), freshness)| {
        assert_eq!((object.as_str(), freshness.mirror.day.total()), ("Opportunity", 0));
        (lane, freshness.event.day.total(), freshness.event.day.percentile(100).unwrap_or_default().as_secs())
    });
    lanes.collect()
}

#[tokio::test]
async fn the_latency_of_an_event_begins_with_the_save() {
    let context = TestContext::new().await;
    context.activate().await;
    let now: Timestamp = "2026-11-22T10:16:30Z".parse().unwrap();
    let deps = Deps { clock: Clock::manual(now), ..context.deps() };
    let copied = row("Prospecting", false);
    let saved = saved_at(in_lane(row("Closed Won", false), "webhook"), "2026-11-22T10:16:00.000Z");
    let computed = in_lane(row("Closed Lost", false), "incremental");
    let computed = saved_at(computed, "2026-11-22T10:16:00.000Z");

    let report = handle(&deps, stream(RECORDS, &[copied, saved, computed])).await.unwrap();

    assert_eq!(report.published, 3);
    let lanes = measured(&deps, now).await;
    assert_eq!(lanes.iter().map(|(lane, count, _)| (*lane, *count)).collect::<Vec<_>>(), [(ChangeLane::Webhook, 1)]);
    assert!(
        (Duration::from_secs(27)..=Duration::from_secs(33)).contains(&Duration::from_secs(lanes[0].2)),
        "{lanes:?}"
    );
    assert_eq!(report.measured.samples(), [("freshness.webhook_s", vec![30])]);
}

#[tokio::test]
async fn an_event_that_is_not_published_has_no_latency() {
    let context = TestContext::new().await;
    context.activate().await;
    let orgs = Orgs::new(context.dynamodb(), "no-such-table");
    let deps = Deps { orgs, ..context.deps() };

    let report = handle(&deps, stream(RECORDS, &[in_lane(row("Prospecting", false), "webhook")])).await.unwrap();

    assert_eq!((report.published, report.resume_at.as_deref()), (0, Some("0")));
    assert_eq!(measured(&deps, deps.clock.now()).await, []);
}
