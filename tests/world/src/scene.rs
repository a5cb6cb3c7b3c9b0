//! The org, the state and the sessions of one test.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use local::emulator::State;
use org_simulator::{Options, Simulator, User};
use runtime::TokenBroker;
use salesforce::{ApiVersion, Clock, HostPolicy, Http, OrgId, Patience};
use serde_json::Value;
use silence::Silence;
use store::{
    Activate, Apps, ConnectionId, ConnectionKind, ConnectionState, Connections, Consent, Environment, LeaseRequest,
    Orgs, SecretHash,
};
use tokio::sync::OnceCell;

use crate::broker::Broker;

static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// When a test with a clock of its own begins.
const START: &str = "2026-11-22T10:00:00Z";
/// The rep, as the platform calls them.
pub const REP: &str = "rep-1";
/// An org that has to be connected again.
pub const DISCONNECTED: &str = "00D5e000000KQ2eEAG";

/// What a test plays with.
pub struct World {
    /// The org.
    pub simulator: Arc<Simulator>,
    /// Its id.
    pub org: OrgId,
    /// Whose session the team's connection has.
    pub admin: User,
    /// Whose session the rep's connection has.
    pub rep: User,
    /// Ferry's clock.
    pub clock: Clock,
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// The way to Salesforce, with the sessions of the org.
    pub salesforce: runtime::Salesforce,
    emulator: &'static Emulator,
    state: State,
    dead: Arc<Mutex<HashSet<ConnectionId>>>,
    silence: Silence,
}

/// Nothing that the org gave out may have been logged or told.
impl Drop for World {
    fn drop(&mut self) {
        for secret in self.simulator.secrets() {
            self.silence.note(secret);
        }
    }
}

impl World {
    /// An org with its seed that Ferry knows nothing of, in the machine's time.
    pub async fn new() -> Self {
        Self::with(Clock::system(), org_simulator::Clock::default(), Http::new).await
    }

    /// An active org with a team connection and the rep's, at a time that only the test moves.
    pub async fn connected() -> Self {
        let start: Timestamp = START.parse().unwrap();
        let patience = Patience { attempt: Duration::from_secs(5), total: Duration::from_millis(100) };
        let http = |policy, _| Ok(Http::new(policy, Clock::system())?.with_patience(patience));
        let world = Self::with(Clock::manual(start), org_simulator::Clock::manual(start), http).await;
        world.activate(world.org).await;
        world.connect(ConnectionKind::Team).await;
        world.connect(world.reps()).await;
        world
    }

