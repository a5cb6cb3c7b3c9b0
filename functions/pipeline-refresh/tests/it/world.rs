//! A simulated org, state of its own on the emulator, and the function between them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use org_simulator::{Options, Simulator};
use pipeline_refresh::{Deps, Event, Reply, handle};
use runtime::invoke::Invoke;
use runtime::token_broker::{Answer, Refusal, RefusalCode, Request, RetryHint, Token, TokenBroker};
use salesforce::{ApiVersion, BoxFuture, Clock, HostPolicy, Http, ObjectName, OrgId};
use serde_json::{Map, Value, json};
use store::records::RecordCount;
use store::{
    Activate, Budgets, Cursors, Environment, Orgs, Pipelines, Queue, Records, RefreshKind, RefreshTask, WebhookSecret,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// An org that has to be connected again.
pub(crate) const DISCONNECTED: &str = "00D5e000000KQ2eEAG";
pub(crate) const ACCOUNT: ObjectName = ObjectName::from_static("Account");

/// Runs a test.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

/// A token broker that has a session of the simulated org, and of no other.
struct Broker {
    simulator: Arc<Simulator>,
    username: String,
}

impl Invoke for Broker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        let Ok(Request::AccessToken(wanted)) = serde_json::from_slice(&payload) else { panic!("another request") };
        let answer = if wanted.org_id.as_str() == self.simulator.org_id() {
            let access_token = self.simulator.access_token(&self.username).expect("a session").into();
            Answer::Token(Token { access_token, instance_url: self.simulator.url().to_owned() })
        } else {
            let reason = "the grant has ended".to_owned();
            Answer::Refused(Refusal { code: RefusalCode::ReauthRequired, reason, retry: RetryHint::NeedsHuman })
        };
        Box::pin(async move { Ok(serde_json::to_vec(&answer).expect("JSON")) })
    }
}

