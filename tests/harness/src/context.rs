//! The state of one test.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use local::emulator::{SdkConfig, State};
use org_simulator::{Features, Options, Simulator, User};
use runtime::{AppList, Aws, ConnectionManager, TokenBroker};
use salesforce::{ApiVersion, Clock, Condition, HostPolicy, Http, OrgId, Timeouts};
use secret_scan::SecretScan;
use serde_json::Value;
use store::{
    ActivationRequest, BindingRight, ConnectionId, ConnectionKind, ConnectionState, Connections, Consent, Environment,
    LeaseRequest, Orgs, SecretHash, UserRights,
};
use tokio::sync::OnceCell;

use crate::broker::{FakeBroker, set_connection_state};
use crate::kill::Proxies;

static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// The time at which a test with a manual clock starts.
const START: &str = "2026-11-22T10:00:00Z";
/// The platform's id of the rep.
pub const REP: &str = "rep-1";
/// The id of an org without a working connection.
pub const DISCONNECTED: &str = "00D5e000000KQ2eEAG";

/// A simulated org, tables and queues on the emulator, and a token broker, all for one test.
pub struct TestContext {
    /// The simulated org.
    pub simulator: Arc<Simulator>,
    /// Its id.
    pub org: OrgId,
    /// The user of the team connection.
    pub admin: User,
    /// The user of the rep's connection.
    pub rep: User,
    /// Ferry's clock.
    pub clock: Clock,
    /// The `orgs` table.
    pub orgs: Orgs,
    /// The `connections` table.
    pub connections: Connections,
    /// The Salesforce client, with access tokens from a fake broker.
    pub salesforce: runtime::Salesforce,
    /// The configuration of AWS SDK clients.
    pub(crate) sdk: SdkConfig,
    pub(crate) state: State,
    dead: Arc<Mutex<HashSet<ConnectionId>>>,
    broker: FakeBroker,
    held: Arc<Mutex<HashMap<ConnectionId, String>>>,
    pub(crate) proxies: Option<Proxies>,
    pub(crate) scan: SecretScan,
}

/// The path of the function's requests to AWS and Salesforce.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Direct,
    /// Through proxies, at which [`TestContext::killed_at`] kills the function.
    Proxied,
}

/// Fails the test if a token of the org was logged.
impl Drop for TestContext {
    fn drop(&mut self) {
        for secret in self.simulator.secrets() {
            self.scan.forbid(secret);
        }
    }
}

impl TestContext {
    /// Creates an org with sample records that is not stored in `orgs`. Clocks show the machine's time.
    pub async fn new() -> Self {
        Self::unconnected(Network::Direct).await
    }

    /// As [`TestContext::new`], for [`TestContext::killed_at`].
    pub async fn new_killable() -> Self {
        Self::unconnected(Network::Proxied).await
    }

    async fn unconnected(network: Network) -> Self {
        Self::with(Clock::system(), Options::default(), network, Http::new).await
    }

    /// Creates an active org with a team connection and the rep's. Only the test advances the clocks.
    pub async fn connected() -> Self {
        Self::connected_over(Network::Direct, Features::default()).await
    }

    /// As [`TestContext::connected`], for [`TestContext::killed_at`].
    pub async fn connected_killable() -> Self {
        Self::connected_over(Network::Proxied, Features::default()).await
    }

    /// As [`TestContext::connected`], of an org with these features.
    pub async fn connected_with(features: Features) -> Self {
        Self::connected_over(Network::Direct, features).await
    }

