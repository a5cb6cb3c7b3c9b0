//! Several orgs in one process.

use org_simulator::{Features, OrgKind, OrgOptions, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, Scene};

async fn added(scene: &Scene, kind: OrgKind, name: &str) -> Simulator {
    scene.org.add_org(OrgOptions { kind, name: name.to_owned(), ..OrgOptions::default() }).await.unwrap()
}

impl Scene {
    /// Returns the first record of a query in another org, as its administrator.
    async fn first_in(&self, org: &Simulator, soql: &str) -> Value {
        let token = org.access_token(&org.users()[0].username).unwrap();
        let url = format!("{}/services/data/v66.0/query", org.url());
        self.plain(self.http.get(url).query(&[("q", soql)]).bearer_auth(token)).await.body["records"][0].clone()
    }
}

#[tokio::test]
async fn each_org_has_its_own_address_ids_and_records() {
    let scene = Scene::new().await;
    let other = added(&scene, OrgKind::Production, "Meadow & Co").await;
    assert_ne!((other.url(), other.org_id()), (scene.org.url(), scene.org.org_id()));
    assert_eq!(other.users()[0].username, format!("{ADMIN}.meadowco"));
    assert_ne!(other.users()[0].id, scene.org.users()[0].id);

    let account = crate::support::fields(json!({"Name": "Only here"}));
    let id = other.create_record(&other.users()[0].username, "Account", &account).unwrap();

    assert!(other.record("Account", &id).is_some() && scene.org.record("Account", &id).is_none());
    let token = other.access_token(&other.users()[0].username).unwrap();
    let elsewhere = scene.http.get(format!("{}/services/data/v66.0/limits", scene.org.url())).bearer_auth(token);
    assert_eq!(scene.plain(elsewhere).await.status, 401);
}

#[tokio::test]
async fn the_organization_record_describes_the_kind_of_org() {
    let scene = Scene::new().await;
    let soql = "SELECT Name, OrganizationType, IsSandbox, NamespacePrefix FROM Organization";
    let expected = [
        (OrgKind::Production, "Enterprise Edition", false),
        (OrgKind::Sandbox, "Enterprise Edition", true),
        (OrgKind::DeveloperEdition, "Developer Edition", false),
        (OrgKind::LicenseManagement, "Enterprise Edition", false),
    ];
    for (kind, edition, is_sandbox) in expected {
        let org = added(&scene, kind, "Meadow").await;
        let record = scene.first_in(&org, soql).await;
        assert_eq!((&record["OrganizationType"], &record["IsSandbox"]), (&json!(edition), &json!(is_sandbox)));
        assert_eq!((&record["Name"], &record["NamespacePrefix"]), (&json!("Meadow"), &Value::Null));
        assert_eq!(org.kind(), kind);
    }
}

#[tokio::test]
async fn all_orgs_share_the_clock_and_the_apps() {
    let scene = Scene::new().await;
    let other = added(&scene, OrgKind::Sandbox, "uat").await;
    let before = other.clock().now();
    scene.org.advance_clock(jiff::SignedDuration::from_mins(5));
    other.add_app("Late", "late", "secret", "http://localhost:1/cb");

    assert_eq!(other.clock().now().duration_since(before).as_secs(), 300);
    let apps = scene.admin(Method::GET, "org", None).await.body["apps"].clone();
    assert!(apps.as_array().unwrap().iter().any(|app| app["client_id"] == "late"));
}

#[tokio::test]
async fn dropping_a_handle_stops_only_its_org() {
    let scene = Scene::new().await;
    let other = added(&scene, OrgKind::Production, "Gone").await;
    assert_eq!(scene.org.orgs().len(), 2);
    other.stop().await;
    assert_eq!(scene.org.orgs().len(), 1);
    assert_eq!(scene.get("limits").await.status, 200);
}

#[tokio::test]
async fn orgs_are_listed_and_added_over_the_admin_api() {
    let scene = Scene::new().await;
    let options = json!({"kind": "license_management", "name": "Vendor", "features": {"enhanced_notes": false}});

    let answer = scene.admin(Method::POST, "orgs", Some(options)).await;

    assert_eq!((answer.status, &answer.body["kind"]), (201, &json!("license_management")));
    let listed = scene.admin(Method::GET, "orgs", None).await.body;
    assert_eq!((listed[0]["org_id"].as_str(), &listed[1]), (Some(scene.org.org_id().as_str()), &answer.body));
    let org = &scene.org.orgs()[1];
    assert_eq!(org.features(), Features { enhanced_notes: false, ..Features::default() });
    let home = scene.plain(scene.http.get(format!("{}/_simulator/org", org.url()))).await;
    assert_eq!(home.body["org_id"], listed[1]["org_id"]);
    let typo = scene.admin(Method::POST, "orgs", Some(json!({"kinds": "sandbox"}))).await;
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
