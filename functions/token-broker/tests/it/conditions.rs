//! Conditions: a connection that cannot be used although its grant has not ended.

use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use runtime::Report as _;
use runtime::token_broker::{AccessTokenRequest, ConnectionStatus, Refusal, Request, Response, RetryHint, Token};
use salesforce::{Clock, Condition, Fingerprint};
use secrecy::ExposeSecret as _;
use store::{ConnectionId, ConnectionState};
use token_broker::handle;

use crate::harness::TestContext;

/// Answers every token request with an error object.
fn token_endpoint_answers(context: &TestContext, error: &str, description: &str) {
    context.org.clear_faults();
    let body = serde_json::json!({"error": error, "error_description": description}).to_string();
    let effect = Effect::Answer { status: 400, content_type: "application/json".to_owned(), body };
    let path_prefix = "/services/oauth2/token".to_owned();
    context.org.fault(Fault { path_prefix, method: Some("POST".to_owned()), times: 100, effect });
}

fn advance(context: &mut TestContext, by: SignedDuration) {
    context.deps.clock = Clock::manual(context.deps.clock.now() + by);
}

fn request(context: &TestContext) -> AccessTokenRequest {
    AccessTokenRequest::new(context.org_id(), ConnectionId::team())
}

fn fingerprint(token: &Token) -> Option<Fingerprint> {
    Some(Fingerprint::from_token(&token.access_token))
}

async fn keep_alive(context: &TestContext) -> Result<ConnectionStatus, Refusal> {
    match handle(&context.deps, Request::KeepAlive(context.team())).await.unwrap().answer {
        Response::Status(status) => Ok(status),
        Response::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_error_of_the_token_endpoint_has_its_condition() {
    let mut context = TestContext::connected().await;
    let mut old = context.token(None).await.unwrap();
    for (error, description, condition, reported) in [
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", Condition::AppBlocked, true),
        ("invalid_app_access", "user is not admin approved", Condition::UserNotApproved, true),
        ("OAUTH_AUTHORIZATION_BLOCKED", "Cross-org OAuth flows are not supported", Condition::AppNotInstalled, true),
        ("inactive_org", "", Condition::OrgInactive, true),
        ("invalid_client", "invalid client credentials", Condition::AppRefused, true),
        ("invalid_client_id", "client identifier invalid", Condition::AppRefused, true),
        ("invalid_request", "missing parameter", Condition::RequestRefused, true),
        ("invalid_grant", "ip restricted or invalid login hours", Condition::LoginRestricted, false),
        ("brand_new", "", Condition::UnknownError, false),
    ] {
        // A session that ends by itself.
        advance(&mut context, SignedDuration::from_mins(15));
        token_endpoint_answers(&context, error, description);

        let refusal = context.token(Some(&old)).await.expect_err(error);

        assert_eq!(refusal.condition, Some(condition), "{error}");
        assert_eq!(refusal.retry == RetryHint::NeedsHuman, reported, "{error}: {:?}", refusal.retry);
        let connection = context.connection().await;
        assert_eq!(connection.state, ConnectionState::Active, "{error}");
        assert_eq!(
            connection.condition.map(|state| (state.condition, state.reported)),
            Some((condition, reported)),
            "{error}"
        );
        assert_eq!(connection.is_blocked(), reported, "{error}");
        context.org.clear_faults();

        old = context.token(Some(&old)).await.expect(error);
        assert!(context.is_accepted(&old).await, "{error}");
        assert_eq!(context.connection().await.condition, None, "{error}: a refresh that works ends it");
    }
}

#[tokio::test]
async fn login_hours_are_reported_after_a_day_and_pass() {
    let mut context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    token_endpoint_answers(&context, "invalid_grant", "ip restricted or invalid login hours");

    let refusal = context.token(Some(&old)).await.unwrap_err();
    assert!(matches!(refusal.retry, RetryHint::After { .. }), "{:?}", refusal.retry);
    let since = context.connection().await.condition.unwrap().since;

    advance(&mut context, SignedDuration::from_hours(24));
    let refusal = context.token(Some(&old)).await.unwrap_err();
    assert_eq!(refusal.retry, RetryHint::NeedsHuman);
    let condition = context.connection().await.condition.unwrap();
    assert_eq!((condition.since, condition.reported), (since, true));

    context.org.clear_faults();
    assert!(context.is_accepted(&context.token(Some(&old)).await.unwrap()).await);
    assert_eq!(context.connection().await.condition, None);
}

#[tokio::test]
async fn an_outage_of_a_day_is_reported() {
    let mut context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let path_prefix = "/services/oauth2/token".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable });

    assert!(matches!(context.token(Some(&old)).await.unwrap_err().retry, RetryHint::After { .. }));
    assert!(!context.connection().await.is_blocked());
    advance(&mut context, SignedDuration::from_hours(25));

    assert_eq!(context.token(Some(&old)).await.unwrap_err().retry, RetryHint::NeedsHuman);
    let connection = context.connection().await;
    assert_eq!(
        (connection.shown_state(), connection.condition.unwrap().condition),
        ("blocked", Condition::Unavailable)
    );
}

