//! What a sandbox remembers of an org, counted in the requests that it makes.

use salesforce::OrgId;
use store::{OrgState, WebhookSecret};

use crate::messages::message;
use crate::world::{World, random_org, run};

fn requests(names: &[&str]) -> Vec<(String, usize)> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

const LOOKED_UP: &[&str] = &["GetItem", "SendMessageBatch"];
const REMEMBERED: &[&str] = &["SendMessageBatch"];

async fn rotate(world: &World, org: OrgId) -> WebhookSecret {
    let secret = WebhookSecret::generate(&mut rand::rng());
    let now = salesforce::Clock::system().now();
    world.orgs.rotate_webhook_secret(org, secret.hash(now), None).await.unwrap();
    secret
}

#[test]
fn a_warm_call_makes_no_request_to_dynamodb() {
    run(async {
        let world = World::new().await;
        for (pass, expected) in [(0, LOOKED_UP), (0, REMEMBERED), (59, REMEMBERED), (1, LOOKED_UP), (1, REMEMBERED)] {
            world.pass(pass);
            assert!(world.post(&world.address(), message(world.org, 10)).await.is_ack());
            assert_eq!(world.requests(), requests(expected), "after {pass} more seconds");
        }
    });
}

#[test]
fn both_live_secrets_are_good_a_new_one_at_once_and_a_rotated_out_one_for_less_than_a_minute() {
    run(async {
        let world = World::new().await;
        let address = |secret: &WebhookSecret| world.address_of(world.org.as_str(), secret.reveal());
        let post = async |address: &str| world.post(address, message(world.org, 1)).await;
        assert!(post(&world.address()).await.is_ack());

        let second = rotate(&world, world.org).await;
        assert!(post(&world.address()).await.is_ack() && post(&address(&second)).await.is_ack());
        world.requests();
        let third = rotate(&world, world.org).await;
        assert!(post(&world.address()).await.is_ack(), "this sandbox has not heard of it yet");
        assert_eq!(world.requests(), requests(REMEMBERED));
        world.pass(60);
        assert_eq!(post(&world.address()).await.problem(), "not_found");
        assert!(post(&address(&third)).await.is_ack() && post(&address(&second)).await.is_ack());

        let fourth = rotate(&world, world.org).await;
        assert!(post(&address(&fourth)).await.is_ack());
        assert_eq!(post(&address(&second)).await.problem(), "not_found", "who brings a new secret ends the oldest one");
    });
}

#[test]
fn a_closed_org_is_refused_after_a_minute_or_once_anybody_had_it_looked_up() {
    run(async {
        for wrong_secret_first in [false, true] {
            let world = World::new().await;
            assert!(world.post(&world.address(), message(world.org, 1)).await.is_ack());
            world.mark(OrgState::Disconnected).await;
            if wrong_secret_first {
                let wrong = world.address_of(world.org.as_str(), "wrong");
                assert_eq!(world.post(&wrong, message(world.org, 1)).await.problem(), "not_found");
            } else {
                assert!(world.post(&world.address(), message(world.org, 1)).await.is_ack());
                world.pass(60);
            }
            assert_eq!(world.post(&world.address(), message(world.org, 1)).await.problem(), "not_found");
        }
    });
}

#[test]
fn an_unknown_org_and_a_wrong_secret_cost_the_same_requests_however_often() {
    run(async {
        let world = World::new().await;
        assert!(world.post(&world.address(), message(world.org, 1)).await.is_ack());
        world.requests();
        let unknown = world.address_of(random_org().as_str(), world.secret());
        let wrong = world.address_of(world.org.as_str(), &"A".repeat(43));
        for address in [&unknown, &wrong, &unknown, &wrong] {
            assert_eq!(world.post(address, message(world.org, 1)).await.problem(), "not_found");
            assert_eq!(world.requests(), requests(&["GetItem"]));
        }
    });
}
