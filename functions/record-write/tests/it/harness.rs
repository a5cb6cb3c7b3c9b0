//! The function in a [`harness::TestContext`].

use std::ops::Deref;

use aws_lambda_events::sqs::SqsEvent;
use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use record_write::{Deps, handle, router};
use serde_json::{Map, Value, json};
use store::owner_policy::OwnerPolicy;
use store::{Budgets, Origins, Queue, Writes};

pub(crate) use harness::{REP, run};

/// The external id field that the package adds.
pub(crate) const KEY: &str = "Ferry_External_Id__c";
const QUEUE: &str = "RecordWriteQueue";

/// What a test plays with.
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
    /// With an active org, a team connection and the rep's.
    pub(crate) async fn new() -> Self {
        Self::with(OwnerPolicy::RepThenTeam).await
    }

    /// The same under another owner policy.
    pub(crate) async fn with(owner_policy: OwnerPolicy) -> Self {
        let context = harness::TestContext::connected().await;
        let ledger = writes::Deps {
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            writes: Writes::new(context.dynamodb(), context.table("writes")),
            budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
            queue: Queue::new(context.sqs(), context.queue_url(QUEUE), context.clock.clone()),
            salesforce: context.salesforce.clone(),
            owner_policy,
            clock: context.clock.clone(),
        };
        let origins = Origins::new(context.dynamodb(), context.table("origins"));
        Self { context, deps: Deps { ledger, origins } }
    }

    /// Asks for an upsert by the package's external id.
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

    /// Asks the ledger.
    pub(crate) async fn ledger(&self, write_id: &Value) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/writes/{}", self.org, write_id.as_str().unwrap());
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        harness::send(router(self.deps.clone()), request).await
    }

    /// Hands the queued write to the function; whether it has to come again.
    pub(crate) async fn work(&self, write_id: &Value) -> bool {
        let task = json!({ "org_id": self.org, "write_id": write_id });
        let event = json!({ "Records": [{ "messageId": "1", "body": task.to_string() }] });
        let event: SqsEvent = serde_json::from_value(event).unwrap();
        !handle(&self.deps, event).await.unwrap().failed.is_empty()
    }

    /// How many tasks are in the queue.
    pub(crate) async fn queued(&self) -> usize {
        let (visible, delayed) = self.waiting(QUEUE).await;
        visible + delayed
    }

    /// Lets the deadline of a write pass.
    pub(crate) fn pass_a_minute(&self) {
        self.pass(SignedDuration::from_secs(61));
    }

    /// A record as the org has it.
    pub(crate) fn in_org(&self, object: &str, id: &Value) -> Map<String, Value> {
        self.simulator.record(object, id.as_str().unwrap()).unwrap()
    }

    /// How many records of an object the org has.
    pub(crate) fn count(&self, object: &str) -> usize {
        self.count_in_org(object)
    }
}
