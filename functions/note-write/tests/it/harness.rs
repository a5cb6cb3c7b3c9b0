//! The function in a [`harness::TestContext`], with two records to link notes to.

use std::ops::Deref;

use axum::body::Body;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use note_write::{Deps, handle, router};
use salesforce::notes::FoundNote;
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;
use store::{ConnectionId, Write};

pub(crate) use harness::{REP, run};

const QUEUE: &str = "NoteWriteQueue";

/// The context of a test: the function with its dependencies.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
    /// The id of an account of the org.
    pub(crate) account: String,
    /// The id of an opportunity of that account.
    pub(crate) opportunity: String,
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
        let deps = Deps::from(context.writes(QUEUE, owner_policy));
        let account = context.create(&context.rep, "Account", &json!({ "Name": "Acme" }));
        let deal =
            json!({ "Name": "Deal", "AccountId": account, "StageName": "Prospecting", "CloseDate": "2026-12-31" });
        let opportunity = context.create(&context.rep, "Opportunity", &deal);
        Self { context, deps, account, opportunity }
    }

    /// Requests a note linked to the account and the opportunity.
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
        self.context.send(router(self.deps.clone()), request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Loads a write from the ledger.
    pub(crate) async fn ledger(&self, write_id: &Value) -> Write {
        let id = write_id.as_str().unwrap().parse().unwrap();
        self.deps.ledger.writes.load(self.org, id).await.unwrap().unwrap()
    }

    /// Delivers the message of a queued write to the function. Returns `false` if SQS has to deliver it again.
    pub(crate) async fn resume(&self, write_id: &Value) -> bool {
        handle(&self.deps, self.write_event(write_id).await).await.unwrap().failed.is_empty()
    }

    /// Returns the number of tasks in the queue.
    pub(crate) async fn queued(&self) -> usize {
        let (visible, delayed) = self.waiting(QUEUE).await;
        visible + delayed
    }

    /// Creates this number of accounts, and returns their ids.
    pub(crate) fn accounts(&self, count: usize) -> Vec<String> {
        (0..count)
            .map(|number| self.create(&self.rep, "Account", &json!({ "Name": format!("Acme {number}") })))
            .collect()
    }

    /// Returns the records that a note is linked to.
    pub(crate) async fn links_of(&self, note: &Value) -> Vec<String> {
        let team = self.deps.ledger.salesforce.client(self.org, &ConnectionId::team());
        let links = team.note_links(&note.as_str().unwrap().parse().unwrap(), None).await.unwrap();
        links.iter().map(|(_, link)| link.record.to_string()).collect()
    }

    /// Returns the share type of a note's link to a record.
    pub(crate) async fn share_type(&self, note: &Value, record: &str) -> Option<&'static str> {
        let team = self.deps.ledger.salesforce.client(self.org, &ConnectionId::team());
        let links = team.note_links(&note.as_str().unwrap().parse().unwrap(), Some(&record.parse().unwrap())).await;
        links.unwrap().first().map(|(_, link)| link.share_type.code())
    }

    /// Returns the only note in the org.
    pub(crate) async fn only_note(&self) -> FoundNote {
        let team = self.deps.ledger.salesforce.client(self.org, &ConnectionId::team());
        let since = self.clock.now() - SignedDuration::from_hours(1);
        let mut found = team.find_notes(&self.account.parse().unwrap(), since).await.unwrap();
        assert_eq!((found.len(), self.notes()), (1, 1));
        found.remove(0)
    }

    /// Returns the number of notes in the org.
    pub(crate) fn notes(&self) -> usize {
        self.count_in_org("ContentDocument")
    }
}
