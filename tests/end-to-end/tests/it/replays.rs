//! Events that were lost, published again by `cargo ferry replay-events` over the deployed stack.
//!
//! The emulator has no S3 destinations, and delivers a failed batch again without limit. So the test stores the object that
//! Lambda would store, under the key and in the form that the AWS Lambda Developer Guide documents ("Retain discarded records
//! for a DynamoDB event source").

use std::process::Output;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use end_to_end::Connected;
use local::workspace::Workspace;
use local::{Progress, Subscription, functions, stack};
use salesforce::Clock;
use serde_json::{Value, json};
use tokio::process::Command;

const MAPPING: &str = "aws/lambda/b1d7f5a2-6b7c-4c3f-9d55-2f9f5c1f4b11/shardId-00000001795342530000-864758bb";

/// The bucket of failed batches.
struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    fn of(org: &Connected) -> Self {
        let config = aws_sdk_s3::config::Builder::from(org.stack.sdk_config()).force_path_style(true);
        let name = org.stack.output("FailedEventsBucket").unwrap().to_owned();
        Self { client: Client::from_conf(config.build()), name }
    }

    /// Stores a batch as Lambda does.
    async fn store(&self, second: u8, records: &[Value]) {
        let object = json!({
            "requestContext": {
                "requestId": "316aa6d0-8154-4f3c-9af7-85d5f4a6bc81",
                "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:ferry-record-events",
                "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 21,
            },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST" },
            "version": "1.0", "timestamp": "2026-11-22T10:20:00.000Z",
            "DDBStreamBatchInfo": {
                "shardId": "shardId-00000001795342530000-864758bb", "batchSize": records.len(),
                "startSequenceNumber": "1", "endSequenceNumber": "9",
                "approximateArrivalOfFirstRecord": "2026-11-22T10:16:00Z",
                "approximateArrivalOfLastRecord": "2026-11-22T10:16:00Z",
                "streamArn": stream(),
            },
            "payload": json!({ "Records": records }).to_string(),
        });
        let key = format!("{MAPPING}/2026/11/22/2026-11-22T10.20.{second:02}-27a7d5a1-6a9b-4f1e-8b07-0a4f5d2b9f10");
        let body = ByteStream::from(object.to_string().into_bytes());
        self.client.put_object().bucket(&self.name).key(key).body(body).send().await.unwrap();
    }

    async fn objects(&self) -> usize {
        let listed = self.client.list_objects_v2().bucket(&self.name).send().await.unwrap();
        listed.contents().len()
    }
}

fn stream() -> &'static str {
    "arn:aws:dynamodb:us-east-1:000000000000:table/ferry-records/stream/2026-11-22T10:00:00.000"
}

/// A record of the stream of `records`: a new account with this number, read for the org's present tenant.
fn change(org_id: &str, number: u8) -> Value {
    let text = |text: &str| json!({ "S": text });
    let read_at = Clock::system().now().to_string();
    json!({
        "eventID": format!("lost-{number}"), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "eventSourceARN": stream(),
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_342_560, "Keys": {}, "SizeBytes": 100,
            "SequenceNumber": format!("80000000000312627636{number}"), "StreamViewType": "NEW_AND_OLD_IMAGES",
            "NewImage": {
                "org_id": text(org_id), "object": text("Account"), "record_id": text(&format!("0015e00000ZkM{number}")),
                "fields": text(r#"{"Name":"Lost"}"#), "deleted": { "BOOL": false },
                "system_modstamp": text("2026-11-22T10:15:30.000Z"), "read_at": text(&read_at),
            },
        },
    })
}

/// Runs `cargo ferry replay-events`.
async fn replay(org: &Connected, arguments: &[&str]) -> Output {
    let binaries = functions::build(&Workspace::here(), &Progress::Silent).await.unwrap();
    let mut command = Command::new(&binaries["ferry"]);
    command.args(["replay-events", "--yes", "--json", "--stack", stack::NAME]).args(arguments);
    command.env("AWS_ENDPOINT_URL", org.stack.emulator().endpoint()).env("AWS_REGION", local::emulator::REGION);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.output().await.unwrap()
}

/// Returns the exit code and the JSON of a run.
fn result(output: &Output) -> (Option<i32>, Value) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Receives events until these ids have arrived, and returns all of them.
async fn received(platform: &Subscription, ids: &[&str]) -> Vec<Value> {
    let mut events = Vec::new();
    let arrived = |events: &[Value], id: &str| events.iter().any(|event| event["detail"]["id"] == id);
    for _ in 0..30 {
        events.extend(platform.receive().await.unwrap());
        if ids.iter().all(|id| arrived(&events, id)) {
            return events;
        }
    }
    panic!("of {ids:?} only these arrived: {events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_events_are_published_from_batches_and_from_the_mirror() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let org_id = org.stack.simulator().org_id();
    let bucket = Bucket::of(&org);
    let detail = json!({ "id": [{ "prefix": "lost-" }, { "prefix": "mirror/" }] });
    let platform = Subscription::to(&org.stack, "replayed", &detail).await.unwrap();
    let mut poison = change(&org_id, 22);
    poison["dynamodb"]["NewImage"]["org_id"]["S"] = json!("not an org");
    bucket.store(1, &[change(&org_id, 11)]).await;
    bucket.store(2, &[change(&org_id, 21), poison, change(&org_id, 23)]).await;

    let (code, dry) = result(&replay(&org, &["--dry-run"]).await);
    assert_eq!(
        (code, &dry["streams"][0]["table"], &dry["streams"][0]["changes"]),
        (Some(0), &json!("ferry-records"), &json!(4))
    );
    assert_eq!(bucket.objects().await, 2);

    let (code, replayed) = result(&replay(&org, &[]).await);

    assert_eq!(
        (code, &replayed["batches_published"], &replayed["changes_unreadable"]),
        (Some(3), &json!(1), &json!(1))
    );
    assert_eq!(bucket.objects().await, 1, "a batch with a record that cannot be read stays");
    for event in received(&platform, &["lost-11", "lost-21", "lost-23"]).await {
        assert_eq!(
            (&event["detail-type"], &event["detail"]["data"]["created"]),
            (&json!("record.changed"), &json!(true))
        );
    }

    let (code, again) = result(&replay(&org, &[]).await);
    assert_eq!((code, &again["batches_published"]), (Some(3), &json!(0)));
    assert_eq!(received(&platform, &["lost-21", "lost-23"]).await.len(), 2, "the same events again");

    let (code, mirrored) = result(&replay(&org, &["--from-mirror", "--org", &org_id, "--object", "Account"]).await);
    assert_eq!(code, Some(0));
    assert!(mirrored["records"].as_u64().is_some_and(|records| records > 0), "{mirrored}");
    let event = platform.event(|event| event["detail"]["data"]["replayed"] == true).await.unwrap();
    assert_eq!(
        (&event["detail-type"], &event["detail"]["data"]["object"]),
        (&json!("record.changed"), &json!("Account"))
    );
}
