//! Orgs whose edition has no outbound messages.

use connecting::onboarding::{ManualSetup, OutboundMessages};
use harness::run;
use org_simulator::{Effect, Fault};
use store::{DetectionMethod, DetectionReason};

use crate::harness::TestContext;

const PROFESSIONAL: &str = "Professional Edition";

impl TestContext {
    /// Returns how the org's changes are detected, why, and the edition that the org named.
    async fn changes(&self) -> (DetectionMethod, DetectionReason, Option<String>) {
        let org = self.org().await.unwrap();
        let changes = org.change_detection();
        (changes.method, changes.reason, org.edition.map(|edition| edition.organization_type))
    }

    fn refuse(&self, path: &str, code: &str) {
        let answer = Effect::Error { status: 400, code: code.to_owned(), message: "refused".to_owned() };
        let path_prefix = format!("/services/data/v66.0/{path}");
        self.simulator.fault(Fault { path_prefix, method: None, times: 100, effect: answer });
    }

    /// Answers with an empty list of the Tooling objects.
    fn list_no_tooling_objects(&self) {
        let body = serde_json::json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [] }).to_string();
        let effect = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body };
        let path_prefix = "/services/data/v66.0/tooling/sobjects".to_owned();
        self.simulator.fault(Fault { path_prefix, method: None, times: 100, effect });
    }
}

#[test]
fn an_org_without_outbound_messages_is_polled() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.set_edition(PROFESSIONAL);

        let first = context.team_connected("acme").await.unwrap().onboarded;
        let again = context.team_connected("acme").await.unwrap().onboarded;

        for onboarded in [first, again] {
            assert_eq!(onboarded.outbound_messages, Some(OutboundMessages::NotInEdition));
            assert!(onboarded.webhook_url.is_none());
        }
        let changes = (DetectionMethod::Polling, DetectionReason::Edition, Some(PROFESSIONAL.to_owned()));
        assert_eq!(context.changes().await, changes);
        assert_eq!(context.queued().await.len(), 2, "the backfill is asked for all the same");
    });
}

#[test]
fn an_edition_change_is_found_at_the_next_team_connection() {
    run(async {
        let context = TestContext::new().await;
        context.simulator.set_edition(PROFESSIONAL);
        context.team_connected("acme").await.unwrap();

        context.simulator.set_edition("Enterprise Edition");
        context.install_messages(&["Ferry_Account_Changed"]);
        let onboarded = context.team_connected("acme").await.unwrap().onboarded;

        assert_eq!(onboarded.outbound_messages, Some(OutboundMessages::Configured { messages: 1 }));
        let changes =
            (DetectionMethod::OutboundMessages, DetectionReason::Edition, Some("Enterprise Edition".to_owned()));
        assert_eq!(context.changes().await, changes);
    });
}

#[test]
fn an_unreadable_edition_keeps_the_stored_one() {
    run(async {
        let context = TestContext::new().await;
        context.refuse("query", "INVALID_TYPE");
        let onboarded = context.team_connected("acme").await.unwrap().onboarded;
        assert!(onboarded.webhook_url.is_some());
        assert_eq!(context.changes().await, (DetectionMethod::OutboundMessages, DetectionReason::EditionUnknown, None));

        context.simulator.clear_faults();
        context.simulator.set_edition(PROFESSIONAL);
        context.team_connected("acme").await.unwrap();
        context.refuse("query", "INVALID_TYPE");
        context.team_connected("acme").await.unwrap();
        assert_eq!(context.changes().await.2, Some(PROFESSIONAL.to_owned()));
    });
}

#[test]
fn an_unknown_edition_without_outbound_messages_is_polled() {
    run(async {
        let context = TestContext::new().await;
        let edition = "Some Other Edition";
        context.simulator.set_edition(edition);
        context.refuse("tooling/query", "INVALID_TYPE");
        let by_hand = |reason| Some(OutboundMessages::Manual { reason });
        let contradicted = context.team_connected("acme").await.unwrap().onboarded;
        assert_eq!(contradicted.outbound_messages, by_hand(ManualSetup::Unavailable), "the list of objects has it");
        assert_eq!(context.changes().await.1, DetectionReason::EditionUnknown);

        context.list_no_tooling_objects();
        let onboarded = context.team_connected("acme").await.unwrap().onboarded;
        assert_eq!(onboarded.outbound_messages, Some(OutboundMessages::NotInEdition));
        assert_eq!(context.changes().await, (DetectionMethod::Polling, DetectionReason::Org, Some(edition.to_owned())));

        context.simulator.clear_faults();
        let onboarded = context.team_connected("acme").await.unwrap().onboarded;
        assert_eq!(onboarded.outbound_messages, by_hand(ManualSetup::NoMessages));
        assert_eq!(context.changes().await.1, DetectionReason::EditionUnknown);
    });
}

#[test]
fn the_announced_edition_is_not_used() {
    run(async {
        let context = TestContext::new().await;
        context.team_connected("acme").await.unwrap();

        let body = serde_json::json!({ "orgId": context.org, "organizationType": PROFESSIONAL }).to_string();
        let request = http::Request::post("/webhooks/salesforce/installs").header("content-type", "application/json");
        context.send(request.body(body.into()).unwrap()).await;

        assert_eq!(context.changes().await.0, DetectionMethod::OutboundMessages);
    });
}
