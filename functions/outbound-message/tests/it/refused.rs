//! Other refusals, their logs, and the quarantine of copies of an org. Forged messages are in `forged`.

use axum::http::StatusCode;
use store::OrgState;

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
fn a_copy_is_quarantined_and_the_original_unchanged() {
    run(async {
        let context = TestContext::new().await;
        let before = context.orgs.load(context.org).await.unwrap();
        let copy = random_org();

        let response = context.post(&context.address(), message(copy, 1)).await;

        assert_eq!((response.status, response.problem().as_str()), (StatusCode::FORBIDDEN, "other_org"));
        let copy = context.orgs.load(copy).await.unwrap().unwrap();
        assert_eq!((copy.state, copy.quarantine.unwrap().copy_of), (OrgState::Quarantined, context.org));
        assert_eq!(context.orgs.load(context.org).await.unwrap(), before);
        assert_eq!(context.queued().await, []);
    });
}

#[test]
fn only_an_unowned_org_is_quarantined_and_only_by_secret() {
    run(async {
        let (context, other) = (TestContext::new().await, TestContext::new().await);
        let copy = random_org();
        let wrong = format!("/webhooks/salesforce/{}/{}", context.org, "A".repeat(43));

        assert_eq!(context.post(&wrong, message(copy, 1)).await.problem(), "not_found");
        assert_eq!(context.post(&context.address(), message(other.org, 1)).await.problem(), "other_org");

        assert_eq!(context.orgs.load(copy).await.unwrap(), None);
        assert_eq!(context.orgs.load(other.org).await.unwrap().unwrap().state, OrgState::Active);
    });
}
