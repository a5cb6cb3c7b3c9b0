use connecting::onboarding::{ManualSetup, OutboundMessages};
use harness::run;
use http::StatusCode;
use onboarding::Error;
use salesforce::{Classify as _, Retry};
use secrecy::ExposeSecret as _;
use serde_json::json;
use store::{ConnectionId, Environment, OrgState, UserRights, verify_webhook_secret};

use crate::claiming::install;
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

        let error = context.announce_team("other").await.unwrap_err();

        assert!(matches!(error, Error::NotConnected { .. }), "{error:?}");
        assert_eq!(context.org().await, before);
    });
}

#[test]
fn only_a_stored_team_connection_activates_an_org() {
    run(async {
        let context = TestContext::new().await;

        assert!(matches!(context.announce_team("acme").await, Err(Error::NotConnected { .. })));
        context.connect(context.reps()).await;
        assert!(matches!(context.announce_team("acme").await, Err(Error::NotConnected { .. })));
        context.team_connected("acme").await.unwrap();
        context.disconnect(&ConnectionId::team()).await;
        assert!(matches!(context.announce_team("acme").await, Err(Error::NotConnected { .. })));
    });
}

#[test]
fn a_user_who_is_no_admin_cannot_bind_an_org() {
    run(async {
        let context = TestContext::new().await;
        let no_admin = || UserRights { administrator: false, limited_objects: Vec::new() };

        let error = context.team_connected_with("acme", no_admin()).await.unwrap_err();

        assert_eq!(error.retry(), Retry::NeedsHuman);
        assert_eq!(context.org().await, None);
        context.team_connected("acme").await.unwrap();
        context.team_connected_with("acme", no_admin()).await.expect("the org is the tenant's");
    });
}

#[test]
fn the_org_says_what_it_is_and_where() {
    run(async {
        let context = TestContext::new().await;
        let body = json!({
            "organization_id": context.org, "is_sandbox": true, "org_domain_url": "https://evil.my.salesforce.com",
        });
        let (status, _) = context.send(install(&body)).await;
        assert_eq!((status, context.org().await.unwrap().environment), (StatusCode::ACCEPTED, Environment::Sandbox));

        context.team_connected("acme").await.unwrap();

        let org = context.org().await.unwrap();
        assert_eq!(org.environment, Environment::Production);
        assert_eq!(org.my_domain_url.as_deref(), Some(context.simulator.url()));
    });
}

#[test]
fn a_disconnected_org_is_reactivated_with_another_secret() {
    run(async {
        let context = TestContext::new().await;
        let first = context.team_connected("acme").await.unwrap().onboarded.webhook_url.unwrap();
        context.deps.orgs.close(context.org, context.deps.clock.now()).await.unwrap();

        let again = context.team_connected("acme").await.unwrap().onboarded.webhook_url.unwrap();

        let org = context.org().await.unwrap();
        let verifies = |url: &str| verify_webhook_secret(Some(&org), url.rsplit_once('/').unwrap().1);
        assert_eq!(org.state, OrgState::Active);
        assert!(verifies(again.expose_secret()) && !verifies(first.expose_secret()));
    });
}

#[test]
fn an_uninstalled_org_can_be_bound_by_its_admin_again() {
    run(async {
        for state in [OrgState::Uninstalled, OrgState::Disconnected] {
            let context = TestContext::new().await;
            context.team_connected("acme").await.unwrap();
            let bound_at = context.org().await.unwrap().bound_at;
            context.connect(context.reps()).await;
            context.deps.orgs.set_state(context.org, state, context.deps.clock.now()).await.unwrap();
            context.disconnect(&ConnectionId::team()).await;

            let refused = context.team_connected("other").await.unwrap_err();
            assert_eq!(refused.retry(), Retry::NeedsHuman, "a rep of the former tenant is still connected");
            context.disconnect(&context.reps().connection_id()).await;
            context.announce_team("other").await.unwrap();

            let org = context.org().await.unwrap();
            assert_eq!(
                (org.state, org.tenant.as_ref().map(|tenant| tenant.as_str())),
                (OrgState::Active, Some("other"))
            );
            assert!(org.bound_at > bound_at, "{state:?}");
        }
    });
}

#[test]
fn a_quarantined_org_is_connected_by_its_admin() {
    run(async {
        for owner in [None, Some("acme")] {
            let context = TestContext::new().await;
            match owner {
                Some(owner) => drop(context.team_connected(owner).await.unwrap()),
                None => drop(context.send(install(&json!({ "organization_id": context.org }))).await),
            }
            let (quarantined, now) = (OrgState::Quarantined, context.deps.clock.now());
            context.deps.orgs.set_state(context.org, quarantined, now).await.unwrap();

            context.team_connected("acme").await.unwrap();

            assert_eq!(context.org().await.unwrap().state, OrgState::Active);
        }
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
