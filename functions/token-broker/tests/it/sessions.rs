//! Clients of Salesforce that get their sessions from the broker, as the other functions do.

use std::sync::Arc;

use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use runtime::TokenBroker;
use runtime::invoke::Invoke;
use salesforce::{
    ApiVersion, BoxFuture, Classify as _, Client, Clock, Condition, Error, HostPolicy, ObjectName, Retry,
};
use store::{ConnectionId, ConnectionState};
use token_broker::{Deps, handle};

use crate::harness::TestContext;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");

/// The broker in this process.
struct InProcess(Arc<Deps>);

impl Invoke for InProcess {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        Box::pin(async move {
            let reply = handle(&self.0, serde_json::from_slice(&payload).unwrap()).await.unwrap();
            Ok(serde_json::to_vec(&reply).unwrap())
        })
    }
}

/// A connected org whose broker has a clock that the test moves.
struct Connected {
    context: TestContext,
    deps: Arc<Deps>,
    clock: Clock,
}

impl Connected {
    async fn new() -> Self {
        let mut context = TestContext::connected().await;
        let clock = Clock::manual(context.deps.clock.now());
        context.deps.clock = clock.clone();
        Self { deps: Arc::new(context.deps.clone()), context, clock }
    }

    /// Returns the client of another function, with its own cache of sessions.
    fn client(&self) -> Client {
        let broker = TokenBroker::new(InProcess(self.deps.clone()), HostPolicy::LoopbackToo, self.deps.clock.clone());
        let sessions = broker.sessions(self.context.org_id(), &ConnectionId::team());
        Client::new(self.deps.http.clone(), sessions, ApiVersion::DEFAULT)
    }

    fn refuse_sessions(&self) {
        let (code, message) = ("INVALID_SESSION_ID".to_owned(), "Session expired or invalid".to_owned());
        let effect = Effect::Error { status: 401, code, message };
        let path_prefix = "/services/data".to_owned();
        self.context.org.fault(Fault { path_prefix, method: None, times: 1_000, effect });
    }
}

#[tokio::test]
async fn an_org_that_locks_sessions_to_addresses_is_reported_and_recovers() {
    let connected = Connected::new().await;
    let responses = connected.context.token_responses();
    connected.refuse_sessions();

    let client = connected.client();
    let start = connected.clock.now();
    while connected.clock.now().duration_since(start) < SignedDuration::from_mins(5) {
        let error = client.describe(&ACCOUNT).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_)), "{error}");
        connected.clock.advance(SignedDuration::from_secs(10));
    }
    let error = connected.client().describe(&ACCOUNT).await.unwrap_err();

    assert!(matches!(error, Error::Blocked { condition: Condition::SessionRefused, .. }), "{error}");
    assert_eq!(error.retry(), Retry::NeedsHuman, "{error}");
    assert!(connected.context.token_responses() - responses <= 5, "five refreshes for thirty calls");
    let connection = connected.context.connection().await;
    assert_eq!((connection.shown_state(), connection.state), ("blocked", ConnectionState::Active));

    connected.context.org.clear_faults();
    client.describe(&ACCOUNT).await.unwrap();
    assert_eq!(connected.context.connection().await.condition, None);
}

#[tokio::test]
async fn a_session_that_is_ended_right_after_a_refresh_is_replaced() {
    let connected = Connected::new().await;
    let client = connected.client();
    client.describe(&ACCOUNT).await.unwrap();

    // An administrator ends the user's sessions again and again, each right after a refresh.
    for _ in 0..5 {
        connected.context.org.expire_sessions(connected.context.admin()).unwrap();
        client.describe(&ACCOUNT).await.unwrap();
        assert_eq!(connected.context.connection().await.condition, None, "the accepted call ends the row");
    }
}

