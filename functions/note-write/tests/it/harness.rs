//! The function in a [`harness::TestContext`], with two records to write notes about.

use std::ops::Deref;

use aws_lambda_events::sqs::SqsEvent;
use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use note_write::{Deps, handle, router};
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;
use store::{Budgets, Queue, Write, Writes};

pub(crate) use harness::{REP, run};

const QUEUE: &str = "NoteWriteQueue";

/// What a test plays with.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
    /// An account of the org.
    pub(crate) account: String,
    /// An opportunity of that account.
    pub(crate) opportunity: String,
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
        let deps = Deps {
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            writes: Writes::new(context.dynamodb(), context.table("writes")),
            budgets: Budgets::new(context.dynamodb(), context.table("budgets")),
            queue: Queue::new(context.sqs(), context.queue_url(QUEUE), context.clock.clone()),
            salesforce: context.salesforce.clone(),
            owner_policy,
            clock: context.clock.clone(),
        };
        let account = context.create(&context.rep, "Account", &json!({ "Name": "Acme" }));
        let deal =
            json!({ "Name": "Deal", "AccountId": account, "StageName": "Prospecting", "CloseDate": "2026-12-31" });
        let opportunity = context.create(&context.rep, "Opportunity", &deal);
        Self { context, deps, account, opportunity }
    }

    /// Asks for a note about the account and the opportunity.
    pub(crate) async fn create_note(&self, acting: Option<&str>, key: &str, text: &str) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/notes{query}", self.org);
        let body = json!({ "title": "Call", "text": text, "links": [self.account, self.opportunity] });
        self.send("POST", &path, Some(key), body).await
    }

    /// Reads a note back.
    pub(crate) async fn read(&self, acting: Option<&str>, id: &Value) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/notes/{}{query}", self.org, id.as_str().unwrap());
        self.send("GET", &path, None, Value::Null).await
    }

    /// Changes a note.
    pub(crate) async fn change(&self, id: &Value, key: Option<&str>, body: Value) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/notes/{}", self.org, id.as_str().unwrap());
        self.send("PATCH", &path, key, body).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Value) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        harness::send(router(self.deps.clone()), request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// What the ledger says about a write.
    pub(crate) async fn ledger(&self, write_id: &Value) -> Write {
        let id = write_id.as_str().unwrap().parse().unwrap();
        self.deps.writes.load(self.org, id).await.unwrap().unwrap()
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

    /// How many notes the org has.
    pub(crate) fn notes(&self) -> usize {
        self.count_in_org("ContentDocument")
    }
}
