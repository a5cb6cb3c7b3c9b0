//! Acknowledged messages.

use std::collections::BTreeSet;

use axum::http::StatusCode;

use crate::harness::{TestContext, run};
use crate::messages::{envelope, message, notification, notification_id, record_id};

#[test]
fn a_message_is_acknowledged_once_all_of_it_is_queued() {
    run(async {
        let context = TestContext::new().await;

        let response = context.post(&context.address(), message(context.org, 100)).await;

        assert_eq!((response.status, response.content_type.as_str()), (StatusCode::OK, "text/xml; charset=utf-8"));
        assert!(response.is_ack(), "{response:?}");
        let queued = context.queued().await;
        let notifications: BTreeSet<_> = queued.iter().map(|hint| hint.delivery_id.as_str()[..15].to_owned()).collect();
        assert_eq!(notifications, (0..100).map(notification_id).collect());
        assert_eq!(queued.len(), 100);
        assert!(queued.iter().all(|hint| hint.org_id == context.org));
        let record_of = |n: usize| {
            let hint = queued.iter().find(|hint| hint.delivery_id.as_str()[..15] == notification_id(n)).unwrap();
            hint.record.clone().unwrap()
        };
        assert_eq!((record_of(42).object.as_str(), record_of(42).record_id.short()), ("Opportunity", &*record_id(42)));
    });
}

#[test]
fn a_duplicate_message_is_acknowledged_again() {
    run(async {
        let context = TestContext::new().await;

        for _ in 0..2 {
            assert!(context.post(&context.address(), message(context.org, 1)).await.is_ack());
        }

        assert_eq!(context.queued().await.len(), 2);
    });
}

#[test]
fn org_ids_of_15_and_18_characters_are_accepted() {
    run(async {
        let context = TestContext::new().await;
        let address = context.address_of(context.org.short(), context.secret());
        let body = envelope(context.org.short(), &notification("04l5e00000Gx7Qz", "0065e00000AbCdE"));

        assert!(context.post(&address, body).await.is_ack());
    });
}

#[test]
fn a_notification_without_record_is_queued() {
    run(async {
        let context = TestContext::new().await;
        let bare = |n| format!("<Notification><Id>{}</Id></Notification>", notification_id(n));

        let response = context.post(&context.address(), envelope(context.org.as_str(), &(bare(1) + &bare(2)))).await;

        assert!(response.is_ack(), "{response:?}");
        let queued = context.queued().await;
        let ids: BTreeSet<_> = queued.iter().map(|hint| hint.delivery_id.as_str()[..15].to_owned()).collect();
        assert_eq!(ids, [notification_id(1), notification_id(2)].into());
        assert!(queued.iter().all(|hint| hint.record.is_none()), "{queued:?}");
    });
}
