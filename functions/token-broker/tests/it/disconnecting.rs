use org_simulator::{Effect, Fault};
use runtime::token_broker::{RefusalCode, Request, Response};
use store::{ConnectionKind, ConnectionState};
use token_broker::handle;

use crate::harness::TestContext;

async fn has_secret(context: &TestContext) -> bool {
    context.secrets.get_secret_value().secret_id(context.secret_name()).send().await.is_ok()
}

#[tokio::test]
async fn disconnecting_revokes_the_grant_and_deletes_the_tokens() {
    let context = TestContext::connected().await;
    let token = context.token(None).await.unwrap();
    assert!(has_secret(&context).await);

    context.revoke().await.unwrap();

    assert!(!context.is_accepted(&token).await);
    assert!(!has_secret(&context).await);
    assert_eq!(context.connection().await.state, ConnectionState::Revoked);
    assert_eq!(context.refused(None).await, RefusalCode::Revoked);
    assert_eq!(context.revoke().await, Ok(()));
}

#[tokio::test]
async fn a_failed_revocation_is_completed_by_the_next() {
    let context = TestContext::connected().await;
    let token = context.token(None).await.unwrap();
    let path_prefix = "/services/oauth2/revoke".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 10, effect: Effect::Unavailable });

    assert_eq!(context.revoke().await.unwrap_err().code, RefusalCode::Unavailable);

    assert_eq!(context.refused(None).await, RefusalCode::Revoked);
    assert!(context.is_accepted(&token).await);
    context.org.clear_faults();
    context.revoke().await.unwrap();
    assert!(!context.is_accepted(&token).await);
    assert!(!has_secret(&context).await);
}

#[tokio::test]
async fn status_returns_the_state_and_no_token() {
    let context = TestContext::connected().await;

    let reply = handle(&context.deps, Request::Status(context.team())).await.unwrap();

    let Response::Status(status) = &reply.answer else { panic!("no status") };
    assert_eq!(status.state, ConnectionState::Active);
    let json = serde_json::to_string(&reply).unwrap();
    assert!(!json.contains(&context.refresh_token().await));
}

#[tokio::test]
async fn a_connection_that_does_not_exist_is_unknown() {
    let context = TestContext::new().await;
    assert_eq!(context.refused(None).await, RefusalCode::UnknownConnection);
    assert_eq!(context.revoke().await.unwrap_err().code, RefusalCode::UnknownConnection);
}

/// Disconnects while Salesforce is slow to revoke, and consents meanwhile.
#[tokio::test]
async fn a_consent_during_a_disconnection_keeps_its_tokens() {
    let context = TestContext::connected().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;
    let path_prefix = "/services/oauth2/revoke".to_owned();
    let effect = Effect::DelayBefore { delay_ms: 2_000 };
    context.org.fault(Fault { path_prefix, method: None, times: 1, effect });

    let (disconnected, connected) = tokio::join!(context.revoke(), async {
        context.eventually_revoked().await;
        context.exchange(consent).await
    });

    assert_eq!(disconnected, Ok(()));
    connected.expect("the consent connects after the disconnection");
    assert_eq!(context.connection().await.state, ConnectionState::Active);
    let token = context.token(None).await.expect("the tokens of the consent");
    assert!(context.is_accepted(&token).await);
}
