//! Messages that are forged, or that belong to another org, are refused by the deployed webhook, change nothing and are not logged.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::Connected;
use local::stack;

const MARKER: &str = "never-to-be-logged-4711";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_message_is_neither_acknowledged_nor_logged() {
    let log = log_file();
    let options = stack::Options { log: Some(log.clone()), ..stack::Options::default() };
    let org = Connected::start(options).await.unwrap();
    let (address, secret) = org.webhook_url.rsplit_once('/').unwrap();
    let wrong_secret = format!("{address}/{}", "A".repeat(secret.len()));
    let unknown_org = format!("{}/webhooks/salesforce/00D5e000000KQ2eEAG/{secret}", org.stack.url());
    let installs = format!("{}/webhooks/salesforce/installs", org.stack.url());
    let of_another_org = message("00D5e000000KQ2eEAG");
    let too_large = " ".repeat(6 * 1024 * 1024 + 1);
    let cases = [
        (org.webhook_url.as_str(), "text/xml", of_another_org.clone(), 403),
        (org.webhook_url.as_str(), "text/xml", format!("<!DOCTYPE a [<!ENTITY b '{MARKER}'>]>{of_another_org}"), 400),
        (org.webhook_url.as_str(), "text/xml", of_another_org[..of_another_org.len() - 20].to_owned(), 400),
        (org.webhook_url.as_str(), "application/json", format!("{{\"a\": \"{MARKER}\"}}"), 415),
        (org.webhook_url.as_str(), "text/xml", too_large, 413),
        (wrong_secret.as_str(), "text/xml", of_another_org.clone(), 404),
        (unknown_org.as_str(), "text/xml", of_another_org.clone(), 404),
        (installs.as_str(), "application/json", format!("{{\"organization_id\": \"{MARKER}\"}}"), 400),
    ];

    for (url, content_type, body, status) in cases {
        let size = body.len();
        let response = org.post(url, content_type, body).await.unwrap();

        let (returned, kind) = (response.status().as_u16(), response.headers().get("content-type").cloned());
        let text = response.text().await.unwrap();
        assert_eq!(returned, status, "{content_type} of {size} bytes: {text}");
        assert_eq!(kind.unwrap(), "application/problem+json");
        assert!(!text.contains("Ack"), "{text}");
    }

    assert_eq!(org.mirrored("Account", "0015e00000ZkM3hAAF", "Name").await.unwrap(), None);
    let secret = secret.to_owned();
    drop(org);
    let logged = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    assert!(logged.contains("invocation ended"), "the log has no lines of functions");
    assert!(!logged.contains(MARKER) && !logged.contains(&secret), "a body or a secret is in the log");
}

fn message(org_id: &str) -> String {
    format!(
        r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{org_id}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId><Notification><Id>04l5e00000Gx7QzAAJ</Id><sObject xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sf="urn:sobject.enterprise.soap.sforce.com" xsi:type="sf:Account"><sf:Id>0015e00000ZkM3hAAF</sf:Id><sf:Name>{MARKER}</sf:Name></sObject></Notification></notifications></Body></Envelope>"#
    )
}

fn log_file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("forgery-{}.log", std::process::id()))
}
