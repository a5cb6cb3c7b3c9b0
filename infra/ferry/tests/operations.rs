//! `ferry upgrade` and `ferry disconnect` as an operator runs it, over tables and a secret of an emulated account.

#![expect(clippy::unwrap_used, reason = "a test that cannot run its command fails")]

use std::process::{Command, Output};

use aws_sdk_secretsmanager::Client as SecretsManager;
use jiff::SignedDuration;
use local::Emulator;
use local::emulator::{REGION, State};
use salesforce::Clock;
use serde_json::{Value, json};
use store::orgs::license_management::proves;
use store::{
    Activate, ConnectionKind, Connections, Consent, CopySeen, Environment, LeaseRequest, OrgState, Orgs, SecretHash,
};

const ORG: &str = "00D5e000000KQ2eEAG";

/// A stack with an org whose team is on `v1` and whose rep is on `v2`.
struct Stack {
    emulator: Emulator,
    name: String,
    apps: String,
}

impl Stack {
    async fn set() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let name = local::unique_prefix();
        let state: State = emulator.create_state(&name).await.unwrap();
        let apps = state.physical("AppsSecret").unwrap().to_owned();
        let registrations = json!({ "apps": [
            { "name": "v1", "client_id": "1", "client_secret": "hush-1" },
            { "name": "v2", "client_id": "2", "client_secret": "hush-2", "install_url_production": "https://login/p" },
        ]});
        let stack = Self { emulator, name, apps };
        let put = stack.secrets().put_secret_value().secret_id(&stack.apps);
        put.secret_string(registrations.to_string()).send().await.unwrap();
        stack.connect(&state).await;
        stack
    }

    async fn connect(&self, state: &State) {
        let dynamodb = aws_sdk_dynamodb::Client::new(self.emulator.sdk_config());
        let (org_id, now) = (ORG.parse().unwrap(), Clock::system().now());
        let webhook_secret = SecretHash { sha256: "0".repeat(64), created_at: now };
        let tenant = "acme".parse().unwrap();
        let activate = Activate { org_id, tenant, environment: Environment::Production, webhook_secret, now };
        Orgs::new(dynamodb.clone(), state.tables.name("orgs")).activate(&activate).await.unwrap();
        let rep = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
        for (kind, app) in [(ConnectionKind::Team, "v1"), (rep, "v2")] {
            let consent = Consent {
                org_id,
                kind,
                tenant: "acme".parse().unwrap(),
                user_id: "0055e000001mKpCAAU".parse().unwrap(),
                app: app.to_owned(),
                login_url: "https://login.salesforce.com".to_owned(),
                instance_url: "https://acme.my.salesforce.com".to_owned(),
                granted_at: now,
                username: None,
            };
            let connections = Connections::new(dynamodb.clone(), state.tables.name("connections"));
            let (owner, length) = ("test".to_owned(), SignedDuration::from_secs(40));
            let request = LeaseRequest { owner, now, length, seen_fence: None };
            let reserved = connections.reserve(&consent, &request).await.unwrap();
            let version = "0".repeat(32).parse().unwrap();
            connections.connect(&consent, &version, &reserved.lease, now).await.unwrap();
        }
    }

    fn orgs(&self) -> Orgs {
        Orgs::new(aws_sdk_dynamodb::Client::new(self.emulator.sdk_config()), format!("{}-orgs", self.name))
    }

    fn secrets(&self) -> SecretsManager {
        SecretsManager::new(self.emulator.sdk_config())
    }

    async fn registrations(&self) -> Value {
        let answer = self.secrets().get_secret_value().secret_id(&self.apps).send().await.unwrap();
        serde_json::from_str(&answer.secret_string.unwrap()).unwrap()
    }

    fn ferry(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.args(arguments).args(["--stack", &self.name]).env("AWS_ENDPOINT_URL", self.emulator.endpoint());
        command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().unwrap()
    }

    /// What a command that succeeds prints.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.ferry(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.as_str()), (Some(0), ""), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.says(&["upgrade", "status", "--json"])).unwrap()
    }
}

