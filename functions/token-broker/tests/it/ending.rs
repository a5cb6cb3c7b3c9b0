use org_simulator::{Effect, Fault};
use runtime::token_broker::{Answer, RefusalCode, Request};
use store::ConnectionState;
use token_broker::handle;

use crate::stage::Stage;

async fn has_secret(stage: &Stage) -> bool {
    stage.secrets.get_secret_value().secret_id(stage.secret_name()).send().await.is_ok()
}

#[tokio::test]
async fn a_revoked_connection_is_closed_here_and_at_salesforce() {
    let stage = Stage::connected().await;
    let token = stage.token(None).await.unwrap();
    assert!(has_secret(&stage).await);

    stage.revoke().await.unwrap();

    assert!(!stage.is_accepted(&token).await);
    assert!(!has_secret(&stage).await);
    assert_eq!(stage.connection().await.state, ConnectionState::Revoked);
    assert_eq!(stage.refused(None).await, RefusalCode::Revoked);
    assert_eq!(stage.revoke().await, Ok(()));
}

#[tokio::test]
async fn a_revocation_that_salesforce_did_not_hear_is_finished_by_the_next_one() {
    let stage = Stage::connected().await;
    let token = stage.token(None).await.unwrap();
    let path_prefix = "/services/oauth2/revoke".to_owned();
    stage.org.fault(Fault { path_prefix, method: None, times: 10, effect: Effect::Unavailable });

    assert_eq!(stage.revoke().await.unwrap_err().code, RefusalCode::Unavailable);

    assert_eq!(stage.refused(None).await, RefusalCode::Revoked);
    assert!(stage.is_accepted(&token).await);
    stage.org.clear_faults();
    stage.revoke().await.unwrap();
    assert!(!stage.is_accepted(&token).await);
    assert!(!has_secret(&stage).await);
}

#[tokio::test]
async fn status_tells_the_state_and_never_a_token() {
    let stage = Stage::connected().await;

    let reply = handle(&stage.deps, Request::Status(stage.team())).await.unwrap();

    let Answer::Status(status) = &reply.answer else { panic!("no status") };
    assert_eq!(status.state, ConnectionState::Active);
    let json = serde_json::to_string(&reply).unwrap();
    assert!(!json.contains(&stage.refresh_token().await));
}

#[tokio::test]
async fn a_connection_that_was_never_made_is_unknown() {
    let stage = Stage::set().await;
    assert_eq!(stage.refused(None).await, RefusalCode::UnknownConnection);
    assert_eq!(stage.revoke().await.unwrap_err().code, RefusalCode::UnknownConnection);
}
