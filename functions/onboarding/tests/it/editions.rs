//! Orgs whose edition has no outbound messages.

use org_simulator::{Effect, Fault};
use runtime::onboarding::{ByHand, OutboundMessages};
use store::{ChangesBecause, ChangesBy};
use world::run;

use crate::stage::Stage;

const PROFESSIONAL: &str = "Professional Edition";

impl Stage {
    /// How the org's changes are heard of, and the edition that it named.
    async fn changes(&self) -> (ChangesBy, ChangesBecause, Option<String>) {
        let org = self.org().await.unwrap();
        let changes = org.changes();
        (changes.by, changes.because, org.edition.map(|edition| edition.organization_type))
    }

    fn refuse(&self, path: &str, code: &str) {
        let answer = Effect::Error { status: 400, code: code.to_owned(), message: "refused".to_owned() };
        let path_prefix = format!("/services/data/v66.0/{path}");
        self.world.simulator.fault(Fault { path_prefix, method: None, times: 100, effect: answer });
    }
}

#[test]
fn an_org_without_outbound_messages_is_polled_and_nobody_is_shown_an_address() {
    run(async {
        let stage = Stage::set().await;
        stage.world.simulator.set_edition(PROFESSIONAL);

        let first = stage.team_connected("acme").await.unwrap().onboarded;
        let again = stage.team_connected("acme").await.unwrap().onboarded;

        for onboarded in [first, again] {
            assert_eq!(onboarded.outbound_messages, Some(OutboundMessages::NotInEdition));
            assert!(onboarded.webhook_url.is_none());
        }
        let changes = (ChangesBy::Polling, ChangesBecause::Edition, Some(PROFESSIONAL.to_owned()));
        assert_eq!(stage.changes().await, changes);
        assert_eq!(stage.queued().await.len(), 2, "the first copy is asked for all the same");
    });
}

#[test]
fn an_upgrade_is_noticed_when_the_team_connects_again() {
    run(async {
        let stage = Stage::set().await;
        stage.world.simulator.set_edition(PROFESSIONAL);
        stage.team_connected("acme").await.unwrap();

        stage.world.simulator.set_edition("Enterprise Edition");
        stage.install_messages(&["Ferry_Account_Changed"]);
        let onboarded = stage.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(onboarded.outbound_messages, Some(OutboundMessages::Configured { messages: 1 }));
        let changes = (ChangesBy::OutboundMessages, ChangesBecause::Edition, Some("Enterprise Edition".to_owned()));
        assert_eq!(stage.changes().await, changes);
    });
}

#[test]
fn an_org_that_does_not_tell_its_edition_is_activated_and_keeps_what_was_known() {
    run(async {
        let stage = Stage::set().await;
        stage.refuse("query", "INVALID_TYPE");
        let onboarded = stage.team_connected("acme").await.unwrap().onboarded;
        assert!(onboarded.webhook_url.is_some());
        assert_eq!(stage.changes().await, (ChangesBy::OutboundMessages, ChangesBecause::EditionUnknown, None));

        stage.world.simulator.clear_faults();
        stage.world.simulator.set_edition(PROFESSIONAL);
        stage.team_connected("acme").await.unwrap();
        stage.refuse("query", "INVALID_TYPE");
        stage.team_connected("acme").await.unwrap();
        assert_eq!(stage.changes().await.2, Some(PROFESSIONAL.to_owned()));
    });
}

#[test]
fn an_edition_that_is_not_known_is_polled_once_the_org_says_that_it_has_no_messages() {
    run(async {
        let stage = Stage::set().await;
        let edition = "Some Other Edition";
        stage.world.simulator.set_edition(edition);
        stage.refuse("tooling", "INVALID_TYPE");

        let onboarded = stage.team_connected("acme").await.unwrap().onboarded;
        assert_eq!(onboarded.outbound_messages, Some(OutboundMessages::NotInEdition));
        assert_eq!(stage.changes().await, (ChangesBy::Polling, ChangesBecause::Org, Some(edition.to_owned())));

        stage.world.simulator.clear_faults();
        let onboarded = stage.team_connected("acme").await.unwrap().onboarded;
        let by_hand = OutboundMessages::ByHand { because: ByHand::NoMessages };
        assert_eq!(onboarded.outbound_messages, Some(by_hand));
        assert_eq!(stage.changes().await.1, ChangesBecause::EditionUnknown);
    });
}

#[test]
fn what_the_package_announces_of_the_edition_is_not_believed() {
    run(async {
        let stage = Stage::set().await;
        stage.team_connected("acme").await.unwrap();

        let body = serde_json::json!({ "orgId": stage.world.org, "organizationType": PROFESSIONAL }).to_string();
        let request = http::Request::post("/webhooks/salesforce/installs").header("content-type", "application/json");
        stage.send(request.body(body.into()).unwrap()).await;

        assert_eq!(stage.changes().await.0, ChangesBy::OutboundMessages);
    });
}
