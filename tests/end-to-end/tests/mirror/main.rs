//! The two functions that fill the mirror, in one process: they write the same row for a record.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;

use aws_lambda_events::sqs::SqsEvent;
use futures::{StreamExt as _, stream};
use harness::TestContext;
use jiff::SignedDuration;
use mirroring::{FieldCache, MirroredFields};
use record_upsert::org_backoff::OrgBackoff;
use salesforce::{ObjectName, RecordId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{
    Audits, Budgets, ChangeHint, ConnectionId, ConnectionKind, Cursors, Deliveries, DeliveryOutcome, OrgSettingsTable,
    Pipelines, Queue, RecordRef, Records, RefreshKind, RefreshTask, SettingsCache, Source, Writes,
};

const OBJECTS: [ObjectName; 3] =
    [ObjectName::from_static("Account"), ObjectName::from_static("Contact"), ObjectName::from_static("Opportunity")];

/// The fields of an object's records in the mirror, by id.
type Rows = BTreeMap<RecordId, Map<String, Value>>;

struct Both {
    context: TestContext,
    refresh: pipeline_refresh::Deps,
    upsert: record_upsert::Deps,
}

impl Both {
    async fn new(fields: &str) -> Self {
        let context = TestContext::connected().await;
        let cache = || FieldCache::new(fields.parse::<MirroredFields>().unwrap());
        let records = Records::new(context.dynamodb(), context.table("records"));
        let budgets = Budgets::new(context.dynamodb(), context.table("budgets"));
        let hints = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let tasks = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let writes = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let refresh = pipeline_refresh::Deps {
            salesforce: context.salesforce.clone(),
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            cursors: Cursors::new(context.dynamodb(), context.table("cursors")),
            records: records.clone(),
            pipelines: Pipelines::new(context.dynamodb(), context.table("pipelines")),
            budgets: budgets.clone(),
            freshness: store::Freshness::new(context.dynamodb(), context.table("freshness")),
            objectives: store::Objectives::default(),
            settings: SettingsCache::new(OrgSettingsTable::new(context.dynamodb(), context.table("org_settings"))),
            writes: Writes::new(context.dynamodb(), context.table("writes")),
            audits: Audits::new(context.dynamodb(), context.table("audits")),
            queues: pipeline_refresh::Queues {
                refreshes: tasks("PipelineRefreshQueue"),
                backfills: tasks("BackfillQueue"),
                frequent: tasks("FrequentRefreshQueue"),
                dead_letters: tasks("PipelineRefreshDeadLetters"),
                record_writes: writes("RecordWriteQueue"),
                note_writes: writes("NoteWriteQueue"),
                file_writes: writes("FileWriteQueue"),
            },
            refresh_window: std::time::Duration::ZERO,
            nightly_audit: pipeline_refresh::NightlyAudit::Off,
            computed_fields: mirroring::ComputedFields::default(),
            bulk: pipeline_refresh::backfill::Bulk::new(20_000, 3),
            mirrored_objects: OBJECTS.to_vec(),
            fields: cache(),
            clock: context.clock.clone(),
        };
        let upsert = record_upsert::Deps {
            salesforce: context.salesforce.clone(),
            orgs: context.orgs.clone(),
            records,
            deliveries: Deliveries::new(context.dynamodb(), context.table("deliveries")),
            budgets,
            settings: refresh.settings.clone(),
            cursors: refresh.cursors.clone(),
            freshness: store::Freshness::new(context.dynamodb(), context.table("freshness")),
            objectives: store::Objectives::default(),
            mirrored_objects: OBJECTS.to_vec(),
            hints: hints("RecordUpsertQueue"),
            dead_letters: hints("RecordUpsertDeadLetters"),
            clock: context.clock.clone(),
            fields: cache(),
            org_backoff: OrgBackoff::default(),
        };
        Self { context, refresh, upsert }
    }

    async fn refresh(&self, kind: RefreshKind) {
        self.context.pass(SignedDuration::from_mins(1));
        let now = self.context.clock.now();
        let task = RefreshTask::new(self.context.org, kind, now);
        let event = pipeline_refresh::Event::Tasks(batch(&[task]));
        let deadline = now + SignedDuration::from_mins(15);
        let pipeline_refresh::Reply::Tasks(response) =
            pipeline_refresh::handle(&self.refresh, event, deadline).await.unwrap()
        else {
            panic!("the reply is for a schedule")
        };
        assert!(response.failed.is_empty(), "{response:?}");
    }

    /// Sends hints for all records, as webhooks would. Returns the outcomes in the ledger.
    async fn send_hints(&self, mirror: &[Rows]) -> Vec<DeliveryOutcome> {
        self.context.pass(SignedDuration::from_mins(1));
        let of_object =
            |(object, rows): (&ObjectName, &Rows)| rows.keys().map(|id| self.hint(object, *id)).collect::<Vec<_>>();
        let hints: Vec<_> = OBJECTS.iter().zip(mirror).flat_map(of_object).collect();
        self.receive(&hints).await
    }

    /// Returns a hint of a record that arrives now.
    fn hint(&self, object: &ObjectName, record_id: RecordId) -> ChangeHint {
        let now = self.context.clock.now();
        ChangeHint {
            org_id: self.context.org,
            delivery_id: format!("{record_id}-{}", now.as_second()).parse().unwrap(),
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: object.clone(), record_id }),
            received_at: now,
            deferrals: store::Deferrals::default(),
        }
    }

    /// Invokes `record-upsert` with hints. Returns the outcome of each in the ledger.
    async fn receive(&self, hints: &[ChangeHint]) -> Vec<DeliveryOutcome> {
        let deadline = self.context.clock.now() + SignedDuration::from_mins(1);
        let response = record_upsert::handle(&self.upsert, batch(hints), deadline).await.unwrap();
        assert!(response.failed.is_empty(), "{response:?}");
        let outcome = async |hint: &ChangeHint| {
            self.upsert.deliveries.load(hint.org_id, &hint.delivery_id).await.unwrap().unwrap().outcome
        };
        stream::iter(hints).then(outcome).collect().await
    }

    async fn mirror(&self) -> Vec<Rows> {
        let mut mirror = Vec::new();
        for object in &OBJECTS {
            let page = self.upsert.records.list(self.context.org, object, None, 1_000).await.unwrap();
            assert!(!page.records.is_empty() && page.next.is_none(), "{object}");
            mirror.push(page.records.into_iter().map(|row| (row.record_id, row.fields)).collect());
        }
        mirror
    }
}

