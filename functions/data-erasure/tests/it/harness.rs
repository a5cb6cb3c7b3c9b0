//! The function in a [`harness::TestContext`], with rows of an org in every table.

use std::ops::Deref;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use axum::body::Body;
use data_erasure::{Deps, Event, Reply, handle, router};
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use runtime::ConnectionManager;
use runtime::invoke::Invoke;
use runtime::token_broker::Response;
use salesforce::{BoxFuture, ObjectName, OrgId, Record, RecordId};
use serde_json::{Value, json};
use store::erasures::LONGEST_INVOCATION;
use store::org_settings::Author;
use store::{
    Audit, AuditCounts, AuditState, Audits, Authorization, AuthorizationId, Authorizations, Budgets, Change,
    ChangeLane, Connections, CursorName, Cursors, DeadLetters, Deliveries, Delivery, DeliveryOutcome, ErasureTask,
    Erasures, Freshness, Lane, Measured, NewWrite, Observation, OrgData, OrgSettings, OrgSettingsTable, OrgTable,
    Origins, Pipeline, Pipelines, Place, Purpose, Queue, RecordKey, RecordRef, Records, RowsHash, SettingsChange,
    Source, StagedFiles, UserMapping, UserMappings, VisibleIn, Write, WriteKind, WriteOrder, Writes,
};

pub(crate) use harness::run;

const QUEUE: &str = "DataErasureQueue";
pub(crate) const DEAD_LETTERS: [&str; 2] = ["RecordUpsertDeadLetters", "RecordWriteDeadLetters"];
pub(crate) const CONTACT: &str = "0035e00000ZkM3hAAF";
pub(crate) const OTHER_CONTACT: &str = "0035e00000ZkM3iAAF";
pub(crate) const CONTACTS: ObjectName = ObjectName::from_static("Contact");

/// The context of a test: the function with its dependencies.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
}

impl Deref for TestContext {
    type Target = harness::TestContext;

    fn deref(&self) -> &harness::TestContext {
        &self.context
    }
}

/// A connection manager that revokes every connection, as the real one does once the grant is revoked at Salesforce.
struct Manager {
    connections: Connections,
    clock: salesforce::Clock,
}

impl Invoke for Manager {
    fn name(&self) -> &str {
        "connection-manager"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        Box::pin(async move {
            let runtime::token_broker::Request::Revoke(wanted) = serde_json::from_slice(&payload).unwrap() else {
                panic!("not a request to revoke")
            };
            let revoked = store::ConnectionState::Revoked;
            let (connections, now) = (&self.connections, self.clock.now());
            harness::set_connection_state(connections, wanted.org_id, &wanted.connection_id, &revoked, now).await;
            Ok(serde_json::to_vec(&Response::Revoked(wanted)).unwrap())
        })
    }
}

impl TestContext {
    /// Creates an active org with two connections.
    pub(crate) async fn new() -> Self {
        Self::from(harness::TestContext::connected().await)
    }

