//! What a user must be able to do before a grant is kept.

use org_simulator::{Effect, Fault, ObjectPermissions};
use runtime::token_broker::RefusalCode;
use store::ConnectionKind;

use crate::stage::Stage;

/// The profile of everybody but the admin.
const PROFILE: &str = "Standard User";

fn rep(stage: &Stage) -> String {
    stage.org.users()[1].username.clone()
}

fn revoked(stage: &Stage) -> usize {
    stage.org.request_log().iter().filter(|request| *request == "POST /services/oauth2/revoke 200").count()
}

#[tokio::test]
async fn the_user_of_a_connection_is_known_by_name() {
    let stage = Stage::set().await;
    let consent = stage.consent(stage.admin(), ConnectionKind::Team).await;

    let connected = stage.exchange(consent).await.unwrap();

    assert_eq!(connected.username.as_deref(), Some(stage.admin()));
    assert_eq!(stage.connection().await.username.as_deref(), Some(stage.admin()));
}

#[tokio::test]
async fn what_a_team_user_may_not_do_is_named_and_the_grant_is_given_back() {
    let stage = Stage::set().await;
    let no_edit = ObjectPermissions { no_edit: true, ..ObjectPermissions::default() };
    stage.org.limit_profile(PROFILE, "Account", &no_edit).unwrap();
    let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
    stage.org.limit_profile(PROFILE, "Lead", &hidden).unwrap();
    let consent = stage.consent(&rep(&stage), ConnectionKind::Team).await;

    let refusal = stage.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::MissingPermissions);
    assert_eq!(refusal.reason, "edit Account, read Lead, create Lead, edit Lead");
    assert_eq!(revoked(&stage), 1);
    assert!(stage.deps.connections.list(stage.org_id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reconnection_that_cannot_work_leaves_the_old_one_as_it_is() {
    let stage = Stage::connected().await;
    let (row, token) = (stage.connection().await, stage.refresh_token().await);
    stage.org.set_user_api_enabled(&rep(&stage), false).unwrap();
    let consent = stage.consent(&rep(&stage), ConnectionKind::Team).await;

    let refusal = stage.exchange(consent).await.unwrap_err();

    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::MissingPermissions, "use the API"));
    assert_eq!((stage.connection().await, stage.refresh_token().await), (row, token));
    assert!(stage.is_accepted(&stage.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn a_rep_needs_the_api_and_no_object() {
    let stage = Stage::connected().await;
    stage.activate().await;
    let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
    stage.org.limit_profile(PROFILE, "Lead", &hidden).unwrap();
    let personal = || ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };

    let consent = stage.consent(&rep(&stage), personal()).await;
    stage.exchange(consent).await.unwrap();

    let consent = stage.consent(&rep(&stage), personal()).await;
    stage.org.set_user_api_enabled(&rep(&stage), false).unwrap();
    assert_eq!(stage.exchange(consent).await.unwrap_err().code, RefusalCode::MissingPermissions);
}

#[tokio::test]
async fn an_org_that_does_not_answer_is_asked_again_later_and_nothing_is_kept() {
    let stage = Stage::set().await;
    let consent = stage.consent(stage.admin(), ConnectionKind::Team).await;
    let path_prefix = "/services/data/".to_owned();
    stage.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    let refusal = stage.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(stage.deps.connections.list(stage.org_id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_that_cannot_be_asked_keeps_nobody_from_connecting() {
    let stage = Stage::set().await;
    let consent = stage.consent(stage.admin(), ConnectionKind::Team).await;
    let path_prefix = "/services/oauth2/userinfo".to_owned();
    stage.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    assert_eq!(stage.exchange(consent).await.unwrap().username, None);
}

#[tokio::test]
async fn keys_that_cannot_be_had_keep_nothing() {
    let stage = Stage::set().await;
    let mut consent = stage.consent(stage.admin(), ConnectionKind::Team).await;
    consent.nonce = Some("a-nonce".into());
    let path_prefix = "/id/keys".to_owned();
    stage.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    let refusal = stage.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert_eq!(revoked(&stage), 1);
    assert!(stage.deps.connections.list(stage.org_id()).await.unwrap().is_empty());
}