    async fn with(
        clock: Clock,
        orgs_clock: org_simulator::Clock,
        http: impl FnOnce(HostPolicy, Clock) -> Result<Http, salesforce::Error>,
    ) -> Self {
        let silence = silence::listen();
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.expect("the emulator") }).await;
        let state = emulator.create_state(&local::unique_prefix()).await.expect("state");
        let simulator = Simulator::start(Options { clock: orgs_clock, ..Options::default() }).await.unwrap();
        let simulator = Arc::new(simulator);
        let users = simulator.users();
        let admin = users.iter().find(|user| user.is_admin).unwrap().clone();
        let rep = users.iter().find(|user| !user.is_admin).unwrap().clone();
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
        let policy = HostPolicy::LoopbackToo;
        let http = http(policy, clock.clone()).expect("TLS");
        Self {
            org: simulator.org_id().parse().unwrap(),
            orgs: Orgs::new(dynamodb, state.tables.name("orgs")),
            salesforce: runtime::Salesforce::new(http, ApiVersion::DEFAULT, TokenBroker::new(broker, policy)),
            simulator,
            admin,
            rep,
            clock,
            connections,
            emulator,
            state,
            dead,
            silence,
        }
    }

    /// A client for the tables.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(self.emulator.sdk_config())
    }

    /// A client for the queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.emulator.sdk_config())
    }

    /// A client for the bus.
    pub fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(self.emulator.sdk_config())
    }

    /// The bus that events are published on.
    pub fn bus_name(&self) -> String {
        self.state.physical("EventBus").unwrap().to_owned()
    }

    /// Subscribes a queue to all events, as the platform does; its URL.
    pub async fn subscribe(&self, name: &str) -> String {
        let (events, bus) = (self.eventbridge(), self.bus_name());
        let name = format!("{bus}-{name}");
        let queue = self.sqs().create_queue().queue_name(&name).send().await.unwrap();
        let rule = events.put_rule().name(&name).event_bus_name(&bus).event_pattern(r#"{"source":["ferry"]}"#);
        rule.send().await.unwrap();
        let target = aws_sdk_eventbridge::types::Target::builder().id("queue");
        let target = target.arn(format!("arn:aws:sqs:us-east-1:000000000000:{name}")).build().unwrap();
        events.put_targets().rule(&name).event_bus_name(&bus).targets(target).send().await.unwrap();
        queue.queue_url.unwrap()
    }

    /// Takes that many messages off a queue, in no order: waits for them as long as they take.
    pub async fn received(&self, queue_url: &str, count: usize) -> Vec<String> {
        let sqs = self.sqs();
        let mut bodies = Vec::with_capacity(count);
        while bodies.len() < count {
            let receive = sqs.receive_message().queue_url(queue_url).max_number_of_messages(10).wait_time_seconds(1);
            for message in receive.send().await.unwrap().messages.unwrap_or_default() {
                let handle = message.receipt_handle.unwrap();
                sqs.delete_message().queue_url(queue_url).receipt_handle(handle).send().await.unwrap();
                bodies.push(message.body.unwrap());
            }
        }
        bodies
    }

    /// The app registrations: none, until [`World::register`].
    pub fn apps(&self) -> Apps {
        Apps::new(self.secrets_manager(), self.state.physical("AppsSecret").unwrap(), self.clock.clone())
    }

    /// Registers apps of these names, the newest last.
    pub async fn register(&self, names: &[&str]) {
        let app = |name: &&str| serde_json::json!({ "name": name, "client_id": name, "client_secret": "unused" });
        let registrations = serde_json::json!({ "apps": names.iter().map(app).collect::<Vec<_>>() }).to_string();
        let secret = self.state.physical("AppsSecret").unwrap();
        let put = self.secrets_manager().put_secret_value().secret_id(secret).secret_string(registrations);
        put.send().await.unwrap();
    }

    fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(self.emulator.sdk_config())
    }

    /// The name of a table.
    pub fn table(&self, noun: &str) -> String {
        self.state.tables.name(noun)
    }

    /// The URL of a queue, by its name in the template.
    pub fn queue_url(&self, logical_id: &str) -> String {
        self.state.physical(logical_id).unwrap().to_owned()
    }

    /// How many messages wait in a queue: those that can be received, and those that are held back.
    pub async fn waiting(&self, logical_id: &str) -> (usize, usize) {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed};
        let (visible, delayed) = (ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed);
        let request = self.sqs().get_queue_attributes().queue_url(self.queue_url(logical_id));
        let request = request.attribute_names(visible.clone()).attribute_names(delayed.clone());
        let counts = request.send().await.unwrap().attributes.unwrap_or_default();
        let count = |name| counts.get(name).map_or(0, |count| count.parse().unwrap());
        (count(&visible), count(&delayed))
    }

    /// Makes an org active.
    pub async fn activate(&self, org_id: OrgId) {
        let now = self.clock.now();
        let webhook_secret = SecretHash { sha256: "0".repeat(64), created_at: now };
        let tenant = "acme".parse().unwrap();
        let activate = Activate { org_id, tenant, environment: Environment::Production, webhook_secret, now };
        self.orgs.activate(&activate).await.unwrap();
    }

    /// Connects the team or the rep.
    pub async fn connect(&self, kind: ConnectionKind) {
        self.dead.lock().unwrap().remove(&kind.connection_id());
        let user = if kind == ConnectionKind::Team { &self.admin } else { &self.rep };
        let now = self.clock.now();
        let consent = Consent {
            org_id: self.org,
            kind,
            tenant: "acme".parse().unwrap(),
            user_id: user.id.parse().unwrap(),
            app: "v2".to_owned(),
            login_url: self.simulator.url().to_owned(),
            instance_url: self.simulator.url().to_owned(),
            granted_at: now,
            username: None,
        };
        let owner = "world".to_owned();
        let request = LeaseRequest { owner, now, length: SignedDuration::from_secs(40), seen_fence: None };
        let reserved = self.connections.reserve(&consent, &request).await.unwrap();
        let version = "0".repeat(32).parse().unwrap();
        self.connections.connect(&consent, &version, &reserved.lease, now).await.unwrap();
    }

    /// Ends the connection, and Ferry knows.
    pub async fn disconnect(&self, connection: &ConnectionId) {
        let (state, now) = (ConnectionState::Revoked, self.clock.now());
        self.connections.mark_state(self.org, connection, &state, now).await.unwrap();
    }

    /// Ends the connection at Salesforce; Ferry does not know yet.
    pub fn kill(&self, connection: &ConnectionId) {
        self.dead.lock().unwrap().insert(connection.clone());
    }

    /// The rep's connection.
    pub fn reps(&self) -> ConnectionKind {
        ConnectionKind::Personal { platform_user: REP.parse().unwrap() }
    }

    /// Lets time pass, for Ferry and for the org.
    pub fn pass(&self, span: SignedDuration) {
        self.clock.advance(span);
        self.simulator.advance_clock(span);
    }

    /// Creates a record in the org; its id.
    pub fn create(&self, user: &User, object: &str, fields: &Value) -> String {
        self.simulator.create_record(&user.username, object, fields.as_object().unwrap()).unwrap()
    }

    /// Changes a record in the org.
    pub fn update(&self, object: &str, id: &str, fields: &Value) {
        self.simulator.update_record(&self.admin.username, object, id, fields.as_object().unwrap()).unwrap();
    }

    /// Moves a record to the org's recycle bin.
    pub fn delete(&self, object: &str, id: &str) {
        self.simulator.delete_record(&self.admin.username, object, id).unwrap();
    }

    /// How many live records of an object the org has.
    pub fn count_in_org(&self, object: &str) -> usize {
        self.simulator.record_counts().get(object).copied().unwrap_or_default()
    }

    /// How often each part of the org's API was called.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for request in self.simulator.request_log() {
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            *calls.entry(path.trim_start_matches("/services/data/v66.0/").to_owned()).or_default() += 1;
        }
        calls
    }
}