/// As an outage it would let the team write for a rep whom the org's administrator keeps out.
#[tokio::test]
async fn an_outage_does_not_hide_a_block_by_the_org() {
    let mut context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    token_endpoint_answers(&context, "invalid_app_access", "user is not admin approved");
    context.token(Some(&old)).await.unwrap_err();
    advance(&mut context, SignedDuration::from_hours(25));
    context.org.clear_faults();
    let path_prefix = "/services/oauth2/token".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable });

    context.token(Some(&old)).await.unwrap_err();

    assert_eq!(context.connection().await.blocked_by(), Some(Condition::UserNotApproved));
    context.org.clear_faults();
    context.token(Some(&old)).await.unwrap();
    assert_eq!(context.connection().await.condition, None);
}

#[tokio::test]
async fn the_hourly_keep_alive_tries_and_ends_a_condition() {
    let mut context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    token_endpoint_answers(&context, "brand_new", "");
    context.token(Some(&old)).await.unwrap_err();
    advance(&mut context, SignedDuration::from_hours(24));

    keep_alive(&context).await.expect("the condition is reported, and nothing is to be tried again now");
    assert_eq!(context.connection().await.shown_state(), "blocked");
    // An idle org has no other requests for tokens that would keep the operator's alarm up.
    let reply = handle(&context.deps, Request::KeepAlive(context.team())).await.unwrap();
    assert!(reply.counts().contains(&("connections.wait_for_operator", 1)), "{:?}", reply.counts());

    context.org.clear_faults();
    keep_alive(&context).await.unwrap();
    assert_eq!(context.connection().await.shown_state(), "active");
}

#[tokio::test]
async fn a_refused_app_is_counted() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    token_endpoint_answers(&context, "invalid_client", "invalid client credentials");

    let refused = AccessTokenRequest { refused_fingerprint: fingerprint(&old), ..request(&context) };
    let reply = handle(&context.deps, Request::AccessToken(refused)).await.unwrap();

    assert!(reply.counts().contains(&("apps.refused", 1)), "{:?}", reply.counts());
    assert!(reply.counts().contains(&("connections.blocked", 1)), "{:?}", reply.counts());
    let reply = handle(&context.deps, Request::AccessToken(request(&context))).await.unwrap();
    assert!(reply.counts().contains(&("apps.refused", 0)), "{:?}", reply.counts());
}

