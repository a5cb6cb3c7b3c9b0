//! Outbound messages set up through the Tooling API.

use connecting::onboarding::{Event, ManualSetup, OutboundMessages, RotateWebhookSecret};
use harness::run;
use onboarding::{Reply, handle};
use org_simulator::{Effect, FaultRule};
use secrecy::ExposeSecret as _;
use store::{OrgState, verify_webhook_secret};

use crate::harness::TestContext;

const TOOLING: &str = "/services/data/v66.0/tooling/";

async fn rotate(context: &TestContext) -> Reply {
    let wanted = RotateWebhookSecret { org_id: context.org };
    handle(&context.deps, Event::RotateWebhookSecret(wanted)).await.unwrap()
}

fn refused() -> Effect {
    Effect::Error { status: 403, code: "INSUFFICIENT_ACCESS".to_owned(), message: "no".to_owned() }
}

#[test]
fn the_orgs_messages_get_the_address() {
    run(async {
        let context = TestContext::new().await;
        context.install_messages(&["Ferry Account Changed", "Ferry_Second", "Of somebody else"]);

        let reply = context.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Configured { messages: 2 }));
        assert!(reply.webhook_url.is_none());
        let org = context.org().await.unwrap();
        let secrets = context.secrets_in_org().await;
        let live: Vec<bool> = secrets.iter().map(|secret| verify_webhook_secret(Some(&org), secret)).collect();
        assert_eq!(live.iter().filter(|live| **live).count(), 2);
        assert!(secrets.iter().any(|other| other.ends_with("/unset/unset")), "another's message is left alone");
    });
}

#[test]
fn a_complete_setup_is_not_changed() {
    run(async {
        let context = TestContext::new().await;
        context.install_messages(&["Ferry Account Changed"]);
        context.team_connected("acme").await.unwrap();
        let before = (context.org().await, context.secrets_in_org().await);

        let reply = context.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Configured { messages: 1 }));
        assert_eq!((context.org().await, context.secrets_in_org().await), before);
    });
}

#[test]
fn an_incomplete_setup_is_completed_by_the_next_connection() {
    run(async {
        let context = TestContext::new().await;
        context.install_messages(&["Ferry Account Changed", "Ferry_Second"]);
        let half = FaultRule { method: Some("PATCH".to_owned()), skip: 1, times: Some(1), ..FaultRule::new(refused()) };
        context.simulator.fault(FaultRule { path_prefix: TOOLING.to_owned(), ..half });

        let broken = context.team_connected("acme").await.unwrap().onboarded;
        let because = ManualSetup::NotPermitted;
        assert_eq!(broken.outbound_messages, Some(OutboundMessages::Manual { reason: because }));
        let shown = broken.webhook_url.unwrap();
        let finished = context.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(finished.outbound_messages, Some(OutboundMessages::Configured { messages: 2 }));
        let (_, secret) = shown.expose_secret().rsplit_once('/').unwrap();
        assert_eq!(context.secrets_in_org().await, [secret, secret]);
        assert_eq!(context.org().await.unwrap().webhook_secrets.len(), 1, "no further secret was needed");
    });
}

#[test]
fn without_permission_the_address_is_shown() {
    run(async {
        let context = TestContext::new().await;
        context.install_messages(&["Ferry Account Changed"]);
        let never = FaultRule { path_prefix: TOOLING.to_owned(), ..FaultRule::new(refused()) };
        context.simulator.fault(never);

        let reply = context.team_connected("acme").await.unwrap().onboarded;

        let because = ManualSetup::NotPermitted;
        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Manual { reason: because }));
        assert!(reply.webhook_url.is_some());
        assert_eq!((reply.state, context.queued().await.len()), (OrgState::Active, 1));
    });
}

#[test]
fn a_rotation_keeps_the_old_secret_live() {
    run(async {
        let context = TestContext::new().await;
        context.install_messages(&["Ferry Account Changed"]);
        context.team_connected("acme").await.unwrap();
        let old = context.secrets_in_org().await;

        let reply = rotate(&context).await.onboarded;

        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Configured { messages: 1 }));
        let (org, new) = (context.org().await.unwrap(), context.secrets_in_org().await);
        assert_ne!(old, new);
        assert!(verify_webhook_secret(Some(&org), &old[0]) && verify_webhook_secret(Some(&org), &new[0]));
        rotate(&context).await;
        let org = context.org().await.unwrap();
        assert!(!verify_webhook_secret(Some(&org), &old[0]) && verify_webhook_secret(Some(&org), &new[0]));
    });
}

#[test]
fn an_org_that_is_not_active_gets_no_secret() {
    run(async {
        let context = TestContext::new().await;
        context.team_connected("acme").await.unwrap();
        context.deps.orgs.close(context.org, context.deps.clock.now()).await.unwrap();

        let reply = rotate(&context).await.onboarded;

        assert_eq!((reply.state, reply.webhook_url.is_none()), (OrgState::Disconnected, true));
        assert_eq!(context.org().await.unwrap().webhook_secrets, []);
    });
}
