//! The function in a [`world::World`].

use std::ops::Deref;
use std::sync::Mutex;

use aws_lambda_events::sqs::SqsEvent;
use record_upsert::fields::FieldCache;
use record_upsert::{Deps, handle};
use salesforce::{ObjectName, OrgId, RecordId};
use serde_json::{Value, json};
use store::{Budgets, ChangeHint, Deliveries, DeliveryOutcome, MirrorRecord, RecordRef, Records, Source};

pub(crate) use world::{DISCONNECTED, run};

/// What a test plays with.
pub(crate) struct World {
    world: world::World,
    pub(crate) deps: Deps,
    sent: Mutex<u32>,
}

impl Deref for World {
    type Target = world::World;

    fn deref(&self) -> &world::World {
        &self.world
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = world::World::new().await;
        let deps = Deps {
            salesforce: world.salesforce.clone(),
            records: Records::new(world.dynamodb(), world.table("records")),
            deliveries: Deliveries::new(world.dynamodb(), world.table("deliveries")),
            budgets: Budgets::new(world.dynamodb(), world.table("budgets")),
            clock: world.clock.clone(),
            fields: FieldCache::default(),
        };
        Self { world, deps, sent: Mutex::new(0) }
    }

    /// Creates an Account in the org.
    pub(crate) fn account(&self, name: &str) -> RecordId {
        self.create(&self.admin, "Account", &json!({ "Name": name })).parse().expect("an id")
    }

    /// Renames an Account in the org.
    pub(crate) fn rename(&self, id: RecordId, name: &str) {
        self.update("Account", id.as_str(), &json!({ "Name": name }));
    }

    /// A hint that an Account of the org may have changed.
    pub(crate) fn hint(&self, record_id: RecordId) -> ChangeHint {
        self.hint_of(self.org, record_id)
    }

    /// A hint that an Account of some org may have changed. Each is of another notification.
    pub(crate) fn hint_of(&self, org_id: OrgId, record_id: RecordId) -> ChangeHint {
        let mut sent = self.sent.lock().expect("no panic");
        *sent += 1;
        ChangeHint {
            org_id,
            delivery_id: format!("04l5e000000{:04}", *sent).parse().expect("an id"),
            source: Source::OutboundMessage,
            record: Some(RecordRef { object: account(), record_id }),
            received_at: self.deps.clock.now(),
            put_off: 0,
        }
    }

    /// Gives the function a batch; the indexes of the messages that come again.
    pub(crate) async fn receive(&self, hints: &[ChangeHint]) -> Vec<usize> {
        let answer = handle(&self.deps, batch(hints)).await.expect("an answer");
        answer.failed.iter().map(|id| id.parse().expect("an index")).collect()
    }

    /// The mirror's row.
    pub(crate) async fn mirrored(&self, id: RecordId) -> Option<MirrorRecord> {
        self.deps.records.load(self.org, &account(), id).await.expect("the mirror")
    }

    /// The name that the mirror shows.
    pub(crate) async fn mirrored_name(&self, id: RecordId) -> Option<String> {
        let row = self.mirrored(id).await?;
        row.fields.get("Name").and_then(Value::as_str).map(str::to_owned)
    }

    /// What the ledger says about a notification.
    pub(crate) async fn outcome(&self, hint: &ChangeHint) -> Option<DeliveryOutcome> {
        let delivery = self.deps.deliveries.load(hint.org_id, &hint.delivery_id).await.expect("the ledger");
        delivery.map(|delivery| delivery.outcome)
    }
}

/// The record that a hint is about.
pub(crate) fn record_of(hint: &ChangeHint) -> RecordId {
    hint.record.as_ref().expect("a hint about a record").record_id
}

/// The object of all tests.
pub(crate) fn account() -> ObjectName {
    ObjectName::from_static("Account")
}

/// A batch whose message ids are the hints' indexes.
pub(crate) fn batch(hints: &[ChangeHint]) -> SqsEvent {
    let message = |(index, hint): (usize, &ChangeHint)| json!({ "messageId": index.to_string(), "body": serde_json::to_string(hint).expect("JSON") });
    let records: Vec<Value> = hints.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({ "Records": records })).expect("a batch")
}
