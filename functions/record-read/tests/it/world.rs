//! A simulated org with a connected team and a connected rep, state of its own on the emulator, and the function between.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use jiff::Timestamp;
use local::Emulator;
use org_simulator::{Options, Simulator};
use record_read::{Deps, router};
use runtime::invoke::Invoke;
use runtime::token_broker::{self, Answer, Token, TokenBroker};
use salesforce::{ApiVersion, BoxFuture, Clock, HostPolicy, Http, ObjectName, OrgId, Patience, Record};
use serde_json::{Value, json};
use store::{
    Activate, Budgets, Change, Connected, ConnectionId, ConnectionKind, ConnectionState, Connections, Cursors,
    Environment, Orgs, Pipelines, Records, SecretHash,
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

/// A token broker that has a session for each connection.
struct Broker {
    simulator: Arc<Simulator>,
    usernames: [String; 2],
}

impl Invoke for Broker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, runtime::Error>> {
        let Ok(token_broker::Request::AccessToken(wanted)) = serde_json::from_slice(&payload) else {
            panic!("another request")
        };
        let username = &self.usernames[usize::from(!wanted.connection_id.is_team())];
        let access_token = self.simulator.access_token(username).unwrap().into();
        let answer = Answer::Token(Token { access_token, instance_url: self.simulator.url().to_owned() });
        Box::pin(async move { Ok(serde_json::to_vec(&answer).unwrap()) })
    }
}

/// What a test plays with.
pub(crate) struct World {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) deps: Arc<Deps>,
    pub(crate) org: OrgId,
    pub(crate) admin: org_simulator::User,
    pub(crate) rep: org_simulator::User,
}

impl World {
    /// With an active org, a team connection and the rep's.
    pub(crate) async fn new() -> Self {
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.unwrap() }).await;
        let tables = emulator.create_tables(&local::unique_prefix()).await.unwrap();
        let dynamodb = || aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let start: Timestamp = START.parse().unwrap();
        let options = Options { clock: org_simulator::Clock::manual(start), ..Options::default() };
        let simulator = Arc::new(Simulator::start(options).await.unwrap());
        let users = simulator.users();
        let admin = users.iter().find(|user| user.is_admin).unwrap().clone();
        let rep = users.iter().find(|user| !user.is_admin).unwrap().clone();
        let clock = Clock::manual(start);
        let usernames = [admin.username.clone(), rep.username.clone()];
        let broker = Broker { simulator: Arc::clone(&simulator), usernames };
        let deps = Deps {
            orgs: Orgs::new(dynamodb(), tables.name("orgs")),
            connections: Connections::new(dynamodb(), tables.name("connections")),
            cursors: Cursors::new(dynamodb(), tables.name("cursors")),
            records: Records::new(dynamodb(), tables.name("records")),
            pipelines: Pipelines::new(dynamodb(), tables.name("pipelines")),
            budgets: Budgets::new(dynamodb(), tables.name("budgets")),
            salesforce: salesforce_through(broker),
            clock,
        };
        let org = simulator.org_id().parse().unwrap();
        let world = Self { simulator, deps: Arc::new(deps), org, admin, rep };
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

    /// Ends the connection, and Ferry knows.
    pub(crate) async fn disconnect(&self, connection: &ConnectionId) {
        let (state, now) = (ConnectionState::Revoked, self.deps.clock.now());
        self.deps.connections.mark_state(self.org, connection, &state, now).await.unwrap();
    }

    /// The id of the rep's connection.
    pub(crate) fn reps(&self) -> ConnectionId {
        ConnectionId::personal(&REP.parse().unwrap())
    }

    /// Reads, on somebody's behalf.
    pub(crate) async fn get_as(&self, user: &str, path: &str) -> (StatusCode, Value) {
        self.get(&format!("{path}{}as={user}", if path.contains('?') { '&' } else { '?' })).await
    }

    /// Reads below the org.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.fetch(&format!("/v1/orgs/{}{path}", self.org)).await
    }

    /// Reads any path.
    pub(crate) async fn fetch(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(Arc::clone(&self.deps)).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        contract::check("GET", path, status, &body);
        (status, body)
    }

    /// Creates a record in the org; its id.
    pub(crate) fn create(&self, user: &org_simulator::User, object: &str, fields: Value) -> String {
        self.simulator.create_record(&user.username, object, fields.as_object().unwrap()).unwrap()
    }

    /// Creates an opportunity in the org; its id.
    pub(crate) fn opportunity(&self, user: &org_simulator::User, name: &str, stage: &str) -> String {
        let fields = json!({ "Name": name, "StageName": stage, "CloseDate": "2026-12-31" });
        self.create(user, "Opportunity", fields)
    }

    /// Puts a record into the mirror.
    pub(crate) async fn mirror(&self, object: &'static str, id: &str, fields: Value) {
        let record = Record {
            object: ObjectName::from_static(object),
            id: id.parse().unwrap(),
            fields: fields.as_object().unwrap().clone(),
        };
        let change = Change::Upsert { record, read_at: self.deps.clock.now() };
        self.deps.records.apply(self.org, &ObjectName::from_static(object), change).await.unwrap();
    }
}

fn salesforce_through(broker: Broker) -> runtime::Salesforce {
    let policy = HostPolicy::LoopbackToo;
    let patience = Patience { attempt: Duration::from_secs(5), total: Duration::from_millis(100) };
    let http = Http::new(policy, Clock::system()).unwrap().with_patience(patience);
    runtime::Salesforce::new(http, ApiVersion::DEFAULT, TokenBroker::new(broker, policy))
}
