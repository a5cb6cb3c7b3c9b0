//! The package in a customer's org, and its license in the vendor's License Management Org.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use org_simulator::{DeliveryState, OrgKind, OrgOptions, OutboundMessage, PackageInstall, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestContext;

const ACK: &str = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
     <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse></s:Body></s:Envelope>";

type Received = Arc<Mutex<Vec<String>>>;

#[expect(clippy::disallowed_methods, reason = "the platform serves beside the test")]
async fn platform() -> (String, Received) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let received = Received::default();
    let keep = |State(received): State<Received>, body: String| async move {
        received.lock().unwrap().push(body);
        ACK
    };
    let app = Router::new().route("/hook", post(keep)).with_state(Arc::clone(&received));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, received)
}

fn install(url: &str, version: &str, previous: Option<&str>, is_push: bool) -> PackageInstall {
    PackageInstall {
        callout_url: url.to_owned(),
        package_version: version.to_owned(),
        previous_version: previous.map(str::to_owned),
        is_push,
    }
}

async fn license(vendor: &Simulator, context: &TestContext) -> Vec<Value> {
    let soql = "SELECT Name, sfLma__Subscriber_Org_ID__c, sfLma__License_Status__c, sfLma__Install_Date__c, sfLma__Expiration_Date__c, \
         sfLma__Package_Version_Number__c, sfLma__Package_Version__r.sfLma__Version_ID__c, sfLma__Is_Sandbox__c, sfLma__Lead__r.LeadSource, \
         sfLma__Lead__r.Email, sfLma__Account__c FROM sfLma__License__c";
    let admin = vendor.users().remove(0).username;
    let request = context.http.get(format!("{}/services/data/v66.0/query", vendor.url())).query(&[("q", soql)]);
    let response = context.plain(request.bearer_auth(vendor.access_token(&admin).unwrap())).await;
    assert_eq!(response.status, 200, "{}", response.body);
    response.body["records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_licence_follows_install_upgrade_and_uninstall() {
    let context = TestContext::new().await;
    let (url, received) = platform().await;
    let options = OrgOptions { kind: OrgKind::LicenseManagement, ..OrgOptions::default() };
    let vendor = context.org.add_org(options).await.unwrap();
    vendor.prepare_license_management();
    let fields =
        ["Name", "sfLma__Subscriber_Org_ID__c", "sfLma__License_Status__c", "sfLma__Package_Version_Number__c"];
    vendor
        .define_outbound_message(&OutboundMessage {
            name: "License changed".to_owned(),
            object: "sfLma__License__c".to_owned(),
            fields: fields.map(str::to_owned).to_vec(),
            endpoint_url: url.clone(),
        })
        .unwrap();

    context.org.install_package(&install(&url, "2.0.0", None, false)).await.unwrap();
    let first = license(&vendor, &context).await;
    let subscriber = context.org.org_id()[..15].to_owned();
    assert_eq!(first.len(), 1);
    assert_eq!(
        (&first[0]["Name"], &first[0]["sfLma__Subscriber_Org_ID__c"], &first[0]["sfLma__License_Status__c"]),
        (&json!("L-00001"), &json!(subscriber), &json!("Active"))
    );
    assert_eq!(first[0]["sfLma__Lead__r"]["LeadSource"], "Package Installation");
    assert_eq!(
        (&first[0]["sfLma__Install_Date__c"], &first[0]["sfLma__Expiration_Date__c"]),
        (&json!("2026-11-22"), &Value::Null)
    );
    assert_eq!(vendor.deliver_outbound_messages().await[0].state, DeliveryState::Delivered);
    let message = received.lock().unwrap().pop().unwrap();
    assert!(message.contains("xsi:type=\"sf:sfLma__License__c\""), "{message}");
    assert!(message.contains(&format!("<OrganizationId>{}</OrganizationId>", vendor.org_id())), "the vendor's org");
    assert!(message.contains(&format!("<sf:sfLma__Subscriber_Org_ID__c>{subscriber}<")), "the customer");

    context.org.install_package(&install(&url, "2.1.0", Some("2.0.0"), true)).await.unwrap();
    let upgraded = license(&vendor, &context).await;
    assert_eq!((upgraded.len(), &upgraded[0]["sfLma__Package_Version_Number__c"]), (1, &json!("2.1.0")));
    let installed = context.org.installed_package().unwrap();
    assert_eq!(upgraded[0]["sfLma__Package_Version__r"]["sfLma__Version_ID__c"], json!(installed.version_id));
    assert!(installed.version_id.starts_with("04t") && installed.package_id.starts_with("033"));

    let callouts = received.lock().unwrap().len();
    context.org.uninstall_package().unwrap();
    assert_eq!(received.lock().unwrap().len(), callouts, "an uninstall script can make no callout");
    assert_eq!(license(&vendor, &context).await[0]["sfLma__License_Status__c"], "Uninstalled");
    assert!(context.org.uninstall_package().is_err());
    let states: Vec<_> = vendor.outbound_messages().iter().map(|delivery| delivery.record_id.clone()).collect();
    assert_eq!(states.len(), 3, "install, upgrade, uninstall");
}

#[tokio::test]
async fn a_push_upgrade_has_no_installing_user() {
    let context = TestContext::new().await;
    let (url, _) = platform().await;
    let response = context.org.install_package(&install(&url, "2.2.0", Some("2.1.0"), true)).await.unwrap();
    assert_eq!((&response.sent["installer_id"], &response.sent["is_push"]), (&Value::Null, &json!(true)));
    let seen = context.admin(Method::GET, "package", None).await.body;
    assert_eq!(seen["version"], "2.2.0");
    assert_eq!(context.admin(Method::DELETE, "package", None).await.status, 200);
    assert_eq!(context.admin(Method::DELETE, "package", None).await.status, 404);
}

#[tokio::test]
async fn an_install_request_also_creates_the_licence() {
    let context = TestContext::new().await;
    let (url, received) = platform().await;
    let options = OrgOptions { kind: OrgKind::LicenseManagement, ..OrgOptions::default() };
    let vendor = context.org.add_org(options).await.unwrap();
    vendor.prepare_license_management();
    context.org.install_package(&install(&url, "2.3.0", None, false)).await.unwrap();
    let version = context.org.installed_package().unwrap().version_id;
    context.org.uninstall_package().unwrap();
    let callouts = received.lock().unwrap().len();
    let path = "tooling/sobjects/PackageInstallRequest";

    let made = context.post(path, json!({"SubscriberPackageVersionKey": version, "SecurityType": "Full"})).await;
    let asked = context.get(&format!("{path}/{}", made.body["id"].as_str().unwrap())).await.body;

    assert_eq!((&asked["Status"], &asked["SecurityType"]), (&json!("SUCCESS"), &json!("Full")));
    assert_eq!(context.org.installed_package().unwrap().version, "2.3.0");
    assert_eq!(license(&vendor, &context).await[0]["sfLma__License_Status__c"], "Active");
    assert_eq!(received.lock().unwrap().len(), callouts);
}

#[tokio::test]
async fn an_install_request_for_an_unknown_version_fails() {
    let context = TestContext::new().await;
    let path = "tooling/sobjects/PackageInstallRequest";
    let made = context.post(path, json!({"SubscriberPackageVersionKey": "04tKY000000MF7uYAG"})).await;
    let asked = context.get(&format!("{path}/{}", made.body["id"].as_str().unwrap())).await.body;
    assert_eq!(asked["Status"], "ERROR");
    assert!(asked["Errors"]["errors"][0]["message"].as_str().unwrap().contains("04tKY000000MF7uYAG"));
    assert!(context.org.installed_package().is_none());
    for (body, code) in [
        (json!({}), "REQUIRED_FIELD_MISSING"),
        (json!({"SubscriberPackageVersionKey": "001000000000001"}), "MALFORMED_ID"),
        (json!({"SubscriberPackageVersionKey": "04tKY000000MF7uYAG", "Colour": "red"}), "INVALID_FIELD"),
    ] {
        assert_eq!(context.post(path, body).await.code(), code);
    }
}
