//! Tests of the function with the AWS emulator: from stream records to events on the bus.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod catalogue;
mod filters;
mod freshness;

use aws_sdk_eventbridge::types::Target;
use connecting::connect_links::{ConnectLinks, Ticket};
use local::emulator::Tables;
use local::{Emulator, EventCatalogue, unique_prefix};
use record_events::change::EventValues;
use record_events::{Deps, Input, StreamTables, handle};
use salesforce::{Clock, OrgId};
use serde_json::{Value, json};
use store::cursors::fields::FieldTypes;
use store::origins::Origin;
use store::{
    ActivationRequest, Allocation, Audit, AuditCounts, AuditState, AuthorizationId, Authorizations, BindingRight,
    Budgets, ConnectionId, ConnectionKind, Environment, EventBus, Lane, MirrorRecord, Observation, Orgs, Origins,
    Purpose, RowsHash, SecretHash, SeenFields,
};

const ORG: &str = "00D5e000000KQ2eEAG";
const RECORDS: &str = "records";
const CONNECTIONS: &str = "connections";
const WRITES: &str = "writes";
const AUDITS: &str = "audits";
const PIPELINES: &str = "pipelines";
const CURSORS: &str = "cursors";
const BUDGETS: &str = "budgets";

/// An event bus, and the platform's queue on it.
struct TestContext {
    emulator: Emulator,
    tables: Tables,
    queue_url: String,
}

impl TestContext {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let tables = emulator.create_tables(&unique_prefix()).await.unwrap();
        let eventbridge = aws_sdk_eventbridge::Client::new(emulator.sdk_config());
        let sqs = aws_sdk_sqs::Client::new(emulator.sdk_config());
        eventbridge.create_event_bus().name("bus").send().await.unwrap();
        let rule = eventbridge.put_rule().name("all").event_bus_name("bus").event_pattern(r#"{"source":["ferry"]}"#);
        rule.send().await.unwrap();
        let queue_url = sqs.create_queue().queue_name("platform").send().await.unwrap().queue_url.unwrap();
        let target =
            Target::builder().id("platform").arn("arn:aws:sqs:us-east-1:000000000000:platform").build().unwrap();
        eventbridge.put_targets().event_bus_name("bus").rule("all").targets(target).send().await.unwrap();
        Self { emulator, tables, queue_url }
    }

    /// Makes the org active, for the tenant `acme`, before its records are read.
    async fn activate(&self) {
        self.activate_at("2026-11-22T10:00:00Z".parse().unwrap()).await;
    }

    async fn activate_at(&self, now: jiff::Timestamp) {
        let webhook_secret = SecretHash { sha256: "0".repeat(64), created_at: now };
        let (org_id, tenant) = (ORG.parse().unwrap(), "acme".parse().unwrap());
        let (right, environment, my_domain_url) = (BindingRight::Unowned, Environment::Sandbox, None);
        let activate = ActivationRequest { org_id, tenant, right, environment, my_domain_url, webhook_secret, now };
        self.deps().orgs.activate(&activate).await.unwrap();
    }

    fn deps(&self) -> Deps {
        Deps {
            bus: EventBus::new(aws_sdk_eventbridge::Client::new(self.emulator.sdk_config()), "bus"),
            orgs: Orgs::new(self.dynamodb(), self.tables.name("orgs")),
            origins: Origins::new(self.dynamodb(), self.tables.name("origins")),
            freshness: store::Freshness::new(self.dynamodb(), self.tables.name("freshness")),
            values: EventValues::Names,
            stream_tables: StreamTables {
                records: RECORDS.to_owned(),
                connections: CONNECTIONS.to_owned(),
                orgs: "orgs".to_owned(),
                writes: WRITES.to_owned(),
                audits: AUDITS.to_owned(),
                pipelines: PIPELINES.to_owned(),
                cursors: CURSORS.to_owned(),
                budgets: BUDGETS.to_owned(),
            },
            links: ConnectLinks::new(self.authorizations(), "https://ferry.example.com"),
            clock: Clock::system(),
        }
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(self.emulator.sdk_config())
    }

