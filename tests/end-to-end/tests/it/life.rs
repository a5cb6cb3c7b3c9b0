//! An org from the upgrade of its package to its removal, and a sandbox that is a copy of it, over the deployed stack.

use end_to_end::{Connected, eventually};
use local::stack;
use org_simulator::{DeliveryState, OrgKind, OrgOptions, OutboundMessage, PackageInstall, Simulator};
use salesforce::Clock;
use serde_json::{Value, json};
use store::{Orgs, WebhookSecret};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_is_followed_to_its_removal_and_its_copy_noted() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let customer = org.stack.simulator();
    let path = format!("/v1/orgs/{}", customer.org_id());
    org.send_outbound_messages(&["Account"]).unwrap();
    let vendor = license_management(&org).await;

    upgrade(&org, customer).await;
    vendor.deliver_outbound_messages().await;
    let upgraded = org.get(&path).await.unwrap();
    assert_eq!((&upgraded["state"], &upgraded["license"]["package_version"]), (&json!("active"), &json!("1.1.0")));

    let sandbox = customer.copy_to_sandbox("qa").await.unwrap();
    let admin = sandbox.users().into_iter().find(|user| user.is_admin).unwrap().username;
    let fields = json!({ "Name": "Of the copy" });
    sandbox.create_record(&admin, "Account", fields.as_object().unwrap()).unwrap();
    let sent = sandbox.deliver_outbound_messages().await;
    assert!(sent.iter().all(|message| message.state != DeliveryState::Delivered), "{sent:?}");
    let health = org.get(&format!("{path}/health")).await.unwrap();
    assert_eq!((&health["state"], &health["copies"][0]["org_id"]), (&json!("active"), &json!(sandbox.org_id())));
    let orgs = Orgs::new(aws_sdk_dynamodb::Client::new(org.stack.sdk_config()), "ferry-orgs");
    assert_eq!(orgs.load(sandbox.org_id().parse().unwrap()).await.unwrap(), None);

    // The function updates the URL in the org, with the permissions of its role.
    let lambda = aws_sdk_lambda::Client::new(org.stack.sdk_config());
    let event = json!({ "event": "rotate_webhook_secret", "org_id": customer.org_id() }).to_string();
    let response = lambda.invoke().function_name("ferry-onboarding").payload(event.into_bytes().into()).send().await;
    let response: Value = serde_json::from_slice(response.unwrap().payload.unwrap().as_ref()).unwrap();
    assert_eq!(response["outbound_messages"], json!({ "outcome": "configured", "messages": 1 }), "{response}");
    org.create("Account", &json!({ "Name": "At the new URL" })).unwrap();
    let sent = customer.deliver_outbound_messages().await;
    assert!(sent.iter().all(|message| message.state == DeliveryState::Delivered), "{sent:?}");

    customer.uninstall_package().unwrap();
    vendor.deliver_outbound_messages().await;
    eventually("the org closed", async || {
        let gone = org.get(&path).await?;
        let connections = org.get(&format!("{path}/connections")).await?;
        Ok(gone["state"] == "uninstalled" && connections.to_string().contains("revoked"))
    })
    .await
    .unwrap();
}

/// Adds a License Management Org whose messages go to the stack.
async fn license_management(org: &Connected) -> Simulator {
    let options = OrgOptions { kind: OrgKind::LicenseManagement, ..OrgOptions::default() };
    let vendor = org.stack.simulator().add_org(options).await.unwrap();
    vendor.prepare_license_management();
    let orgs = Orgs::new(aws_sdk_dynamodb::Client::new(org.stack.sdk_config()), "ferry-orgs");
    let secret = WebhookSecret::generate(&mut rand::rng());
    let hash = secret.hash(Clock::system().now());
    orgs.register_license_management(vendor.org_id().parse().unwrap(), None, hash).await.unwrap();
    let names = ["Id", "sfLma__Subscriber_Org_ID__c", "sfLma__License_Status__c", "sfLma__Package_Version_Number__c"];
    let message = OutboundMessage {
        name: "Licence".to_owned(),
        object: "sfLma__License__c".to_owned(),
        fields: names.iter().chain(&["LastModifiedDate"]).map(|name| (*name).to_owned()).collect(),
        endpoint_url: format!("{}/webhooks/licenses/{}/{}", org.stack.url(), vendor.org_id(), secret.reveal()),
    };
    vendor.define_outbound_message(&message).unwrap();
    vendor
}

async fn upgrade(org: &Connected, customer: &Simulator) {
    let install = PackageInstall {
        callout_url: format!("{}/webhooks/salesforce/installs", org.stack.url()),
        package_version: "1.1.0".to_owned(),
        previous_version: Some("1.0.0".to_owned()),
        is_push: true,
    };
    assert_eq!(customer.install_package(&install).await.unwrap().status, 202);
}
