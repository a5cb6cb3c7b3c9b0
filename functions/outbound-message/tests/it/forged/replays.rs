//! Old bodies, sent once more.

use store::{ChangeHint, WebhookSecret};

use super::{NOT_FOUND, OTHER_ORG, Scene};
use crate::messages::message;
use crate::world::{World, run};

#[test]
fn an_old_body_with_a_secret_that_was_rotated_out_is_refused() {
    run(async {
        let mut scene = Scene::set().await;
        let body = message(scene.world.org, 3);
        for _ in 0..2 {
            let next = WebhookSecret::generate(&mut rand::rng());
            let now = salesforce::Clock::system().now();
            scene.world.orgs.rotate_webhook_secret(scene.world.org, next.hash(now), None).await.unwrap();
        }
        scene.before[0] = scene.world.stored().await;

        scene.refuses_at(&scene.world.address(), body, NOT_FOUND, "rotated out").await;

        scene.ends().await;
    });
}

#[test]
fn an_old_body_at_the_address_of_another_org_is_refused_and_changes_neither() {
    run(async {
        let scene = Scene::set().await;
        let body = message(scene.other.org, 3);

        scene.refuses_at(&scene.world.address(), body, OTHER_ORG, "an org that has an owner is no copy").await;

        scene.ends().await;
    });
}

/// Nothing distinguishes it from a repetition by Salesforce, so it is acknowledged. It is only a hint: which record to read
/// again. Nothing that it says of the record is taken over.
#[test]
fn an_old_body_with_a_live_secret_is_acknowledged_and_says_no_more_than_which_records_to_read_again() {
    run(async {
        let world = World::new().await;
        let body = message(world.org, 1);
        assert!(body.contains("Secret Deal"));
        for _ in 0..2 {
            assert!(world.post(&world.address(), body.clone()).await.is_ack());
        }

        let queued = world.queued().await;

        let ids = |hint: &ChangeHint| (hint.delivery_id.clone(), hint.record.clone());
        assert_eq!((queued.len(), ids(&queued[0])), (2, ids(&queued[1])));
        let text = serde_json::to_string(&queued).unwrap();
        assert!(!text.contains("Secret Deal"), "{text}");
    });
}
