//! The test context of this function.

use std::ops::Deref;
use std::sync::Mutex;

use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_sqs::types::Message;
use jiff::SignedDuration;
use mirroring::FieldCache;
use record_upsert::org_backoff::OrgBackoff;
use record_upsert::{Deps, handle};
use salesforce::{ObjectName, OrgId, RecordId};
use serde_json::{Value, json};
use store::{
    Budgets, ChangeHint, Cursors, Deliveries, DeliveryOutcome, MirrorRecord, OrgSettingsTable, Queue, RecordRef,
    Records, SettingsCache, Source,
};

pub(crate) use harness::{DISCONNECTED, run};

const HINTS: &str = "RecordUpsertQueue";
const DEAD_LETTERS: &str = "RecordUpsertDeadLetters";
/// The function's timeout.
pub(crate) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The test context of this function.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
    sent: Mutex<u32>,
}

impl Deref for TestContext {
    type Target = harness::TestContext;

    fn deref(&self) -> &harness::TestContext {
        &self.context
    }
}

impl TestContext {
    pub(crate) async fn new() -> Self {
        Self::from(harness::TestContext::connected().await)
    }

    /// Creates a context for [`harness::TestContext::killed_at`].
    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await)
    }

    fn from(context: harness::TestContext) -> Self {
        let queue = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let deps = Deps {
            salesforce: context.salesforce.clone(),
            orgs: context.orgs.clone(),
            records: Records::new(context.dynamodb(), context.table("records")),
            deliveries: Deliveries::new(context.dynamodb(), context.table("deliveries")),
            budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
            settings: SettingsCache::new(OrgSettingsTable::new(context.dynamodb(), context.table("org_settings"))),
            cursors: Cursors::new(context.dynamodb(), context.table("cursors")),
            freshness: store::Freshness::new(context.dynamodb(), context.table("freshness")),
            objectives: store::Objectives::default(),
            mirrored_objects: vec![account()],
            hints: queue(HINTS),
            dead_letters: queue(DEAD_LETTERS),
            clock: context.clock.clone(),
            fields: FieldCache::default(),
            org_backoff: OrgBackoff::default(),
        };
        Self { context, deps, sent: Mutex::new(0) }
    }

    /// Creates an Account in the org.
    pub(crate) fn account(&self, name: &str) -> RecordId {
        self.create(&self.admin, "Account", &json!({ "Name": name })).parse().expect("an id")
    }

    /// Renames an Account in the org.
    pub(crate) fn rename(&self, id: RecordId, name: &str) {
        self.update("Account", id.as_str(), &json!({ "Name": name }));
    }

    /// Merges an Account of the org into another one, a second later.
    pub(crate) fn merge(&self, master: RecordId, merged: RecordId) {
        self.pass(SignedDuration::from_secs(1));
        let admin = &self.admin.username;
        self.simulator.merge_records(admin, "Account", master.as_str(), &[merged.as_str()]).expect("a merge");
    }

    /// Returns a hint of an Account of the org.
    pub(crate) fn hint(&self, record_id: RecordId) -> ChangeHint {
        self.hint_of(self.org, record_id)
    }

    /// Returns a hint of an Account of any org, each time with a new delivery id.
    pub(crate) fn hint_of(&self, org_id: OrgId, record_id: RecordId) -> ChangeHint {
        let mut sent = self.sent.lock().expect("no panic");
        *sent += 1;
        ChangeHint {
            org_id,
            delivery_id: format!("04l5e000000{:04}", *sent).parse().expect("an id"),
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: account(), record_id }),
            received_at: self.deps.clock.now(),
            deferrals: store::Deferrals::default(),
        }
    }

    /// Returns the hint as it is when one more refusal is final.
    pub(crate) fn refused_often(&self, hint: ChangeHint) -> ChangeHint {
        let refusals = store::deferral::CONFIRMATIONS;
        ChangeHint { deferrals: store::Deferrals { refusals, count: refusals, since: None }, ..hint }
    }

    /// Invokes the function with a batch, a second later. Returns the indexes of the messages that stay in the queue.
    pub(crate) async fn receive(&self, hints: &[ChangeHint]) -> Vec<usize> {
        self.receive_within(MINUTE, hints).await
    }

    /// Invokes the function with a batch and a timeout. Returns the indexes of the messages that stay in the queue.
    pub(crate) async fn receive_within(&self, time: SignedDuration, hints: &[ChangeHint]) -> Vec<usize> {
        self.pass(SignedDuration::from_secs(1));
        let report = handle(&self.deps, batch(hints), self.clock.now() + time).await.expect("a report");
        report.failed.iter().map(|id| id.parse().expect("an index")).collect()
    }

    /// Returns the numbers of visible and delayed hints in the queue.
    pub(crate) async fn queued(&self) -> (usize, usize) {
        self.waiting(HINTS).await
    }

    /// Receives and deletes this many hints.
    pub(crate) async fn take_hints(&self, count: usize) -> Vec<ChangeHint> {
        let messages = self.take(HINTS, count).await;
        messages.iter().map(|message| serde_json::from_str(message.body().expect("a body")).expect("a hint")).collect()
    }

    /// Receives and deletes this many dead letters. Returns body and reason of each.
    pub(crate) async fn take_dead_letters(&self, count: usize) -> Vec<(String, String)> {
        let letter = |message: Message| {
            let attributes = message.message_attributes.unwrap_or_default();
            let text = |name: &str| attributes[name].string_value().expect("a text").to_owned();
            let _time: jiff::Timestamp = text("failed_at").parse().expect("a time");
            (message.body.expect("a body"), text("reason"))
        };
        self.take(DEAD_LETTERS, count).await.into_iter().map(letter).collect()
    }

    async fn take(&self, queue: &str, count: usize) -> Vec<Message> {
        let (mut taken, sqs, url) = (Vec::new(), self.sqs(), self.queue_url(queue));
        while taken.len() < count {
            let receive = sqs.receive_message().queue_url(&url).max_number_of_messages(10).wait_time_seconds(20);
            let messages = receive.message_attribute_names("All").send().await.expect("the queue").messages;
            for message in messages.expect("messages within twenty seconds") {
                let delete = sqs.delete_message().queue_url(&url);
                delete.receipt_handle(message.receipt_handle().expect("a handle")).send().await.expect("deleted");
                taken.push(message);
            }
        }
        taken
    }

    /// Returns the Account's row in the mirror.
    pub(crate) async fn mirrored(&self, id: RecordId) -> Option<MirrorRecord> {
        self.deps.records.load(self.org, &account(), id).await.expect("the mirror")
    }

    /// Returns the Account's name in the mirror.
    pub(crate) async fn mirrored_name(&self, id: RecordId) -> Option<String> {
        let row = self.mirrored(id).await?;
        row.fields.get("Name").and_then(Value::as_str).map(str::to_owned)
    }

    /// Returns the ledger's outcome of a notification.
    pub(crate) async fn outcome(&self, hint: &ChangeHint) -> Option<DeliveryOutcome> {
        let delivery = self.deps.deliveries.load(hint.org_id, &hint.delivery_id).await.expect("the ledger");
        delivery.map(|delivery| delivery.outcome)
    }
}

/// Returns the record of a hint.
pub(crate) fn record_of(hint: &ChangeHint) -> RecordId {
    hint.record.as_ref().expect("a hint about a record").record_id
}

/// Returns the name of the object that most tests use.
pub(crate) fn account() -> ObjectName {
    ObjectName::from_static("Account")
}

/// Returns a batch whose message ids are the hints' indexes.
pub(crate) fn batch(hints: &[ChangeHint]) -> SqsEvent {
    let message = |(index, hint): (usize, &ChangeHint)| json!({ "messageId": index.to_string(), "body": serde_json::to_string(hint).expect("JSON") });
    let records: Vec<Value> = hints.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({ "Records": records })).expect("a batch")
}
