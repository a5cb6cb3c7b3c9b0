//! A simulated org, tables of its own on the emulator, and the function between them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use aws_lambda_events::sqs::SqsEvent;
use local::Emulator;
use org_simulator::{Options, Simulator};
use record_upsert::fields::FieldCache;
use record_upsert::{Deps, handle};
use runtime::invoke::Invoke;
use runtime::token_broker::{Answer, Refusal, RefusalCode, Request, RetryHint, Token, TokenBroker};
use salesforce::{ApiVersion, BoxFuture, Clock, HostPolicy, Http, ObjectName, OrgId, RecordId};
use serde_json::{Map, Value, json};
use store::{Budgets, ChangeHint, Deliveries, DeliveryOutcome, MirrorRecord, Records};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// An org that has to be connected again.
pub(crate) const DISCONNECTED: &str = "00D5e000000KQ2eEAG";

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
    admin: String,
    sent: Mutex<u32>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.expect("the emulator") }).await;
        let tables = emulator.create_tables(&local::unique_prefix()).await.expect("tables");
        let simulator = Arc::new(Simulator::start(Options::default()).await.expect("the simulator"));
        let admin = simulator.users()[0].username.clone();
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let clock = Clock::system();
        let policy = HostPolicy::LoopbackToo;
        let broker = Broker { simulator: Arc::clone(&simulator), username: admin.clone() };
        let http = Http::new(policy, clock.clone()).expect("TLS");
        let deps = Deps {
            salesforce: runtime::Salesforce::new(http, ApiVersion::DEFAULT, TokenBroker::new(broker, policy)),
            records: Records::new(dynamodb.clone(), tables.name("records")),
            deliveries: Deliveries::new(dynamodb.clone(), tables.name("deliveries")),
            budgets: Budgets::new(dynamodb, tables.name("budgets")),
            clock,
            fields: FieldCache::default(),
        };
        let org = simulator.org_id().parse().expect("an org id");
        Self { simulator, deps, org, admin, sent: Mutex::new(0) }
    }

    /// Creates an Account in the org.
    pub(crate) fn account(&self, name: &str) -> RecordId {
        let id = self.simulator.create_record(&self.admin, "Account", &fields(&json!({ "Name": name })));
        id.expect("an account").parse().expect("an id")
    }

    /// Renames an Account in the org.
    pub(crate) fn rename(&self, id: RecordId, name: &str) {
        let fields = fields(&json!({ "Name": name }));
        self.simulator.update_record(&self.admin, "Account", id.as_str(), &fields).expect("an account");
    }

    /// Moves an Account to the org's recycle bin.
    pub(crate) fn delete(&self, id: RecordId) {
        self.simulator.delete_record(&self.admin, "Account", id.as_str()).expect("an account");
    }

    /// A hint that an Account of the org may have changed.
    pub(crate) fn hint(&self, record_id: RecordId) -> ChangeHint {
        self.hint_of(self.org, record_id)
    }

    /// A hint that an Account of some org may have changed. Each is of another notification.
    pub(crate) fn hint_of(&self, org_id: OrgId, record_id: RecordId) -> ChangeHint {
        let mut sent = self.sent.lock().expect("no panic");
        *sent += 1;
        ChangeHint {
            org_id,
            object: account(),
            record_id,
            notification_id: format!("04l5e000000{:04}", *sent).parse().expect("an id"),
            action_id: None,
            received_at: self.deps.clock.now(),
        }
    }

    /// Gives the function a batch; the indexes of the messages that come again.
    pub(crate) async fn receive(&self, hints: &[ChangeHint]) -> Vec<usize> {
        let answer = handle(&self.deps, batch(hints)).await.expect("an answer");
        answer.failed.iter().map(|id| id.parse().expect("an index")).collect()
    }

    /// The mirror's row.
    pub(crate) async fn mirrored(&self, id: RecordId) -> Option<MirrorRecord> {
        self.deps.records.load(self.org, &account(), id).await.expect("the mirror")
    }

    /// The name that the mirror shows.
    pub(crate) async fn mirrored_name(&self, id: RecordId) -> Option<String> {
        let row = self.mirrored(id).await?;
        row.fields.get("Name").and_then(Value::as_str).map(str::to_owned)
    }

    /// What the ledger says about a notification.
    pub(crate) async fn outcome(&self, hint: &ChangeHint) -> Option<DeliveryOutcome> {
        let delivery = self.deps.deliveries.load(hint.org_id, hint.notification_id).await.expect("the ledger");
        delivery.map(|delivery| delivery.outcome)
    }

    /// How often each part of the org's API was called.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for request in self.simulator.request_log() {
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            let part = path.trim_start_matches("/services/data/v66.0/").to_owned();
            *calls.entry(part).or_default() += 1;
        }
        calls
    }
}

/// The object of all tests.
pub(crate) fn account() -> ObjectName {
    ObjectName::from_static("Account")
}

/// A batch whose message ids are the hints' indexes.
pub(crate) fn batch(hints: &[ChangeHint]) -> SqsEvent {
    let message = |(index, hint): (usize, &ChangeHint)| json!({ "messageId": index.to_string(), "body": serde_json::to_string(hint).expect("JSON") });
    let records: Vec<Value> = hints.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({ "Records": records })).expect("a batch")
}

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}
