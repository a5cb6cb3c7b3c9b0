//! A simulated org with a connected team and a connected rep, state of its own on the emulator, and the function between.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use org_simulator::{Options, Simulator};
use record_write::{Upsert, router};
use runtime::invoke::Invoke;
use runtime::token_broker::{self, Answer, Refusal, RefusalCode, RetryHint, Token, TokenBroker, TokenWanted};
use runtime::writes::{Deps, handle};
use salesforce::{ApiVersion, BoxFuture, Clock, HostPolicy, Http, OrgId, Patience};
use serde_json::{Map, Value, json};
use store::owner_policy::OwnerPolicy;
use store::{
    Activate, Budgets, Connected, ConnectionId, ConnectionKind, ConnectionState, Connections, Environment, Orgs, Queue,
    SecretHash, Writes,
};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::contract;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// When every test begins.
const START: &str = "2026-11-22T10:00:00Z";
/// The external id field that the package adds.
pub(crate) const KEY: &str = "Ferry_External_Id__c";
/// The rep, as the platform calls them.
pub(crate) const REP: &str = "rep-1";

/// Runs a test.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

/// A token broker that has a session for each living connection, and marks a dead one as the real broker does.
struct Broker {
    simulator: Arc<Simulator>,
    connections: Connections,
    clock: Clock,
    usernames: [String; 2],
    dead: Arc<Mutex<HashSet<ConnectionId>>>,
}

impl Broker {
    async fn answer(&self, wanted: TokenWanted) -> Answer {
        let (org, connection) = (wanted.org_id, wanted.connection_id);
        if self.dead.lock().unwrap().contains(&connection) {
            let state = ConnectionState::ReauthRequired { reason: "revoked".to_owned() };
            self.connections.mark_state(org, &connection, &state, self.clock.now()).await.unwrap();
            let refusal = Refusal {
                code: RefusalCode::ReauthRequired,
                reason: "revoked".to_owned(),
                retry: RetryHint::NeedsHuman,
            };
            return Answer::Refused(refusal);
        }
        let username = &self.usernames[usize::from(!connection.is_team())];
        let access_token = self.simulator.access_token(username).unwrap().into();
        Answer::Token(Token { access_token, instance_url: self.simulator.url().to_owned() })
    }
}

impl Invoke for Broker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        Box::pin(async move {
            let Ok(token_broker::Request::AccessToken(wanted)) = serde_json::from_slice(&payload) else {
                panic!("another request")
            };
            Ok(serde_json::to_vec(&self.answer(wanted).await).unwrap())
        })
    }
}

/// What a test plays with.
pub(crate) struct World {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) deps: Arc<Deps>,
    pub(crate) org: OrgId,
    pub(crate) admin: org_simulator::User,
    pub(crate) rep: org_simulator::User,
    queue: (aws_sdk_sqs::Client, String),
    dead: Arc<Mutex<HashSet<ConnectionId>>>,
}

impl World {
    /// With an active org, a team connection and the rep's.
    pub(crate) async fn new() -> Self {
        Self::with(OwnerPolicy::RepThenTeam).await
    }

