use std::collections::BTreeMap;

use bench::Proxy;
use store::{ConnectionId, ConnectionKind, ConnectionState};

use crate::stage::Stage;

/// A stage whose team is connected with `app`, over this login host.
async fn connected_with(app: &str, at_login_host: bool) -> Stage {
    let stage = Stage::set().await;
    connect(&stage, app, at_login_host).await;
    stage
}

async fn connect(stage: &Stage, app: &str, at_login_host: bool) {
    let login_url = if at_login_host { stage.org.login_url() } else { stage.org.url() };
    let consent = stage.consent_to(app, login_url, stage.admin(), ConnectionKind::Team).await;
    stage.exchange(consent).await.unwrap();
}

#[tokio::test]
async fn a_consent_to_a_newer_app_moves_the_connection() {
    let stage = connected_with("v1", true).await;
    let (before, old) = (stage.connection().await, stage.token(None).await.unwrap());

    connect(&stage, "v2", false).await;

    let after = stage.connection().await;
    assert_eq!((after.app.as_str(), after.login_url.as_str()), ("v2", stage.org.url()));
    assert_eq!((after.connection_id, after.created_at), (before.connection_id, before.created_at));
    assert!(!stage.is_accepted(&old).await, "the old grant is ended");
    let new = stage.token(None).await.unwrap();
    assert!(stage.is_accepted(&new).await);
    assert!(stage.is_accepted(&stage.token(Some(&new)).await.unwrap()).await, "and refreshed with the new app");
}

#[tokio::test]
async fn a_move_that_comes_to_nothing_leaves_the_old_grant_alone() {
    let stage = connected_with("v1", true).await;
    let old = stage.token(None).await.unwrap();
    let mut consent = stage.consent_to("v2", stage.org.url(), stage.admin(), ConnectionKind::Team).await;
    consent.expected_org_id = Some("00D79000000exLEEAY".parse().unwrap());

    stage.exchange(consent).await.unwrap_err();

    assert_eq!(stage.connection().await.app, "v1");
    assert!(stage.is_accepted(&old).await);
    assert!(stage.is_accepted(&stage.token(Some(&old)).await.unwrap()).await);
}

#[tokio::test]
async fn connections_of_two_apps_refresh_side_by_side_each_with_its_own() {
    let stage = connected_with("v1", true).await;
    stage.activate().await;
    let rep = stage.org.users()[1].username.clone();
    let kind = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
    let consent = stage.consent_to("v2", stage.org.url(), &rep, kind.clone()).await;
    stage.exchange(consent).await.unwrap();

    for id in [ConnectionId::team(), kind.connection_id()] {
        let old = stage.token_of(&id, None).await.unwrap();
        assert!(stage.is_accepted(&stage.token_of(&id, Some(&old)).await.unwrap()).await, "{id}");
    }

    // Another app's secret, or the host of another environment, would have ended them.
    for connection in stage.deps.connections.list(stage.org_id()).await.unwrap() {
        assert_eq!(connection.state, ConnectionState::Active);
    }
}

#[tokio::test]
async fn tokens_that_were_stored_before_a_crash_are_refreshed_with_their_own_app() {
    let stage = connected_with("v1", true).await;
    let v1 = stage.connection().await;
    connect(&stage, "v2", false).await;
    let v2 = stage.connection().await;

    // The row as it is when the broker dies between the storing of the new tokens and the note of them.
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
    };
    let now = stage.deps.clock.now();
    let length = jiff::SignedDuration::from_secs(40);
    let request = store::LeaseRequest { owner: "crashed".to_owned(), now, length, seen_fence: None };
    let reserved = stage.deps.connections.reserve(&consent, &request).await.unwrap();
    let version = v1.token_version.unwrap();
    stage.deps.connections.connect(&consent, &version, &reserved.lease, now).await.unwrap();
    assert_eq!(stage.connection().await.app, "v1");

    let old = stage.token(None).await.unwrap();
    let new = stage.token(Some(&old)).await.unwrap();

    assert!(stage.is_accepted(&new).await);
    let healed = stage.connection().await;
    assert_eq!((healed.state, healed.app, healed.login_url), (ConnectionState::Active, v2.app, v2.login_url));
}

#[tokio::test]
async fn a_grant_is_refreshed_and_revoked_at_its_own_login_host_alone() {
    const TOKEN: &str = "POST /services/oauth2/token";
    const REVOCATION: &str = "POST /services/oauth2/revoke";
    let stage = Stage::set().await;
    let [first, second] = [Proxy::start(stage.org.url()).await.unwrap(), Proxy::start(stage.org.url()).await.unwrap()];
    let consent = stage.consent_to("v1", first.url(), stage.admin(), ConnectionKind::Team).await;
    stage.exchange(consent).await.unwrap();
    let old = stage.token(None).await.unwrap();
    let old = stage.token(Some(&old)).await.unwrap();
    assert_eq!((first.take_counts()[TOKEN], second.take_counts().len()), (2, 0), "a code and a refresh");

    let consent = stage.consent_to("v2", second.url(), stage.admin(), ConnectionKind::Team).await;
    let _ = second.take_counts();
    stage.exchange(consent).await.unwrap();

    assert_eq!(first.take_counts(), BTreeMap::from([(REVOCATION.to_owned(), 1)]));
    assert_eq!(second.take_counts(), BTreeMap::from([(TOKEN.to_owned(), 1)]));
    assert!(!stage.is_accepted(&old).await);
    let new = stage.token(None).await.unwrap();
    assert!(stage.is_accepted(&stage.token(Some(&new)).await.unwrap()).await);
    assert_eq!((first.take_counts().len(), second.take_counts()[TOKEN]), (0, 1));
}

#[tokio::test]
async fn the_old_grant_lives_until_the_new_one_is_stored() {
    let stage = Stage::set().await;
    let login = Proxy::start(stage.org.url()).await.unwrap();
    let consent = stage.consent_to("v1", login.url(), stage.admin(), ConnectionKind::Team).await;
    stage.exchange(consent).await.unwrap();
    let version = stage.connection().await.token_version;
    let hold = login.hold("POST /services/oauth2/revoke", 0, bench::Side::Before);
    let consent = stage.consent_to("v2", stage.org.url(), stage.admin(), ConnectionKind::Team).await;

    tokio::select! {
        reached = hold.reached() => reached.unwrap(),
        connected = stage.exchange(consent) => panic!("the old grant is not revoked: {connected:?}"),
    }

    let connection = stage.connection().await;
    assert_eq!((connection.app.as_str(), connection.state), ("v2", ConnectionState::Active));
    assert_ne!(connection.token_version, version);
    assert!(stage.is_accepted(&stage.token(None).await.unwrap()).await);
}