    fn authorizations(&self) -> Authorizations {
        Authorizations::new(self.dynamodb(), self.tables.name("authorizations"))
    }

    /// Receives the platform's events.
    async fn received(&self) -> Vec<Value> {
        let sqs = aws_sdk_sqs::Client::new(self.emulator.sdk_config());
        let mut events = Vec::new();
        loop {
            let receive = sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(1).send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return events;
            }
            for message in &messages {
                let event = serde_json::from_str(message.body().unwrap()).unwrap();
                EventCatalogue::get().unwrap().check_envelope(&event).unwrap();
                events.push(event);
            }
        }
    }
}

/// The user that saved every row.
const REP: &str = "0055e000001mKpCAAU";

/// A row as the stream shows it.
fn row(stage: &str, deleted: bool) -> Value {
    let live = json!({ "StageName": stage, "Name": "Deal", "LastModifiedById": REP });
    let fields = if deleted { json!({}) } else { live };
    let record = MirrorRecord {
        org_id: ORG.parse().unwrap(),
        object: "Opportunity".parse().unwrap(),
        record_id: "0065e00000AbCdEAAV".parse().unwrap(),
        fields: fields.as_object().unwrap().clone(),
        system_modstamp: "2026-11-22T10:15:30Z".parse().unwrap(),
        read_at: "2026-11-22T10:16:00Z".parse().unwrap(),
        deleted,
        master_record_id: None,
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: store::records::Carried::default(),
    };
    let item: serde_dynamo::Item = serde_dynamo::to_item(record).unwrap();
    serde_json::to_value(item).unwrap()
}

/// A batch of a table's stream in which each row follows the one before it.
fn stream(table: &str, rows: &[Value]) -> Input {
    serde_json::from_value(stream_event(table, rows)).unwrap()
}

fn stream_event(table: &str, rows: &[Value]) -> Value {
    let record = |(n, new): (usize, &Value)| {
        let old = n.checked_sub(1).and_then(|before| rows.get(before)).cloned().unwrap_or(json!({}));
        json!({
            "eventSourceARN": format!("arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/2026-11-22T10:00:00.000"),
            "awsRegion": "us-east-1", "eventID": format!("change-{n}"), "eventName": "MODIFY",
            "dynamodb": { "Keys": {}, "OldImage": old, "NewImage": new, "SequenceNumber": n.to_string(), "SizeBytes": 1 },
        })
    };
    let records: Vec<Value> = rows.iter().enumerate().map(record).collect();
    json!({ "Records": records })
}

#[tokio::test]
async fn each_change_of_a_record_is_published() {
    let context = TestContext::new().await;
    context.activate().await;
    let life = [row("Prospecting", false), row("Prospecting", false), row("Closed Won", false), row("", true)];
    let back = row("Closed Won", false);

    let report = handle(&context.deps(), stream(RECORDS, &[&life[..], &[back]].concat())).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 4, 1));
    let mut events = context.received().await;
    events.sort_by_key(|event| event["detail"]["id"].to_string());
    let published: Vec<_> =
        events.iter().map(|event| (&event["detail-type"], &event["detail"]["data"]["changed_fields"])).collect();
    let expected = [
        (&json!("record.changed"), &json!(["Name", "StageName"])),
        (&json!("record.changed"), &json!(["StageName"])),
        (&json!("record.deleted"), &json!([])),
        (&json!("record.restored"), &json!(["Name", "StageName"])),
    ];
    assert_eq!(published, expected);
    assert!(events.iter().all(|event| event["detail"]["source"] == "ferry/00D5e000000KQ2eEAG"));
    assert!(events.iter().all(|event| event["detail"]["data"]["tenant"] == "acme"), "{events:?}");
}

#[tokio::test]
async fn a_record_of_an_org_without_a_tenant_makes_no_event() {
    let context = TestContext::new().await;

    let report = handle(&context.deps(), stream(RECORDS, &[row("Prospecting", false)])).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 0, 1));
    assert_eq!(context.received().await, [] as [Value; 0]);
}