#[tokio::test]
async fn an_upgrade_is_followed_ended_and_rolled_back() {
    let stack = Stack::set().await;

    let status = stack.status();
    assert_eq!(status["left"][0]["connection"], "team");
    assert_eq!(status["left"].as_array().unwrap().len(), 1);
    let table = stack.says(&["upgrade", "status"]);
    assert!(table.contains("1 connection is left on an older app") && table.contains("acme"), "{table}");

    let said = stack.says(&["upgrade", "sunset", "--app", "v1", "--on", "2099-01-01"]);
    assert!(said.starts_with("v1 stops on 2099-01-01 (UTC), in "), "{said}");
    assert_eq!(stack.status()["apps"][0]["sunset"], "2099-01-01");
    assert!(stack.says(&["upgrade", "status"]).contains("2099-01-01, in "));

    assert!(stack.says(&["upgrade", "rollback", "--app", "v2"]).starts_with("New consents use v1 now."));
    assert_eq!(stack.status()["left"][0]["connection"], "rep-1");
    assert!(stack.says(&["upgrade", "resume", "--app", "v2"]).starts_with("New consents use v2 now."));
    stack.says(&["upgrade", "sunset", "--app", "v1", "--clear"]);

    let registrations = stack.registrations().await;
    assert_eq!(registrations["apps"][0], json!({ "name": "v1", "client_id": "1", "client_secret": "hush-1" }));
    assert_eq!(registrations["apps"][1]["client_secret"], "hush-2");
}

#[tokio::test]
async fn what_would_leave_no_app_is_refused_and_changes_nothing() {
    let stack = Stack::set().await;
    let before = stack.registrations().await;
    stack.says(&["upgrade", "rollback", "--app", "v2"]);

    let refused = stack.ferry(&["upgrade", "sunset", "--app", "v1", "--on", "2020-01-01"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(said, "ferry: nothing was changed: no app would take new consents\n");
    let unknown = stack.ferry(&["upgrade", "rollback", "--app", "v3"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(said, format!("ferry: there is no app `v3` in the secret ferry/{}/apps\n", stack.name));

    assert_eq!(stack.registrations().await["apps"][0], before["apps"][0]);
}

#[tokio::test]
async fn the_kill_switch_asks_first_and_knows_its_orgs() {
    let stack = Stack::set().await;
    let unasked = stack.ferry(&["disconnect", "--org", ORG, "--all"]);
    assert_eq!(unasked.status.code(), Some(2));
    assert_eq!(String::from_utf8(unasked.stderr).unwrap(), "ferry: add --yes: there is nobody to ask\n");

    let unknown = stack.ferry(&["disconnect", "--org", "00D5e000000KQ2fEAG", "--all", "--yes"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(String::from_utf8(unknown.stderr).unwrap(), "ferry: org 00D5e000000KQ2fEAG is not known\n");
}

#[tokio::test]
async fn the_address_of_the_license_management_org_is_shown_once_and_kept_as_a_hash() {
    let stack = Stack::set().await;
    let vendor = "00D79000000exLEEAY";
    let arguments = ["lmo-address", "--org", vendor, "--public-url", "https://ferry.example.com/"];

    let output = stack.ferry(&arguments);

    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    let base = format!("https://ferry.example.com/webhooks/licenses/{vendor}/");
    let secret = shown.lines().next().unwrap().strip_prefix(&base).unwrap().to_owned();
    let registered = stack.orgs().license_management().await.unwrap();
    assert!(proves(registered.as_ref(), vendor.parse().ok(), &secret));
    assert!(!format!("{registered:?}").contains(&secret));
    let again = stack.ferry(&arguments);
    assert!(String::from_utf8(again.stdout).unwrap().contains("stays good"));
    assert!(proves(stack.orgs().license_management().await.unwrap().as_ref(), vendor.parse().ok(), &secret));
    assert_eq!(stack.ferry(&["lmo-address", "--org", vendor, "--public-url", "http://ferry"]).status.code(), Some(2));
}

#[tokio::test]
async fn a_copy_is_released_by_the_operator_and_nothing_else_is() {
    let stack = Stack::set().await;
    let copy = "00D79000000exLEEAY";
    let seen = CopySeen { org_id: copy.parse().unwrap(), copy_of: ORG.parse().unwrap(), at: Clock::system().now() };
    assert!(stack.orgs().quarantine(&seen).await.unwrap());

    let output = stack.ferry(&["release", "--org", copy]);

    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown.contains(ORG), "{shown}");
    let released = stack.orgs().load(copy.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(released.state, OrgState::Claimed);
    for other in [copy, ORG, "00D5e000000KQ2fEAG"] {
        assert_eq!(stack.ferry(&["release", "--org", other]).status.code(), Some(2), "{other}");
    }
}
