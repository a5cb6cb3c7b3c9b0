//! An org, the functions that its changes go through, and the platform's queue at the end.

use std::ops::Deref;
use std::sync::Mutex;

use axum::body::Body;
use connecting::connect_links::ConnectLinks;
use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use mirroring::FieldCache;
use org_simulator::{Effect, Fault};
use record_events::change::EventValues;
use salesforce::{ObjectName, RecordId};
use serde::Serialize;
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;
use store::{
    Authorizations, Budgets, ChangeHint, ClientKeys, Cursors, Deliveries, DeliveryOutcome, EventBus, MirrorRecord,
    OrgSettingsTable, Origins, Pipelines, Queue, Records, SettingsCache,
};

/// The external id field that the package adds.
pub(crate) const KEY: &str = "Ferry_External_Id__c";
const HINTS: &str = "RecordUpsertQueue";

/// The state of one test.
pub(crate) struct TestContext {
    context: harness::TestContext,
    writing: record_write::Deps,
    mirroring: record_upsert::Deps,
    relaying: change_event::Deps,
    publishing: record_events::Deps,
    platform: String,
    changes: Mutex<usize>,
}

impl Deref for TestContext {
    type Target = harness::TestContext;

    fn deref(&self) -> &harness::TestContext {
        &self.context
    }
}

impl TestContext {
    /// Creates an active org with a team connection and the rep's.
    pub(crate) async fn new() -> Self {
        let context = harness::TestContext::connected().await;
        Self {
            writing: writing(&context),
            mirroring: mirroring(&context),
            relaying: relaying(&context),
            publishing: publishing(&context),
            platform: context.subscribe("platform").await,
            changes: Mutex::default(),
            context,
        }
    }

