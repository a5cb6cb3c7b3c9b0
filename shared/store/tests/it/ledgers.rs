use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use salesforce::OrgId;
use store::budgets::Limit;
use store::{
    Allocation, Budgets, Deliveries, Delivery, DeliveryId, DeliveryOutcome, Lane, Observation, Pipeline, Pipelines,
    RecordRef, RefreshedPipelines, Source, Stage,
};

use crate::harness::{account, at, org, other_org, run, tables};

fn delivery_id(n: usize) -> DeliveryId {
    format!("04l5e0000{n:06}").parse().unwrap()
}

fn delivery(n: usize, outcome: DeliveryOutcome) -> Delivery {
    Delivery {
        org_id: org(),
        delivery_id: delivery_id(n),
        source: Source::OutboundMessage,
        record: Some(RecordRef { object: "Account".parse().unwrap(), record_id: account(n) }),
        received_at: at(i64::try_from(n).unwrap()),
        settled_at: at(100),
        outcome,
    }
}

async fn list_since(deliveries: &Deliveries, org: OrgId, since: Timestamp, limit: usize) -> Vec<Delivery> {
    deliveries.stream_since(org, since).take(limit).try_collect().await.unwrap()
}

#[test]
fn deliveries_are_found_by_id_and_by_time() {
    run(async {
        let (client, tables) = tables().await;
        let deliveries = Deliveries::new(client, tables.name("deliveries"));
        let failed = DeliveryOutcome::Failed { reason: "SALESFORCE_DOWN".to_owned() };
        let all: Vec<_> =
            (0..60).map(|n| delivery(n, DeliveryOutcome::Applied)).chain([delivery(60, failed)]).collect();
        deliveries.record(&all).await.unwrap();

        assert_eq!(deliveries.load(org(), &delivery_id(60)).await.unwrap().as_ref(), all.last());
        assert_eq!(list_since(&deliveries, org(), at(50), 100).await, all[50..]);
        assert_eq!(list_since(&deliveries, org(), at(0), 3).await, all[..3]);
        assert_eq!(list_since(&deliveries, other_org(), at(0), 3).await, []);
    });
}

#[test]
fn unsettled_deliveries_are_found_the_latest_first() {
    run(async {
        let (client, tables) = tables().await;
        let deliveries = Deliveries::new(client, tables.name("deliveries"));
        let reason = || "over_budget".to_owned();
        let all = [
            delivery(1, DeliveryOutcome::Deferred { reason: reason() }),
            delivery(2, DeliveryOutcome::Failed { reason: reason() }),
            delivery(3, DeliveryOutcome::Applied),
            delivery(4, DeliveryOutcome::LeftToRefresh { reason: reason() }),
            delivery(5, DeliveryOutcome::Deferred { reason: reason() }),
        ];
        deliveries.record(&all).await.unwrap();

        let (unsettled, more) = deliveries.unsettled(org(), at(2)).await.unwrap();

        assert_eq!((unsettled.as_slice(), more), (&[all[4].clone(), all[3].clone(), all[1].clone()][..], false));
        assert_eq!(deliveries.unsettled(other_org(), at(0)).await.unwrap(), (Vec::new(), false));
    });
}

#[test]
fn of_two_outcomes_in_a_batch_the_newest_is_stored() {
    run(async {
        let (client, tables) = tables().await;
        let deliveries = Deliveries::new(client, tables.name("deliveries"));
        let twice = [delivery(1, DeliveryOutcome::Stale), delivery(1, DeliveryOutcome::Applied)];
        deliveries.record(&twice).await.unwrap();
        assert_eq!(list_since(&deliveries, org(), at(0), 10).await, twice[1..]);
        deliveries.record(&[]).await.unwrap();
    });
}

