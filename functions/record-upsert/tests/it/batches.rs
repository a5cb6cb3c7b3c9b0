//! The largest batches that Lambda delivers.

use std::collections::BTreeMap;

use record_upsert::handle;
use serde_json::{Value, json};
use store::{ChangeHint, DeliveryOutcome};

use crate::harness::{MINUTE, batch};
use crate::orgs::Orgs;

/// Lambda's limit for an event, in bytes.
const PAYLOAD_BYTES: usize = 6 * 1024 * 1024;
const OBJECTS: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];

fn fields(object: &str, n: usize) -> Value {
    let name = format!("Record {n}");
    match object {
        "Contact" => json!({ "LastName": name }),
        "Lead" => json!({ "LastName": name, "Company": "Acme" }),
        "Opportunity" => json!({ "Name": name, "StageName": "Prospecting", "CloseDate": "2027-01-31" }),
        _ => json!({ "Name": name }),
    }
}

/// Counts the calls of each object in an org: `composite/sobjects/{object}`, `queryAll` and describes.
fn calls(log: &[String]) -> BTreeMap<&str, usize> {
    let mut calls = BTreeMap::new();
    for line in log {
        let path = line.split_whitespace().nth(1).unwrap();
        let object = OBJECTS.into_iter().find(|object| path.contains(object)).expect(path);
        *calls.entry(object).or_default() += 1;
    }
    calls
}

#[test]
fn a_thousand_hints_cost_two_calls_an_object_then_one() {
    harness::run(async {
        let orgs = Orgs::start(5).await;
        let hint = |n: usize| {
            let object = OBJECTS[n / 5 % 4];
            orgs.create(orgs.ids[n % 5], object, fields(object, n))
        };
        // Each record has five hints.
        let distinct: Vec<ChangeHint> = (0..200).map(hint).collect();
        let duplicate = |n: usize, hint: &ChangeHint| ChangeHint {
            delivery_id: format!("04l5e0001{n:06}").parse().unwrap(),
            ..hint.clone()
        };
        let hints: Vec<_> = (0..1_000).map(|n| duplicate(n, &distinct[n * 7 % 200])).collect();
        let event = batch(&hints);

        let first = handle(&orgs.context.deps, event.clone(), orgs.context.clock.now() + MINUTE).await.unwrap();

        assert!(first.failed.is_empty(), "{first:?}");
        let logs: Vec<_> = orgs.ids.iter().map(|org| orgs.simulator(*org).request_log()).collect();
        for log in &logs {
            assert_eq!(calls(log), OBJECTS.map(|object| (object, 2)).into(), "1 + ceil(n / 2000)");
        }
        for n in (0..1_000).step_by(37) {
            assert_eq!(orgs.context.outcome(&hints[n]).await, Some(DeliveryOutcome::Applied));
        }

        handle(&orgs.context.deps, event, orgs.context.clock.now() + MINUTE).await.unwrap();

        for (org, before) in orgs.ids.iter().zip(logs) {
            let log = orgs.simulator(*org).request_log();
            assert_eq!(log.len() - before.len(), OBJECTS.len(), "{log:?}");
        }
        for n in (0..1_000).step_by(37) {
            assert_eq!(
                orgs.context.outcome(&hints[n]).await,
                Some(DeliveryOutcome::Applied),
                "the second run replaced the outcome"
            );
        }
    });
}

/// Uses the longest ids and names, and all attributes of SQS.
#[test]
fn the_largest_batch_fits_into_an_invocation() {
    let long = json!({
        "org_id": "00D5e000000KQ2eEAG", "delivery_id": "d".repeat(200), "source": "change_data_capture",
        "record": { "object": "o".repeat(255), "record_id": "0065e00000AbCdEAAV" },
        "received_at": "2026-11-22T10:00:00.000Z", "put_off": 4_000_000_000_u32,
    });
    let message = json!({
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "r".repeat(1_024), "body": long.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1000", "SentTimestamp": "1795342530000", "SenderId": "s".repeat(128),
            "ApproximateFirstReceiveTimestamp": "1795342530000", "MessageGroupId": "00D5e000000KQ2eEAG",
            "AWSTraceHeader": "t".repeat(256),
        },
        "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:{}", "q".repeat(80)), "awsRegion": "eu-central-1",
    });
    assert!(message.to_string().len() * 1_000 < PAYLOAD_BYTES, "{}", message.to_string().len());
}
