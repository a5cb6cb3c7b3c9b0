//! The function in a [`harness::TestContext`], with records to link files to.

use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use file_write::{Deps, handle, router};
use http::{Request, StatusCode};
use runtime::Schemas;
use salesforce::Timeouts;
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;
use store::{StagedFiles, Write};

pub(crate) use harness::{REP, run};

const QUEUE: &str = "FileWriteQueue";

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
        Self::from(harness::TestContext::connected().await)
    }

    /// Creates the same with time for large files, which take seconds in a simulator that is built for tests.
    pub(crate) async fn patient() -> Self {
        let mut context = Self::new().await;
        let timeouts = Timeouts { attempt: Duration::from_secs(60), ..Timeouts::default() };
        context.deps.ledger.salesforce = context.deps.ledger.salesforce.clone().with_timeouts(timeouts);
        context
    }

    /// Creates the same for [`harness::TestContext::killed_at`].
    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await)
    }

    fn from(context: harness::TestContext) -> Self {
        let deps = Deps {
            ledger: context.writes(QUEUE, OwnerPolicy::RepThenTeam),
            staged_files: StagedFiles::new(context.aws().s3(), context.bucket("StagedFiles")),
            schemas: Schemas::default(),
        };
        let account = context.create(&context.rep, "Account", &json!({ "Name": "Acme" }));
        let deal =
            json!({ "Name": "Deal", "AccountId": account, "StageName": "Prospecting", "CloseDate": "2026-12-31" });
        let opportunity = context.create(&context.rep, "Opportunity", &deal);
        Self { context, deps, account, opportunity }
    }

    /// Returns the body of a request for a file with this content that is linked to the account and the opportunity.
    pub(crate) fn file(&self, content: &[u8]) -> Value {
        json!({ "title": "Deck", "file_name": "deck.pdf", "content_base64": BASE64_STANDARD.encode(content),
            "links": [self.account, self.opportunity] })
    }

    /// Requests a file.
    pub(crate) async fn create_file(&self, acting: Option<&str>, key: &str, body: &Value) -> (StatusCode, Value) {
        self.post("files", acting, Some(key), body).await
    }

    /// Sends a request to a route of the org.
    pub(crate) async fn post(
        &self,
        route: &str,
        acting: Option<&str>,
        key: Option<&str>,
        body: &Value,
    ) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let uri = format!("/v1/orgs/{}/{route}{query}", self.org);
        let mut request = Request::post(uri).header("content-type", "application/json");
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

    /// Returns the number of files in the org.
    pub(crate) fn files(&self) -> usize {
        self.count_in_org("ContentDocument")
    }

    /// Checks that the org has one file, with this content, whose links are the account, the opportunity and its owner.
    pub(crate) fn assert_one_file(&self, outcome: &Value, content: &[u8]) {
        self.assert_files(1, outcome, content);
    }

    /// Checks the same for the latest of this many files.
    pub(crate) fn assert_files(&self, count: usize, outcome: &Value, content: &[u8]) {
        assert_eq!(self.files(), count, "{outcome}");
        let version = self.simulator.record("ContentVersion", outcome["content_version_id"].as_str().unwrap()).unwrap();
        assert_eq!(version["ContentDocumentId"], outcome["content_document_id"]);
        assert_eq!((&version["Title"], &version["ContentSize"]), (&json!("Deck"), &json!(content.len())));
        for (record, link) in [&self.account, &self.opportunity].into_iter().zip(outcome["links"].as_array().unwrap()) {
            assert_eq!((&link["record"], &link["linked"]), (&json!(record), &json!(true)), "{outcome}");
        }
        // The owner is the third.
        assert_eq!(self.count_in_org("ContentDocumentLink"), 3 * count, "{outcome}");
    }

    /// Reads the bytes of a version.
    pub(crate) async fn content_of(&self, version: &Value) -> Vec<u8> {
        let path = format!("/services/data/v66.0/sobjects/ContentVersion/{}/VersionData", version.as_str().unwrap());
        let token = self.simulator.access_token(&self.admin.username).unwrap();
        let request = reqwest::Client::new().get(format!("{}{path}", self.simulator.url())).bearer_auth(token);
        request.send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// Returns the number of contents of the org that are staged.
    pub(crate) async fn staged(&self) -> usize {
        let s3 = self.context.aws().s3();
        let listed = s3.list_objects_v2().bucket(self.context.bucket("StagedFiles")).send().await.unwrap();
        listed.contents.unwrap_or_default().len()
    }
}
