use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId};
use store::freshness::{Histogram, LaneFreshness, WindowStarts, start_of_hour, summarize};
use store::{ChangeLane, Freshness, Measured, VisibleIn};

use crate::harness::{at, counted, org, other_org, run, tables};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const LEAD: ObjectName = ObjectName::from_static("Lead");

fn add(measured: &mut Measured, org: OrgId, object: &ObjectName, lane: ChangeLane, seconds: &[i64]) {
    for latency in seconds {
        measured.add(org, object, lane, (at(0), at(*latency)));
    }
}

fn of(object: &ObjectName, lane: ChangeLane, seconds: &[i64]) -> Measured {
    let mut measured = Measured::default();
    add(&mut measured, org(), object, lane, seconds);
    measured
}

fn histogram(seconds: &[u64]) -> Histogram {
    seconds.iter().copied().map(Duration::from_secs).collect()
}

async fn loaded(freshness: &Freshness, object: &ObjectName, lane: ChangeLane, now: Timestamp) -> LaneFreshness {
    let rows = freshness.load(org(), now).await.unwrap();
    summarize(&rows, now).remove(&(object.clone(), lane)).unwrap_or_default()
}

#[test]
fn a_batch_costs_a_request_for_each_org_object_and_lane() {
    run(async {
        let (client, tables) = tables().await;
        let (client, requests) = counted(&client);
        let freshness = Freshness::new(client, tables.name("freshness"));
        let mut measured = Measured::default();
        let many: Vec<i64> = (0..1_000).collect();
        add(&mut measured, org(), &ACCOUNT, ChangeLane::Webhook, &many);
        add(&mut measured, org(), &ACCOUNT, ChangeLane::Write, &many);
        add(&mut measured, org(), &LEAD, ChangeLane::Webhook, &many);
        add(&mut measured, other_org(), &LEAD, ChangeLane::Webhook, &many);

        freshness.add(VisibleIn::Mirror, &measured, at(1_000)).await.unwrap();

        assert_eq!(requests.take(), 4);
        freshness.add(VisibleIn::Mirror, &Measured::default(), at(1_000)).await.unwrap();
        assert_eq!(requests.take(), 0);
        let rows = freshness.load(org(), at(1_000)).await.unwrap();
        let groups: Vec<_> = rows.iter().map(|row| (row.object.as_str(), row.lane, row.mirror.total())).collect();
        let expected = [
            ("Account", ChangeLane::Webhook, 1_000),
            ("Account", ChangeLane::Write, 1_000),
            ("Lead", ChangeLane::Webhook, 1_000),
        ];
        assert_eq!(groups, expected);
    });
}

#[test]
fn batches_at_the_same_time_lose_nothing() {
    run(async {
        let (client, tables) = tables().await;
        let freshness = Freshness::new(client, tables.name("freshness"));
        let batches = (0..20).map(|_| async {
            let measured = of(&LEAD, ChangeLane::Incremental, &[1, 30, 30, 900]);
            freshness.add(VisibleIn::Mirror, &measured, at(0)).await.unwrap();
            freshness.add(VisibleIn::Event, &of(&LEAD, ChangeLane::Incremental, &[2]), at(0)).await.unwrap();
        });
        join_all(batches).await;

        let lane = loaded(&freshness, &LEAD, ChangeLane::Incremental, at(0)).await;
        assert_eq!(lane.mirror.hour, histogram(&[1, 30, 30, 900].repeat(20)));
        assert_eq!(lane.event.hour, histogram(&[2; 20]));
    });
}

#[test]
fn changes_leave_the_hour_and_then_the_day() {
    run(async {
        let (client, tables) = tables().await;
        let freshness = Freshness::new(client, tables.name("freshness"));
        let hours = |hours| at(0) + SignedDuration::from_hours(hours);
        for hour in 0..3 {
            let measured = of(&LEAD, ChangeLane::Webhook, &[1]);
            freshness.add(VisibleIn::Mirror, &measured, hours(hour)).await.unwrap();
        }

        for (now, of_hour, of_day) in [(2, 2, 3), (3, 1, 3), (4, 0, 3), (24, 0, 3), (25, 0, 2), (26, 0, 1), (27, 0, 0)]
        {
            let mirror = loaded(&freshness, &LEAD, ChangeLane::Webhook, hours(now)).await.mirror;
            assert_eq!((mirror.hour.total(), mirror.day.total()), (of_hour, of_day), "after {now} hours");
        }
        assert_eq!(freshness.load(org(), hours(27)).await.unwrap(), [], "older rows are not read");
        assert_eq!(WindowStarts::at(hours(24)).day, start_of_hour(at(0)));
    });
}