#[tokio::test]
async fn records_wait_while_their_orgs_cannot_be_read() {
    let context = TestContext::new().await;
    let deps = Deps { orgs: Orgs::new(context.dynamodb(), "no-such-table"), ..context.deps() };

    let report = handle(&deps, stream(RECORDS, &[row("Prospecting", false)])).await.unwrap();

    assert_eq!((report.resume_at.as_deref(), report.published), (Some("0"), 0));
}

/// A connection's row as the stream shows it.
fn connection(state: &str, reason: Option<&str>) -> Value {
    let connection_id = ConnectionId::personal(&"rep-1".parse().unwrap());
    let mut row = json!({
        "org_id": ORG, "connection_id": connection_id, "kind": "personal", "platform_user": "rep-1", "tenant": "acme",
        "user_id": "0055e000001mKpCAAU", "app": "v1", "login_url": "https://test.salesforce.com",
        "instance_url": "https://acme.my.salesforce.com", "state": state, "token_version": "2".repeat(32),
        "created_at": "2026-11-01T00:00:00.000Z", "connected_at": "2026-11-01T00:00:00.000Z",
        "updated_at": "2026-11-22T10:00:00.000Z",
    });
    if let Some(reason) = reason {
        row["reason"] = json!(reason);
    }
    let item: serde_dynamo::Item = serde_dynamo::to_item(row).unwrap();
    let mut image = serde_json::to_value(item).unwrap();
    image["lease_fence"] = json!({ "N": "3" });
    image
}

#[tokio::test]
async fn a_dead_connection_is_published_with_a_working_link() {
    let context = TestContext::new().await;
    let deps = context.deps();
    let now = deps.clock.now();
    context.activate().await;
    let rows =
        [connection("active", None), connection("active", None), connection("reauth_required", Some("grant_ended"))];

    let report = handle(&deps, stream(CONNECTIONS, &rows)).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 2, 1));
    let events = context.received().await;
    let dead = events.iter().find(|event| event["detail-type"] == "connection.reauth_required").unwrap();
    let data = &dead["detail"]["data"];
    assert_eq!((&data["platform_user"], &data["reason"]), (&json!("rep-1"), &json!("grant_ended")));
    let ticket = data["connect_url"].as_str().unwrap().strip_prefix("https://ferry.example.com/connect/").unwrap();
    let in_hours = |hours| now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
    let id = AuthorizationId::derive(Purpose::Ticket, ticket);
    let links = context.authorizations();
    assert!(links.peek::<Ticket>(&id, in_hours(25)).await.unwrap().is_none(), "a link on the bus lives for a day");
    let ticket = links.consume::<Ticket>(&id, in_hours(23)).await.unwrap().expect("a live link");
    assert_eq!(ticket.kind, ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() });
    assert_eq!((ticket.org_id, ticket.environment), (Some(ORG.parse().unwrap()), Environment::Sandbox));
}

#[tokio::test]
async fn a_stream_is_retried_from_the_first_unpublished_change() {
    let context = TestContext::new().await;
    context.activate().await;
    let deps = context.deps();
    drop(context);
    let rows = [row("Prospecting", false), row("Prospecting", false), row("Closed Won", false)];

    let report = handle(&deps, stream(RECORDS, &rows)).await.unwrap();

    assert_eq!(report.resume_at.as_deref(), Some("0"));
    assert_eq!(serde_json::to_value(&report).unwrap(), json!({ "batchItemFailures": [{ "itemIdentifier": "0" }] }));

    // A replay asks for the reason, which Lambda does not expect.
    let mut event = stream_event(RECORDS, &rows);
    event["with_reason"] = json!(true);
    let report = handle(&deps, serde_json::from_value(event).unwrap()).await.unwrap();
    let response = serde_json::to_value(&report).unwrap();
    assert_eq!(response["batchItemFailures"], json!([{ "itemIdentifier": "0" }]));
    assert!(
        response["reason"].as_str().is_some_and(|reason| reason.starts_with("could not publish 2 of 2")),
        "{response}"
    );
}

