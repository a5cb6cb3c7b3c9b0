use std::collections::BTreeMap;

use jiff::SignedDuration;
use runtime::token_broker::{Answer, RefusalCode, Request};
use salesforce::Clock;
use secrecy::ExposeSecret as _;
use store::{ConnectionState, LeaseRequest};
use token_broker::handle;

use crate::stage::Stage;

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn keep_alive(stage: &Stage) -> Result<ConnectionState, RefusalCode> {
    match handle(&stage.deps, Request::KeepAlive(stage.team())).await.unwrap().answer {
        Answer::Status(status) => Ok(status.state),
        Answer::Refused(refusal) => Err(refusal.code),
        other => panic!("{other:?}"),
    }
}

/// Ferry's clock, so many days from now. The org's stays.
fn in_days(stage: &mut Stage, days: i64) {
    stage.deps.clock = Clock::manual(stage.deps.clock.now() + DAY * i32::try_from(days).unwrap());
}

#[tokio::test]
async fn a_connection_that_was_used_lately_costs_one_read_of_its_row_once_the_apps_are_known() {
    let mut stage = Stage::connected().await;
    in_days(&mut stage, 18);
    assert_eq!(keep_alive(&stage).await, Ok(ConnectionState::Active));
    stage.requests.take();

    assert_eq!(keep_alive(&stage).await, Ok(ConnectionState::Active));

    assert_eq!(stage.requests.take(), BTreeMap::from([("GetItem".to_owned(), 1)]));
}

#[tokio::test]
async fn an_idle_connection_is_refreshed_once() {
    let mut stage = Stage::connected().await;
    let (before, answers) = (stage.refresh_token().await, stage.token_answers());
    in_days(&mut stage, 20);

    for _ in 0..3 {
        assert_eq!(keep_alive(&stage).await, Ok(ConnectionState::Active));
    }

    assert_ne!(stage.refresh_token().await, before);
    assert_eq!(stage.token_answers() - answers, 1);
    assert!(stage.is_accepted(&stage.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn a_refresh_on_demand_is_a_use_too() {
    let mut stage = Stage::connected().await;
    in_days(&mut stage, 15);
    let old = stage.token(None).await.unwrap();
    stage.token(Some(&old)).await.unwrap();
    let answers = stage.token_answers();
    in_days(&mut stage, 15);

    assert_eq!(keep_alive(&stage).await, Ok(ConnectionState::Active));

    assert_eq!(stage.token_answers(), answers);
}

#[tokio::test]
async fn an_uncertain_connection_is_tried_and_a_dead_one_is_left() {
    let mut stage = Stage::connected().await;
    in_days(&mut stage, 20);
    let now = stage.deps.clock.now();
    let id = stage.team().connection_id;
    stage.deps.connections.mark_state(stage.org_id(), &id, &ConnectionState::Uncertain, now).await.unwrap();
    assert_eq!(keep_alive(&stage).await, Ok(ConnectionState::Active));

    in_days(&mut stage, 20);
    stage.org.revoke_grants(stage.admin()).unwrap();
    let ended = ConnectionState::ReauthRequired { reason: "grant_ended".to_owned() };
    assert_eq!(keep_alive(&stage).await, Ok(ended.clone()));

    let asked = stage.org.request_log().len();
    stage.requests.take();
    assert_eq!(keep_alive(&stage).await, Ok(ended));
    assert_eq!(stage.requests.take(), BTreeMap::from([("GetItem".to_owned(), 1)]));
    assert_eq!(stage.org.request_log().len(), asked);
}

#[tokio::test]
async fn who_waits_for_a_refresh_reads_the_row_alone() {
    let stage = Stage::connected().await;
    let old = stage.token(None).await.unwrap();
    let now = stage.deps.clock.now();
    let length = SignedDuration::from_secs(3);
    let holder = LeaseRequest { owner: "holder".to_owned(), now, length, seen_fence: None };
    stage.deps.connections.claim_lease(stage.org_id(), &stage.team().connection_id, &holder).await.unwrap();
    stage.requests.take();

    let new = stage.token(Some(&old)).await.unwrap();

    assert_ne!(new.access_token.expose_secret(), old.access_token.expose_secret());
    let requests = stage.requests.take();
    let vault = requests["GetSecretValue"];
    assert!(requests["GetItem"] > 4, "it never waited: {requests:?}");
    assert!(vault <= 3, "the apps, one look before the claim, one under the lease: {requests:?}");
}
