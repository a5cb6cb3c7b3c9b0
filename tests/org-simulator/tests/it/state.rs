//! A realm that is saved to a file and loaded again, and sandbox copies.

use std::path::Path;

use org_simulator::{Clock, Options, OrgKind, OrgOptions, OutboundMessage, Simulator};
use serde_json::{Value, json};

use crate::oauth::text;
use crate::support::{ADMIN, CASEY, START, Scene, fields};

async fn loaded(file: &Path) -> Result<Simulator, org_simulator::Error> {
    let clock = Clock::manual(START.parse().unwrap());
    Simulator::start(Options { clock, state: Some(file.to_owned()), ..Options::default() }).await
}

impl Scene {
    /// Returns a context for an org that was started with other options.
    fn in_org(org: Simulator) -> Self {
        let admin = org.users()[0].username.clone();
        Self::of(org, &admin)
    }

    async fn records(&self, soql: &str) -> Value {
        let answer = self.query(soql).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body["records"].clone()
    }
}

fn define(org: &Simulator) {
    let message = OutboundMessage {
        name: "Account changed".to_owned(),
        object: "Account".to_owned(),
        fields: vec!["Name".to_owned()],
        endpoint_url: "http://127.0.0.1:1/".to_owned(),
    };
    org.define_outbound_message(&message).unwrap();
}

#[tokio::test]
async fn a_loaded_realm_has_the_same_data_and_tokens() {
    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    let granted = scene.granted(CASEY).await;
    scene.org.add_app("Late", "late", "secret", "http://localhost:1/cb");
    define(&scene.org);
    let made = scene.org.create_record(ADMIN, "Account", &fields(json!({"Name": "Kept ✓"}))).unwrap();
    scene.org.delete_record(ADMIN, "Account", &scene.id_of("Account", "Kept ✓").await).unwrap();
    scene.org.create_record(CASEY, "Lead", &fields(json!({"LastName": "L", "Company": "C"}))).unwrap();
    scene.org.advance_clock(jiff::SignedDuration::from_mins(7));
    scene.org.save_state(&file).unwrap();

    let again = Scene::in_org(loaded(&file).await.unwrap());

    assert_eq!((again.org.org_id(), again.org.clock().now()), (scene.org.org_id(), scene.org.clock().now()));
    for soql in [
        "SELECT Id, Name, Owner.Name, LastModifiedDate FROM Account ORDER BY Id",
        "SELECT Id, Name, StageName, Amount, CloseDate, RecordTypeId FROM Opportunity ORDER BY Id",
        "SELECT Id, Username, Profile.Name FROM User ORDER BY Id",
    ] {
        assert_eq!(again.records(soql).await, scene.records(soql).await, "{soql}");
    }
    assert_eq!(again.org.record("Account", &made).unwrap()["IsDeleted"], true);
    assert_eq!(again.org.record_counts(), scene.org.record_counts());
    assert_eq!(json!(again.org.outbound_messages()), json!(scene.org.outbound_messages()));
    assert_eq!(again.status_with(text(&granted["access_token"])).await, 200);
    let next = again.refresh(text(&granted["refresh_token"])).await;
    assert_eq!((next.status, &next.body["instance_url"]), (200, &json!(again.org.url())));
    let reused = again.refresh(text(&granted["refresh_token"])).await;
    assert_eq!(reused.body["error_description"], "expired access/refresh token");
    let new = again.org.create_record(ADMIN, "Account", &fields(json!({"Name": "New"}))).unwrap();
    assert_ne!(new, made, "ids go on where they stopped");
}

