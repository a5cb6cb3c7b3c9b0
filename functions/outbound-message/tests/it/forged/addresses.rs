//! Addresses that are almost right. Every wrong address gets the same response.

use std::fmt::Write as _;

use axum::body::Body;
use store::webhook_secret::digest;

use super::{ForgeryTest, NOT_FOUND};
use crate::harness::{HttpResponse, TestContext, random_org, run};
use crate::messages::message;

/// Posts the org's own message to each address and expects the same 404.
async fn are_unknown(addresses: impl Fn(&TestContext, &TestContext) -> Vec<String>) {
    let test = ForgeryTest::new().await;
    let mut responses: Vec<HttpResponse> = Vec::new();
    for address in addresses(&test.context, &test.other) {
        let body = message(test.context.org, 1);
        responses.push(test.refuses_at(&address, body, NOT_FOUND, &address).await);
    }
    assert!(responses.windows(2).all(|pair| pair[0] == pair[1]), "{responses:?}");
    test.ends().await;
}

#[test]
fn of_unknown_orgs_and_with_secrets_of_others() {
    run(are_unknown(|context, other| {
        vec![
            context.address_of(random_org().as_str(), context.secret()),
            context.address_of(context.org.as_str(), other.secret()),
            context.address_of(other.org.as_str(), context.secret()),
            context.address_of(context.secret(), context.org.as_str()),
            context.address_of("no-org-at-all", context.secret()),
            context.address_of("license-management", context.secret()),
        ]
    }));
}

#[test]
fn with_guessed_or_truncated_secrets_or_hashes() {
    run(are_unknown(|context, _| {
        let secret = context.secret();
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
        guesses.iter().map(|guess| context.address_of(context.org.as_str(), guess)).collect()
    }));
}

#[test]
fn with_ids_that_look_like_the_orgs() {
    run(are_unknown(|context, _| {
        let (long, short) = (context.org.as_str(), context.org.short());
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
        ids.iter().map(|id| context.address_of(id, context.secret())).collect()
    }));
}

#[test]
fn with_malformed_paths() {
    run(are_unknown(|context, other| {
        let (right, secret) = (context.address(), context.secret());
        vec![
            format!("{right}/"),
            format!("{right}/{secret}"),
            right.replacen("/webhooks", "//webhooks", 1),
            right.replacen("/salesforce", "/Salesforce", 1),
            right.replacen("/salesforce/", "/salesforce%2F", 1),
            format!("/webhooks/salesforce/{}%2F{secret}", context.org),
            format!("/webhooks/salesforce/{}/..%2F{}%2F{secret}", other.org, context.org),
            format!("/webhooks/salesforce/{}", context.org),
            format!("/webhooks/salesforce/{}/", context.org),
            format!("/webhooks/salesforce/{}?secret={secret}", context.org),
            format!("/webhooks/salesforce//{secret}"),
            format!("/webhooks/licenses/{}/{secret}", context.org),
            "/webhooks/salesforce/elsewhere".to_owned(),
            "/".to_owned(),
        ]
    }));
}

/// RFC 3986, section 6.2.2.2: `%30` and `0` are the same address.
#[test]
fn a_percent_encoded_address_is_the_same_address() {
    run(async {
        let context = TestContext::new().await;
        let encode = |text: &str| {
            text.bytes().fold(String::new(), |mut encoded, byte| {
                let _ = write!(encoded, "%{byte:02X}");
                encoded
            })
        };
        let address = context.address_of(&encode(context.org.short()), &encode(context.secret()));

        assert!(context.post(&address, Body::from(message(context.org, 1))).await.is_ack());
    });
}