#[tokio::test]
async fn new_sessions_that_are_refused_are_replaced_after_growing_pauses() {
    let mut context = TestContext::connected().await;
    advance(&mut context, SignedDuration::ZERO);
    let mut token = context.token(None).await.unwrap();
    let mut pauses = Vec::new();
    let reported = loop {
        assert!(pauses.len() < 8, "{pauses:?}");
        match context.token(Some(&token)).await {
            Ok(new) => token = new,
            Err(Refusal { condition, retry: RetryHint::After { pause_ms }, .. }) => {
                assert_eq!(condition, Some(Condition::SessionRefused));
                let responses = context.token_responses();
                let again = context.token(Some(&token)).await.unwrap_err();
                assert_eq!((again.retry, context.token_responses()), (RetryHint::After { pause_ms }, responses));
                pauses.push(pause_ms / 1_000);
                advance(&mut context, SignedDuration::from_millis(pause_ms.try_into().unwrap()));
            }
            Err(refusal) => break refusal,
        }
    };

    assert_eq!(pauses, [30, 60, 120, 300]);
    assert_eq!((reported.condition, reported.retry), (Some(Condition::SessionRefused), RetryHint::NeedsHuman));
    let connection = context.connection().await;
    assert_eq!((connection.shown_state(), &connection.state), ("blocked", &ConnectionState::Active));
}

#[tokio::test]
async fn refused_sessions_are_tried_again_every_quarter_of_an_hour() {
    let mut context = TestContext::connected().await;
    let responses = context.token_responses();

    for _ in 0..120 {
        advance(&mut context, SignedDuration::from_mins(1));
        let stored = context.token(None).await.unwrap();
        let _ = context.token(Some(&stored)).await;
    }

    let refreshes = context.token_responses() - responses;
    assert!((10..=15).contains(&refreshes), "{refreshes}");
    assert!(context.connection().await.is_blocked(), "a refresh does not prove that the org accepts sessions");
}

#[tokio::test]
async fn an_accepted_session_ends_the_condition() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let stored = context.token(Some(&old)).await.unwrap();
    assert!(stored.report_acceptance);
    let connection = context.connection().await;
    assert!(connection.condition.is_some() && connection.shown_condition().is_none(), "one session decides nothing");

    let other = AccessTokenRequest { accepted_fingerprint: fingerprint(&old), ..request(&context) };
    context.ask(other).await.unwrap();
    assert!(context.connection().await.condition.is_some(), "another token says nothing about this one");
    let accepted = AccessTokenRequest { accepted_fingerprint: fingerprint(&stored), ..request(&context) };
    context.ask(accepted).await.unwrap();

    assert_eq!(context.connection().await.condition, None);
    assert!(!context.token(None).await.unwrap().report_acceptance);
}

#[tokio::test]
async fn a_stored_session_that_is_old_is_refreshed() {
    let mut context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.expire_sessions(context.admin()).unwrap();
    advance(&mut context, SignedDuration::from_hours(3));

    let new = context.token(Some(&old)).await.unwrap();

    assert!(context.is_accepted(&new).await);
    assert_eq!(context.connection().await.condition, None);
}

#[tokio::test]
async fn a_host_that_is_unreachable_is_asked_for_anew_every_20_minutes() {
    let mut context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let unreachable =
        |token: &Token| AccessTokenRequest { unreachable_fingerprint: fingerprint(token), ..request(&context) };
    let asked = unreachable(&old);
    let same = context.ask(asked.clone()).await.unwrap();
    assert_eq!(same.access_token.expose_secret(), old.access_token.expose_secret());

    advance(&mut context, SignedDuration::from_mins(21));
    let new = context.ask(asked).await.unwrap();
    assert_ne!(new.access_token.expose_secret(), old.access_token.expose_secret());
    assert!(context.is_accepted(&new).await);
}

#[tokio::test]
async fn a_new_consent_ends_a_condition() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    token_endpoint_answers(&context, "OAUTH_APP_BLOCKED", "this app is blocked by admin");
    context.token(Some(&old)).await.unwrap_err();
    assert!(context.connection().await.is_blocked());
    context.org.clear_faults();

    context.connect_team().await;

    assert_eq!(context.connection().await.condition, None);
}
