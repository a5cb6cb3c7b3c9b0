use futures::future::join_all;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use runtime::token_broker::RefusalCode;
use secrecy::ExposeSecret as _;
use store::{ConnectionId, ConnectionState, LeaseClaim, LeaseRequest};

use crate::harness::TestContext;

fn at_the_token_endpoint(effect: Effect, times: u32) -> Fault {
    Fault { path_prefix: "/services/oauth2/token".to_owned(), method: Some("POST".to_owned()), times, effect }
}

fn response(status: u16, content_type: &str, body: &str) -> Effect {
    Effect::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_rotated_one_is_stored() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let refresh_token = context.refresh_token().await;
    context.org.expire_sessions(context.admin()).unwrap();

    let new = context.token(Some(&old)).await.unwrap();

    assert!(context.is_accepted(&new).await);
    assert_ne!(context.refresh_token().await, refresh_token);
    let connection = context.connection().await;
    assert_eq!(connection.state, ConnectionState::Active);
    assert_eq!(connection.lease.owner, None);
}

#[tokio::test]
async fn many_callers_with_a_refused_token_share_one_refresh() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.expire_sessions(context.admin()).unwrap();
    context.org.set_token_processing_time(std::time::Duration::from_secs(1));
    let before = context.token_responses();
    context.requests.take();

    let results = join_all((0..40).map(|_| context.token(Some(&old)))).await;

    let tokens: Vec<_> = results.into_iter().map(|result| result.unwrap().access_token).collect();
    assert!(tokens.iter().all(|token| token.expose_secret() == tokens[0].expose_secret()));
    assert_eq!(context.token_responses() - before, 1);
    let requests = context.requests.take();
    assert!(requests["GetSecretValue"] <= 2 * 40 + 2, "a waiting caller reads the vault: {requests:?}");
    assert_eq!(requests["PutSecretValue"], 1);
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn without_rotation_the_refresh_token_is_unchanged() {
    let context = TestContext::connected().await;
    context.org.rotate_refresh_tokens(false);
    let old = context.token(None).await.unwrap();
    let refresh_token = context.refresh_token().await;

    let new = context.token(Some(&old)).await.unwrap();

    assert!(context.is_accepted(&new).await);
    assert_eq!(context.refresh_token().await, refresh_token);
}

#[tokio::test]
async fn already_processing_is_waited_for() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let busy = r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#;
    context.org.fault(at_the_token_endpoint(response(400, "application/json", busy), 3));

    let new = context.token(Some(&old)).await.unwrap();

    assert!(context.is_accepted(&new).await);
    assert_eq!(context.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_lost_response_is_uncertain_until_the_old_token_is_tried() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.fault(at_the_token_endpoint(Effect::ResetAfter, 1));

    let refusal = context.token(Some(&old)).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert_eq!(context.connection().await.state, ConnectionState::Uncertain);
    let served = context.token(None).await.unwrap();
    assert_eq!(served.access_token.expose_secret(), old.access_token.expose_secret());

    assert_eq!(context.refused(Some(&old)).await, RefusalCode::ReauthRequired);

    let reason = "answer_lost".to_owned();
    assert_eq!(context.connection().await.state, ConnectionState::ReauthRequired { reason });
    assert_eq!(context.refused(None).await, RefusalCode::ReauthRequired);
}

#[tokio::test]
async fn an_uncertain_connection_recovers_from_a_lost_request() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.fault(at_the_token_endpoint(Effect::ResetBefore, 1));

    assert_eq!(context.refused(Some(&old)).await, RefusalCode::Unavailable);

    let new = context.token(Some(&old)).await.unwrap();
    assert!(context.is_accepted(&new).await);
    assert_eq!(context.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_revoked_grant_needs_reauthorization() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.revoke_grants(context.admin()).unwrap();

    assert_eq!(context.refused(Some(&old)).await, RefusalCode::ReauthRequired);

    let reason = "grant_ended".to_owned();
    assert_eq!(context.connection().await.state, ConnectionState::ReauthRequired { reason });
}

#[tokio::test]
async fn a_frozen_user_is_named_as_the_reason() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.set_user_frozen(context.admin(), true).unwrap();

    assert_eq!(context.refused(Some(&old)).await, RefusalCode::ReauthRequired);

    let reason = store::connections::USER_INACTIVE.to_owned();
    assert_eq!(context.connection().await.state, ConnectionState::ReauthRequired { reason });
}

#[tokio::test]
async fn an_expired_lease_is_taken_over() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let now = context.deps.clock.now();
    let length = SignedDuration::from_secs(2);
    let crashed = LeaseRequest { owner: "crashed".to_owned(), now, length, seen_fence: None };
    let claim = context.deps.connections.claim_lease(context.org_id(), &ConnectionId::team(), &crashed).await.unwrap();
    let LeaseClaim::Granted(lease) = claim else { panic!("the lease is free") };

    let new = context.token(Some(&old)).await.unwrap();

    assert!(context.deps.clock.now() >= lease.deadline);
    assert!(context.is_accepted(&new).await);
    assert_eq!(context.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_wrong_client_secret_does_not_end_the_grant() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let refused = r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#;
    context.org.fault(at_the_token_endpoint(response(400, "application/json", refused), 1));

    assert_eq!(context.refused(Some(&old)).await, RefusalCode::AppRefused);

    assert_eq!(context.connection().await.state, ConnectionState::Active);
    assert!(context.is_accepted(&context.token(Some(&old)).await.unwrap()).await);
}
