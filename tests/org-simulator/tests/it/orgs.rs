//! Several orgs in one process.

use org_simulator::{Features, OrgKind, OrgOptions, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, TestContext};

async fn added(context: &TestContext, kind: OrgKind, name: &str) -> Simulator {
    context.org.add_org(OrgOptions { kind, name: name.to_owned(), ..OrgOptions::default() }).await.unwrap()
}

impl TestContext {
    /// Returns the first record of a query in another org, as its administrator.
    async fn first_in(&self, org: &Simulator, soql: &str) -> Value {
        let token = org.access_token(&org.users()[0].username).unwrap();
        let url = format!("{}/services/data/v66.0/query", org.url());
        self.plain(self.http.get(url).query(&[("q", soql)]).bearer_auth(token)).await.body["records"][0].clone()
    }
}

#[tokio::test]
async fn each_org_has_its_own_address_ids_and_records() {
    let context = TestContext::new().await;
    let other = added(&context, OrgKind::Production, "Meadow & Co").await;
    assert_ne!((other.url(), other.org_id()), (context.org.url(), context.org.org_id()));
    assert_eq!(other.users()[0].username, format!("{ADMIN}.meadowco"));
    assert_ne!(other.users()[0].id, context.org.users()[0].id);

    let account = crate::support::fields(json!({"Name": "Only here"}));
    let id = other.create_record(&other.users()[0].username, "Account", &account).unwrap();

    assert!(other.record("Account", &id).is_some() && context.org.record("Account", &id).is_none());
    let token = other.access_token(&other.users()[0].username).unwrap();
    let elsewhere = context.http.get(format!("{}/services/data/v66.0/limits", context.org.url())).bearer_auth(token);
    assert_eq!(context.plain(elsewhere).await.status, 401);
}

#[tokio::test]
async fn the_organization_record_describes_the_kind_of_org() {
    let context = TestContext::new().await;
    let soql = "SELECT Name, OrganizationType, IsSandbox, NamespacePrefix FROM Organization";
    let expected = [
        (OrgKind::Production, "Enterprise Edition", false),
        (OrgKind::Sandbox, "Enterprise Edition", true),
        (OrgKind::DeveloperEdition, "Developer Edition", false),
        (OrgKind::LicenseManagement, "Enterprise Edition", false),
    ];
    for (kind, edition, is_sandbox) in expected {
        let org = added(&context, kind, "Meadow").await;
        let record = context.first_in(&org, soql).await;
        assert_eq!((&record["OrganizationType"], &record["IsSandbox"]), (&json!(edition), &json!(is_sandbox)));
        assert_eq!((&record["Name"], &record["NamespacePrefix"]), (&json!("Meadow"), &Value::Null));
        assert_eq!(org.kind(), kind);
    }
}

#[tokio::test]
async fn all_orgs_share_the_clock_and_the_apps() {
    let context = TestContext::new().await;
    let other = added(&context, OrgKind::Sandbox, "uat").await;
    let before = other.clock().now();
    context.org.advance_clock(jiff::SignedDuration::from_mins(5));
    other.add_app("Late", "late", "secret", "http://localhost:1/cb");

    assert_eq!(other.clock().now().duration_since(before).as_secs(), 300);
    let apps = context.admin(Method::GET, "org", None).await.body["apps"].clone();
    assert!(apps.as_array().unwrap().iter().any(|app| app["client_id"] == "late"));
}

#[tokio::test]
async fn dropping_a_handle_stops_only_its_org() {
    let context = TestContext::new().await;
    let other = added(&context, OrgKind::Production, "Gone").await;
    assert_eq!(context.org.orgs().len(), 2);
    other.stop().await;
    assert_eq!(context.org.orgs().len(), 1);
    assert_eq!(context.get("limits").await.status, 200);
}

#[tokio::test]
async fn orgs_are_listed_and_added_over_the_admin_api() {
    let context = TestContext::new().await;
    let options = json!({"kind": "license_management", "name": "Vendor", "features": {"enhanced_notes": false}});

    let response = context.admin(Method::POST, "orgs", Some(options)).await;

    assert_eq!((response.status, &response.body["kind"]), (201, &json!("license_management")));
    let listed = context.admin(Method::GET, "orgs", None).await.body;
    assert_eq!((listed[0]["org_id"].as_str(), &listed[1]), (Some(context.org.org_id().as_str()), &response.body));
    let org = &context.org.orgs()[1];
    assert_eq!(org.features(), Features { enhanced_notes: false, ..Features::default() });
    let home = context.plain(context.http.get(format!("{}/_simulator/org", org.url()))).await;
    assert_eq!(home.body["org_id"], listed[1]["org_id"]);
    let typo = context.admin(Method::POST, "orgs", Some(json!({"kinds": "sandbox"}))).await;
    assert_eq!(typo.status, 400);
}

#[tokio::test]
async fn the_same_seed_repeats_the_tokens() {
    let token = async |seed: Option<u64>| {
        let options = org_simulator::Options { random_seed: seed, ..org_simulator::Options::default() };
        Simulator::start(options).await.unwrap().access_token(ADMIN).unwrap()
    };
    assert_eq!(token(Some(7)).await, token(Some(7)).await);
    assert_ne!(token(Some(7)).await, token(Some(8)).await);
    assert_ne!(token(None).await, token(None).await);
}
