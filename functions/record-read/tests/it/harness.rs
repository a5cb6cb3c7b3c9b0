//! The function in a [`harness::TestContext`].

use std::ops::Deref;

use axum::body::Body;
use http::{Request, StatusCode};
use record_read::{Deps, PollInterval, ServeDisconnected, router};
use runtime::Schemas;
use runtime::Users;
use salesforce::{ObjectName, Record};
use serde_json::{Value, json};
use store::{
    Audits, Budgets, Change, Cursors, Deliveries, Freshness, Objectives, OrgSettingsTable, Pipelines, Records,
    SettingsCache, UserMappings, Writes,
};

pub(crate) use harness::{REP, run};

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
        Self::from(harness::TestContext::connected().await)
    }

    /// Returns the same for an org with person accounts.
    pub(crate) async fn with_person_accounts() -> Self {
        let features = org_simulator::Features { person_accounts: true, ..org_simulator::Features::default() };
        Self::from(harness::TestContext::connected_with(features).await)
    }

    fn from(context: harness::TestContext) -> Self {
        let deps = Deps {
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            cursors: Cursors::new(context.dynamodb(), context.table("cursors")),
            records: Records::new(context.dynamodb(), context.table("records")).with_clock(context.clock.clone()),
            pipelines: Pipelines::new(context.dynamodb(), context.table("pipelines")),
            audits: Audits::new(context.dynamodb(), context.table("audits")),
            user_mappings: UserMappings::new(context.dynamodb(), context.table("users")),
            users: Users::new(context.clock.clone()),
            budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
            freshness: Freshness::new(context.dynamodb(), context.table("freshness")),
            objectives: Objectives::default(),
            deliveries: Deliveries::new(context.dynamodb(), context.table("deliveries")),
            writes: Writes::new(context.dynamodb(), context.table("writes")),
            settings: SettingsCache::new(OrgSettingsTable::new(context.dynamodb(), context.table("org_settings"))),
            mirrored_objects: ["Account", "Contact", "Opportunity", "Invoice__c"].map(ObjectName::from_static).to_vec(),
            mirrored_fields: mirroring::MirroredFields::default(),
            poll_interval: PollInterval::default(),
            tombstone_retention: store::records::TOMBSTONE_RETENTION,
            serve_disconnected: ServeDisconnected::Off,
            apps: context.apps(),
            salesforce: context.salesforce.clone(),
            schemas: Schemas::default(),
            clock: context.clock.clone(),
        };
        Self { context, deps }
    }

    /// Requests a path below the org as an acting user.
    pub(crate) async fn get_as(&self, user: &str, path: &str) -> (StatusCode, Value) {
        self.get(&format!("{path}{}as={user}", if path.contains('?') { '&' } else { '?' })).await
    }

    /// Requests a path below the org.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.fetch(&format!("/v1/orgs/{}{path}", self.org)).await
    }

    /// Posts JSON to a path below the org.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(format!("/v1/orgs/{}{path}", self.org)).header("content-type", "application/json");
        self.context.send(router(self.deps.clone()), request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Requests a path below the org with a user's token that has this scope.
    pub(crate) async fn get_with_token_of(&self, user: &str, scopes: &str, path: &str) -> (StatusCode, Value) {
        let request = Request::get(format!("/v1/orgs/{}{path}", self.org));
        let request = request.extension(harness::token("acme", Some(user), scopes)).body(Body::empty()).unwrap();
        self.context.send(router(self.deps.clone()), request).await
    }

    /// Sends a POST without a body to a path below the org.
    pub(crate) async fn post_empty(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::post(format!("/v1/orgs/{}{path}", self.org)).body(Body::empty()).unwrap();
        self.context.send(router(self.deps.clone()), request).await
    }

    /// Requests a path.
    pub(crate) async fn fetch(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.context.send(router(self.deps.clone()), request).await
    }

    /// Creates an opportunity in the org and returns its id.
    pub(crate) fn opportunity(&self, user: &org_simulator::User, name: &str, stage: &str) -> String {
        let fields = json!({ "Name": name, "StageName": stage, "CloseDate": "2026-12-31" });
        self.create(user, "Opportunity", &fields)
    }

    /// Stores a record in the mirror.
    pub(crate) async fn mirror(&self, object: &'static str, id: &str, fields: Value) {
        let record = Record {
            object: ObjectName::from_static(object),
            id: id.parse().unwrap(),
            fields: fields.as_object().unwrap().clone(),
        };
        let change = Change::Upsert { record, read_at: self.deps.clock.now() };
        self.deps.records.apply(self.org, &ObjectName::from_static(object), change).await.unwrap();
    }
}