fn at(second: u32) -> jiff::Timestamp {
    format!("2026-11-22T10:15:{second:02}Z").parse().unwrap()
}

#[tokio::test]
async fn a_change_by_a_write_of_ferrys_is_marked() {
    let context = TestContext::new().await;
    context.activate().await;
    let deps = Deps { clock: Clock::manual(at(59)), ..context.deps() };
    let write_id = "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap();
    let fields = vec!["StageName".to_owned()];
    let origin = Origin { write_id, user_id: REP.parse().unwrap(), from: at(29), to: at(30), fields };
    let record = "0065e00000AbCdEAAV".parse().unwrap();
    deps.origins.record(ORG.parse().unwrap(), &[(record, origin)]).await.unwrap();

    handle(&deps, stream(RECORDS, &[row("Prospecting", false), row("Closed Won", false), row("", true)]))
        .await
        .unwrap();

    let events = context.received().await;
    let of = |kind: &str, created: bool| {
        let is_it = |event: &&Value| event["detail-type"] == kind && event["detail"]["data"]["created"] == created;
        events.iter().find(is_it).map(|event| event["detail"]["data"].clone()).unwrap()
    };
    let changed = of("record.changed", false);
    assert_eq!((&changed["origin"], &changed["write_id"]), (&json!("ferry"), &json!(write_id)));
    assert_eq!(changed["unwritten_fields"], json!([]));
    assert_eq!(of("record.changed", true)["unwritten_fields"], json!(["Name"]));
    assert_eq!(of("record.deleted", false).get("origin"), None);
}

#[tokio::test]
async fn a_change_of_unknown_origin_waits() {
    let context = TestContext::new().await;
    context.activate().await;
    let nowhere = Origins::new(context.dynamodb(), "no-such-table");
    let deps = Deps { clock: Clock::manual(at(59)), origins: nowhere, ..context.deps() };
    let rows = [row("", true), row("Prospecting", false), row("Closed Won", false)];

    let report = handle(&deps, stream(RECORDS, &rows)).await.unwrap();

    assert_eq!((report.resume_at.as_deref(), report.published), (Some("2"), 2), "no write of Ferry's makes a deletion");
    let days_later = Deps { clock: Clock::manual("2026-12-22T00:00:00Z".parse().unwrap()), ..deps };
    assert_eq!(handle(&days_later, stream(RECORDS, &rows)).await.unwrap().resume_at, None, "no origin is that old");
}

#[tokio::test]
async fn the_end_of_a_queued_write_is_published() {
    let context = TestContext::new().await;
    context.activate().await;
    let write = |state: &str, created_at: &str, answer: Value| {
        json!({
            "org_id": { "S": ORG }, "write_id": { "S": "f423aba7-be8a-50bd-b8cc-e92831fc51f8" },
            "kind": { "S": "records" }, "state": { "S": state }, "attempt": { "N": "2" },
            "request_digest": { "S": "d" }, "deadline": { "S": created_at }, "created_at": { "S": created_at },
            "updated_at": { "S": created_at }, "queued_at": { "S": created_at }, "answer": { "S": answer.to_string() },
            "deferrals": { "M": { "put_off": { "N": "3" }, "deferred_since": { "S": created_at } } },
            "obstacle": { "M": { "waiting_for": { "S": "earlier_write" }, "waits_for": { "L": [] } } },
        })
    };
    let now = Clock::system().now() + jiff::SignedDuration::from_mins(1);
    let outcome = json!({ "records": [{ "id": REP, "success": true, "created": false, "errors": [] }] });
    let rows = [("queued", outcome.clone()), ("finished", outcome)]
        .map(|(state, answer)| write(state, &now.to_string(), answer));

    let report = handle(&context.deps(), stream(WRITES, &rows)).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 1, 1));
    let [event] = &context.received().await[..] else { panic!("one event") };
    let detail = &event["detail"];
    assert_eq!((&event["detail-type"], &detail["data"]["tenant"]), (&json!("write.succeeded"), &json!("acme")));
    assert_eq!(detail["subject"], "writes/f423aba7-be8a-50bd-b8cc-e92831fc51f8");
    assert_eq!(detail["data"]["records"], json!([{ "index": 0, "id": REP, "success": true, "created": false }]));

    // Requested before the org passed to its tenant: a former tenant's.
    let rows = ["queued", "finished"].map(|state| write(state, "2020-01-01T00:00:00.000Z", json!({})));
    let report = handle(&context.deps(), stream(WRITES, &rows)).await.unwrap();
    assert_eq!((report.resume_at, report.published, report.silent), (None, 0, 2));
}

