//! The cache of authenticated orgs, measured by the requests to DynamoDB.

use salesforce::OrgId;
use store::{OrgState, WebhookSecret};

use crate::harness::{TestContext, random_org, run};
use crate::messages::message;

fn requests(names: &[&str]) -> Vec<(String, usize)> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

const LOOKED_UP: &[&str] = &["GetItem", "SendMessageBatch"];
const REMEMBERED: &[&str] = &["SendMessageBatch"];

async fn rotate(context: &TestContext, org: OrgId) -> WebhookSecret {
    let secret = WebhookSecret::generate(&mut rand::rng());
    let now = salesforce::Clock::system().now();
    context.orgs.rotate_webhook_secret(org, secret.hash(now), None).await.unwrap();
    secret
}

#[test]
fn a_warm_call_makes_no_request_to_dynamodb() {
    run(async {
        let context = TestContext::new().await;
        for (pass, expected) in [(0, LOOKED_UP), (0, REMEMBERED), (59, REMEMBERED), (1, LOOKED_UP), (1, REMEMBERED)] {
            context.pass(pass);
            assert!(context.post(&context.address(), message(context.org, 10)).await.is_ack());
            assert_eq!(context.requests(), requests(expected), "after {pass} more seconds");
        }
    });
}

#[test]
fn a_new_secret_works_at_once_and_an_old_one_for_a_minute() {
    run(async {
        let context = TestContext::new().await;
        let address = |secret: &WebhookSecret| context.address_of(context.org.as_str(), secret.reveal());
        let post = async |address: &str| context.post(address, message(context.org, 1)).await;
        assert!(post(&context.address()).await.is_ack());

        let second = rotate(&context, context.org).await;
        assert!(post(&context.address()).await.is_ack() && post(&address(&second)).await.is_ack());
        context.requests();
        let third = rotate(&context, context.org).await;
        assert!(post(&context.address()).await.is_ack(), "this sandbox has not heard of it yet");
        assert_eq!(context.requests(), requests(REMEMBERED));
        context.pass(60);
        assert_eq!(post(&context.address()).await.problem(), "not_found");
        assert!(post(&address(&third)).await.is_ack() && post(&address(&second)).await.is_ack());

        let fourth = rotate(&context, context.org).await;
        assert!(post(&address(&fourth)).await.is_ack());
        assert_eq!(post(&address(&second)).await.problem(), "not_found", "who brings a new secret ends the oldest one");
    });
}

#[test]
fn a_closed_org_is_refused_after_a_minute_or_a_look_up() {
    run(async {
        for wrong_secret_first in [false, true] {
            let context = TestContext::new().await;
            assert!(context.post(&context.address(), message(context.org, 1)).await.is_ack());
            context.mark(OrgState::Disconnected).await;
            if wrong_secret_first {
                let wrong = context.address_of(context.org.as_str(), "wrong");
                assert_eq!(context.post(&wrong, message(context.org, 1)).await.problem(), "not_found");
            } else {
                assert!(context.post(&context.address(), message(context.org, 1)).await.is_ack());
                context.pass(60);
            }
            assert_eq!(context.post(&context.address(), message(context.org, 1)).await.problem(), "not_found");
        }
    });
}

#[test]
fn unknown_org_and_wrong_secret_cost_the_same_requests() {
    run(async {
        let context = TestContext::new().await;
        assert!(context.post(&context.address(), message(context.org, 1)).await.is_ack());
        context.requests();
        let unknown = context.address_of(random_org().as_str(), context.secret());
        let wrong = context.address_of(context.org.as_str(), &"A".repeat(43));
        for address in [&unknown, &wrong, &unknown, &wrong] {
            assert_eq!(context.post(address, message(context.org, 1)).await.problem(), "not_found");
            assert_eq!(context.requests(), requests(&["GetItem"]));
        }
    });
}