#[test]
fn a_redelivery_keeps_the_stored_outcome() {
    run(async {
        use DeliveryOutcome::{Applied, Deferred, Deleted, Failed, Stale, Unchanged};
        let (client, tables) = tables().await;
        let deliveries = Deliveries::new(client, tables.name("deliveries"));
        let reason = || "salesforce_unavailable".to_owned();
        let history = [
            (Deferred { reason: reason() }, Deferred { reason: reason() }),
            (Failed { reason: reason() }, Failed { reason: reason() }),
            (Unchanged, Unchanged),
            (Stale, Unchanged),
            (Applied, Applied),
            (Unchanged, Applied),
            (Deferred { reason: reason() }, Applied),
            (Failed { reason: reason() }, Applied),
            (Deleted, Deleted),
        ];
        for (step, (given, expected)) in history.into_iter().enumerate() {
            deliveries.record(&[delivery(1, given)]).await.unwrap();
            let known = deliveries.load(org(), &delivery_id(1)).await.unwrap().unwrap();
            assert_eq!(known.outcome, expected, "step {step}");
        }
    });
}

#[test]
fn a_deferred_delivery_is_replaced_under_both_stored_names() {
    run(async {
        let (client, tables) = tables().await;
        let deliveries = Deliveries::new(client.clone(), tables.name("deliveries"));
        let deferred = DeliveryOutcome::Deferred { reason: "over_budget".to_owned() };
        for (n, name) in ["put_off", "deferred"].into_iter().enumerate() {
            deliveries.record(&[delivery(n, deferred.clone())]).await.unwrap();
            let update = client.update_item().table_name(tables.name("deliveries"));
            let update = update
                .key("org_id", AttributeValue::S(org().to_string()))
                .key("delivery_id", AttributeValue::S(delivery_id(n).to_string()));
            let update =
                update.update_expression("SET #outcome = :name").expression_attribute_names("#outcome", "outcome");
            update.expression_attribute_values(":name", AttributeValue::S(name.to_owned())).send().await.unwrap();
            assert_eq!(deliveries.load(org(), &delivery_id(n)).await.unwrap().unwrap().outcome, deferred, "{name}");

            deliveries.record(&[delivery(n, DeliveryOutcome::Unchanged)]).await.unwrap();

            let known = deliveries.load(org(), &delivery_id(n)).await.unwrap().unwrap();
            assert_eq!(known.outcome, DeliveryOutcome::Unchanged, "{name}");
        }
    });
}

fn pipeline(n: usize, name: &str) -> Pipeline {
    let stage = Stage {
        api_name: "Won".to_owned(),
        label: "Gewonnen".to_owned(),
        sort_order: 9,
        probability: 12.5,
        is_closed: true,
        is_won: true,
        forecast_category: "Closed".to_owned(),
        is_active: true,
        is_default: true,
        description: None,
        in_use: None,
    };
    Pipeline {
        record_type_id: format!("0125e0000{n:06}").parse().unwrap(),
        developer_name: name.to_owned(),
        name: name.to_owned(),
        is_active: true,
        is_default: n == 0,
        is_available: true,
        business_process: None,
        stages: vec![stage],
        fingerprint: None,
        valid_from: None,
        valid_until: None,
        stale_reason: None,
        stale_since: None,
    }
}

#[test]
fn replacing_pipelines_writes_only_differences() {
    run(async {
        let (client, tables) = tables().await;
        let pipelines = Pipelines::new(client, tables.name("pipelines"));
        let before: Vec<_> = (0..40).map(|n| pipeline(n, "Before")).collect();
        let first = pipelines.replace(org(), &before, at(0)).await.unwrap();
        assert_eq!(first, RefreshedPipelines { stored: 40, removed: 0, unchanged: 0 });

        let after: Vec<_> = (5..45).map(|n| pipeline(n, if n == 5 { "After" } else { "Before" })).collect();
        let second = pipelines.replace(org(), &after, at(1)).await.unwrap();

        assert_eq!(second, RefreshedPipelines { stored: 6, removed: 5, unchanged: 34 });
        assert_eq!(read(pipelines.list(org()).await.unwrap()), after);
        assert_eq!(pipelines.list(other_org()).await.unwrap(), []);
    });
}

/// Removes what the store adds.
fn read(pipelines: Vec<Pipeline>) -> Vec<Pipeline> {
    pipelines
        .into_iter()
        .map(|pipeline| Pipeline { fingerprint: None, valid_from: None, valid_until: None, ..pipeline })
        .collect()
}

