//! Replayed bodies.

use store::{ChangeHint, WebhookSecret};

use super::{ForgeryTest, NOT_FOUND, OTHER_ORG};
use crate::harness::{TestContext, run};
use crate::messages::message;

#[test]
fn an_old_body_with_a_secret_that_was_rotated_out_is_refused() {
    run(async {
        let mut test = ForgeryTest::new().await;
        let body = message(test.context.org, 3);
        for _ in 0..2 {
            let next = WebhookSecret::generate(&mut rand::rng());
            let now = salesforce::Clock::system().now();
            test.context.orgs.rotate_webhook_secret(test.context.org, next.hash(now), None).await.unwrap();
        }
        test.before[0] = test.context.stored().await;

        test.refuses_at(&test.context.address(), body, NOT_FOUND, "rotated out").await;

        test.ends().await;
    });
}

#[test]
fn an_old_body_at_another_orgs_address_is_refused() {
    run(async {
        let test = ForgeryTest::new().await;
        let body = message(test.other.org, 3);

        test.refuses_at(&test.context.address(), body, OTHER_ORG, "another org's secret").await;

        test.ends().await;
    });
}

/// Nothing distinguishes it from Salesforce's own retry, so it is acknowledged. It is only a hint of which record to read
/// again; its field values are not used.
#[test]
fn an_old_body_with_a_live_secret_is_only_a_hint() {
    run(async {
        let context = TestContext::new().await;
        let body = message(context.org, 1);
        assert!(body.contains("Secret Deal"));
        for _ in 0..2 {
            assert!(context.post(&context.address(), body.clone()).await.is_ack());
        }

        let queued = context.queued().await;

        let ids = |hint: &ChangeHint| (hint.delivery_id.clone(), hint.record.clone());
        assert_eq!((queued.len(), ids(&queued[0])), (2, ids(&queued[1])));
        let text = serde_json::to_string(&queued).unwrap();
        assert!(!text.contains("Secret Deal"), "{text}");
    });
}
