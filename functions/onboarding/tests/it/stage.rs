//! The function on an emulated account.

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use local::{Emulator, unique_prefix};
use onboarding::{Deps, router};
use salesforce::{Clock, OrgId};
use serde_json::Value;
use store::{Org, Orgs, Queue};
use tower::ServiceExt as _;

pub(crate) struct Stage {
    pub(crate) deps: Deps,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    _emulator: Emulator,
}

pub(crate) fn org_id() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let state = emulator.create_state(&unique_prefix()).await.unwrap();
        let queue = state.physical("PipelineRefreshQueue").unwrap().to_owned();
        let sqs = aws_sdk_sqs::Client::new(emulator.sdk_config());
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let clock = Clock::manual("2026-11-22T10:15:30Z".parse().unwrap());
        let deps = Deps {
            orgs: Orgs::new(dynamodb, state.tables.name("orgs")),
            refreshes: Queue::new(sqs.clone(), &queue, clock.clone()),
            public_url: "https://ferry.example.com".to_owned(),
            clock,
        };
        Self { deps, sqs, queue, _emulator: emulator }
    }

    /// Sends the request and gives the status and the body.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = router(self.deps.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn org(&self) -> Option<Org> {
        self.deps.orgs.load(org_id()).await.unwrap()
    }

    /// The bodies of the refresh tasks that are queued now.
    pub(crate) async fn queued(&self) -> Vec<Value> {
        let receive = self.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
    }
}