    async fn connected_over(network: Network, features: Features) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let timeouts =
            Timeouts { attempt: Duration::from_secs(5), total: Duration::from_millis(100), ..Timeouts::default() };
        let http = |policy, _| Ok(Http::new(policy, Clock::system())?.with_timeouts(timeouts));
        let options = Options { clock: org_simulator::Clock::manual(start), features, ..Options::default() };
        let context = Self::with(Clock::manual(start), options, network, http).await;
        context.activate(context.org).await;
        context.connect(ConnectionKind::Team).await;
        context.connect(context.reps()).await;
        context
    }

    async fn with(
        clock: Clock,
        options: Options,
        network: Network,
        http: impl FnOnce(HostPolicy, Clock) -> Result<Http, salesforce::Error>,
    ) -> Self {
        let scan = secret_scan::start();
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.expect("the emulator") }).await;
        let state = emulator.create_state(&local::unique_prefix()).await.expect("state");
        let simulator = Arc::new(Simulator::start(options).await.unwrap());
        let users = simulator.users();
        let admin = users.iter().find(|user| user.is_admin).unwrap().clone();
        let rep = users.iter().find(|user| !user.is_admin).unwrap().clone();
        let proxies = match network {
            Network::Direct => None,
            Network::Proxied => Some(Proxies::start(emulator, &simulator).await),
        };
        let direct = emulator.sdk_config();
        let sdk = proxies.as_ref().map_or_else(|| direct.clone(), |proxies| proxies.sdk_config(direct));
        let instance_url = proxies.as_ref().map_or_else(|| simulator.url(), Proxies::instance_url).to_owned();
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let connections = Connections::new(dynamodb.clone(), state.tables.name("connections"));
        let dead = Arc::new(Mutex::new(HashSet::new()));
        let held = Arc::default();
        let broker = FakeBroker {
            simulator: Arc::clone(&simulator),
            instance_url,
            connections: connections.clone(),
            clock: clock.clone(),
            usernames: [admin.username.clone(), rep.username.clone()],
            dead: Arc::clone(&dead),
            apps: Arc::default(),
            held: Arc::clone(&held),
            blocked: Arc::default(),
            is_silent_to_reports: Arc::default(),
        };
        let policy = HostPolicy::LoopbackToo;
        let http = http(policy, clock.clone()).expect("TLS");
        Self {
            org: simulator.org_id().parse().unwrap(),
            orgs: Orgs::new(dynamodb, state.tables.name("orgs")),
            salesforce: runtime::Salesforce::new(
                http,
                ApiVersion::DEFAULT,
                TokenBroker::new(broker.clone(), policy, clock.clone()),
            ),
            broker,
            simulator,
            admin,
            rep,
            clock,
            connections,
            sdk,
            state,
            dead,
            held,
            proxies,
            scan,
        }
    }

    /// Returns the AWS clients, as a function's `main` has them.
    pub fn aws(&self) -> Aws {
        Aws::new(self.sdk.clone(), self.clock.clone())
    }

    /// Returns a client for the tables.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk)
    }

    /// Returns a client for the queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk)
    }

    /// Returns a client for the queues of another server, at whose requests [`TestContext::killed_at`] kills the function too.
    pub async fn sqs_at(&self, url: &str) -> aws_sdk_sqs::Client {
        let url = match &self.proxies {
            Some(proxies) => proxies.beside(url).await,
            None => url.to_owned(),
        };
        aws_sdk_sqs::Client::new(&self.sdk.to_builder().endpoint_url(url).build())
    }

    /// Returns a client that lists the apps, of which there are none until [`TestContext::register`].
    pub fn apps(&self) -> AppList {
        AppList::new(self.broker.clone(), self.clock.clone())
    }

    /// Returns a client that revokes connections.
    pub fn connection_manager(&self) -> ConnectionManager {
        ConnectionManager::new(self.broker.clone())
    }

    /// Registers apps with these names, the newest last.
    pub fn register(&self, names: &[&str]) {
        let app = |name: &&str| serde_json::json!({ "name": name, "client_id": name });
        let apps = names.iter().map(|name| serde_json::from_value(app(name)).unwrap());
        *self.broker.apps.lock().unwrap() = apps.collect();
    }

    /// Returns the physical name of a table.
    pub fn table(&self, noun: &str) -> String {
        self.state.tables.name(noun)
    }

    /// Returns the URL of a queue by its logical id in the template.
    pub fn queue_url(&self, logical_id: &str) -> String {
        self.state.physical(logical_id).unwrap().to_owned()
    }

    /// Returns the name of a bucket by its logical id in the template.
    pub fn bucket(&self, logical_id: &str) -> &str {
        self.state.physical(logical_id).unwrap()
    }

    /// Returns the number of visible and of delayed messages in a queue.
    pub async fn waiting(&self, logical_id: &str) -> (usize, usize) {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed};
        let (visible, delayed) = (ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed);
        let request = self.sqs().get_queue_attributes().queue_url(self.queue_url(logical_id));
        let request = request.attribute_names(visible.clone()).attribute_names(delayed.clone());
        let counts = request.send().await.unwrap().attributes.unwrap_or_default();
        let count = |name| counts.get(name).map_or(0, |count| count.parse().unwrap());
        (count(&visible), count(&delayed))
    }

    /// Stores an org as active.
    pub async fn activate(&self, org_id: OrgId) {
        let now = self.clock.now();
        let webhook_secret = SecretHash { sha256: "0".repeat(64), created_at: now };
        let tenant = "acme".parse().unwrap();
        let (right, environment, my_domain_url) = (BindingRight::Unowned, Environment::Production, None);
        let activate = ActivationRequest { org_id, tenant, right, environment, my_domain_url, webhook_secret, now };
        self.orgs.activate(&activate).await.unwrap();
    }

    /// Stores a connection of the team or of the rep.
    pub async fn connect(&self, kind: ConnectionKind) {
        let rights =
            (kind == ConnectionKind::Team).then(|| UserRights { administrator: true, limited_objects: Vec::new() });
        self.connect_as("acme", kind, rights).await;
    }

    /// Stores a tenant's connection of the team or of the rep, whose user has these rights.
    pub async fn connect_as(&self, tenant: &str, kind: ConnectionKind, rights: Option<UserRights>) {
        self.dead.lock().unwrap().remove(&kind.connection_id());
        let user = if kind == ConnectionKind::Team { &self.admin } else { &self.rep };
        let now = self.clock.now();
        let consent = Consent {
            org_id: self.org,
            kind,
            tenant: tenant.parse().unwrap(),
            user_id: user.id.parse().unwrap(),
            app: "v2".to_owned(),
            login_url: self.simulator.url().to_owned(),
            instance_url: self.simulator.url().to_owned(),
            granted_at: now,
            username: None,
            rights,
        };
        let owner = "harness".to_owned();
        let request = LeaseRequest { owner, now, length: SignedDuration::from_secs(40), seen_fence: None };
        let reserved = self.connections.reserve(&consent, &request).await.unwrap();
        let version = "0".repeat(32).parse().unwrap();
        self.connections.connect(&consent, &version, &reserved.lease, now).await.unwrap();
    }

    /// Revokes a connection in Ferry's table.
    pub async fn disconnect(&self, connection: &ConnectionId) {
        let (state, now) = (ConnectionState::Revoked, self.clock.now());
        set_connection_state(&self.connections, self.org, connection, &state, now).await;
    }

    /// Revokes a connection at Salesforce. The next request for its token finds out.
    pub fn kill(&self, connection: &ConnectionId) {
        self.dead.lock().unwrap().insert(connection.clone());
    }

    /// Puts a connection into a condition that only a person ends. The next request for its token finds out.
    pub fn block(&self, connection: &ConnectionId, condition: Condition) {
        self.broker.blocked.lock().unwrap().insert(connection.clone(), condition);
    }

    /// Ends the condition of a connection, as a person and the next refresh do.
    pub async fn unblock(&self, connection: &ConnectionId) {
        let condition = self.broker.blocked.lock().unwrap().remove(connection).expect("it is blocked");
        let now = self.clock.now();
        self.connections.clear_condition(self.org, connection, condition, now).await.unwrap();
    }

    /// Lets the broker ask for reports of accepted sessions, and never respond to one.
    pub fn never_respond_to_reports(&self) {
        self.broker.is_silent_to_reports.store(true, Ordering::Relaxed);
    }

    /// Revokes the rep's grant at Salesforce, which ends all sessions: the one that the function remembers, and another one that
    /// the broker holds because a second function has refreshed the connection meanwhile.
    pub fn revoke_reps_grant_after_a_refresh(&self) {
        let connection = self.reps().connection_id();
        let token = self.simulator.access_token(&self.rep.username).unwrap();
        self.held.lock().unwrap().insert(connection.clone(), token);
        self.kill(&connection);
        self.simulator.revoke_grants(&self.rep.username).unwrap();
    }

    /// Makes the rep's connection one of this user's. The rep must not have called Salesforce yet.
    pub fn connect_rep_as(&self, user: &User) {
        self.hold(self.reps().connection_id(), user);
    }

    /// Makes the team's connection one of this user's. The team must not have called Salesforce yet.
    pub fn connect_team_as(&self, user: &User) {
        self.hold(ConnectionId::team(), user);
    }

    fn hold(&self, connection: ConnectionId, user: &User) {
        let token = self.simulator.access_token(&user.username).unwrap();
        self.held.lock().unwrap().insert(connection, token);
    }

    /// Returns the kind of the rep's connection.
    pub fn reps(&self) -> ConnectionKind {
        ConnectionKind::Personal { platform_user: REP.parse().unwrap() }
    }

    /// Advances the clocks of Ferry and of the org.
    pub fn pass(&self, span: SignedDuration) {
        self.clock.advance(span);
        self.simulator.advance_clock(span);
    }

    /// Creates a record in the org and returns its id.
    pub fn create(&self, user: &User, object: &str, fields: &Value) -> String {
        self.simulator.create_record(&user.username, object, fields.as_object().unwrap()).unwrap()
    }

    /// Updates a record in the org.
    pub fn update(&self, object: &str, id: &str, fields: &Value) {
        self.simulator.update_record(&self.admin.username, object, id, fields.as_object().unwrap()).unwrap();
    }

    /// Moves a record to the org's recycle bin.
    pub fn delete(&self, object: &str, id: &str) {
        self.simulator.delete_record(&self.admin.username, object, id).unwrap();
    }

    /// Returns the number of live records of an object in the org.
    pub fn count_in_org(&self, object: &str) -> usize {
        self.simulator.record_counts().get(object).copied().unwrap_or_default()
    }

    /// Returns the number of calls to the org by path.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for request in self.simulator.request_log() {
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            *calls.entry(path.trim_start_matches("/services/data/v66.0/").to_owned()).or_default() += 1;
        }
        calls
    }
}