#[test]
fn the_pipelines_of_a_past_time_are_listed() {
    run(async {
        let (client, tables) = tables().await;
        let pipelines = Pipelines::new(client, tables.name("pipelines"));
        let (kept, old, new) = (pipeline(0, "Kept"), pipeline(1, "Old"), pipeline(1, "New"));
        pipelines.replace(org(), &[kept.clone(), old.clone()], at(10)).await.unwrap();
        pipelines.replace(org(), &[kept.clone(), new.clone()], at(20)).await.unwrap();
        pipelines.replace(org(), std::slice::from_ref(&kept), at(30)).await.unwrap();
        pipelines.replace(org(), &[kept.clone(), old.clone()], at(40)).await.unwrap();

        for (second, expected) in [
            (9, vec![]),
            (10, vec![kept.clone(), old.clone()]),
            (19, vec![kept.clone(), old.clone()]),
            (20, vec![kept.clone(), new]),
            (30, vec![kept.clone()]),
            (40, vec![kept, old]),
        ] {
            let found = pipelines.list_at(org(), at(second), at(50)).await.unwrap();
            assert_eq!((read(found.pipelines), found.known_since), (expected, Some(at(10))), "at {second}");
        }
        assert_eq!(pipelines.list_at(other_org(), at(40), at(50)).await.unwrap().known_since, None);
    });
}

fn observation(used: u64, lane: Lane, calls: u64) -> Observation {
    Observation { used, max: 15_000, lane, calls }
}

#[test]
fn a_budget_keeps_the_latest_report_and_adds_up_lanes() {
    run(async {
        let (client, tables) = tables().await;
        let budgets = Budgets::new(client, tables.name("budgets"));
        budgets.observe(org(), observation(100, Lane::Webhook, 3), at(10)).await.unwrap();
        budgets.observe(org(), observation(90, Lane::Webhook, 2), at(5)).await.unwrap();
        budgets.observe(org(), observation(120, Lane::Audit, 7), at(20)).await.unwrap();

        let budget = budgets.load(org(), at(30)).await.unwrap().unwrap();

        assert_eq!((budget.used, budget.max, budget.observed_at), (120, 15_000, at(20)));
        assert_eq!(budget.calls, [(Lane::Webhook, 5), (Lane::Audit, 7)].into());
        assert_eq!(budgets.load(org(), at(30 + 86_400)).await.unwrap(), None);
    });
}

#[test]
fn concurrent_observations_lose_no_call() {
    run(async {
        let (client, tables) = tables().await;
        let budgets = Budgets::new(client, tables.name("budgets"));

        let observed =
            join_all((0..20).map(|n| budgets.observe(org(), observation(n, Lane::Backfill, 1), at(10)))).await;

        assert!(observed.iter().all(Result::is_ok), "{observed:?}");
        let budget = budgets.load(org(), at(30)).await.unwrap().unwrap();
        assert_eq!(budget.calls, [(Lane::Backfill, 20)].into());
    });
}

#[test]
fn a_warning_of_the_budget_is_stored_once_a_day() {
    run(async {
        let (client, tables) = tables().await;
        let budgets = Budgets::new(client, tables.name("budgets"));
        let warned = async |second| {
            let warnings = budgets.warn(org(), Some(Allocation::Calls(100)), at(second)).await.unwrap();
            warnings.iter().map(|warning| (warning.percent, warning.limit, warning.used)).collect::<Vec<_>>()
        };
        assert_eq!(warned(0).await, [], "nothing is known yet");
        budgets.observe(org(), observation(14_999, Lane::Webhook, 69), at(10)).await.unwrap();
        assert_eq!(warned(10).await, [], "the allocation counts, not the org's own limit");
        budgets.observe(org(), observation(15_000, Lane::Audit, 1), at(20)).await.unwrap();
        assert_eq!(warned(20).await, [(70, Limit::Allocation, 70)]);
        assert_eq!(warned(21).await, [], "it is told already");
        budgets.observe(org(), observation(15_000, Lane::Interactive, 30), at(30)).await.unwrap();
        assert_eq!(warned(30).await, [(90, Limit::Allocation, 100)]);

        let tomorrow = 86_400;
        budgets.observe(org(), observation(15_000, Lane::Webhook, 95), at(tomorrow)).await.unwrap();
        assert_eq!(warned(tomorrow).await.len(), 2, "both are told anew");
        assert!(budgets.load(org(), at(30)).await.unwrap().is_some(), "the day is no warning");
    });
}
