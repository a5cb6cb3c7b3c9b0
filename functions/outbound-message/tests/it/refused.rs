//! What else is refused, what is logged of it, and what becomes of copies of an org. Forgeries have a suite of their own.

use axum::http::StatusCode;
use store::OrgState;

use crate::messages::message;
use crate::world::{World, logged, random_org, run};

#[test]
fn an_org_that_is_not_active_has_no_address() {
    run(async {
        let world = World::new().await;
        for state in [OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined] {
            world.mark(state).await;
            let answer = world.post(&world.address(), message(world.org, 1)).await;
            assert_eq!(answer.problem(), "not_found", "{state:?}");
        }
        assert_eq!(world.queued().await, []);
    });
}

#[test]
fn a_message_that_could_not_be_queued_is_to_be_sent_again() {
    run(async {
        let world = World::without_queue().await;

        let answer = world.post(&world.address(), message(world.org, 3)).await;

        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "not_queued"));
    });
}

#[test]
fn neither_body_nor_secret_is_ever_logged() {
    run(async {
        let world = World::new().await;
        let other = random_org();
        let cases = [
            (world.address(), message(world.org, 1)),
            (world.address(), message(other, 1)),
            (world.address(), message(world.org, 1).replace("</Notification>", "")),
            (world.address_of(other.as_str(), world.secret()), message(world.org, 1)),
        ];
        for (address, body) in cases {
            let (_, log) = logged(world.post(&address, body)).await;
            assert!(log.contains(r#""level""#), "something is logged: {log}");
            assert!(!log.contains("Secret Deal") && !log.contains(world.secret()), "{log}");
        }
    });
}

#[test]
fn a_copy_of_the_org_is_quarantined_and_the_original_is_not_touched() {
    run(async {
        let world = World::new().await;
        let before = world.orgs.load(world.org).await.unwrap();
        let copy = random_org();

        let answer = world.post(&world.address(), message(copy, 1)).await;

        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "other_org"));
        let copy = world.orgs.load(copy).await.unwrap().unwrap();
        assert_eq!((copy.state, copy.quarantine.unwrap().copy_of), (OrgState::Quarantined, world.org));
        assert_eq!(world.orgs.load(world.org).await.unwrap(), before);
        assert_eq!(world.queued().await, []);
    });
}

#[test]
fn nobody_is_quarantined_without_the_secret_and_no_org_that_is_its_tenants() {
    run(async {
        let (world, other) = (World::new().await, World::new().await);
        let copy = random_org();
        let wrong = format!("/webhooks/salesforce/{}/{}", world.org, "A".repeat(43));

        assert_eq!(world.post(&wrong, message(copy, 1)).await.problem(), "not_found");
        assert_eq!(world.post(&world.address(), message(other.org, 1)).await.problem(), "other_org");

        assert_eq!(world.orgs.load(copy).await.unwrap(), None);
        assert_eq!(world.orgs.load(other.org).await.unwrap().unwrap().state, OrgState::Active);
    });
}
