//! The function in a [`harness::TestContext`].

use std::ops::Deref;

use axum::body::Body;
use http::{Request, StatusCode};
use org_simulator::{Features, ObjectPermissions};
use record_write::{Deps, Metadata, handle, router};
use salesforce::{FieldName, ObjectName, Soql, soql};
use serde_json::{Map, Value, json};
use store::owner_policy::OwnerPolicy;
use store::{ClientKeys, ConnectionId, Origins, Pipelines, Queue};

pub(crate) use harness::{REP, run};

/// The external id field that the package adds.
pub(crate) const KEY: &str = "Ferry_External_Id__c";
const OBJECTS: &str = "Account,Contact,Lead,Opportunity,OpportunityContactRole,Task,Event,CampaignMember,Invoice__c,Visit__c,Visit_Note__c";
/// The profile of the rep.
const PROFILE: &str = "Standard User";
const QUEUE: &str = "RecordWriteQueue";

/// The context of a test: the function with its dependencies.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
}

/// Returns the context's `pipelines` table.
pub(crate) fn pipelines(context: &harness::TestContext) -> Pipelines {
    Pipelines::new(context.dynamodb(), context.table("pipelines"))
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

    /// Creates the same as [`TestContext::new`], of an org with these features.
    pub(crate) async fn with_features(features: Features) -> Self {
        Self::from(harness::TestContext::connected_with(features).await, OwnerPolicy::RepThenTeam)
    }

    /// Creates the same as [`TestContext::new`], for [`harness::TestContext::killed_at`].
    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await, OwnerPolicy::RepThenTeam)
    }

    fn from(context: harness::TestContext, owner_policy: OwnerPolicy) -> Self {
        let ledger = context.writes(QUEUE, owner_policy);
        let origins = Origins::new(context.dynamodb(), context.table("origins"));
        let writable_objects = OBJECTS.parse().unwrap();
        let hints = Queue::new(context.sqs(), context.queue_url("RecordUpsertQueue"), context.clock.clone());
        let mirrored_objects = ["Account", "Contact", "Lead", "Opportunity"].map(ObjectName::from_static).to_vec();
        let client_keys = ClientKeys::new(context.dynamodb(), context.table("write_order"));
        let metadata = Metadata::new(pipelines(&context), context.clock.clone());
        let settings = context.settings();
        let deps = Deps { ledger, origins, hints, settings, mirrored_objects, writable_objects, client_keys, metadata };
        Self { context, deps }
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

    /// Requests new records by their client keys.
    pub(crate) async fn create_records(
        &self,
        object: &str,
        acting: Option<&str>,
        key: &str,
        records: Value,
    ) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/records/{object}{query}", self.org);
        self.post(&path, Some(key), json!({ "records": records })).await
    }

    /// Sets what the rep's profile permits on an object.
    pub(crate) fn permit(&self, object: &str, permissions: &ObjectPermissions) {
        self.simulator.limit_profile(PROFILE, object, permissions).unwrap();
    }

    /// Forgets what is known of the objects, as a new execution environment does not know it.
    pub(crate) fn forget(&mut self) {
        self.deps.metadata = Metadata::new(pipelines(self), self.clock.clone());
    }

    /// Requests a graph.
    pub(crate) async fn graph(&self, acting: Option<&str>, key: &str, body: Value) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        self.post(&format!("/v1/orgs/{}/records{query}", self.org), Some(key), body).await
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

    /// Returns the id of the record of an object that was created last. Ids are in the order of creation.
    pub(crate) async fn newest(&self, object: &str) -> String {
        let last = Soql::select(&[FieldName::ID]).from(&object.parse().unwrap());
        self.first(&last.order_by_descending(&FieldName::ID).limit(1)).await
    }

    /// Returns the id of the record of an object whose field has this value.
    pub(crate) async fn only(&self, object: &str, field: &str, value: &str) -> String {
        let with = soql::eq(&field.parse().unwrap(), value);
        self.first(&Soql::select(&[FieldName::ID]).from(&object.parse().unwrap()).where_(with)).await
    }

    async fn first(&self, query: &Soql) -> String {
        let client = self.salesforce.client(self.org, &ConnectionId::team());
        client.query(query).await.unwrap().records[0].id.to_string()
    }
}