#[tokio::test]
async fn the_end_of_an_audit_and_what_stops_it_are_published() {
    let context = TestContext::new().await;
    context.activate().await;
    let audit = |state: AuditState, checked: u64| {
        let now = "2026-11-22T10:31:07Z".parse().unwrap();
        let audit = Audit {
            org_id: ORG.parse().unwrap(),
            object: "Contact".parse().unwrap(),
            started_at: now,
            state,
            reason: (state == AuditState::Unfinished).then(|| "over_budget".to_owned()),
            counts: AuditCounts { checked, ..AuditCounts::default() },
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            updated_at: now,
        };
        let item: serde_dynamo::Item = serde_dynamo::to_item(audit).unwrap();
        serde_json::to_value(item).unwrap()
    };
    let rows = [
        audit(AuditState::Running, 2_000),
        audit(AuditState::Unfinished, 2_000),
        audit(AuditState::Unfinished, 4_000),
        audit(AuditState::Finished, 4_100),
    ];

    let report = handle(&context.deps(), stream(AUDITS, &rows)).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 2, 2));
    let mut events = context.received().await;
    events.sort_by_key(|event| event["detail"]["id"].to_string());
    let data = |event: &Value| event["detail"]["data"].clone();
    let [stopped, finished] = &events[..] else { panic!("two events: {events:?}") };
    assert!(events.iter().all(|event| event["detail-type"] == "audit.completed"), "{events:?}");
    assert_eq!((&data(stopped)["reason"], &data(stopped)["green"]), (&json!("over_budget"), &json!(false)));
    assert_eq!((&data(finished)["checked"], &data(finished)["green"]), (&json!(4_100), &json!(true)));
    assert_eq!(finished["detail"]["subject"], "audits/Contact");
}

#[tokio::test]
async fn a_warning_of_the_budget_is_published_once() {
    let context = TestContext::new().await;
    context.activate().await;
    let at = |second: i64| {
        "2026-11-22T10:31:07Z".parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_secs(second)
    };
    let budgets =
        Budgets::new(aws_sdk_dynamodb::Client::new(context.emulator.sdk_config()), context.tables.name(BUDGETS));
    let usage = Observation { used: 300, max: 15_000, lane: Lane::Incremental, calls: 72 };
    budgets.observe(ORG.parse().unwrap(), usage, at(0)).await.unwrap();
    let [warning] =
        budgets.warn(ORG.parse().unwrap(), Some(Allocation::Calls(100)), at(1)).await.unwrap().try_into().unwrap();
    let item: serde_dynamo::Item = serde_dynamo::to_item(warning).unwrap();
    let warning = serde_json::to_value(item).unwrap();
    let day = json!({ "org_id": { "S": ORG }, "day": { "S": "2026-11-22" }, "used": { "N": "300" } });
    let limits =
        json!({ "org_id": { "S": ORG }, "day": { "S": "limits" }, "read_at": { "S": "2026-11-22T10:31:07.000Z" } });

    for (row, published) in [(&day, 0), (&limits, 0), (&warning, 1)] {
        let report = handle(&context.deps(), stream(BUDGETS, std::slice::from_ref(row))).await.unwrap();
        assert_eq!((report.resume_at, report.published), (None, published), "{row}");
    }

    let [event] = context.received().await.try_into().unwrap();
    assert_eq!((&event["detail-type"], &event["detail"]["subject"]), (&json!("budget.warning"), &json!("budget")));
    let data = &event["detail"]["data"];
    assert_eq!((&data["tenant"], &data["percent"], &data["limit"]), (&json!("acme"), &json!(70), &json!("allocation")));
    assert_eq!((&data["used"], &data["max"]), (&json!(72), &json!(100)));
    assert_eq!(data["window_ends_at"], "2026-11-23T00:00:00.000Z");
}

