//! The function in a [`harness::TestContext`].

use std::ops::Deref;

use axum::body::Body;
use http::{Request, StatusCode};
use record_write::{Deps, Metadata, handle, router};
use salesforce::ObjectName;
use serde_json::{Map, Value, json};
use store::owner_policy::OwnerPolicy;
use store::{Origins, Queue};

pub(crate) use harness::{REP, run};

/// The external id field that the package adds.
pub(crate) const KEY: &str = "Ferry_External_Id__c";
const QUEUE: &str = "RecordWriteQueue";

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

impl TestContext {
    /// Creates an active org with a team connection and the rep's.
    pub(crate) async fn new() -> Self {
        Self::with(OwnerPolicy::RepThenTeam).await
    }

    /// Creates the same under an owner policy.
    pub(crate) async fn with(owner_policy: OwnerPolicy) -> Self {
        Self::from(harness::TestContext::connected().await, owner_policy)
    }

    /// Creates the same as [`TestContext::new`], for [`harness::TestContext::killed_at`].
    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await, OwnerPolicy::RepThenTeam)
    }

    fn from(context: harness::TestContext, owner_policy: OwnerPolicy) -> Self {
        let ledger = context.writes(QUEUE, owner_policy);
        let origins = Origins::new(context.dynamodb(), context.table("origins"));
        let writable_objects = "Account,Contact,Lead,Opportunity,Invoice__c".parse().unwrap();
        let metadata = Metadata::new(context.clock.clone());
        let hints = Queue::new(context.sqs(), context.queue_url("RecordUpsertQueue"), context.clock.clone());
        let mirrored_objects = ["Account", "Contact", "Lead", "Opportunity"].map(ObjectName::from_static).to_vec();
        Self { context, deps: Deps { ledger, origins, hints, mirrored_objects, writable_objects, metadata } }
    }

    /// Requests an upsert by the package's external id.
    pub(crate) async fn upsert(
        &self,
        object: &str,
        acting: Option<&str>,
        key: &str,
        records: Value,
    ) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/records/{object}{query}", self.org);
        self.post(&path, Some(key), json!({ "external_id_field": KEY, "records": records })).await
    }

    /// Posts a body.
    pub(crate) async fn post(&self, path: &str, key: Option<&str>, body: Value) -> (StatusCode, Value) {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Requests a write from the ledger.
    pub(crate) async fn ledger(&self, write_id: &Value) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/writes/{}", self.org, write_id.as_str().unwrap());
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        self.context.send(router(self.deps.clone()), request).await
    }

    /// Delivers the task of a queued write to the function, as it was sent last. Returns `false` if SQS has to deliver it
    /// again.
    pub(crate) async fn resume(&self, write_id: &Value) -> bool {
        handle(&self.deps, self.write_event(write_id).await).await.unwrap().failed.is_empty()
    }

    /// Delivers the task that was sent for this deferral of a write.
    pub(crate) async fn deliver(&self, write_id: &Value, deferrals: u32) -> bool {
        handle(&self.deps, self.write_task_event(write_id, deferrals)).await.unwrap().failed.is_empty()
    }

    /// Returns the state of a write, as the platform sees it.
    pub(crate) async fn state(&self, write_id: &Value) -> Value {
        self.ledger(write_id).await.1["state"].clone()
    }

    /// Returns the number of tasks in the queue.
    pub(crate) async fn queued(&self) -> usize {
        let (visible, delayed) = self.tasks().await;
        visible + delayed
    }

    /// Returns the numbers of tasks in the queue that can be received, and that are delayed.
    pub(crate) async fn tasks(&self) -> (usize, usize) {
        self.waiting(QUEUE).await
    }

    /// Returns a record of the org.
    pub(crate) fn in_org(&self, object: &str, id: &Value) -> Map<String, Value> {
        self.simulator.record(object, id.as_str().unwrap()).unwrap()
    }
}
