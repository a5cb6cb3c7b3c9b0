//! Other refusals, their logs, and the copies of an org. Forged messages are in `forged`.

use axum::http::StatusCode;
use outbound_message::NOTIFICATIONS_PER_MINUTE;
use store::{Org, OrgState};

use crate::harness::{TestContext, logged, random_org, run};
use crate::messages::message;

#[test]
fn an_org_that_is_not_active_has_no_address() {
    run(async {
        let context = TestContext::new().await;
        for state in [OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined] {
            context.mark(state).await;
            let response = context.post(&context.address(), message(context.org, 1)).await;
            assert_eq!(response.problem(), "not_found", "{state:?}");
        }
        assert_eq!(context.queued().await, []);
    });
}

#[test]
fn a_message_that_was_not_queued_is_not_acknowledged() {
    run(async {
        let context = TestContext::without_queue().await;

        let response = context.post(&context.address(), message(context.org, 3)).await;

        assert_eq!((response.status, response.problem().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    });
}

#[test]
fn neither_body_nor_secret_is_ever_logged() {
    run(async {
        let context = TestContext::new().await;
        let other = random_org();
        let cases = [
            (context.address(), message(context.org, 1)),
            (context.address(), message(other, 1)),
            (context.address(), message(context.org, 1).replace("</Notification>", "")),
            (context.address_of(other.as_str(), context.secret()), message(context.org, 1)),
        ];
        for (address, body) in cases {
            let (_, log) = logged(context.post(&address, body)).await;
            assert!(log.contains(r#""level""#), "something is logged: {log}");
            assert!(!log.contains("Secret Deal") && !log.contains(context.secret()), "{log}");
        }
    });
}

#[test]
fn a_copy_is_noted_on_the_original_and_its_message_refused() {
    run(async {
        let context = TestContext::new().await;
        let before = context.stored().await.unwrap();
        let copy = random_org();

        let response = context.post(&context.address(), message(copy, 1)).await;

        assert_eq!((response.status, response.problem().as_str()), (StatusCode::FORBIDDEN, "other_org"));
        assert_eq!(context.orgs.load(copy).await.unwrap(), None);
        let after = context.stored().await.unwrap();
        assert_eq!(after.copies.iter().map(|copy| copy.org_id).collect::<Vec<_>>(), [copy]);
        let same =
            Org { copies: Vec::new(), updated_at: before.updated_at, revision: before.revision, ..after.clone() };
        assert_eq!(same, before);
        assert_eq!(context.queued().await, []);

        for _ in 0..5 {
            context.post(&context.address(), message(random_org(), 1)).await;
        }
        assert_eq!(context.stored().await.unwrap(), after, "copies are noted once a minute");
    });
}

#[test]
fn a_message_never_changes_the_org_that_it_names() {
    run(async {
        let (context, other) = (TestContext::new().await, TestContext::new().await);
        let named = other.stored().await;
        let wrong = format!("/webhooks/salesforce/{}/{}", context.org, "A".repeat(43));

        assert_eq!(context.post(&wrong, message(other.org, 1)).await.problem(), "not_found");
        assert_eq!(context.stored().await.unwrap().copies, [], "without the secret nothing is noted");
        assert_eq!(context.post(&context.address(), message(other.org, 1)).await.problem(), "other_org");

        assert_eq!(other.stored().await, named);
        assert!(other.post(&other.address(), message(other.org, 1)).await.is_ack());
    });
}

#[test]
fn a_message_over_the_bound_of_its_org_is_refused() {
    run(async {
        let (context, other) = (TestContext::new().await, TestContext::new().await);
        assert!(context.limits.admits(context.org, NOTIFICATIONS_PER_MINUTE - 1, context.now()));

        let refused = context.post(&context.address(), message(context.org, 2)).await;

        assert_eq!((refused.status, refused.problem().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
        assert_eq!(context.queued().await, []);
        assert!(context.post(&context.address(), message(context.org, 1)).await.is_ack());
        assert!(other.post(&other.address(), message(other.org, 2)).await.is_ack());
        context.pass(60);
        assert!(context.post(&context.address(), message(context.org, 2)).await.is_ack());
    });
}