#[tokio::test]
async fn a_changed_pipeline_is_published_to_its_tenant() {
    let context = TestContext::new().await;
    let row = |name: &str, fingerprint: &str| {
        json!({
            "org_id": { "S": ORG }, "record_type_id": { "S": "0125e000000AbCdAAK" }, "developer_name": { "S": "Sales" },
            "name": { "S": name }, "is_active": { "BOOL": true }, "is_default": { "BOOL": false },
            "stages": { "L": [] }, "fingerprint": { "S": fingerprint },
            "valid_from": { "S": "2026-11-22T10:15:30.000Z" }, "updated_at": { "S": "2026-11-22T10:15:30.000Z" },
        })
    };
    let version = json!({
        "org_id": { "S": ORG }, "record_type_id": { "S": "version/0125e000000AbCdAAK/2026-11-22T10:15:30.000Z" },
        "pipeline": { "M": row("Sales", "f") },
    });
    let rows = [row("Sales", "f"), row("Sales", "f"), row("Deals", "g")];
    let without_tenant = handle(&context.deps(), stream(PIPELINES, &rows)).await.unwrap();
    assert_eq!((without_tenant.published, without_tenant.silent), (0, 3));
    context.activate().await;

    let report = handle(&context.deps(), stream(PIPELINES, &rows)).await.unwrap();
    let of_version = handle(&context.deps(), stream(PIPELINES, &[version])).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 2, 1));
    assert_eq!((of_version.resume_at, of_version.published, of_version.silent), (None, 0, 1));
    let events = context.received().await;
    let renamed = events.iter().find(|event| event["detail"]["data"]["name"] == "Deals").unwrap();
    assert_eq!(
        (&renamed["detail-type"], &renamed["detail"]["data"]["tenant"]),
        (&json!("pipeline.changed"), &json!("acme"))
    );
    let changes = json!([{ "change": "pipeline_renamed", "old": "Sales", "new": "Deals" }]);
    assert_eq!(renamed["detail"]["data"]["changes"], changes);
    assert_eq!(renamed["detail"]["subject"], "pipelines/0125e000000AbCdAAK");
}

#[tokio::test]
async fn a_change_of_an_objects_fields_is_published() {
    let context = TestContext::new().await;
    context.activate().await;
    let types = |fields: &[(&str, &str)]| {
        fields.iter().map(|(name, of)| (name.parse().unwrap(), (*of).to_owned())).collect::<FieldTypes>()
    };
    let at = |minute: &str| format!("2026-11-22T10:{minute}:00Z").parse().unwrap();
    let object = "Account".parse().unwrap();
    let first = SeenFields::first(ORG.parse().unwrap(), &object, types(&[("Id", "id"), ("Fax", "phone")]), at("30"));
    let hidden = first.after(types(&[("Id", "id")]), at("31")).unwrap();
    let added = hidden.after(types(&[("Id", "id"), ("Score__c", "double")]), at("32")).unwrap();
    let item = |fields: &SeenFields| {
        let item: serde_dynamo::Item = serde_dynamo::to_item(fields.clone()).unwrap();
        serde_json::to_value(item).unwrap()
    };
    let scan = json!({ "org_id": { "S": ORG }, "cursor_name": { "S": "incremental/Account" } });

    let rows = [scan, item(&first), item(&hidden), item(&hidden), item(&added)];
    let report = handle(&context.deps(), stream(CURSORS, &rows[1..])).await.unwrap();
    let of_scans = handle(&context.deps(), stream(CURSORS, &rows[..1])).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 2, 2));
    assert_eq!((of_scans.resume_at, of_scans.published, of_scans.silent), (None, 0, 1));
    let mut events = context.received().await;
    events.sort_by_key(|event| event["detail"]["sequence"].to_string());
    let [hidden, added] = &events[..] else { panic!("two events: {events:?}") };
    assert!(events.iter().all(|event| event["detail-type"] == "object.fields_changed"), "{events:?}");
    assert_eq!(hidden["detail"]["subject"], "objects/Account");
    let (hidden, added) = (&hidden["detail"]["data"], &added["detail"]["data"]);
    assert_eq!((&hidden["hidden"], &hidden["backfill"]), (&json!(["Fax"]), &json!(false)));
    assert_eq!((&added["added"], &added["backfill"]), (&json!(["Score__c"]), &json!(true)));
}

