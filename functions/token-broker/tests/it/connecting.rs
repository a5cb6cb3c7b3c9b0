use futures::future::join_all;
use runtime::token_broker::{ConnectionRef, RefusalCode, Request};
use store::{ConnectionKind, ConnectionState, OrgState, PlatformUser};
use token_broker::handle;

use crate::harness::TestContext;

#[tokio::test]
async fn a_consent_becomes_an_active_connection_with_working_tokens() {
    let context = TestContext::new().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;

    let connected = context.exchange(consent).await.unwrap();

    assert_eq!(connected.org_id, context.org_id());
    assert_eq!(connected.user_id.to_string(), context.org.users()[0].id);
    assert_eq!(context.connection().await.state, ConnectionState::Active);
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn a_code_is_accepted_once() {
    let context = TestContext::new().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;
    context.exchange(consent.clone()).await.unwrap();

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::GrantRefused);
}

#[tokio::test]
async fn a_consent_in_another_org_is_revoked() {
    let context = TestContext::new().await;
    let mut consent = context.consent(context.admin(), ConnectionKind::Team).await;
    consent.expected_org_id = Some("00D79000000exLEEAY".parse().unwrap());

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::WrongOrg);
    assert!(context.org.request_log().contains(&"POST /services/oauth2/revoke 200".to_owned()));
    let connections = context.deps.connections.list(context.org_id()).await.unwrap();
    assert!(connections.is_empty());
}

#[tokio::test]
async fn another_tenant_does_not_get_the_connection() {
    let context = TestContext::connected().await;
    let before = context.refresh_token().await;
    let mut consent = context.consent(context.admin(), ConnectionKind::Team).await;
    consent.tenant = "other".parse().unwrap();

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::OrgOwnedByAnotherTenant);
    assert_eq!(context.refresh_token().await, before);
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn an_uninstalled_org_can_be_bound_by_its_admin_again() {
    for state in [OrgState::Uninstalled, OrgState::Disconnected] {
        let context = TestContext::connected().await;
        context.activate().await;
        let rep = context.org.users()[1].username.clone();
        let personal = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
        let consent = context.consent(&rep, personal.clone()).await;
        context.exchange(consent).await.unwrap();
        context.deps.orgs.set_state(context.org_id(), state, context.deps.clock.now()).await.unwrap();
        let theirs = async |username: &str| {
            let mut consent = context.consent(username, ConnectionKind::Team).await;
            consent.tenant = "other".parse().unwrap();
            context.exchange(consent).await
        };

        let refusal = theirs(context.admin()).await.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::OrgOwnedByAnotherTenant, "the team is still connected");
        context.revoke().await.unwrap();
        let refusal = theirs(context.admin()).await.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::OrgOwnedByAnotherTenant, "a rep is still connected");
        let reference = ConnectionRef { org_id: context.org_id(), connection_id: personal.connection_id() };
        handle(&context.deps, Request::Revoke(reference)).await.unwrap();
        context.grant(&rep, &["ViewAllData"]);
        let refusal = theirs(&rep).await.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::OrgOwnedByAnotherTenant, "a rep is no administrator");
        theirs(context.admin()).await.unwrap();

        let connections = context.deps.connections.list(context.org_id()).await.unwrap();
        let shown: Vec<_> = connections.iter().map(|row| (row.connection_id.as_str(), row.tenant.as_str())).collect();
        assert_eq!(shown, [("team", "other")], "nothing of the former tenant is left");
    }
}

#[tokio::test]
async fn a_personal_connection_needs_an_active_org() {
    let context = TestContext::connected().await;
    let platform_user: PlatformUser = "rep-1".parse().unwrap();
    let rep = context.org.users()[1].username.clone();
    let consent = context.consent(&rep, ConnectionKind::Personal { platform_user }).await;

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::WrongOrg);
}

#[tokio::test]
async fn a_reconnect_keeps_the_connection_and_revokes_the_old_grant() {
    let context = TestContext::connected().await;
    let first = context.connection().await;
    let old = context.token(None).await.unwrap();
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;

    context.exchange(consent).await.unwrap();

    let second = context.connection().await;
    assert_eq!((second.connection_id, second.created_at), (first.connection_id, first.created_at));
    assert_ne!(second.token_version, first.token_version);
    assert!(!context.is_accepted(&old).await);
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn an_unknown_app_is_refused_without_a_token_request() {
    let context = TestContext::new().await;
    let mut consent = context.consent(context.admin(), ConnectionKind::Team).await;
    consent.app = "v0".to_owned();

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::UnknownApp);
    assert!(!context.org.request_log().iter().any(|line| line.contains("/services/oauth2/token")));
}

#[tokio::test]
async fn two_tenants_connecting_one_org_do_not_mix_their_tokens() {
    let context = TestContext::new().await;
    let mut consents = Vec::new();
    for tenant in ["acme", "other"] {
        let mut consent = context.consent(context.admin(), ConnectionKind::Team).await;
        consent.tenant = tenant.parse().unwrap();
        consents.push(consent);
    }

    let results = join_all(consents.into_iter().map(|consent| context.exchange(consent))).await;

    let refused: Vec<_> =
        results.iter().filter_map(|result| result.as_ref().err()).map(|refusal| refusal.code).collect();
    assert_eq!(refused, [RefusalCode::OrgOwnedByAnotherTenant], "{results:?}");
    let winner = ["acme", "other"][usize::from(results[1].is_ok())];
    let connection = context.connection().await;
    assert_eq!((connection.tenant.as_str(), connection.state), (winner, ConnectionState::Active));
    let old = context.token(None).await.unwrap();
    assert!(context.is_accepted(&old).await, "the winner's token is in the vault");
    context.org.expire_sessions(context.admin()).unwrap();
    assert!(context.is_accepted(&context.token(Some(&old)).await.unwrap()).await, "and its refresh token is valid");
}

#[tokio::test]
async fn concurrent_consents_leave_one_consistent_connection() {
    let context = TestContext::connected().await;
    context.activate().await;
    let mut consents = Vec::new();
    for user in [0, 1, 2, 0] {
        let username = context.org.users()[user].username.clone();
        context.grant(&username, &["ViewAllData"]);
        consents.push(context.consent(&username, ConnectionKind::Team).await);
    }

    let results = join_all(consents.into_iter().map(|consent| context.exchange(consent))).await;

    assert!(results.iter().any(Result::is_ok), "{results:?}");
    let connection = context.connection().await;
    let tokens = context.deps.vault.load(context.org_id(), &connection.connection_id).await.unwrap();
    let (tokens, version) = tokens.expect("tokens");
    assert_eq!((connection.state, connection.token_version), (ConnectionState::Active, Some(version)));
    assert_eq!(Some(connection.user_id), tokens.grant.map(|origin| origin.user_id));
    let old = context.token(None).await.unwrap();
    assert!(context.is_accepted(&old).await);
    assert!(context.is_accepted(&context.token(Some(&old)).await.unwrap()).await);
}

#[tokio::test]
async fn a_reconnect_during_a_refresh_wins() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    context.org.set_token_processing_time(std::time::Duration::from_millis(500));
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;

    let (refreshed, connected) = tokio::join!(context.token(Some(&old)), context.exchange(consent));

    assert!(connected.is_ok(), "{connected:?}");
    assert!(refreshed.is_ok(), "{refreshed:?}");
    assert_eq!(context.connection().await.state, ConnectionState::Active);
    let now = context.token(None).await.unwrap();
    assert!(context.is_accepted(&now).await);
    assert!(context.is_accepted(&context.token(Some(&now)).await.unwrap()).await);
}
