//! A simulated org with a connected team and a connected rep, state of its own on the emulator, and the function between.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use note_write::{NoteWork, router};
use org_simulator::{Options, Simulator};
use runtime::invoke::Invoke;
use runtime::token_broker::{self, Answer, Refusal, RefusalCode, RetryHint, Token, TokenBroker, TokenWanted};
use runtime::writes::{Deps, handle};
use salesforce::{ApiVersion, BoxFuture, Clock, HostPolicy, Http, OrgId, Patience};
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;
use store::{
    Activate, Budgets, Connected, ConnectionId, ConnectionKind, ConnectionState, Connections, Environment, Orgs, Queue,
    SecretHash, Write, Writes,
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
    /// An account of the org.
    pub(crate) account: String,
    /// An opportunity of that account.
    pub(crate) opportunity: String,
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
        let queue_url = state.physical("NoteWriteQueue").unwrap().to_owned();
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
        let (account, opportunity) = records(&simulator, &rep.username);
        let queue = (sqs, queue_url);
        let world = Self { simulator, deps: Arc::new(deps), org, admin, rep, account, opportunity, queue, dead };
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

    /// The rep's connection.
    pub(crate) fn reps(&self) -> ConnectionKind {
        ConnectionKind::Personal { platform_user: REP.parse().unwrap() }
    }

    /// Asks for a note about the account and the opportunity.
    pub(crate) async fn create(&self, acting: Option<&str>, key: &str, text: &str) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/notes{query}", self.org);
        let body = json!({ "title": "Call", "text": text, "links": [self.account, self.opportunity] });
        self.send("POST", &path, Some(key), body).await
    }

    /// Reads a note back.
    pub(crate) async fn read(&self, acting: Option<&str>, id: &Value) -> (StatusCode, Value) {
        let query = acting.map(|user| format!("?as={user}")).unwrap_or_default();
        let path = format!("/v1/orgs/{}/notes/{}{query}", self.org, id.as_str().unwrap());
        self.send("GET", &path, None, Value::Null).await
    }

    /// Changes a note.
    pub(crate) async fn change(&self, id: &Value, key: Option<&str>, body: Value) -> (StatusCode, Value) {
        let path = format!("/v1/orgs/{}/notes/{}", self.org, id.as_str().unwrap());
        self.send("PATCH", &path, key, body).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Value) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = router(Arc::clone(&self.deps)).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        contract::check(method, path, status, &body);
        (status, body)
    }

    /// What the ledger says about a write.
    pub(crate) async fn ledger(&self, write_id: &Value) -> Write {
        let id = write_id.as_str().unwrap().parse().unwrap();
        self.deps.writes.load(self.org, id).await.unwrap().unwrap()
    }

    /// Hands the queued write to the function; whether it has to come again.
    pub(crate) async fn work(&self, write_id: &Value) -> bool {
        let task = json!({ "org_id": self.org, "write_id": write_id });
        let event = json!({ "Records": [{ "messageId": "1", "body": task.to_string() }] });
        let event: SqsEvent = serde_json::from_value(event).unwrap();
        !handle::<NoteWork>(&self.deps, event).await.unwrap().failed.is_empty()
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

    /// How many notes the org has.
    pub(crate) fn notes(&self) -> usize {
        self.simulator.record_counts().get("ContentDocument").copied().unwrap_or_default()
    }
}

fn records(simulator: &Simulator, username: &str) -> (String, String) {
    let create =
        |object, fields: Value| simulator.create_record(username, object, fields.as_object().unwrap()).unwrap();
    let account = create("Account", json!({ "Name": "Acme" }));
    let deal = json!({ "Name": "Deal", "AccountId": account, "StageName": "Prospecting", "CloseDate": "2026-12-31" });
    let opportunity = create("Opportunity", deal);
    (account, opportunity)
}

fn salesforce_through(broker: Broker) -> runtime::Salesforce {
    let policy = HostPolicy::LoopbackToo;
    let patience = Patience { attempt: Duration::from_secs(5), total: Duration::from_millis(100) };
    let http = Http::new(policy, Clock::system()).unwrap().with_patience(patience);
    runtime::Salesforce::new(http, ApiVersion::DEFAULT, TokenBroker::new(broker, policy))
}