fn rows_of_the_mirror(rows: &[Value]) -> Input {
    let rows = rows.iter().map(|row| {
        serde_dynamo::from_item(serde_json::from_value::<serde_dynamo::Item>(row.clone()).unwrap()).unwrap()
    });
    Input::Replay { mirror_rows: rows.collect(), with_reason: false }
}

#[tokio::test]
async fn the_state_of_a_record_is_published_from_the_mirror() {
    let context = TestContext::new().await;
    context.activate().await;
    let rows = [row("Closed Won", false), row("", true)];

    let report = handle(&context.deps(), rows_of_the_mirror(&rows)).await.unwrap();

    assert_eq!((report.resume_at, report.published), (None, 2));
    let events = context.received().await;
    let kinds: Vec<_> = events.iter().map(|event| &event["detail-type"]).collect();
    assert!(kinds.contains(&&json!("record.changed")) && kinds.contains(&&json!("record.deleted")), "{kinds:?}");
    assert!(events.iter().all(|event| event["detail"]["data"]["replayed"] == true), "{events:?}");
    let again = handle(&context.deps(), rows_of_the_mirror(&rows[..1])).await.unwrap();
    assert_eq!(again.published, 1);
    let [same] = &context.received().await[..] else { panic!("one event") };
    assert!(events.iter().any(|event| event["detail"]["id"] == same["detail"]["id"]), "consumers know it by its id");
}

#[tokio::test]
async fn a_batch_that_is_replayed_after_an_erasure_publishes_nothing() {
    let context = TestContext::new().await;
    context.activate().await;
    let deps = context.deps();
    let org: OrgId = ORG.parse().unwrap();
    deps.orgs.close(org, Clock::system().now()).await.unwrap();
    deps.orgs.mark_erased(org, Clock::system().now()).await.unwrap();

    let report = handle(&deps, stream(RECORDS, &[row("Prospecting", false)])).await.unwrap();

    assert_eq!((report.resume_at, report.published, report.silent), (None, 0, 1));
}

#[tokio::test]
async fn an_erased_change_stays_erased_after_a_reconnect() {
    let context = TestContext::new().await;
    context.activate().await;
    let (deps, org) = (context.deps(), ORG.parse().unwrap());
    let erased_at = "2026-11-22T10:20:00Z".parse().unwrap();
    deps.orgs.close(org, erased_at).await.unwrap();
    deps.orgs.mark_erased(org, erased_at).await.unwrap();
    context.activate_at("2026-11-22T11:00:00Z".parse().unwrap()).await;
    let mut read_since = row("Closed Won", false);
    read_since["read_at"]["S"] = json!("2026-11-22T11:05:00.000Z");

    let replayed = handle(&deps, stream(RECORDS, &[row("Prospecting", false)])).await.unwrap();
    let read_again = handle(&deps, stream(RECORDS, &[read_since])).await.unwrap();

    assert_eq!((replayed.resume_at, replayed.published, replayed.silent), (None, 0, 1));
    assert_eq!((read_again.resume_at, read_again.published, read_again.silent), (None, 1, 0));
}
