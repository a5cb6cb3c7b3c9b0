use futures::future::join_all;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault};
use runtime::token_broker::RefusalCode;
use secrecy::ExposeSecret as _;
use store::{ConnectionId, ConnectionState, LeaseClaim, LeaseRequest};

use crate::stage::Stage;

fn at_the_token_endpoint(effect: Effect, times: u32) -> Fault {
    Fault { path_prefix: "/services/oauth2/token".to_owned(), method: Some("POST".to_owned()), times, effect }
}

fn answer(status: u16, content_type: &str, body: &str) -> Effect {
    Effect::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_rotated_refresh_token_is_stored() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    let refresh_token = stage.refresh_token().await;
    stage.org.expire_sessions(stage.admin()).unwrap();

    let new = stage.token(Some(&old)).await.unwrap();

    assert!(stage.is_accepted(&new).await);
    assert_ne!(stage.refresh_token().await, refresh_token);
    let connection = stage.connection().await;
    assert_eq!(connection.state, ConnectionState::Active);
    assert_eq!(connection.lease.owner, None);
}

#[tokio::test]
async fn many_callers_with_a_refused_token_share_one_refresh() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    stage.org.expire_sessions(stage.admin()).unwrap();
    stage.org.set_token_processing_time(std::time::Duration::from_secs(1));
    let before = stage.token_answers();
    stage.requests.take();

    let answers = join_all((0..40).map(|_| stage.token(Some(&old)))).await;

    let tokens: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().access_token).collect();
    assert!(tokens.iter().all(|token| token.expose_secret() == tokens[0].expose_secret()));
    assert_eq!(stage.token_answers() - before, 1);
    let requests = stage.requests.take();
    assert!(requests["GetSecretValue"] <= 2 * 40 + 2, "waiting does not look at the vault: {requests:?}");
    assert_eq!(requests["PutSecretValue"], 1);
    assert!(stage.is_accepted(&stage.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn without_rotation_the_refresh_token_is_kept() {
    let stage = Stage::connected().await;
    stage.org.rotate_refresh_tokens(false);
    let old = stage.token(None).await.unwrap();
    let refresh_token = stage.refresh_token().await;

    let new = stage.token(Some(&old)).await.unwrap();

    assert!(stage.is_accepted(&new).await);
    assert_eq!(stage.refresh_token().await, refresh_token);
}

#[tokio::test]
async fn a_request_that_is_being_processed_elsewhere_is_waited_for() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    let busy = r#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#;
    stage.org.fault(at_the_token_endpoint(answer(400, "application/json", busy), 3));

    let new = stage.token(Some(&old)).await.unwrap();

    assert!(stage.is_accepted(&new).await);
    assert_eq!(stage.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_lost_answer_is_uncertain_until_the_old_refresh_token_was_tried() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    stage.org.fault(at_the_token_endpoint(Effect::ResetAfter, 1));

    let refusal = stage.token(Some(&old)).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert_eq!(stage.connection().await.state, ConnectionState::Uncertain);
    let served = stage.token(None).await.unwrap();
    assert_eq!(served.access_token.expose_secret(), old.access_token.expose_secret());

    assert_eq!(stage.refused(Some(&old)).await, RefusalCode::ReauthRequired);

    let reason = "answer_lost".to_owned();
    assert_eq!(stage.connection().await.state, ConnectionState::ReauthRequired { reason });
    assert_eq!(stage.refused(None).await, RefusalCode::ReauthRequired);
}

#[tokio::test]
async fn a_lost_request_recovers_from_uncertainty() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    stage.org.fault(at_the_token_endpoint(Effect::ResetBefore, 1));

    assert_eq!(stage.refused(Some(&old)).await, RefusalCode::Unavailable);

    let new = stage.token(Some(&old)).await.unwrap();
    assert!(stage.is_accepted(&new).await);
    assert_eq!(stage.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn a_revoked_grant_needs_its_person() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    stage.org.revoke_grants(stage.admin()).unwrap();

    assert_eq!(stage.refused(Some(&old)).await, RefusalCode::ReauthRequired);

    let reason = "grant_ended".to_owned();
    assert_eq!(stage.connection().await.state, ConnectionState::ReauthRequired { reason });
}

#[tokio::test]
async fn the_lease_of_a_dead_broker_is_taken_over_when_it_ends() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    let now = stage.deps.clock.now();
    let length = SignedDuration::from_secs(2);
    let dead = LeaseRequest { owner: "dead".to_owned(), now, length, seen_fence: None };
    let claim = stage.deps.connections.claim_lease(stage.org_id(), &ConnectionId::team(), &dead).await.unwrap();
    let LeaseClaim::Granted(lease) = claim else { panic!("the lease is free") };

    let new = stage.token(Some(&old)).await.unwrap();

    assert!(stage.deps.clock.now() >= lease.deadline);
    assert!(stage.is_accepted(&new).await);
    assert_eq!(stage.connection().await.state, ConnectionState::Active);
}

#[tokio::test]
async fn an_app_whose_secret_is_wrong_leaves_the_grant_alone() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    let refused = r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#;
    stage.org.fault(at_the_token_endpoint(answer(400, "application/json", refused), 1));

    assert_eq!(stage.refused(Some(&old)).await, RefusalCode::AppRefused);

    assert_eq!(stage.connection().await.state, ConnectionState::Active);
    assert!(stage.is_accepted(&stage.token(Some(&old)).await.unwrap()).await);
}