#[tokio::test]
async fn three_new_sessions_that_are_ended_are_replaced_within_minutes() {
    let connected = Connected::new().await;
    let responses = connected.context.token_responses();
    connected.refuse_sessions();
    let client = connected.client();
    while connected.context.token_responses() - responses < 3 {
        let error = client.describe(&ACCOUNT).await.unwrap_err();
        let Retry::After(pause) = error.retry() else { panic!("{error}") };
        connected.clock.advance(pause.try_into().unwrap());
    }
    connected.context.org.clear_faults();
    connected.context.org.expire_sessions(connected.context.admin()).unwrap();

    let ended = connected.clock.now();
    while let Err(error) = client.describe(&ACCOUNT).await {
        let Retry::After(pause) = error.retry() else { panic!("{error}") };
        connected.clock.advance(pause.try_into().unwrap());
    }
    let recovered = connected.clock.now().duration_since(ended);
    assert!(recovered <= SignedDuration::from_mins(2), "{recovered}");
    assert_eq!(connected.context.connection().await.condition, None);
}

#[tokio::test]
async fn a_request_that_salesforce_rejects_proves_the_session() {
    let connected = Connected::new().await;
    let client = connected.client();
    client.describe(&ACCOUNT).await.unwrap();
    connected.context.org.expire_sessions(connected.context.admin()).unwrap();

    let missing = ObjectName::from_static("Missing__c");
    client.describe(&missing).await.unwrap_err();

    let connection = connected.context.connection().await;
    assert!(connection.refreshed_at.is_some() && connection.condition.is_none(), "{:?}", connection.condition);
}

#[tokio::test]
async fn a_user_who_may_not_call_the_api_is_reported_and_recovers() {
    let connected = Connected::new().await;
    let responses = connected.context.token_responses();
    let (code, message) = ("API_DISABLED_FOR_ORG".to_owned(), "The REST API is not enabled".to_owned());
    let effect = Effect::Error { status: 403, code, message };
    let path_prefix = "/services/data".to_owned();
    connected.context.org.fault(Fault { path_prefix, method: None, times: 1_000, effect });
    let client = connected.client();

    for _ in 0..3 {
        let error = client.describe(&ACCOUNT).await.unwrap_err();
        assert!(matches!(error, Error::Blocked { condition: Condition::ApiDisabled, .. }), "{error}");
        assert_eq!(error.retry(), Retry::NeedsHuman, "{error}");
    }
    assert_eq!(connected.context.connection().await.shown_state(), "blocked");
    assert_eq!(connected.context.token_responses(), responses, "another token would not help");

    connected.context.org.clear_faults();
    client.describe(&ACCOUNT).await.unwrap();
    assert_eq!(connected.context.connection().await.condition, None);
}

#[tokio::test]
async fn two_stale_sessions_in_a_row_are_replaced() {
    let connected = Connected::new().await;
    let (first, second) = (connected.client(), connected.client());
    first.describe(&ACCOUNT).await.unwrap();
    connected.context.org.expire_sessions(connected.context.admin()).unwrap();
    second.describe(&ACCOUNT).await.unwrap();
    connected.context.org.expire_sessions(connected.context.admin()).unwrap();
    connected.clock.advance(SignedDuration::from_hours(3));

    first.describe(&ACCOUNT).await.unwrap();

    let connection = connected.context.connection().await;
    assert_eq!((connection.state, connection.condition), (ConnectionState::Active, None));
}

#[tokio::test]
async fn a_page_with_the_status_401_does_not_block_a_connection() {
    let connected = Connected::new().await;
    let page = Effect::Answer { status: 401, content_type: "text/html".to_owned(), body: "<html>".to_owned() };
    let path_prefix = "/services/data".to_owned();
    connected.context.org.fault(Fault { path_prefix, method: None, times: 2, effect: page });
    let client = connected.client();

    let error = client.describe(&ACCOUNT).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error}");
    assert_eq!(connected.context.connection().await.shown_state(), "active");

    client.describe(&ACCOUNT).await.unwrap();
    assert_eq!(connected.context.connection().await.condition, None);
}
