use org_simulator::{Effect, Fault};
use runtime::token_broker::Connected;
use store::{ConnectionKind, ConnectionState};

use crate::stage::Stage;

fn rep(number: usize) -> ConnectionKind {
    ConnectionKind::Personal { platform_user: format!("rep-{number}").parse().unwrap() }
}

/// The admin consents for the team, and then for one platform user after the other.
async fn connect(stage: &Stage, kind: ConnectionKind) -> Connected {
    let consent = stage.consent(stage.admin(), kind).await;
    stage.exchange(consent).await.unwrap()
}

/// Whatever Ferry calls active lives in the org: its access token is accepted, and its refresh token brings another.
async fn the_active_are_alive(stage: &Stage) -> usize {
    let mut active = 0;
    for connection in stage.deps.connections.list(stage.org_id()).await.unwrap() {
        if connection.state == ConnectionState::Active {
            let id = &connection.connection_id;
            let token = stage.token_of(id, None).await.unwrap();
            assert!(stage.is_accepted(&token).await, "{id} is called active, and its token is dead");
            let token = stage.token_of(id, Some(&token)).await.unwrap();
            assert!(stage.is_accepted(&token).await);
            active += 1;
        }
    }
    active
}

#[tokio::test]
async fn a_sixth_consent_of_a_user_ends_the_oldest_on_purpose() {
    let stage = Stage::connected().await;
    stage.activate().await;
    for number in 1..=4 {
        let connected = connect(&stage, rep(number)).await;
        assert_eq!((connected.grants, connected.displaced), (number + 1, vec![]));
    }
    assert_eq!(the_active_are_alive(&stage).await, 5);

    let sixth = connect(&stage, rep(5)).await;

    assert_eq!((sixth.grants, sixth.displaced.as_slice()), (5, [stage.connection().await.connection_id].as_slice()));
    let displaced = ConnectionState::ReauthRequired { reason: "displaced".to_owned() };
    assert_eq!(stage.connection().await.state, displaced);
    assert_eq!(the_active_are_alive(&stage).await, 5);
}

#[tokio::test]
async fn a_reconnect_counts_the_grant_that_it_replaces() {
    let stage = Stage::connected().await;
    stage.activate().await;
    for number in 1..=4 {
        connect(&stage, rep(number)).await;
    }

    let reconnected = connect(&stage, rep(2)).await;

    assert_eq!((reconnected.grants, reconnected.displaced.len()), (4, 1));
    assert_eq!(the_active_are_alive(&stage).await, 4);
    assert_eq!(connect(&stage, ConnectionKind::Team).await.displaced, []);
    assert_eq!(the_active_are_alive(&stage).await, 5);
}

#[tokio::test]
async fn another_user_and_another_app_do_not_count() {
    let stage = Stage::connected().await;
    stage.activate().await;
    for number in 1..=4 {
        connect(&stage, rep(number)).await;
    }
    let colleague = stage.org.users()[1].username.clone();
    let theirs = stage.consent(&colleague, rep(5)).await;
    let on_v1 = stage.consent_to("v1", stage.org.url(), stage.admin(), rep(6)).await;

    for consent in [theirs, on_v1] {
        let connected = stage.exchange(consent).await.unwrap();
        assert_eq!((connected.grants, connected.displaced), (1, vec![]));
    }

    assert_eq!(the_active_are_alive(&stage).await, 7);
}

#[tokio::test]
async fn a_consent_that_is_given_back_has_ended_the_oldest_all_the_same() {
    let stage = Stage::connected().await;
    stage.activate().await;
    for number in 1..=4 {
        connect(&stage, rep(number)).await;
    }
    let mut foreign = stage.consent(stage.admin(), rep(9)).await;
    foreign.tenant = "other".parse().unwrap();

    stage.exchange(foreign).await.unwrap_err();

    let displaced = ConnectionState::ReauthRequired { reason: "displaced".to_owned() };
    assert_eq!(stage.connection().await.state, displaced);
    assert_eq!(the_active_are_alive(&stage).await, 4);
}

#[tokio::test]
async fn consents_at_the_same_time_count_each_other() {
    let stage = Stage::connected().await;
    stage.activate().await;
    for number in 1..=4 {
        connect(&stage, rep(number)).await;
    }
    let mut consents = Vec::new();
    for number in 5..=8 {
        consents.push(stage.consent(stage.admin(), rep(number)).await);
    }

    let connected = futures::future::join_all(consents.into_iter().map(|consent| stage.exchange(consent))).await;

    assert!(connected.iter().all(Result::is_ok), "{connected:?}");
    assert_eq!(the_active_are_alive(&stage).await, 5);
}

#[tokio::test]
async fn a_grant_whose_end_salesforce_did_not_hear_of_counts() {
    let stage = Stage::connected().await;
    stage.activate().await;
    for number in 1..=4 {
        connect(&stage, rep(number)).await;
    }
    let path_prefix = "/services/oauth2/revoke".to_owned();
    stage.org.fault(Fault { path_prefix, method: None, times: 100, effect: Effect::Unavailable });
    stage.revoke().await.unwrap_err();
    stage.org.clear_faults();

    let connected = connect(&stage, rep(5)).await;

    assert_eq!(connected.grants, 5);
    assert_eq!(the_active_are_alive(&stage).await, 5);
}