#[tokio::test]
async fn all_orgs_of_a_realm_are_saved() {
    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    let options = OrgOptions { kind: OrgKind::DeveloperEdition, name: "Meadow".to_owned(), ..OrgOptions::default() };
    let other = scene.org.add_org(options).await.unwrap();
    scene.org.save_state(&file).unwrap();

    let again = loaded(&file).await.unwrap();

    let orgs = again.orgs();
    assert_eq!((orgs.len(), orgs[1].org_id(), orgs[1].kind()), (2, other.org_id(), OrgKind::DeveloperEdition));
    let third = again.add_org(OrgOptions::default()).await.unwrap();
    assert!(![scene.org.org_id(), other.org_id()].contains(&third.org_id()));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    scene.org.save_state(&file).unwrap();

    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_unusable_file_is_rejected_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    let scene = Scene::new().await;
    scene.org.save_state(&file).unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    for (content, reason) in [
        ("", "not a saved state"),
        ("{\"format\":\"something else\",\"version\":1}", "not a saved state"),
        (&good[..good.len() / 2], "not a saved state"),
        (&good.replacen("\"version\":1", "\"version\":2", 1), "version 2"),
        (&good.replacen("\"t:", "\"?:", 1), "damaged"),
    ] {
        std::fs::write(&file, content).unwrap();
        let error = loaded(&file).await.err().expect("the file is refused").to_string();
        assert!(error.contains(reason) && error.contains("state.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no part of a file is left about");
    assert!(loaded(&dir.path().join("none.json")).await.is_ok(), "without a file the org is a fresh one");
}

#[tokio::test]
async fn a_sandbox_is_a_copy_without_logins() {
    let scene = Scene::new().await;
    define(&scene.org);
    let granted = scene.granted(CASEY).await;
    scene.org.create_record(ADMIN, "Account", &fields(json!({"Name": "Copied"}))).unwrap();

    let sandbox = Scene::in_org(scene.org.copy_to_sandbox("UAT 1").await.unwrap());

    assert_eq!(sandbox.org.kind(), OrgKind::Sandbox);
    assert_ne!(sandbox.org.org_id(), scene.org.org_id());
    let row = sandbox.records("SELECT Id, IsSandbox FROM Organization").await;
    assert_eq!((&row[0]["Id"], &row[0]["IsSandbox"]), (&json!(sandbox.org.org_id()), &json!(true)));
    let soql = "SELECT Id, Name, OwnerId FROM Account ORDER BY Id";
    assert_eq!(sandbox.records(soql).await, scene.records(soql).await);
    let user = &sandbox.org.users()[1];
    assert_eq!((user.username.as_str(), user.id.as_str()), (&*format!("{CASEY}.uat1"), &*scene.org.users()[1].id));
    assert!(user.email.ends_with(".invalid"));
    assert_eq!(sandbox.refresh(text(&granted["refresh_token"])).await.status, 400);
    assert_eq!(sandbox.status_with(text(&granted["access_token"])).await, 401);
    assert!(sandbox.org.outbound_messages().is_empty());
    let account = fields(json!({"Name": "Only in the sandbox"}));
    sandbox.org.create_record(&sandbox.org.users()[0].username, "Account", &account).unwrap();
    assert_eq!(sandbox.org.outbound_messages().len(), 1, "its definitions still send");
    assert_eq!(scene.org.outbound_messages().len(), 1);
}

#[tokio::test]
async fn a_refresh_replaces_the_sandbox_at_its_address() {
    let scene = Scene::new().await;
    let sandbox = Scene::in_org(scene.org.copy_to_sandbox("uat").await.unwrap());
    let before = sandbox.org.org_id();
    let username = sandbox.org.users()[0].username.clone();
    let token = sandbox.org.access_token(&username).unwrap();
    let id = sandbox.org.create_record(&username, "Account", &fields(json!({"Name": "Lost"}))).unwrap();

    scene.org.refresh_sandbox(&sandbox.org, "uat");

    assert!(sandbox.org.org_id() != before && sandbox.org.org_id() != scene.org.org_id());
    assert_eq!(sandbox.status_with(&token).await, 401);
    assert!(sandbox.org.record("Account", &id).is_none());
    assert_eq!(sandbox.org.users()[0].username, username);
}
