//! What may go wrong at the token endpoint, and that none of it ends a connection by itself.

use std::time::Duration;

use org_simulator::{Effect, Fault};
use runtime::token_broker::RefusalCode;
use salesforce::{Clock, HostPolicy, Http, Patience};
use secrecy::ExposeSecret as _;
use store::{ConnectionKind, ConnectionState};

use crate::harness::TestContext;

/// The longest that the broker waits for an answer here.
const ATTEMPT: Duration = Duration::from_secs(2);

/// A connected context whose broker does not wait long.
async fn connected() -> TestContext {
    let mut context = TestContext::connected().await;
    let patience = Patience { attempt: ATTEMPT, total: Duration::from_millis(500) };
    context.deps.http = Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap().with_patience(patience);
    context
}

fn answer(status: u16, content_type: &str, body: &str) -> Effect {
    Effect::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

fn at_the_token_endpoint(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/oauth2/token".to_owned(), method: Some("POST".to_owned()), times: 20, effect }
}

/// Everything that Salesforce, or what is before it, may answer without having done anything.
fn nothing_was_done() -> Vec<(&'static str, Effect)> {
    let html = "<html><body>We are down for maintenance.</body></html>";
    let rate = r#"{"error":"rate_limit_exceeded","error_description":"login rate exceeded"}"#;
    vec![
        ("429", answer(429, "application/json", rate)),
        ("429 without a body", answer(429, "text/plain", "")),
        ("403, rate limit", answer(403, "application/json", rate)),
        ("403, daily limit", Effect::RequestLimitExceeded),
        ("403, concurrent limit", Effect::ConcurrentLimitExceeded),
        ("400, rate limit", answer(400, "application/json", rate)),
        ("400, unknown error", answer(400, "application/json", r#"{"error":"something_new"}"#)),
        (
            "400, unknown kind of invalid_grant",
            answer(400, "application/json", r#"{"error":"invalid_grant","error_description":"something new"}"#),
        ),
        ("400, HTML", answer(400, "text/html", html)),
        ("401, HTML", answer(401, "text/html", html)),
        ("404, HTML", answer(404, "text/html", html)),
        ("500 without a body", Effect::InternalError),
        ("500, HTML", answer(500, "text/html", html)),
        ("502", answer(502, "text/html", html)),
        ("503, HTML", Effect::Unavailable),
        ("503, empty JSON", answer(503, "application/json", "")),
        ("504", answer(504, "text/plain", "upstream timed out")),
        ("200, HTML", answer(200, "text/html", html)),
        ("200, HTML that is called JSON", answer(200, "application/json", html)),
        ("200 without a body", answer(200, "application/json", "")),
        ("200, JSON that is no token answer", answer(200, "application/json", "{}")),
        ("200, unsigned tokens", answer(200, "application/json", r#"{"access_token":"x","refresh_token":"y"}"#)),
        ("a reset before anything was done", Effect::ResetBefore),
        ("a timeout before anything was done", Effect::DelayBefore { delay_ms: 60_000 }),
    ]
}

/// What takes the answer away after Salesforce has used up the refresh token.
fn the_answer_was_lost() -> Vec<(&'static str, Effect)> {
    vec![
        ("a reset after the commit", Effect::ResetAfter),
        ("a timeout after the commit", Effect::Delay { delay_ms: 60_000 }),
        ("a body that breaks off", Effect::Truncate { keep_bytes: None }),
        ("half of the body", Effect::MalformedJson),
        ("a body that trickles for too long", Effect::Trickle { chunk_bytes: 1, pause_ms: 1_000 }),
    ]
}

#[tokio::test]
async fn trouble_at_the_token_endpoint_never_ends_a_connection() {
    let context = connected().await;
    let mut old = context.token(None).await.unwrap();
    for (what, effect) in nothing_was_done() {
        context.org.fault(at_the_token_endpoint(effect));

        let refusal = context.token(Some(&old)).await.expect_err(what);

        assert_ne!(refusal.code, RefusalCode::ReauthRequired, "{what}");
        let state = context.connection().await.state;
        assert!(matches!(state, ConnectionState::Active | ConnectionState::Uncertain), "{what}: {state:?}");
        let served = context.token(None).await.expect(what);
        assert_eq!(served.access_token.expose_secret(), old.access_token.expose_secret(), "{what}: the old one serves");
        context.org.clear_faults();

        old = context.token(Some(&old)).await.expect(what);
        assert!(context.is_accepted(&old).await, "{what}");
        assert_eq!(context.connection().await.state, ConnectionState::Active, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_found_out_by_the_next_refresh_and_called_so() {
    let context = connected().await;
    for (what, effect) in the_answer_was_lost() {
        let consent = context.consent(context.admin(), ConnectionKind::Team).await;
        context.exchange(consent).await.unwrap();
        let old = context.token(None).await.unwrap();
        context.org.fault(at_the_token_endpoint(effect));

        let refusal = context.token(Some(&old)).await.expect_err(what);

        assert_ne!(refusal.code, RefusalCode::ReauthRequired, "{what}");
        assert_eq!(context.connection().await.state, ConnectionState::Uncertain, "{what}");
        assert!(context.token(None).await.is_ok(), "{what}: the old token serves until it is refused");
        context.org.clear_faults();

        assert_eq!(context.refused(Some(&old)).await, RefusalCode::ReauthRequired, "{what}");
        let reason = "answer_lost".to_owned();
        assert_eq!(context.connection().await.state, ConnectionState::ReauthRequired { reason }, "{what}");
    }
}
