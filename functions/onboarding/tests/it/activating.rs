use onboarding::{Error, Reply, handle};
use runtime::onboarding::{Event, TeamConnected};
use salesforce::{Classify as _, Retry};
use secrecy::ExposeSecret as _;
use serde_json::json;
use store::{Environment, OrgState, webhook_secret};

use crate::stage::{Stage, org_id};

async fn team_connected(stage: &Stage, tenant: &str) -> Result<Reply, Error> {
    let connected = TeamConnected {
        org_id: org_id(),
        tenant: tenant.parse().unwrap(),
        environment: Environment::Production,
        login_url: "https://login.salesforce.com".to_owned(),
    };
    handle(&stage.deps, Event::TeamConnected(connected)).await
}

#[tokio::test]
async fn a_team_connection_activates_the_org_and_asks_for_its_first_copy() {
    let stage = Stage::set().await;

    let reply = team_connected(&stage, "acme").await.unwrap();

    let org = stage.org().await.unwrap();
    assert_eq!((org.state, org.tenant.as_ref().map(|tenant| tenant.as_str())), (OrgState::Active, Some("acme")));
    let url = reply.onboarded.webhook_url.unwrap();
    let secret = url.expose_secret().strip_prefix("https://ferry.example.com/webhooks/salesforce/00D5e000000KQ2eEAG/");
    assert!(webhook_secret::verify(Some(&org), secret.unwrap()));
    assert!(!serde_json::to_string(&org).unwrap().contains(secret.unwrap()));
    let queued = stage.queued().await;
    assert_eq!(queued.len(), 1);
    assert_eq!((&queued[0]["org_id"], &queued[0]["kind"]), (&json!(org_id()), &json!("backfill")));
}

#[tokio::test]
async fn a_repetition_keeps_the_webhook_secret_and_does_not_show_it_again() {
    let stage = Stage::set().await;
    team_connected(&stage, "acme").await.unwrap();
    let first = stage.org().await;

    let reply = team_connected(&stage, "acme").await.unwrap();

    assert!(reply.onboarded.webhook_url.is_none());
    assert_eq!(reply.onboarded.state, OrgState::Active);
    assert_eq!(stage.org().await, first);
}

#[tokio::test]
async fn another_tenant_does_not_get_the_org() {
    let stage = Stage::set().await;
    team_connected(&stage, "acme").await.unwrap();
    stage.queued().await;
    let before = stage.org().await;

    let error = team_connected(&stage, "other").await.unwrap_err();

    assert_eq!(error.retry(), Retry::NeedsHuman);
    assert_eq!(stage.org().await, before);
}

#[tokio::test]
async fn a_quarantined_org_stays_quarantined() {
    let stage = Stage::set().await;
    team_connected(&stage, "acme").await.unwrap();
    stage.deps.orgs.mark(org_id(), OrgState::Quarantined, stage.deps.clock.now()).await.unwrap();

    let reply = team_connected(&stage, "acme").await.unwrap();

    assert_eq!(reply.onboarded.state, OrgState::Quarantined);
    assert_eq!(stage.org().await.unwrap().state, OrgState::Quarantined);
}

#[tokio::test]
async fn the_answer_tells_the_address_to_the_caller_and_to_no_log() {
    let stage = Stage::set().await;

    let reply = team_connected(&stage, "acme").await.unwrap();

    let url = reply.onboarded.webhook_url.clone().unwrap();
    assert_eq!(serde_json::to_value(&reply).unwrap()["webhook_url"], json!(url.expose_secret()));
    assert!(!format!("{reply:?}").contains(url.expose_secret()));
}