/// Returns an event of SQS with these messages.
fn batch<T: Serialize>(bodies: &[T]) -> SqsEvent {
    let message = |(index, body): (usize, &T)| json!({ "messageId": index.to_string(), "body": serde_json::to_string(body).unwrap() });
    serde_json::from_value(json!({ "Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>() })).unwrap()
}

#[test]
fn the_refresh_and_the_webhooks_write_the_same_rows() {
    harness::run(async {
        for fields in ["", "Account:Name,Industry,No_Such_Field__c;Contact:Email"] {
            let both = Both::new(fields).await;
            both.refresh(RefreshKind::Backfill).await;
            let copied = both.mirror().await;

            let outcomes = both.send_hints(&copied).await;
            assert!(outcomes.iter().all(|outcome| *outcome == DeliveryOutcome::Unchanged), "{fields}: {outcomes:?}");
            let reread = both.mirror().await;
            assert_eq!(reread, copied, "{fields}");

            both.refresh(RefreshKind::Nightly).await;
            assert_eq!(both.mirror().await, reread, "{fields}");
        }
    });
}

/// A reconnect queues a backfill; a condition that ends by itself is followed by the next night.
#[test]
fn a_working_connection_brings_what_was_left_to_the_refresh() {
    harness::run(async {
        for kind in [RefreshKind::Backfill, RefreshKind::Nightly] {
            let both = Both::new("").await;
            let (context, account) = (&both.context, &OBJECTS[0]);
            let create = |name| context.create(&context.admin, "Account", &json!({ "Name": name })).parse().unwrap();
            let [changed, deleted]: [RecordId; 2] = ["Acme", "Globex"].map(create);
            both.refresh(RefreshKind::Backfill).await;
            context.kill(&ConnectionId::team());
            context.simulator.revoke_grants(&context.admin.username).unwrap();
            context.pass(SignedDuration::from_mins(1));
            context.update("Account", changed.as_str(), &json!({ "Name": "Acme Corporation" }));
            context.delete("Account", deleted.as_str());
            let created = create("Initech");
            let hints = [changed, deleted, created].map(|record| both.hint(account, record));

            for _ in 0..3 {
                let outcomes = both.receive(&hints).await;
                let waits = |outcome: &DeliveryOutcome| matches!(outcome, DeliveryOutcome::Deferred { .. });
                assert!(outcomes.iter().all(waits), "{outcomes:?}");
                context.pass(SignedDuration::from_hours(24));
                both.refresh(RefreshKind::Nightly).await;
            }
            let outcomes = both.receive(&hints).await;
            let is_left = |outcome: &DeliveryOutcome| matches!(outcome, DeliveryOutcome::LeftToRefresh { .. });
            assert!(outcomes.iter().all(is_left), "{outcomes:?}");

            context.connect(ConnectionKind::Team).await;
            both.refresh(kind).await;

            let row = async |id| both.upsert.records.load(context.org, account, id).await.unwrap();
            let rows = [row(changed).await, row(deleted).await, row(created).await].map(Option::unwrap);
            assert!(rows[1].deleted, "{kind:?}");
            let names = [&rows[0].fields["Name"], &rows[2].fields["Name"]];
            assert_eq!(names, ["Acme Corporation", "Initech"], "{kind:?}");
        }
    });
}

/// Each function caches a describe: from then on, a poll costs one call per object.
#[test]
fn a_poll_does_not_repeat_a_cached_describe() {
    harness::run(async {
        let both = Both::new("").await;
        both.refresh(RefreshKind::Backfill).await;
        let before = both.context.simulator.request_log().len();

        both.refresh(RefreshKind::Poll).await;

        let requests = both.context.simulator.request_log().split_off(before);
        let count = |part: &str| requests.iter().filter(|line| line.contains(part)).count();
        assert_eq!(count("/queryAll"), OBJECTS.len(), "{requests:?}");
        assert_eq!(count("/describe"), 0, "{requests:?}");
    });
}