    /// The same under another owner policy.
    pub(crate) async fn with(owner_policy: OwnerPolicy) -> Self {
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.unwrap() }).await;
        let state = emulator.create_state(&local::unique_prefix()).await.unwrap();
        let start: Timestamp = START.parse().unwrap();
        let options = Options { clock: org_simulator::Clock::manual(start), ..Options::default() };
        let simulator = Arc::new(Simulator::start(options).await.unwrap());
        let users = simulator.users();
        let admin = users.iter().find(|user| user.is_admin).unwrap().clone();
        let rep = users.iter().find(|user| !user.is_admin).unwrap().clone();
        let clock = Clock::manual(start);
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let connections = Connections::new(dynamodb.clone(), state.tables.name("connections"));
        let dead = Arc::new(Mutex::new(HashSet::new()));
        let broker = Broker {
            simulator: Arc::clone(&simulator),
            connections: connections.clone(),
            clock: clock.clone(),
            usernames: [admin.username.clone(), rep.username.clone()],
            dead: Arc::clone(&dead),
        };
        let sqs = aws_sdk_sqs::Client::new(emulator.sdk_config());
        let queue_url = state.physical("RecordWriteQueue").unwrap().to_owned();
        let deps = Deps {
            orgs: Orgs::new(dynamodb.clone(), state.tables.name("orgs")),
            connections,
            writes: Writes::new(dynamodb.clone(), state.tables.name("writes")),
            budgets: Budgets::new(dynamodb, state.tables.name("budgets")),
            queue: Queue::new(sqs.clone(), &queue_url, clock.clone()),
            salesforce: salesforce_through(broker),
            owner_policy,
            clock,
        };
        let org = simulator.org_id().parse().unwrap();
        let world = Self { simulator, deps: Arc::new(deps), org, admin, rep, queue: (sqs, queue_url), dead };
        world.activate().await;
        world.connect(ConnectionKind::Team).await;
        world.connect(ConnectionKind::Personal { platform_user: REP.parse().unwrap() }).await;
        world
    }

    async fn activate(&self) {
        let activate = Activate {
            org_id: self.org,
            tenant: "acme".parse().unwrap(),
            environment: Environment::Production,
            webhook_secret: SecretHash { sha256: "0".repeat(64), created_at: self.deps.clock.now() },
            now: self.deps.clock.now(),
        };
        self.deps.orgs.activate(&activate).await.unwrap();
    }

    /// Connects the team or the rep.
    pub(crate) async fn connect(&self, kind: ConnectionKind) {
        self.dead.lock().unwrap().remove(&kind.connection_id());
        let user = if kind == ConnectionKind::Team { &self.admin } else { &self.rep };
        let connected = Connected {
            org_id: self.org,
            kind,
            tenant: "acme".parse().unwrap(),
            user_id: user.id.parse().unwrap(),
            app: "v2".to_owned(),
            login_url: self.simulator.url().to_owned(),
            instance_url: self.simulator.url().to_owned(),
            token_version: "0".repeat(32).parse().unwrap(),
            now: self.deps.clock.now(),
        };
        self.deps.connections.upsert_connected(&connected).await.unwrap();
    }

    /// Ends the connection at Salesforce; Ferry does not know yet.
    pub(crate) fn kill(&self, connection: &ConnectionId) {
        self.dead.lock().unwrap().insert(connection.clone());
    }

    /// Ends the connection, and Ferry knows.
    pub(crate) async fn disconnect(&self, connection: &ConnectionId) {
        let (state, now) = (ConnectionState::Revoked, self.deps.clock.now());
        self.deps.connections.mark_state(self.org, connection, &state, now).await.unwrap();
    }

    /// The rep's connection.
    pub(crate) fn reps(&self) -> ConnectionKind {
        ConnectionKind::Personal { platform_user: REP.parse().unwrap() }
    }

    /// Asks for an upsert by the package's external id.
    pub(crate) async fn upsert(
        &self,
        object: &str,
        acting: Option<&str>,
        key: &str,
        records: Value,
    ) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/records/{object}{query}", self.org);
        self.post(&path, Some(key), json!({ "external_id_field": KEY, "records": records })).await
    }

    /// Posts a body.
    pub(crate) async fn post(&self, path: &str, key: Option<&str>, body: Value) -> (StatusCode, Value) {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Asks the ledger.
    pub(crate) async fn ledger(&self, write_id: &Value) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/writes/{}", self.org, write_id.as_str().unwrap());
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let response = router(Arc::clone(&self.deps)).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        contract::check(&method, &uri, status, &body);
        (status, body)
    }

    /// Hands the queued write to the function; whether it has to come again.
    pub(crate) async fn work(&self, write_id: &Value) -> bool {
        let task = json!({ "org_id": self.org, "write_id": write_id });
        let event = json!({ "Records": [{ "messageId": "1", "body": task.to_string() }] });
        let event: SqsEvent = serde_json::from_value(event).unwrap();
        !handle::<Upsert>(&self.deps, event).await.unwrap().failed.is_empty()
    }

    /// How many tasks are in the queue.
    pub(crate) async fn queued(&self) -> usize {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesDelayed as Delayed,
        };
        let (client, url) = &self.queue;
        let request = client.get_queue_attributes().queue_url(url).attribute_names(Visible).attribute_names(Delayed);
        let counts = request.send().await.unwrap().attributes.unwrap_or_default();
        counts.values().map(|count| count.parse::<usize>().unwrap()).sum()
    }

    /// Lets the deadline of a write pass.
    pub(crate) fn pass_a_minute(&self) {
        let minute = SignedDuration::from_secs(61);
        self.deps.clock.advance(minute);
        self.simulator.advance_clock(minute);
    }

    /// A record as the org has it.
    pub(crate) fn in_org(&self, object: &str, id: &Value) -> Map<String, Value> {
        self.simulator.record(object, id.as_str().unwrap()).unwrap()
    }

    /// How many records of an object the org has.
    pub(crate) fn count(&self, object: &str) -> usize {
        self.simulator.record_counts().get(object).copied().unwrap_or_default()
    }
}

fn salesforce_through(broker: Broker) -> runtime::Salesforce {
    let policy = HostPolicy::LoopbackToo;
    let patience = Patience { attempt: Duration::from_secs(5), total: Duration::from_millis(100) };
    let http = Http::new(policy, Clock::system()).unwrap().with_patience(patience);
    runtime::Salesforce::new(http, ApiVersion::DEFAULT, TokenBroker::new(broker, policy))
}
