//! What is acknowledged.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use store::WebhookSecret;

use crate::messages::{envelope, message, notification, notification_id, record_id};
use crate::world::{World, run};

#[test]
fn a_message_is_acknowledged_once_each_of_its_notifications_is_queued() {
    run(async {
        let world = World::new().await;

        let answer = world.post(&world.address(), message(world.org, 100)).await;

        assert_eq!((answer.status, answer.content_type.as_str()), (StatusCode::OK, "text/xml; charset=utf-8"));
        assert!(answer.is_ack(), "{answer:?}");
        let queued = world.queued().await;
        let notifications: BTreeSet<_> = queued.iter().map(|hint| hint.delivery_id.as_str()[..15].to_owned()).collect();
        assert_eq!(notifications, (0..100).map(notification_id).collect());
        assert_eq!(queued.len(), 100);
        assert!(queued.iter().all(|hint| hint.org_id == world.org));
        let record_of = |n: usize| {
            let hint = queued.iter().find(|hint| hint.delivery_id.as_str()[..15] == notification_id(n)).unwrap();
            hint.record.clone().unwrap()
        };
        assert_eq!((record_of(42).object.as_str(), record_of(42).record_id.short()), ("Opportunity", &*record_id(42)));
    });
}

#[test]
fn a_message_that_comes_twice_is_acknowledged_twice() {
    run(async {
        let world = World::new().await;

        for _ in 0..2 {
            assert!(world.post(&world.address(), message(world.org, 1)).await.is_ack());
        }

        assert_eq!(world.queued().await.len(), 2);
    });
}

#[test]
fn both_live_secrets_are_good_and_the_one_before_them_is_not() {
    run(async {
        let world = World::new().await;
        let clock = salesforce::Clock::system();
        let [second, third] = [(); 2].map(|()| WebhookSecret::generate(&mut rand::rng()));
        let address = |secret: &WebhookSecret| world.address_of(world.org.as_str(), secret.reveal());

        world.orgs.rotate_webhook_secret(world.org, second.hash(clock.now()), None).await.unwrap();
        assert!(world.post(&world.address(), message(world.org, 1)).await.is_ack());
        assert!(world.post(&address(&second), message(world.org, 1)).await.is_ack());

        world.orgs.rotate_webhook_secret(world.org, third.hash(clock.now()), None).await.unwrap();
        assert_eq!(world.post(&world.address(), message(world.org, 1)).await.problem(), "not_found");
        assert!(world.post(&address(&third), message(world.org, 1)).await.is_ack());
    });
}

#[test]
fn either_form_of_the_org_id_is_good_in_the_address_and_in_the_body() {
    run(async {
        let world = World::new().await;
        let address = world.address_of(world.org.short(), world.secret());
        let body = envelope(world.org.short(), &notification("04l5e00000Gx7Qz", "0065e00000AbCdE"));

        assert!(world.post(&address, body).await.is_ack());
    });
}

#[test]
fn a_record_deleted_before_it_was_sent_leaves_nothing_to_queue() {
    run(async {
        let world = World::new().await;
        let bare = "<Notification><Id>04l5e00000Gx7Qz</Id></Notification>";

        let answer = world.post(&world.address(), envelope(world.org.as_str(), bare)).await;

        assert!(answer.is_ack(), "{answer:?}");
        assert_eq!(world.queued().await, []);
    });
}
