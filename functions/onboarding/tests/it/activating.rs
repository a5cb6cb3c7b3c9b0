use connecting::onboarding::{ManualSetup, OutboundMessages};
use harness::run;
use salesforce::{Classify as _, Retry};
use secrecy::ExposeSecret as _;
use serde_json::json;
use store::{OrgState, verify_webhook_secret};

use crate::harness::{PUBLIC_URL, TestContext};

#[test]
fn a_team_connection_activates_the_org_and_queues_a_backfill() {
    run(async {
        let context = TestContext::new().await;

        let reply = context.team_connected("acme").await.unwrap();

        let org = context.org().await.unwrap();
        assert_eq!((org.state, org.tenant.as_ref().map(|tenant| tenant.as_str())), (OrgState::Active, Some("acme")));
        let url = reply.onboarded.webhook_url.unwrap();
        let base = format!("{PUBLIC_URL}/webhooks/salesforce/{}/", context.org);
        let secret = url.expose_secret().strip_prefix(&base).unwrap();
        assert!(verify_webhook_secret(Some(&org), secret));
        assert!(!serde_json::to_string(&org).unwrap().contains(secret));
        let queued = context.queued().await;
        assert_eq!(queued.len(), 1);
        assert_eq!((&queued[0]["org_id"], &queued[0]["kind"]), (&json!(context.org), &json!("backfill")));
    });
}

#[test]
fn a_lost_address_is_made_again_once() {
    run(async {
        let context = TestContext::new().await;
        let first = context.team_connected("acme").await.unwrap().onboarded;

        let second = context.team_connected("acme").await.unwrap().onboarded;
        let third = context.team_connected("acme").await.unwrap().onboarded;

        let because = OutboundMessages::Manual { reason: ManualSetup::NoMessages };
        assert_eq!((second.outbound_messages, third.outbound_messages), (Some(because), Some(because)));
        assert!(third.webhook_url.is_none(), "a third would end one that may be in use");
        let org = context.org().await.unwrap();
        assert_eq!(org.state, OrgState::Active);
        for url in [first.webhook_url.unwrap(), second.webhook_url.unwrap()] {
            let (_, secret) = url.expose_secret().rsplit_once('/').unwrap();
            assert!(verify_webhook_secret(Some(&org), secret));
        }
    });
}

#[test]
fn another_tenant_does_not_get_the_org() {
    run(async {
        let context = TestContext::new().await;
        context.team_connected("acme").await.unwrap();
        let before = context.org().await;

        let error = context.team_connected("other").await.unwrap_err();

        assert_eq!(error.retry(), Retry::NeedsHuman);
        assert_eq!(context.org().await, before);
    });
}

#[test]
fn a_disconnected_org_is_reactivated_with_another_secret() {
    run(async {
        let context = TestContext::new().await;
        let first = context.team_connected("acme").await.unwrap().onboarded.webhook_url.unwrap();
        context.deps.orgs.close(context.org, context.deps.clock.now()).await.unwrap();

        let error = context.team_connected("other").await.unwrap_err();
        assert_eq!(error.retry(), Retry::NeedsHuman);
        let again = context.team_connected("acme").await.unwrap().onboarded.webhook_url.unwrap();

        let org = context.org().await.unwrap();
        let verifies = |url: &str| verify_webhook_secret(Some(&org), url.rsplit_once('/').unwrap().1);
        assert_eq!(org.state, OrgState::Active);
        assert!(verifies(again.expose_secret()) && !verifies(first.expose_secret()));
    });
}

#[test]
fn a_quarantined_org_stays_quarantined() {
    run(async {
        let context = TestContext::new().await;
        context.team_connected("acme").await.unwrap();
        context.deps.orgs.set_state(context.org, OrgState::Quarantined, context.deps.clock.now()).await.unwrap();

        let reply = context.team_connected("acme").await.unwrap();

        assert_eq!((reply.onboarded.state, reply.onboarded.webhook_url.is_none()), (OrgState::Quarantined, true));
        assert_eq!(context.org().await.unwrap().state, OrgState::Quarantined);
    });
}

#[test]
fn the_address_is_in_the_response_and_in_no_log() {
    run(async {
        let context = TestContext::new().await;

        let reply = context.team_connected("acme").await.unwrap();

        let url = reply.onboarded.webhook_url.clone().unwrap();
        assert_eq!(serde_json::to_value(&reply).unwrap()["webhook_url"], json!(url.expose_secret()));
        assert!(!format!("{reply:?}").contains(url.expose_secret()));
    });
}
