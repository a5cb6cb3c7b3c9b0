use org_simulator::{Effect, Fault};
use runtime::token_broker::Connected;
use store::{ConnectionKind, ConnectionState};

use crate::harness::TestContext;

fn rep(number: usize) -> ConnectionKind {
    ConnectionKind::Personal { platform_user: format!("rep-{number}").parse().unwrap() }
}

/// Connects as the admin.
async fn connect(context: &TestContext, kind: ConnectionKind) -> Connected {
    let consent = context.consent(context.admin(), kind).await;
    context.exchange(consent).await.unwrap()
}

/// Checks the access token and the refresh token of every active connection, and returns their number.
async fn check_active_connections(context: &TestContext) -> usize {
    let mut active = 0;
    for connection in context.deps.connections.list(context.org_id()).await.unwrap() {
        if connection.state == ConnectionState::Active {
            let id = &connection.connection_id;
            let token = context.token_of(id, None).await.unwrap();
            assert!(context.is_accepted(&token).await, "{id} is active, but Salesforce refuses its token");
            let token = context.token_of(id, Some(&token)).await.unwrap();
            assert!(context.is_accepted(&token).await);
            active += 1;
        }
    }
    active
}

#[tokio::test]
async fn a_sixth_consent_of_a_user_displaces_the_oldest() {
    let context = TestContext::connected().await;
    context.activate().await;
    for number in 1..=4 {
        let connected = connect(&context, rep(number)).await;
        assert_eq!((connected.grants, connected.displaced), (number + 1, vec![]));
    }
    assert_eq!(check_active_connections(&context).await, 5);

    let sixth = connect(&context, rep(5)).await;

    assert_eq!((sixth.grants, sixth.displaced.as_slice()), (5, [context.connection().await.connection_id].as_slice()));
    let displaced = ConnectionState::ReauthRequired { reason: "displaced".to_owned() };
    assert_eq!(context.connection().await.state, displaced);
    assert_eq!(check_active_connections(&context).await, 5);
}

#[tokio::test]
async fn a_reconnect_counts_the_grant_that_it_replaces() {
    let context = TestContext::connected().await;
    context.activate().await;
    for number in 1..=4 {
        connect(&context, rep(number)).await;
    }

    let reconnected = connect(&context, rep(2)).await;

    assert_eq!((reconnected.grants, reconnected.displaced.len()), (4, 1));
    assert_eq!(check_active_connections(&context).await, 4);
    assert_eq!(connect(&context, ConnectionKind::Team).await.displaced, []);
    assert_eq!(check_active_connections(&context).await, 5);
}

#[tokio::test]
async fn grants_of_another_user_or_app_do_not_count() {
    let context = TestContext::connected().await;
    context.activate().await;
    for number in 1..=4 {
        connect(&context, rep(number)).await;
    }
    let colleague = context.org.users()[1].username.clone();
    let theirs = context.consent(&colleague, rep(5)).await;
    let on_v1 = context.consent_to("v1", context.org.url(), context.admin(), rep(6)).await;

    for consent in [theirs, on_v1] {
        let connected = context.exchange(consent).await.unwrap();
        assert_eq!((connected.grants, connected.displaced), (1, vec![]));
    }

    assert_eq!(check_active_connections(&context).await, 7);
}

#[tokio::test]
async fn a_revoked_consent_still_displaces_the_oldest() {
    let context = TestContext::connected().await;
    context.activate().await;
    for number in 1..=4 {
        connect(&context, rep(number)).await;
    }
    let mut foreign = context.consent(context.admin(), rep(9)).await;
    foreign.tenant = "other".parse().unwrap();

    context.exchange(foreign).await.unwrap_err();

    let displaced = ConnectionState::ReauthRequired { reason: "displaced".to_owned() };
    assert_eq!(context.connection().await.state, displaced);
    assert_eq!(check_active_connections(&context).await, 4);
}

#[tokio::test]
async fn concurrent_consents_count_each_other() {
    let context = TestContext::connected().await;
    context.activate().await;
    for number in 1..=4 {
        connect(&context, rep(number)).await;
    }
    let mut consents = Vec::new();
    for number in 5..=8 {
        consents.push(context.consent(context.admin(), rep(number)).await);
    }

    let connected = futures::future::join_all(consents.into_iter().map(|consent| context.exchange(consent))).await;

    assert!(connected.iter().all(Result::is_ok), "{connected:?}");
    assert_eq!(check_active_connections(&context).await, 5);
}

#[tokio::test]
async fn a_grant_that_could_not_be_revoked_counts() {
    let context = TestContext::connected().await;
    context.activate().await;
    for number in 1..=4 {
        connect(&context, rep(number)).await;
    }
    let path_prefix = "/services/oauth2/revoke".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable });
    context.revoke().await.unwrap_err();
    context.org.clear_faults();

    let connected = connect(&context, rep(5)).await;

    assert_eq!(connected.grants, 5);
    assert_eq!(check_active_connections(&context).await, 5);
}