/// What a test plays with.
pub(crate) struct World {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) deps: Deps,
    pub(crate) org: OrgId,
    pub(crate) admin: String,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl World {
    /// An org with its seed, of which nothing is mirrored.
    pub(crate) async fn new() -> Self {
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.expect("the emulator") }).await;
        let state = emulator.create_state(&local::unique_prefix()).await.expect("state");
        let (table, queue_url) =
            (|noun| state.tables.name(noun), state.physical("PipelineRefreshQueue").expect("a queue"));
        let simulator = Arc::new(Simulator::start(Options::default()).await.expect("the simulator"));
        let admin = simulator.users()[0].username.clone();
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let sqs = aws_sdk_sqs::Client::new(emulator.sdk_config());
        let clock = Clock::system();
        let policy = HostPolicy::LoopbackToo;
        let broker = Broker { simulator: Arc::clone(&simulator), username: admin.clone() };
        let http = Http::new(policy, clock.clone()).expect("TLS");
        let deps = Deps {
            salesforce: runtime::Salesforce::new(http, ApiVersion::DEFAULT, TokenBroker::new(broker, policy)),
            orgs: Orgs::new(dynamodb.clone(), table("orgs")),
            cursors: Cursors::new(dynamodb.clone(), table("cursors")),
            records: Records::new(dynamodb.clone(), table("records")),
            pipelines: Pipelines::new(dynamodb.clone(), table("pipelines")),
            budgets: Budgets::new(dynamodb, table("budgets")),
            tasks: Queue::new(sqs.clone(), queue_url, clock.clone()),
            mirrored_objects: ["Account", "Contact", "Lead", "Opportunity"]
                .map(|name| name.parse().expect("a name"))
                .into(),
            clock,
        };
        let org = simulator.org_id().parse().expect("an org id");
        Self { simulator, deps, org, admin, queue_url: queue_url.to_owned(), sqs }
    }

    /// Makes an org active.
    pub(crate) async fn activate(&self, org_id: OrgId) {
        let now = self.deps.clock.now();
        let tenant = "tenant-1".parse().expect("a tenant");
        let webhook_secret = WebhookSecret::generate(&mut rand::rng()).hash(now);
        let activate = Activate { org_id, tenant, environment: Environment::Production, webhook_secret, now };
        self.deps.orgs.activate(&activate).await.expect("an active org");
    }

    /// Creates a record in the org.
    pub(crate) fn create(&self, object: &str, fields: &Value) -> String {
        self.simulator.create_record(&self.admin, object, &object_of(fields)).expect("a record")
    }

    /// Makes a custom object with text fields.
    pub(crate) async fn define(&self, object: &str, fields: &[String]) {
        let fields: Vec<Value> = fields.iter().map(|name| json!({ "name": name })).collect();
        let body = json!({ "name": object, "fields": fields }).to_string();
        let host = self.simulator.url().trim_start_matches("http://");
        let head = format!("POST /_simulator/objects HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        let head = format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut simulator = TcpStream::connect(host).await.expect("the simulator");
        simulator.write_all((head + &body).as_bytes()).await.expect("sent");
        let mut answer = String::new();
        simulator.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Creates Accounts in the org.
    pub(crate) fn accounts(&self, count: usize) -> Vec<String> {
        (0..count).map(|n| self.create("Account", &json!({ "Name": format!("Account {n}") }))).collect()
    }

    /// Changes an Account in the org.
    pub(crate) fn rename(&self, id: &str, name: &str) {
        let fields = object_of(&json!({ "Name": name }));
        self.simulator.update_record(&self.admin, "Account", id, &fields).expect("an account");
    }

    /// Moves an Account to the org's recycle bin.
    pub(crate) fn delete(&self, id: &str) {
        self.simulator.delete_record(&self.admin, "Account", id).expect("an account");
    }

    /// A task asked for now.
    pub(crate) fn task(&self, kind: RefreshKind) -> RefreshTask {
        RefreshTask { org_id: self.org, kind, object: None, requested_at: self.deps.clock.now() }
    }

    /// Gives the function tasks, and all the time it needs; the indexes of those that come again.
    pub(crate) async fn work_on(&self, tasks: &[RefreshTask]) -> Vec<usize> {
        self.work_until(tasks, self.deps.clock.now() + SignedDuration::from_mins(15)).await
    }

    /// Gives the function tasks and a deadline.
    pub(crate) async fn work_until(&self, tasks: &[RefreshTask], deadline: Timestamp) -> Vec<usize> {
        let reply = handle(&self.deps, event(tasks), deadline).await.expect("a reply");
        let Reply::Tasks(answer) = reply else { panic!("the reply to a schedule") };
        answer.failed.iter().map(|id| id.parse().expect("an index")).collect()
    }

    /// Takes the tasks that wait in the queue.
    pub(crate) async fn queued(&self) -> Vec<RefreshTask> {
        let mut tasks = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(0).send().await.expect("the queue").messages.unwrap_or_default();
            if messages.is_empty() {
                return tasks;
            }
            for message in messages {
                tasks.push(serde_json::from_str(message.body().expect("a body")).expect("a task"));
                let delete = self.sqs.delete_message().queue_url(&self.queue_url);
                delete.receipt_handle(message.receipt_handle().expect("a handle")).send().await.expect("deleted");
            }
        }
    }

    /// How many tasks the queue holds back.
    pub(crate) async fn held_back(&self) -> usize {
        let delayed = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesDelayed;
        let asked = self.sqs.get_queue_attributes().queue_url(&self.queue_url).attribute_names(delayed.clone());
        let attributes = asked.send().await.expect("the queue").attributes.unwrap_or_default();
        attributes.get(&delayed).map_or(0, |count| count.parse().expect("a number"))
    }

    /// How many records of an object are mirrored.
    pub(crate) async fn count(&self, object: &ObjectName) -> RecordCount {
        self.deps.records.count(self.org, object).await.expect("the mirror")
    }

    /// Compares every Account of the org with the mirror.
    pub(crate) async fn assert_mirrored(&self, accounts: &[String]) {
        let in_org = self.simulator.record_counts().get("Account").copied().unwrap_or_default();
        assert_eq!(self.count(&ACCOUNT).await.live, in_org as u64);
        for id in accounts {
            let wanted = self.simulator.record("Account", id).expect("an account");
            let row = self.deps.records.load(self.org, &ACCOUNT, id.parse().expect("an id")).await.expect("the mirror");
            let row = row.unwrap_or_else(|| panic!("{id} is not mirrored"));
            if wanted["IsDeleted"] == json!(true) {
                assert!(row.deleted, "{id}");
            } else {
                assert_eq!((row.deleted, &row.fields["Name"]), (false, &wanted["Name"]), "{id}");
            }
        }
    }

    /// How often each part of the org's API was called.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for request in self.simulator.request_log() {
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            *calls.entry(path.trim_start_matches("/services/data/v66.0/").to_owned()).or_default() += 1;
        }
        calls
    }
}

/// An event whose message ids are the tasks' indexes.
pub(crate) fn event(tasks: &[RefreshTask]) -> Event {
    let message = |(index, task): (usize, &RefreshTask)| json!({ "messageId": index.to_string(), "body": serde_json::to_string(task).expect("JSON") });
    let records: Vec<Value> = tasks.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}

fn object_of(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}
