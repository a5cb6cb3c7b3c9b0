use std::collections::BTreeMap;

use jiff::SignedDuration;
use runtime::token_broker::{RefusalCode, Request, Response};
use salesforce::Clock;
use secrecy::ExposeSecret as _;
use store::{ConnectionState, LeaseClaim, LeaseOutcome, LeaseRequest};
use token_broker::handle;

use crate::harness::TestContext;

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn keep_alive(context: &TestContext) -> Result<ConnectionState, RefusalCode> {
    match handle(&context.deps, Request::KeepAlive(context.team())).await.unwrap().answer {
        Response::Status(status) => Ok(status.state),
        Response::Refused(refusal) => Err(refusal.code),
        other => panic!("{other:?}"),
    }
}

/// Advances Ferry's clock, but not the org's.
fn in_days(context: &mut TestContext, days: i64) {
    context.deps.clock = Clock::manual(context.deps.clock.now() + DAY * i32::try_from(days).unwrap());
}

#[tokio::test]
async fn a_recently_used_connection_costs_one_read() {
    let mut context = TestContext::connected().await;
    in_days(&mut context, 18);
    assert_eq!(keep_alive(&context).await, Ok(ConnectionState::Active));
    context.requests.take();

    assert_eq!(keep_alive(&context).await, Ok(ConnectionState::Active));

    assert_eq!(context.requests.take(), BTreeMap::from([("GetItem".to_owned(), 1)]));
}

#[tokio::test]
async fn an_idle_connection_is_refreshed_once() {
    let mut context = TestContext::connected().await;
    let (before, responses) = (context.refresh_token().await, context.token_responses());
    in_days(&mut context, 20);

    for _ in 0..3 {
        assert_eq!(keep_alive(&context).await, Ok(ConnectionState::Active));
    }

    assert_ne!(context.refresh_token().await, before);
    assert_eq!(context.token_responses() - responses, 1);
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn a_refresh_on_demand_counts_as_use() {
    let mut context = TestContext::connected().await;
    in_days(&mut context, 15);
    let old = context.token(None).await.unwrap();
    context.token(Some(&old)).await.unwrap();
    let responses = context.token_responses();
    in_days(&mut context, 15);

    assert_eq!(keep_alive(&context).await, Ok(ConnectionState::Active));

    assert_eq!(context.token_responses(), responses);
}

/// Ends a refresh whose response was lost.
async fn lose_a_response(context: &TestContext) {
    let (connections, now, id) = (&context.deps.connections, context.deps.clock.now(), context.team().connection_id);
    let length = SignedDuration::from_secs(30);
    let request = LeaseRequest { owner: "refresh".to_owned(), now, length, seen_fence: None };
    let claim = connections.claim_lease(context.org_id(), &id, &request).await.unwrap();
    let LeaseClaim::Granted(lease) = claim else { panic!("the lease is held") };
    let outcome = LeaseOutcome::StateChanged { state: ConnectionState::Uncertain, now };
    connections.release_lease(context.org_id(), &id, &lease, &outcome).await.unwrap();
}

#[tokio::test]
async fn keep_alive_refreshes_uncertain_but_not_ended_connections() {
    let mut context = TestContext::connected().await;
    in_days(&mut context, 20);
    lose_a_response(&context).await;
    assert_eq!(keep_alive(&context).await, Ok(ConnectionState::Active));

    in_days(&mut context, 20);
    context.org.revoke_grants(context.admin()).unwrap();
    let ended = ConnectionState::ReauthRequired { reason: "grant_ended".to_owned() };
    assert_eq!(keep_alive(&context).await, Ok(ended.clone()));

    let salesforce_requests = context.org.request_log().len();
    context.requests.take();
    assert_eq!(keep_alive(&context).await, Ok(ended));
    assert_eq!(context.requests.take(), BTreeMap::from([("GetItem".to_owned(), 1)]));
    assert_eq!(context.org.request_log().len(), salesforce_requests);
}

#[tokio::test]
async fn a_waiting_caller_reads_only_the_row() {
    let context = TestContext::connected().await;
    let old = context.token(None).await.unwrap();
    let now = context.deps.clock.now();
    let length = SignedDuration::from_secs(3);
    let holder = LeaseRequest { owner: "holder".to_owned(), now, length, seen_fence: None };
    context.deps.connections.claim_lease(context.org_id(), &context.team().connection_id, &holder).await.unwrap();
    context.requests.take();

    let new = context.token(Some(&old)).await.unwrap();

    assert_ne!(new.access_token.expose_secret(), old.access_token.expose_secret());
    let requests = context.requests.take();
    let vault = requests["GetSecretValue"];
    assert!(requests["GetItem"] > 4, "the caller did not wait: {requests:?}");
    assert!(vault <= 3, "the apps, one read before the claim, one under the lease: {requests:?}");
}