    /// Creates the same for [`harness::TestContext::killed_at`].
    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await)
    }

    fn from(context: harness::TestContext) -> Self {
        let manager = Manager { connections: context.connections.clone(), clock: context.clock.clone() };
        let letters = |name: &&str| DeadLetters::new(context.sqs(), context.queue_url(name));
        let deps = Deps {
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            erasures: Erasures::new(context.dynamodb(), context.table("erasures")),
            data: OrgData::new(&context.dynamodb(), |table| context.table(table.name())),
            records: Records::new(context.dynamodb(), context.table("records")),
            writes: Writes::new(context.dynamodb(), context.table("writes")),
            staged_files: StagedFiles::new(context.aws().s3(), context.bucket("StagedFiles")),
            tasks: Queue::new(context.sqs(), context.queue_url(QUEUE), context.clock.clone()),
            dead_letters: DEAD_LETTERS.iter().map(letters).collect(),
            disconnected_retention: Some(SignedDuration::from_hours(30 * 24)),
            connection_manager: ConnectionManager::new(manager),
            clock: context.clock.clone(),
        };
        Self { context, deps }
    }

    /// Sends a request about the org.
    pub(crate) async fn request(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(format!("/v1/orgs/{}{path}", self.org));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(router(self.deps.clone()), request.unwrap()).await
    }

    /// Disconnects the org, requests its erasure and lets the time pass after which it begins.
    pub(crate) async fn closed_and_requested(&self) -> Value {
        self.orgs.close(self.org, self.clock.now()).await.unwrap();
        let (status, erasure) = self.request("DELETE", "/data", None).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{erasure}");
        self.pass(LONGEST_INVOCATION);
        erasure
    }

    /// Invokes the function with the task of an erasure and five minutes.
    pub(crate) async fn work_on(&self, erasure: &Value) -> Vec<String> {
        self.work_until(erasure, self.clock.now() + SignedDuration::from_mins(5)).await
    }

    /// Invokes the function with the task of an erasure. Returns the ids of the messages to retry.
    pub(crate) async fn work_until(&self, erasure: &Value, deadline: Timestamp) -> Vec<String> {
        let Reply::Tasks(report) = handle(&self.deps, self.task(erasure), deadline).await.unwrap() else {
            panic!("the reply to a schedule")
        };
        report.failed
    }

    /// Returns the event with the task of an erasure.
    pub(crate) fn task(&self, erasure: &Value) -> Event {
        let erasure_id = erasure["erasure_id"].as_str().unwrap().parse().unwrap();
        let task = ErasureTask { org_id: self.org, erasure_id };
        let body = serde_json::to_string(&task).unwrap();
        serde_json::from_value(json!({ "Records": [{ "messageId": "1", "body": body }] })).unwrap()
    }

    /// Reads the erasure.
    pub(crate) async fn progress(&self, erasure: &Value) -> Value {
        let (status, erasure) =
            self.request("GET", &format!("/erasures/{}", erasure["erasure_id"].as_str().unwrap()), None).await;
        assert_eq!(status, StatusCode::OK, "{erasure}");
        erasure
    }

    /// Returns the number of visible and delayed tasks.
    pub(crate) async fn queued(&self) -> usize {
        let (visible, delayed) = self.waiting(QUEUE).await;
        visible + delayed
    }

    pub(crate) fn writes(&self) -> Writes {
        Writes::new(self.dynamodb(), self.table("writes"))
    }

    /// Stores a record in the mirror.
    pub(crate) async fn mirror(&self, org: OrgId, object: &str, id: &str) {
        let fields = json!({ "Name": "Ada", "SystemModstamp": "2026-11-22T09:00:00.000+0000" });
        let (object, id): (ObjectName, RecordId) = (object.parse().unwrap(), id.parse().unwrap());
        let record = Record { object: object.clone(), id, fields: fields.as_object().unwrap().clone() };
        let change = Change::Upsert { record, read_at: self.clock.now() };
        self.deps.records.apply(org, &object, change).await.unwrap();
    }

    /// Stores a write whose outcome names a record, with its place in the order of writes.
    pub(crate) async fn write(&self, org: OrgId, key: &str, id: &str) -> Write {
        let write = self.begin_write(org, key, json!({ "key": key })).await;
        let order = WriteOrder::new(self.dynamodb(), self.table("write_order"));
        let record = RecordKey::new(&CONTACTS, &"Ferry_External_Id__c".parse().unwrap(), &json!("C-1"));
        order.join(org, &[record], Place::of(&write), self.clock.now()).await.unwrap();
        self.writes().finish(&write, None, &json!({ "records": [{ "id": id }] }), self.clock.now()).await.unwrap()
    }

    /// Returns a request for a write.
    pub(crate) fn new_write(&self, org: OrgId, key: &str, request: Value) -> NewWrite {
        NewWrite {
            org_id: org,
            idempotency_key: key.parse().unwrap(),
            kind: WriteKind::Records,
            object: Some(CONTACTS),
            platform_user: None,
            request,
            retry_of: None,
            now: self.clock.now(),
            claim_ttl: SignedDuration::from_secs(60),
        }
    }

    /// Stores a write that is not finished.
    pub(crate) async fn begin_write(&self, org: OrgId, key: &str, request: Value) -> Write {
        let new = self.new_write(org, key, request);
        let store::BeginOutcome::Started(write) = self.writes().begin(&new).await.unwrap() else { panic!("begun") };
        write
    }

    /// Sets the time of the last consent of the team connection.
    pub(crate) async fn consented_at(&self, at: Timestamp) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let update = self.dynamodb().update_item().table_name(self.table("connections"));
        let update = update.key("org_id", text(self.org.as_str())).key("connection_id", text("team"));
        let update = update.update_expression("SET connected_at = :at");
        update.expression_attribute_values(":at", text(&store::time::format(at))).send().await.unwrap();
    }

    /// Stores a delivery about a contact.
    pub(crate) async fn delivery(&self, org: OrgId, delivery: &str, id: &str) {
        let delivery = Delivery {
            org_id: org,
            delivery_id: delivery.parse().unwrap(),
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: CONTACTS, record_id: id.parse().unwrap() }),
            received_at: self.clock.now(),
            settled_at: self.clock.now(),
            outcome: DeliveryOutcome::Applied,
        };
        Deliveries::new(self.dynamodb(), self.table("deliveries")).record(&[delivery]).await.unwrap();
    }

    /// Stores the origin of a change of a contact.
    pub(crate) async fn origin(&self, org: OrgId, id: &str, write: &Write) {
        let origin = store::origins::Origin {
            write_id: write.write_id,
            user_id: "0055e000001mKpCAAU".parse().unwrap(),
            from: self.clock.now(),
            to: self.clock.now(),
            fields: vec!["Name".to_owned()],
        };
        let origins = Origins::new(self.dynamodb(), self.table("origins"));
        origins.record(org, &[(id.parse().unwrap(), origin)]).await.unwrap();
    }

    /// Sends a dead letter with this body.
    pub(crate) async fn dead_letter(&self, queue: &str, body: &Value) {
        let send = self.sqs().send_message().queue_url(self.queue_url(queue)).message_body(body.to_string());
        send.send().await.unwrap();
    }

    /// Stores rows of an org in every table: records of an object that is no longer mirrored among them.
    pub(crate) async fn fill(&self, org: OrgId) {
        for (object, id) in [("Contact", CONTACT), ("Contact", OTHER_CONTACT), ("Former__c", "a015e00000AbCdEAAV")] {
            self.mirror(org, object, id).await;
        }
        let write = self.write(org, &format!("write-{org}"), CONTACT).await;
        self.delivery(org, "04l5e0000000001", CONTACT).await;
        self.origin(org, CONTACT, &write).await;
        let now = self.clock.now();
        let cursors = Cursors::new(self.dynamodb(), self.table("cursors"));
        cursors.finish(org, &CursorName::incremental(&CONTACTS), now).await.unwrap();
        cursors.leave_out(org, (&CONTACTS, CONTACT.parse().unwrap()), "too_large", now).await.unwrap();
        let observed = Observation { used: 1, max: 100, lane: Lane::Webhook, calls: 1 };
        Budgets::new(self.dynamodb(), self.table("budgets")).observe(org, observed, now).await.unwrap();
        let mut measured = Measured::default();
        measured.add(org, &CONTACTS, ChangeLane::Webhook, (now, now));
        let freshness = Freshness::new(self.dynamodb(), self.table("freshness"));
        freshness.add(VisibleIn::Mirror, &measured, now).await.unwrap();
        let settings = SettingsChange { seen: 0, settings: OrgSettings::default(), author: Author::Operator };
        OrgSettingsTable::new(self.dynamodb(), self.table("org_settings")).store(org, settings, now).await.unwrap();
        let pipeline: Pipeline = serde_json::from_value(json!({
            "record_type_id": "012000000000001AAA", "developer_name": "Sales", "name": "Sales", "is_active": true,
            "is_default": true, "stages": [],
        }))
        .unwrap();
        let pipelines = Pipelines::new(self.dynamodb(), self.table("pipelines"));
        pipelines.replace(org, &[pipeline], now).await.unwrap();
        let link = Authorization {
            id: AuthorizationId::derive(Purpose::Ticket, &format!("link-{org}")),
            payload: json!({ "tenant": "acme", "org_id": org }),
            expires_at: now + SignedDuration::from_hours(1),
        };
        Authorizations::new(self.dynamodb(), self.table("authorizations")).store(&link).await.unwrap();
        let mapping = UserMapping {
            org_id: org,
            platform_user: "rep-2".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            user_id: "005000000000001".parse().unwrap(),
            mapped_at: now,
        };
        UserMappings::new(self.dynamodb(), self.table("users")).store(&mapping).await.unwrap();
        let audit = Audit {
            org_id: org,
            object: CONTACTS,
            started_at: now,
            state: AuditState::Finished,
            reason: None,
            counts: AuditCounts::default(),
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            updated_at: now,
        };
        Audits::new(self.dynamodb(), self.table("audits")).store(&audit).await.unwrap();
    }

    /// Stores this many records of an org without the apply rule, 25 to a request.
    pub(crate) async fn mirror_many(&self, org: OrgId, count: usize) {
        let text = |text: String| AttributeValue::S(text);
        for chunk in (0..count).collect::<Vec<_>>().chunks(25) {
            let puts = chunk.iter().map(|number| {
                let put = PutRequest::builder()
                    .item("partition", text(format!("{org}#Contact")))
                    .item("record_id", text(format!("0035e0000{number:06}AAA")))
                    .item("fields", text("{}".to_owned()));
                WriteRequest::builder().put_request(put.build().unwrap()).build()
            });
            let batch = self.dynamodb().batch_write_item().request_items(self.table("records"), puts.collect());
            batch.send().await.unwrap();
        }
    }

    /// Returns the number of an org's rows in every table.
    pub(crate) async fn rows(&self, org: OrgId) -> Vec<(OrgTable, usize)> {
        let mut rows = Vec::new();
        for table in OrgTable::ALL {
            let (mut count, mut after) = (0, None);
            loop {
                let (page, next) = self.deps.data.page(org, table, after).await.unwrap();
                count += page.len();
                if next.is_none() {
                    break;
                }
                after = next;
            }
            rows.push((table, count));
        }
        rows
    }
}
