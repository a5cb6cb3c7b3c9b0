//! Failures of the token endpoint, none of which ends a connection.

use std::time::Duration;

use org_simulator::{Effect, Fault};
use runtime::token_broker::RefusalCode;
use salesforce::{Clock, HostPolicy, Http, Timeouts};
use secrecy::ExposeSecret as _;
use store::{ConnectionKind, ConnectionState};

use crate::harness::TestContext;

/// The time that the broker waits for a response.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Creates a connected context whose broker uses short timeouts.
async fn connected() -> TestContext {
    let mut context = TestContext::connected().await;
    let timeouts = Timeouts { attempt: ATTEMPT, total: Duration::from_millis(500), ..Timeouts::default() };
    context.deps.http = Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap().with_timeouts(timeouts);
    context
}

fn response(status: u16, content_type: &str, body: &str) -> Effect {
    Effect::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

fn at_the_token_endpoint(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/oauth2/token".to_owned(), method: Some("POST".to_owned()), times: 20, effect }
}

/// Failures of Salesforce, or of a proxy before it, that leave the refresh token valid.
fn failures_before_rotation() -> Vec<(&'static str, Effect)> {
    let html = "<html><body>We are down for maintenance.</body></html>";
    let rate = r#"{"error":"rate_limit_exceeded","error_description":"login rate exceeded"}"#;
    vec![
        ("429", response(429, "application/json", rate)),
        ("429 without a body", response(429, "text/plain", "")),
        ("403, rate limit", response(403, "application/json", rate)),
        ("403, daily limit", Effect::RequestLimitExceeded),
        ("403, concurrent limit", Effect::ConcurrentLimitExceeded),
        ("400, rate limit", response(400, "application/json", rate)),
        ("400, unknown error", response(400, "application/json", r#"{"error":"something_new"}"#)),
        (
            "400, unknown kind of invalid_grant",
            response(400, "application/json", r#"{"error":"invalid_grant","error_description":"something new"}"#),
        ),
        ("400, HTML", response(400, "text/html", html)),
        ("401, HTML", response(401, "text/html", html)),
        ("404, HTML", response(404, "text/html", html)),
        ("500 without a body", Effect::InternalError),
        ("500, HTML", response(500, "text/html", html)),
        ("502", response(502, "text/html", html)),
        ("503, HTML", Effect::Unavailable),
        ("503, empty JSON", response(503, "application/json", "")),
        ("504", response(504, "text/plain", "upstream timed out")),
        ("200, HTML", response(200, "text/html", html)),
        ("200, HTML declared as JSON", response(200, "application/json", html)),
        ("200 without a body", response(200, "application/json", "")),
        ("200, JSON without tokens", response(200, "application/json", "{}")),
        ("200, unsigned tokens", response(200, "application/json", r#"{"access_token":"x","refresh_token":"y"}"#)),
        ("a reset before processing", Effect::ResetBefore),
        ("a timeout before processing", Effect::DelayBefore { delay_ms: 60_000 }),
    ]
}

/// Failures that lose the response after Salesforce has rotated the refresh token.
fn failures_after_rotation() -> Vec<(&'static str, Effect)> {
    vec![
        ("a reset after the commit", Effect::ResetAfter),
        ("a timeout after the commit", Effect::Delay { delay_ms: 60_000 }),
        ("a truncated body", Effect::Truncate { keep_bytes: None }),
        ("malformed JSON", Effect::MalformedJson),
        ("a body that arrives too slowly", Effect::Trickle { chunk_bytes: 1, pause_ms: 1_000 }),
    ]
}

#[tokio::test]
async fn token_endpoint_failures_never_end_a_connection() {
    let context = connected().await;
    let mut old = context.token(None).await.unwrap();
    for (what, effect) in failures_before_rotation() {
        context.org.fault(at_the_token_endpoint(effect));

        let refusal = context.token(Some(&old)).await.expect_err(what);

        assert_ne!(refusal.code, RefusalCode::ReauthRequired, "{what}");
        let state = context.connection().await.state;
        assert!(matches!(state, ConnectionState::Active | ConnectionState::Uncertain), "{what}: {state:?}");
        let served = context.token(None).await.expect(what);
        assert_eq!(
            served.access_token.expose_secret(),
            old.access_token.expose_secret(),
            "{what}: the old token is served"
        );
        context.org.clear_faults();

        old = context.token(Some(&old)).await.expect(what);
        assert!(context.is_accepted(&old).await, "{what}");
        assert_eq!(context.connection().await.state, ConnectionState::Active, "{what}");
    }
}

#[tokio::test]
async fn the_next_refresh_detects_a_lost_response() {
    let context = connected().await;
    for (what, effect) in failures_after_rotation() {
        let consent = context.consent(context.admin(), ConnectionKind::Team).await;
        context.exchange(consent).await.unwrap();
        let old = context.token(None).await.unwrap();
        context.org.fault(at_the_token_endpoint(effect));

        let refusal = context.token(Some(&old)).await.expect_err(what);

        assert_ne!(refusal.code, RefusalCode::ReauthRequired, "{what}");
        assert_eq!(context.connection().await.state, ConnectionState::Uncertain, "{what}");
        assert!(context.token(None).await.is_ok(), "{what}: the old token is served until it is refused");
        context.org.clear_faults();

        assert_eq!(context.refused(Some(&old)).await, RefusalCode::ReauthRequired, "{what}");
        let reason = "answer_lost".to_owned();
        assert_eq!(context.connection().await.state, ConnectionState::ReauthRequired { reason }, "{what}");
    }
}
