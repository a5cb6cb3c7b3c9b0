//! Outbound messages set up through the Tooling API.

use onboarding::{Reply, handle};
use org_simulator::{Effect, FaultRule};
use runtime::onboarding::{ByHand, Event, OutboundMessages, RotateWebhookSecret};
use secrecy::ExposeSecret as _;
use store::{OrgState, webhook_secret};
use world::run;

use crate::stage::Stage;

const TOOLING: &str = "/services/data/v66.0/tooling/";

async fn rotate(stage: &Stage) -> Reply {
    let wanted = RotateWebhookSecret { org_id: stage.world.org };
    handle(&stage.deps, Event::RotateWebhookSecret(wanted)).await.unwrap()
}

fn refused() -> Effect {
    Effect::Error { status: 403, code: "INSUFFICIENT_ACCESS".to_owned(), message: "no".to_owned() }
}

#[test]
fn the_orgs_own_messages_get_the_address_and_nobody_has_to_copy_it() {
    run(async {
        let stage = Stage::set().await;
        stage.install_messages(&["Ferry Account Changed", "Ferry_Second", "Of somebody else"]);

        let reply = stage.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Configured { messages: 2 }));
        assert!(reply.webhook_url.is_none());
        let org = stage.org().await.unwrap();
        let secrets = stage.secrets_in_org().await;
        let live: Vec<bool> = secrets.iter().map(|secret| webhook_secret::verify(Some(&org), secret)).collect();
        assert_eq!(live.iter().filter(|live| **live).count(), 2);
        assert!(secrets.iter().any(|other| other.ends_with("/unset/unset")), "another's message is left alone");
    });
}

#[test]
fn what_is_set_up_is_left_alone_by_a_repetition() {
    run(async {
        let stage = Stage::set().await;
        stage.install_messages(&["Ferry Account Changed"]);
        stage.team_connected("acme").await.unwrap();
        let before = (stage.org().await, stage.secrets_in_org().await);

        let reply = stage.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Configured { messages: 1 }));
        assert_eq!((stage.org().await, stage.secrets_in_org().await), before);
    });
}

#[test]
fn a_set_up_that_broke_off_is_finished_by_the_next_connection() {
    run(async {
        let stage = Stage::set().await;
        stage.install_messages(&["Ferry Account Changed", "Ferry_Second"]);
        let half = FaultRule { method: Some("PATCH".to_owned()), skip: 1, times: Some(1), ..FaultRule::new(refused()) };
        stage.world.simulator.fault(FaultRule { path_prefix: TOOLING.to_owned(), ..half });

        let broken = stage.team_connected("acme").await.unwrap().onboarded;
        let because = ByHand::NotPermitted;
        assert_eq!(broken.outbound_messages, Some(OutboundMessages::ByHand { because }));
        let shown = broken.webhook_url.unwrap();
        let finished = stage.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(finished.outbound_messages, Some(OutboundMessages::Configured { messages: 2 }));
        let (_, secret) = shown.expose_secret().rsplit_once('/').unwrap();
        assert_eq!(stage.secrets_in_org().await, [secret, secret]);
        assert_eq!(stage.org().await.unwrap().webhook_secrets.len(), 1, "no further secret was needed");
    });
}

#[test]
fn where_the_connection_may_not_the_address_is_shown() {
    run(async {
        let stage = Stage::set().await;
        stage.install_messages(&["Ferry Account Changed"]);
        let never = FaultRule { path_prefix: TOOLING.to_owned(), ..FaultRule::new(refused()) };
        stage.world.simulator.fault(never);

        let reply = stage.team_connected("acme").await.unwrap().onboarded;

        let because = ByHand::NotPermitted;
        assert_eq!(reply.outbound_messages, Some(OutboundMessages::ByHand { because }));
        assert!(reply.webhook_url.is_some());
        assert_eq!((reply.state, stage.queued().await.len()), (OrgState::Active, 1));
    });
}

#[test]
fn a_rotation_leaves_the_old_secret_live_beside_the_new_one() {
    run(async {
        let stage = Stage::set().await;
        stage.install_messages(&["Ferry Account Changed"]);
        stage.team_connected("acme").await.unwrap();
        let old = stage.secrets_in_org().await;

        let reply = rotate(&stage).await.onboarded;

        assert_eq!(reply.outbound_messages, Some(OutboundMessages::Configured { messages: 1 }));
        let (org, new) = (stage.org().await.unwrap(), stage.secrets_in_org().await);
        assert_ne!(old, new);
        assert!(webhook_secret::verify(Some(&org), &old[0]) && webhook_secret::verify(Some(&org), &new[0]));
        rotate(&stage).await;
        let org = stage.org().await.unwrap();
        assert!(!webhook_secret::verify(Some(&org), &old[0]) && webhook_secret::verify(Some(&org), &new[0]));
    });
}

#[test]
fn an_org_that_is_not_active_gets_no_secret() {
    run(async {
        let stage = Stage::set().await;
        stage.team_connected("acme").await.unwrap();
        stage.deps.orgs.close(stage.world.org, stage.deps.clock.now()).await.unwrap();

        let reply = rotate(&stage).await.onboarded;

        assert_eq!((reply.state, reply.webhook_url.is_none()), (OrgState::Disconnected, true));
        assert_eq!(stage.org().await.unwrap().webhook_secrets, []);
    });
}
