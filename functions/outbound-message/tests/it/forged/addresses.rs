//! Addresses that are almost right. Whatever is wrong with one, the answer is the very same.

use std::fmt::Write as _;

use axum::body::Body;
use store::webhook_secret::digest;

use super::{NOT_FOUND, Scene};
use crate::messages::message;
use crate::world::{Answer, World, random_org, run};

/// Posts the org's own message to each of these; all answers are one.
async fn are_nobodys(addresses: impl Fn(&World, &World) -> Vec<String>) {
    let scene = Scene::set().await;
    let mut answers: Vec<Answer> = Vec::new();
    for address in addresses(&scene.world, &scene.other) {
        let body = message(scene.world.org, 1);
        answers.push(scene.refuses_at(&address, body, NOT_FOUND, &address).await);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    scene.ends().await;
}

#[test]
fn of_unknown_orgs_and_with_the_secrets_of_others() {
    run(are_nobodys(|world, other| {
        vec![
            world.address_of(random_org().as_str(), world.secret()),
            world.address_of(world.org.as_str(), other.secret()),
            world.address_of(other.org.as_str(), world.secret()),
            world.address_of(world.secret(), world.org.as_str()),
            world.address_of("no-org-at-all", world.secret()),
            world.address_of("license-management", world.secret()),
        ]
    }));
}

#[test]
fn with_secrets_that_are_guessed_cut_or_read_from_the_table() {
    run(are_nobodys(|world, _| {
        let secret = world.secret();
        let guesses = [
            "A-wrong-secret-of-just-the-usual-length-43c",
            "short",
            "unset",
            &secret.to_uppercase(),
            &secret[..secret.len() - 1],
            &format!("{secret}A"),
            &format!("{secret}{secret}"),
            &format!("{secret}%00"),
            &format!("{secret}%20"),
            &format!("%20{secret}"),
            &format!("{secret}="),
            &digest(secret),
            &"%3F".repeat(64),
            &"A".repeat(10_000),
            "%FF",
            "%F0%9F%94%91",
        ];
        guesses.iter().map(|guess| world.address_of(world.org.as_str(), guess)).collect()
    }));
}

#[test]
fn with_ids_that_look_like_the_orgs() {
    run(are_nobodys(|world, _| {
        let (long, short) = (world.org.as_str(), world.org.short());
        let checksum = if long.ends_with("AAA") { "AAB" } else { "AAA" };
        let ids = [
            long.to_lowercase(),
            short.to_lowercase() + "EAG",
            format!("{short}{checksum}"),
            format!("{short}{}", long[15..].to_lowercase()),
            format!("{short}%20%20%20"),
            format!("{short}%20"),
            format!("%20{short}"),
            format!("{short}%00%00%00"),
            format!("{short}%0A"),
            long[..14].to_owned(),
            long[..16].to_owned(),
            long[..17].to_owned(),
            format!("{long}A"),
            format!("{long}{long}"),
            short.replacen('0', "%D0%9E", 1),
            short.replacen('D', "%EF%BC%A4", 1),
            short.replacen('0', "%EF%BC%90", 1),
            short.replacen('0', "%2530", 1),
            "%FF".repeat(15),
            long.replacen("00D", "006", 1),
        ];
        ids.iter().map(|id| world.address_of(id, world.secret())).collect()
    }));
}

#[test]
fn with_paths_that_are_bent() {
    run(are_nobodys(|world, other| {
        let (right, secret) = (world.address(), world.secret());
        vec![
            format!("{right}/"),
            format!("{right}/{secret}"),
            right.replacen("/webhooks", "//webhooks", 1),
            right.replacen("/salesforce", "/Salesforce", 1),
            right.replacen("/salesforce/", "/salesforce%2F", 1),
            format!("/webhooks/salesforce/{}%2F{secret}", world.org),
            format!("/webhooks/salesforce/{}/..%2F{}%2F{secret}", other.org, world.org),
            format!("/webhooks/salesforce/{}", world.org),
            format!("/webhooks/salesforce/{}/", world.org),
            format!("/webhooks/salesforce/{}?secret={secret}", world.org),
            format!("/webhooks/salesforce//{secret}"),
            format!("/webhooks/licenses/{}/{secret}", world.org),
            "/webhooks/salesforce/elsewhere".to_owned(),
            "/".to_owned(),
        ]
    }));
}

/// RFC 3986, section 6.2.2.2: `%30` and `0` are the same address.
#[test]
fn an_address_written_in_percent_signs_is_the_same_address() {
    run(async {
        let world = World::new().await;
        let encode = |text: &str| {
            text.bytes().fold(String::new(), |mut encoded, byte| {
                let _ = write!(encoded, "%{byte:02X}");
                encoded
            })
        };
        let address = world.address_of(&encode(world.org.short()), &encode(world.secret()));

        assert!(world.post(&address, Body::from(message(world.org, 1))).await.is_ack());
    });
}
