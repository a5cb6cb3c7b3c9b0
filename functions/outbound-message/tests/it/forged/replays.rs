//! Old bodies, sent once more.

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
fn an_old_body_at_the_address_of_another_org_is_refused_and_changes_neither() {
    run(async {
        let test = ForgeryTest::new().await;
        let body = message(test.other.org, 3);

        test.refuses_at(&test.context.address(), body, OTHER_ORG, "an org that has an owner is no copy").await;

        test.ends().await;
    });
}

/// Nothing distinguishes it from a repetition by Salesforce, so it is acknowledged. It is only a hint: which record to read
/// again. Nothing that it says of the record is taken over.
#[test]
fn an_old_body_with_a_live_secret_is_acknowledged_and_says_no_more_than_which_records_to_read_again() {
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
