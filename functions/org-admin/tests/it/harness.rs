//! The function in a [`harness::TestContext`].

use std::ops::Deref;

use axum::body::Body;
use http::{Request, StatusCode};
use org_admin::{Deps, router};
use runtime::Schemas;
use salesforce::ObjectName;
use serde_json::Value;
use store::{Audits, Budgets, Cursors, OrgSettingsTable, Queue};

pub(crate) use harness::run;

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
    /// Creates an active org with a team connection.
    pub(crate) async fn new() -> Self {
        let context = harness::TestContext::connected().await;
        let queue = |name| Queue::new(context.sqs(), context.queue_url(name), context.clock.clone());
        let deps = Deps {
            orgs: context.orgs.clone(),
            settings: OrgSettingsTable::new(context.dynamodb(), context.table("org_settings")),
            budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
            audits: Audits::new(context.dynamodb(), context.table("audits")),
            cursors: Cursors::new(context.dynamodb(), context.table("cursors")),
            backfills: queue("BackfillQueue"),
            refreshes: queue("PipelineRefreshQueue"),
            mirrored_objects: ["Account", "Contact"].map(ObjectName::from_static).to_vec(),
            salesforce: context.salesforce.clone(),
            schemas: Schemas::default(),
            clock: context.clock.clone(),
        };
        Self { context, deps }
    }

    /// Requests a path below the org.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send_as(None, Request::get(format!("/v1/orgs/{}{path}", self.org)), None).await
    }

    /// Replaces the settings, as the platform or as one of its users.
    pub(crate) async fn put(&self, user: Option<&str>, query: &str, seen: u64, body: &Value) -> (StatusCode, Value) {
        let request = Request::put(format!("/v1/orgs/{}/settings{query}", self.org));
        self.send_as(user, request.header("if-match", format!("\"{seen}\"")), Some(body)).await
    }

    /// Sends a request.
    pub(crate) async fn send_as(
        &self,
        user: Option<&str>,
        request: http::request::Builder,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let request = request.header("content-type", "application/json");
        let request = request.extension(harness::token("acme", user, harness::ALL_SCOPES));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.context.send(router(self.deps.clone()), request.body(body).unwrap()).await
    }

    /// Returns the number of queued backfills.
    pub(crate) async fn backfills(&self) -> usize {
        let (visible, delayed) = self.waiting("BackfillQueue").await;
        visible + delayed
    }
}
