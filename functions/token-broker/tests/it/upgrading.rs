use std::collections::BTreeMap;

use bench::Proxy;
use store::{ConnectionId, ConnectionKind, ConnectionState};

use crate::harness::TestContext;

/// Creates a context whose team is connected with `app`.
async fn connected_with(app: &str, at_login_host: bool) -> TestContext {
    let context = TestContext::new().await;
    connect(&context, app, at_login_host).await;
    context
}

async fn connect(context: &TestContext, app: &str, at_login_host: bool) {
    let login_url = if at_login_host { context.org.login_url() } else { context.org.url() };
    let consent = context.consent_to(app, login_url, context.admin(), ConnectionKind::Team).await;
    context.exchange(consent).await.unwrap();
}

#[tokio::test]
async fn a_consent_to_a_newer_app_moves_the_connection() {
    let context = connected_with("v1", true).await;
    let (before, old) = (context.connection().await, context.token(None).await.unwrap());

    connect(&context, "v2", false).await;

    let after = context.connection().await;
    assert_eq!((after.app.as_str(), after.login_url.as_str()), ("v2", context.org.url()));
    assert_eq!((after.connection_id, after.created_at), (before.connection_id, before.created_at));
    assert!(!context.is_accepted(&old).await, "the old grant is revoked");
    let new = context.token(None).await.unwrap();
    assert!(context.is_accepted(&new).await);
    assert!(context.is_accepted(&context.token(Some(&new)).await.unwrap()).await, "the new app refreshes it");
}

#[tokio::test]
async fn a_failed_move_does_not_end_the_old_grant() {
    let context = connected_with("v1", true).await;
    let old = context.token(None).await.unwrap();
    let mut consent = context.consent_to("v2", context.org.url(), context.admin(), ConnectionKind::Team).await;
    consent.expected_org_id = Some("00D79000000exLEEAY".parse().unwrap());

    context.exchange(consent).await.unwrap_err();

    assert_eq!(context.connection().await.app, "v1");
    assert!(context.is_accepted(&old).await);
    assert!(context.is_accepted(&context.token(Some(&old)).await.unwrap()).await);
}

#[tokio::test]
async fn connections_of_two_apps_refresh_with_their_own_app() {
    let context = connected_with("v1", true).await;
    context.activate().await;
    let rep = context.org.users()[1].username.clone();
    let kind = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
    let consent = context.consent_to("v2", context.org.url(), &rep, kind.clone()).await;
    context.exchange(consent).await.unwrap();

    for id in [ConnectionId::team(), kind.connection_id()] {
        let old = context.token_of(&id, None).await.unwrap();
        assert!(context.is_accepted(&context.token_of(&id, Some(&old)).await.unwrap()).await, "{id}");
    }

    // The client secret of the other app, or its login host, would have ended the grants.
    for connection in context.deps.connections.list(context.org_id()).await.unwrap() {
        assert_eq!(connection.state, ConnectionState::Active);
    }
}

#[tokio::test]
async fn tokens_stored_before_a_crash_refresh_with_their_own_app() {
    let context = connected_with("v1", true).await;
    let v1 = context.connection().await;
    connect(&context, "v2", false).await;
    let v2 = context.connection().await;

    // The row of a broker that crashed after it stored the new tokens and before it updated the row.
    let consent = store::Consent {
        org_id: v1.org_id,
        kind: v1.kind,
        tenant: v1.tenant,
        user_id: v1.user_id,
        app: v1.app,
        login_url: v1.login_url,
        instance_url: v1.instance_url,
        granted_at: v1.granted_at.unwrap(),
        username: None,
        rights: None,
    };
    let now = context.deps.clock.now();
    let length = jiff::SignedDuration::from_secs(40);
    let request = store::LeaseRequest { owner: "crashed".to_owned(), now, length, seen_fence: None };
    let reserved = context.deps.connections.reserve(&consent, &request).await.unwrap();
    let version = v1.token_version.unwrap();
    context.deps.connections.connect(&consent, &version, &reserved.lease, now).await.unwrap();
    assert_eq!(context.connection().await.app, "v1");

    let old = context.token(None).await.unwrap();
    let new = context.token(Some(&old)).await.unwrap();

    assert!(context.is_accepted(&new).await);
    let repaired = context.connection().await;
    assert_eq!((repaired.state, repaired.app, repaired.login_url), (ConnectionState::Active, v2.app, v2.login_url));
}

#[tokio::test]
async fn a_grant_is_refreshed_and_revoked_at_its_own_login_host() {
    const TOKEN: &str = "POST /services/oauth2/token";
    const REVOCATION: &str = "POST /services/oauth2/revoke";
    let context = TestContext::new().await;
    let [first, second] =
        [Proxy::start(context.org.url()).await.unwrap(), Proxy::start(context.org.url()).await.unwrap()];
    let consent = context.consent_to("v1", first.url(), context.admin(), ConnectionKind::Team).await;
    context.exchange(consent).await.unwrap();
    let old = context.token(None).await.unwrap();
    let old = context.token(Some(&old)).await.unwrap();
    assert_eq!((first.take_counts()[TOKEN], second.take_counts().len()), (2, 0), "a code and a refresh");

    let consent = context.consent_to("v2", second.url(), context.admin(), ConnectionKind::Team).await;
    let _ = second.take_counts();
    context.exchange(consent).await.unwrap();

    assert_eq!(first.take_counts(), BTreeMap::from([(REVOCATION.to_owned(), 1)]));
    assert_eq!(second.take_counts(), BTreeMap::from([(TOKEN.to_owned(), 1)]));
    assert!(!context.is_accepted(&old).await);
    let new = context.token(None).await.unwrap();
    assert!(context.is_accepted(&context.token(Some(&new)).await.unwrap()).await);
    assert_eq!((first.take_counts().len(), second.take_counts()[TOKEN]), (0, 1));
}

#[tokio::test]
async fn the_old_grant_is_revoked_after_the_new_one_is_stored() {
    let context = TestContext::new().await;
    let login = Proxy::start(context.org.url()).await.unwrap();
    let consent = context.consent_to("v1", login.url(), context.admin(), ConnectionKind::Team).await;
    context.exchange(consent).await.unwrap();
    let version = context.connection().await.token_version;
    let hold = login.hold("POST /services/oauth2/revoke", 0, bench::Side::Before);
    let consent = context.consent_to("v2", context.org.url(), context.admin(), ConnectionKind::Team).await;

    tokio::select! {
        reached = hold.reached() => reached.unwrap(),
        connected = context.exchange(consent) => panic!("the old grant was not revoked: {connected:?}"),
    }

    let connection = context.connection().await;
    assert_eq!((connection.app.as_str(), connection.state), ("v2", ConnectionState::Active));
    assert_ne!(connection.token_version, version);
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}
