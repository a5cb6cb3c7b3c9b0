//! What is refused: each with a clear problem, without an Ack, and without a trace in queue or log.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use store::OrgState;

use crate::messages::{envelope, message, notification};
use crate::world::{World, logged, random_org, request, run};

const XML: (&str, &str) = ("content-type", "text/xml; charset=utf-8");

#[test]
fn other_methods_are_not_allowed() {
    run(async {
        let world = World::new().await;
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = world.send(request(method, &world.address(), &[XML], message(world.org, 1))).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
            );
        }
        let head = world.send(request(Method::HEAD, &world.address(), &[XML], "")).await;
        assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(world.queued().await, []);
    });
}

#[test]
fn other_content_types_and_encodings_are_not_supported() {
    run(async {
        let world = World::new().await;
        let refused: [&[(&str, &str)]; 5] = [
            &[],
            &[("content-type", "application/json")],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[("content-type", "text/xml; charset=utf-16")],
            &[XML, ("content-encoding", "gzip")],
        ];
        for headers in refused {
            let answer = world.send(request(Method::POST, &world.address(), headers, message(world.org, 1))).await;
            let wanted = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
            assert_eq!((answer.status, answer.problem().as_str()), wanted, "{headers:?}");
        }
        assert_eq!(world.queued().await, []);
    });
}

#[test]
fn a_body_over_six_megabytes_is_too_large_whatever_it_announces() {
    run(async {
        let world = World::new().await;
        let large = message(world.org, 1) + &" ".repeat(6 * 1024 * 1024);

        let unannounced = world.post(&world.address(), large).await;
        assert_eq!((unannounced.status, unannounced.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));

        let headers = [XML, ("content-length", "6291457")];
        let announced = world.send(request(Method::POST, &world.address(), &headers, Body::empty())).await;
        assert_eq!(announced.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(world.queued().await, []);
    });
}

#[test]
fn an_unknown_org_and_a_wrong_secret_get_the_very_same_answer() {
    run(async {
        let world = World::new().await;
        let unknown = random_org();
        let addresses = [
            world.address_of(unknown.as_str(), world.secret()),
            world.address_of(world.org.as_str(), "A-wrong-secret-of-just-the-usual-length-43c"),
            world.address_of(world.org.as_str(), "short"),
            world.address_of(world.org.as_str(), &world.secret().to_uppercase()),
            world.address_of(&world.org.as_str().to_lowercase(), world.secret()),
            world.address_of("no-org-at-all", world.secret()),
            world.address_of("%FF", world.secret()),
            "/webhooks/salesforce/elsewhere".to_owned(),
        ];
        let mut answers = Vec::new();
        for address in &addresses {
            answers.push(world.post(address, message(world.org, 1)).await);
        }

        assert_eq!((answers[0].status, answers[0].problem().as_str()), (StatusCode::NOT_FOUND, "not_found"));
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(world.queued().await, []);
    });
}

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
fn a_message_of_another_org_is_forbidden() {
    run(async {
        let (world, other) = (World::new().await, World::new().await);

        let answer = world.post(&world.address(), message(other.org, 1)).await;

        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "other_org"));
        assert!(!answer.body.contains(other.org.as_str()));
        assert_eq!((world.queued().await, other.queued().await), (vec![], vec![]));
    });
}

#[test]
fn what_is_no_outbound_message_is_malformed() {
    run(async {
        let world = World::new().await;
        let whole = message(world.org, 2);
        let one = notification("04l5e00000Gx7Qz", "0065e00000AbCdE");
        let doctype = format!(
            "<!DOCTYPE x [<!ENTITY a \"b\">]>{}",
            whole.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        );
        let bodies = [
            String::new(),
            "not XML".to_owned(),
            "{\"json\": true}".to_owned(),
            whole[..whole.len() / 2].to_owned(),
            doctype,
            envelope(world.org.as_str(), ""),
            envelope("", &one),
            envelope(world.org.as_str(), &one.repeat(101)),
            envelope(world.org.as_str(), &notification("04l5e00000Gx7Qz", "006xxxxxxxxxxxxxxx")),
            envelope(world.org.as_str(), &notification("", "0065e00000AbCdE")),
        ];
        for body in bodies {
            let answer = world.post(&world.address(), body.clone()).await;
            let wanted = (StatusCode::BAD_REQUEST, "malformed_message");
            assert_eq!((answer.status, answer.problem().as_str()), wanted, "{body}");
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
