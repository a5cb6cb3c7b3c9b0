//! A stack in an emulated account, and `ferry` run against it.

use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use aws_sdk_secretsmanager::Client as SecretsManager;
use jiff::SignedDuration;
use local::Emulator;
use local::emulator::{REGION, State};
use salesforce::Clock;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::org_settings::Author;
use store::{
    ActivationRequest, Audits, BindingRight, ConnectionKind, Connections, Consent, Cursors, Deliveries, Environment,
    LeaseRequest, Org, OrgSettingsTable, Orgs, Records, SecretHash, SettingsChange,
};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// Runs a test on the shared runtime.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

/// The only org of the stack.
pub(crate) const ORG: &str = "00D5e000000KQ2eEAG";

/// A stack with an org whose team is on `v1` and whose rep is on `v2`.
pub(crate) struct Stack {
    emulator: &'static Emulator,
    state: State,
    pub(crate) name: String,
    apps: String,
}

impl Stack {
    pub(crate) async fn create() -> Self {
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.unwrap() }).await;
        let name = local::unique_prefix();
        let state: State = emulator.create_state(&name).await.unwrap();
        let apps = state.physical("AppsSecret").unwrap().to_owned();
        let registrations = json!({ "apps": [
            { "name": "v1", "client_id": "1", "client_secret": "hush-1" },
            { "name": "v2", "client_id": "2", "client_secret": "hush-2", "install_url_production": "https://login/p" },
        ]});
        let stack = Self { emulator, state, name, apps };
        let put = stack.secrets().put_secret_value().secret_id(&stack.apps);
        put.secret_string(registrations.to_string()).send().await.unwrap();
        stack.connect().await;
        stack
    }

    async fn connect(&self) {
        let dynamodb = self.dynamodb();
        let (org_id, now) = (ORG.parse().unwrap(), Clock::system().now());
        let webhook_secret = SecretHash { sha256: "0".repeat(64), created_at: now };
        let tenant = "acme".parse().unwrap();
        let (right, environment, my_domain_url) = (BindingRight::Unowned, Environment::Production, None);
        let activate = ActivationRequest { org_id, tenant, right, environment, my_domain_url, webhook_secret, now };
        Orgs::new(dynamodb.clone(), self.state.tables.name("orgs")).activate(&activate).await.unwrap();
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
                rights: None,
            };
            let connections = Connections::new(dynamodb.clone(), self.state.tables.name("connections"));
            let (owner, length) = ("test".to_owned(), SignedDuration::from_secs(40));
            let request = LeaseRequest { owner, now, length, seen_fence: None };
            let reserved = connections.reserve(&consent, &request).await.unwrap();
            let version = "0".repeat(32).parse().unwrap();
            connections.connect(&consent, &version, &reserved.lease, now).await.unwrap();
        }
    }

    pub(crate) fn orgs(&self) -> Orgs {
        Orgs::new(self.dynamodb(), self.state.tables.name("orgs"))
    }

    /// Returns the stack's org.
    pub(crate) async fn org(&self) -> Org {
        self.orgs().load(ORG.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Deletes the rows of the org's connections.
    pub(crate) async fn forget_connections(&self) {
        let connections = Connections::new(self.dynamodb(), self.state.tables.name("connections"));
        for connection in connections.list(ORG.parse().unwrap()).await.unwrap() {
            assert!(connections.forget(&connection).await.unwrap());
        }
    }

    pub(crate) fn audits(&self) -> Audits {
        Audits::new(self.dynamodb(), self.state.tables.name("audits"))
    }

    pub(crate) fn cursors(&self) -> Cursors {
        Cursors::new(self.dynamodb(), self.state.tables.name("cursors"))
    }

    pub(crate) fn records(&self) -> Records {
        Records::new(self.dynamodb(), self.state.tables.name("records"))
    }

    /// Stores the settings of the org.
    pub(crate) async fn set(&self, settings: Value) {
        let settings = serde_json::from_value(settings).unwrap();
        let change = SettingsChange { seen: 0, settings, author: Author::Platform };
        let table = OrgSettingsTable::new(self.dynamodb(), self.state.tables.name("org_settings"));
        table.store(ORG.parse().unwrap(), change, Clock::system().now()).await.unwrap();
    }

    pub(crate) fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.dynamodb(), self.state.tables.name("deliveries"))
    }

    /// Stores an object in the bucket of failed batches.
    pub(crate) async fn store_failed_batch(&self, key: &str, object: &str) {
        let bucket = self.state.physical("FailedEvents").unwrap();
        let put = self.s3().put_object().bucket(bucket).key(key);
        put.body(object.as_bytes().to_vec().into()).send().await.unwrap();
    }

    /// Returns a client for the queues.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.emulator.sdk_config())
    }

    /// Returns the URL of a queue by its logical id in the template.
    pub(crate) fn queue_url(&self, queue: &str) -> &str {
        self.state.physical(queue).unwrap()
    }

    /// Receives and deletes all messages of a queue.
    pub(crate) async fn drain<T: DeserializeOwned>(&self, queue: &str) -> Vec<T> {
        let (sqs, url, mut bodies) = (self.sqs(), self.queue_url(queue), Vec::new());
        loop {
            let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(0);
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                bodies.push(serde_json::from_str(message.body().unwrap()).unwrap());
                sqs.delete_message()
                    .queue_url(url)
                    .receipt_handle(message.receipt_handle.unwrap())
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(self.emulator.sdk_config())
    }

    fn secrets(&self) -> SecretsManager {
        SecretsManager::new(self.emulator.sdk_config())
    }

    pub(crate) async fn registrations(&self) -> Value {
        let secret = self.secrets().get_secret_value().secret_id(&self.apps).send().await.unwrap();
        serde_json::from_str(&secret.secret_string.unwrap()).unwrap()
    }

    /// Returns the keys of the bucket of failed batches.
    pub(crate) async fn failed_batches(&self) -> Vec<String> {
        let listed = self.s3().list_objects_v2().bucket(self.state.physical("FailedEvents").unwrap()).send().await;
        listed.unwrap().contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect()
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(self.emulator.sdk_config()).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    pub(crate) fn ferry(&self, arguments: &[&str]) -> Output {
        self.ferry_with(arguments, &[])
    }

    /// Runs a command with variables of its environment.
    pub(crate) fn ferry_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        self.command(arguments, environment).output().unwrap()
    }

    /// Returns a command with variables of its environment, not run yet.
    pub(crate) fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
        command.args(arguments).args(["--stack", &self.name]).env("AWS_ENDPOINT_URL", self.emulator.endpoint());
        command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed, and returns its output.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.ferry(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.as_str()), (Some(0), ""), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail, and returns its exit code and error.
    pub(crate) fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.ferry(arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Runs a command with `--json` that must succeed, and returns its output.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(&[arguments, &["--json"]].concat())).unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        self.json(&["upgrade", "status"])
    }
}