    /// Writes an Opportunity through Ferry for the rep. Returns the ids of the record and of the write.
    pub(crate) async fn write(&self, key: &str, record: Value) -> (RecordId, Value) {
        let body = json!({ "external_id_field": KEY, "records": [record] });
        let path = format!("/v1/orgs/{}/records/Opportunity?as={}", self.org, harness::REP);
        let request = Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (status, response) = self.context.send(record_write::router(self.writing.clone()), request).await;
        assert_eq!((status, &response["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{response}");
        assert_eq!(response["owner_choice"], "rep");
        (response["records"][0]["id"].as_str().unwrap().parse().unwrap(), response["write_id"].clone())
    }

    /// Requests an operation on a record for the rep, which Salesforce carries out. Returns the response.
    pub(crate) async fn request(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        let path = format!("/v1/orgs/{}/{path}?as={}", self.org, harness::REP);
        let request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let (status, response) = self.context.send(record_write::router(self.writing.clone()), request).await;
        assert_eq!((status, &response["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{response}");
        response
    }

    /// Puts hints into the queue, as `outbound-message` does.
    pub(crate) async fn queue(&self, hints: &[ChangeHint]) {
        self.mirroring.hints.send_all(hints, self.deadline()).await.unwrap();
    }

    /// Sends an event to `change-event`, as EventBridge does.
    pub(crate) async fn relay(&self, event: &Value) {
        let event = serde_json::value::to_raw_value(event).unwrap();
        let response = change_event::handle(&self.relaying, event, self.deadline()).await.unwrap();
        assert!(!response.refused);
    }

    /// Applies the queued hints to the mirror, and publishes the change of the record. Returns the events that the platform receives.
    pub(crate) async fn settle(&self, object: &ObjectName, id: RecordId) -> Vec<Value> {
        let before = self.mirrored(object, id).await;
        let hints = self.take(HINTS, self.waiting(HINTS).await.0).await;
        let message = |(n, body): (usize, &String)| json!({ "messageId": n.to_string(), "body": body });
        let batch: Vec<Value> = hints.iter().enumerate().map(message).collect();
        let batch = serde_json::from_value(json!({ "Records": batch })).unwrap();
        let response = record_upsert::handle(&self.mirroring, batch, self.deadline()).await.unwrap();
        assert!(response.failed.is_empty(), "{response:?}");
        let after = self.mirrored(object, id).await.unwrap();
        if before.as_ref() == Some(&after) {
            return Vec::new();
        }
        self.publish("records", before.as_ref(), &after).await
    }

    /// Requests a write of an Opportunity while Salesforce is unavailable, and makes it afterwards. Returns the events of the
    /// changes of its entry in the ledger.
    pub(crate) async fn write_after_an_outage(&self, key: &str, record: Value) -> Vec<Value> {
        let path_prefix = "/services/data/v66.0/composite".to_owned();
        self.simulator.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable });
        let body = json!({ "external_id_field": KEY, "records": [record] });
        let path = format!("/v1/orgs/{}/records/Opportunity", self.org);
        let request = Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (status, response) = self.context.send(record_write::router(self.writing.clone()), request).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{response}");
        self.simulator.clear_faults();
        let (ledger, id) = (&self.writing.ledger.writes, response["write_id"].as_str().unwrap().parse().unwrap());
        let queued = ledger.load(self.org, id).await.unwrap().unwrap();

        let event = self.write_event(&response["write_id"]).await;
        assert!(record_write::handle(&self.writing, event).await.unwrap().failed.is_empty());
        let ended = ledger.load(self.org, id).await.unwrap().unwrap();

        let mut events = self.publish("writes", None, &queued).await;
        events.extend(self.publish("writes", Some(&queued), &ended).await);
        events
    }

    /// Publishes a change of a row. Returns the events that the platform receives.
    async fn publish<T: Serialize>(&self, table: &str, before: Option<&T>, after: &T) -> Vec<Value> {
        let change = self.stream(table, before, after);
        let report = record_events::handle(&self.publishing, serde_json::from_value(change).unwrap()).await.unwrap();
        assert_eq!(report.resume_at, None);
        let published = usize::try_from(report.published).unwrap();
        let events = self.context.received(&self.platform, published).await;
        events.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["detail"].clone()).collect()
    }

    /// Returns the record's row in the mirror.
    pub(crate) async fn mirrored(&self, object: &ObjectName, id: RecordId) -> Option<MirrorRecord> {
        self.mirroring.records.load(self.org, object, id).await.unwrap()
    }

    /// Returns the outcome of a delivery in the ledger.
    pub(crate) async fn outcome(&self, delivery: &str) -> DeliveryOutcome {
        let delivery = self.mirroring.deliveries.load(self.org, &delivery.parse().unwrap()).await.unwrap();
        delivery.unwrap().outcome
    }

    fn deadline(&self) -> Timestamp {
        self.clock.now().checked_add(SignedDuration::from_mins(1)).unwrap()
    }

    async fn take(&self, queue: &str, count: usize) -> Vec<String> {
        self.context.received(&self.queue_url(queue), count).await
    }

    /// Returns the event of the table's stream for a change of a row.
    fn stream<T: Serialize>(&self, table: &str, before: Option<&T>, after: &T) -> Value {
        let image = |row: Option<&T>| {
            let item: serde_dynamo::Item = row.map(|row| serde_dynamo::to_item(row).unwrap()).unwrap_or_default();
            serde_json::to_value(item).unwrap()
        };
        let mut changes = self.changes.lock().unwrap();
        *changes += 1;
        let table = self.context.table(table);
        json!({ "Records": [{
            "eventSourceARN": format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-11-22T10:00:00.000"),
            "awsRegion": "us-east-1", "eventID": format!("change-{changes}"), "eventName": "MODIFY",
            "dynamodb": {
                "Keys": {}, "OldImage": image(before), "NewImage": image(Some(after)),
                "SequenceNumber": changes.to_string(), "SizeBytes": 1,
            },
        }] })
    }
}

fn writing(context: &harness::TestContext) -> record_write::Deps {
    let ledger = context.writes("RecordWriteQueue", OwnerPolicy::RepThenTeam);
    record_write::Deps {
        ledger,
        origins: Origins::new(context.dynamodb(), context.table("origins")),
        hints: Queue::new(context.sqs(), context.queue_url(HINTS), context.clock.clone()),
        settings: SettingsCache::new(OrgSettingsTable::new(context.dynamodb(), context.table("org_settings"))),
        mirrored_objects: ["Account", "Contact", "Lead", "Opportunity"].map(ObjectName::from_static).to_vec(),
        writable_objects: record_write::WritableObjects::default(),
        client_keys: ClientKeys::new(context.dynamodb(), context.table("write_order")),
        metadata: record_write::Metadata::new(
            Pipelines::new(context.dynamodb(), context.table("pipelines")),
            context.clock.clone(),
        ),
    }
}

fn mirroring(context: &harness::TestContext) -> record_upsert::Deps {
    let queue = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
    record_upsert::Deps {
        salesforce: context.salesforce.clone(),
        orgs: context.orgs.clone(),
        records: Records::new(context.dynamodb(), context.table("records")),
        deliveries: Deliveries::new(context.dynamodb(), context.table("deliveries")),
        budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
        settings: SettingsCache::new(OrgSettingsTable::new(context.dynamodb(), context.table("org_settings"))),
        cursors: Cursors::new(context.dynamodb(), context.table("cursors")),
        freshness: store::Freshness::new(context.dynamodb(), context.table("freshness")),
        objectives: store::Objectives::default(),
        mirrored_objects: Vec::new(),
        hints: queue(HINTS),
        dead_letters: queue("RecordUpsertDeadLetters"),
        clock: context.clock.clone(),
        fields: FieldCache::default(),
        org_backoff: record_upsert::org_backoff::OrgBackoff::default(),
    }
}

fn relaying(context: &harness::TestContext) -> change_event::Deps {
    change_event::Deps {
        orgs: context.orgs.clone(),
        deliveries: Deliveries::new(context.dynamodb(), context.table("deliveries")),
        hints: Queue::new(context.sqs(), context.queue_url(HINTS), context.clock.clone()),
        refreshes: Queue::new(context.sqs(), context.queue_url("PipelineRefreshQueue"), context.clock.clone()),
        clock: context.clock.clone(),
    }
}

fn publishing(context: &harness::TestContext) -> record_events::Deps {
    let authorizations = Authorizations::new(context.dynamodb(), context.table("authorizations"));
    record_events::Deps {
        bus: EventBus::new(context.eventbridge(), context.bus_name()),
        orgs: context.orgs.clone(),
        origins: Origins::new(context.dynamodb(), context.table("origins")),
        stream_tables: record_events::StreamTables {
            records: context.table("records"),
            connections: context.table("connections"),
            orgs: context.table("orgs"),
            writes: context.table("writes"),
            audits: context.table("audits"),
            pipelines: context.table("pipelines"),
            cursors: context.table("cursors"),
            budgets: context.table("budgets"),
        },
        freshness: store::Freshness::new(context.dynamodb(), context.table("freshness")),
        values: EventValues::Names,
        links: ConnectLinks::new(authorizations, "https://ferry.example.com"),
        clock: context.clock.clone(),
    }
}
