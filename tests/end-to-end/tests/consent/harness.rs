//! The state of one test: the functions with an emulated account, and simulated orgs.

use axum::Router;
use http::StatusCode;
use jiff::SignedDuration;
use local::Emulator;
use local::emulator::State;
use org_simulator::{OrgOptions, PermissionSet, Simulator};
use runtime::token_broker::Operation;
use runtime::{AppList, Aws, ConnectionManager, Env, Salesforce, TokenBroker};
use salesforce::{ApiVersion, Clock, HostPolicy, Http, OrgId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use store::{Connection, ConnectionId, ConnectionKind, ConnectionState};
use token_broker::TeamAccess;
use tokio::sync::OnceCell;

use crate::functions::{Broker, Onboarding};
use crate::log::Secrets;
use crate::visitor::{Page, Visitor, send};

pub(crate) const PUBLIC_URL: &str = "http://localhost:8580";
pub(crate) const CALLBACK: &str = "http://localhost:8580/oauth/callback";

static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

pub(crate) struct TestContext {
    /// The org that connects.
    pub(crate) org: Simulator,
    /// An org of another customer with the same login host.
    pub(crate) other_org: Simulator,
    pub(crate) clock: Clock,
    pub(crate) broker: token_broker::Deps,
    pub(crate) callback: oauth_callback::Deps,
    pub(crate) onboarding: onboarding::Deps,
    pub(crate) secrets: Secrets,
    public_url: String,
    /// The secret with the app registrations.
    apps: (aws_sdk_secretsmanager::Client, String),
}

/// A context whose pages are served on loopback, for browsers that are separate processes. The server stops when this is dropped.
pub(crate) struct Served {
    pub(crate) context: TestContext,
    _server: tokio::task::JoinSet<()>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with a change of the context.
    pub(crate) async fn start_with(change: impl FnOnce(&mut TestContext)) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Browsers accept `Secure` cookies of `localhost` without TLS.
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let mut context = TestContext::at(&url, Simulator::login_url).await;
        change(&mut context);
        let router = context.router();
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { context, _server: server }
    }

    /// Returns the URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.context.public_url)
    }
}

impl TestContext {
    /// Creates a context in which users log in as in production: at one host for all orgs.
    pub(crate) async fn new() -> Self {
        Self::signing_in_at(Simulator::login_url).await
    }

    /// Creates a context in which users log in at another host of the org.
    pub(crate) async fn signing_in_at(login: impl Fn(&Simulator) -> &str) -> Self {
        Self::at(PUBLIC_URL, login).await
    }

    async fn at(public_url: &str, login: impl Fn(&Simulator) -> &str) -> Self {
        let secrets = Secrets::listen();
        let emulator = EMULATOR.get_or_init(|| async { Emulator::start().await.unwrap() }).await;
        let prefix = local::unique_prefix();
        let state = emulator.create_state(&prefix).await.unwrap();
        let org = Simulator::start(org_simulator::Options::default()).await.unwrap();
        let other = OrgOptions { name: "other".to_owned(), ..OrgOptions::default() };
        let other_org = org.add_org(other).await.unwrap();
        org.add_app("Ferry", org.client_id(), org.client_secret(), &format!("{public_url}/oauth/callback"));
        secrets.note(org.client_secret());
        let clock = Clock::manual(Clock::system().now());
        let aws = Aws::new(emulator.sdk_config().clone(), clock.clone());
        register(&aws, &state, &org).await;
        let apps = (aws.secrets_manager(), state.physical("AppsSecret").unwrap().to_owned());
        let (prefix, login) = (prefix.clone(), login(&org).to_owned());
        let env = || environment(&state, &prefix, public_url, &login);
        let broker = token_broker::Config::from_env(&env()).unwrap();
        let broker = token_broker::Deps::new(&aws, broker).unwrap();
        let config = onboarding::Config::from_env(&env()).unwrap();
        let mut onboarding = onboarding::Deps::new(&aws, config).unwrap();
        let config = oauth_callback::Config::from_env(&env()).unwrap();
        let mut callback = oauth_callback::Deps::new(&aws, config);
        let manager = Broker::connection_manager(&broker, &secrets);
        callback.apps = AppList::new(manager.clone(), clock.clone());
        callback.connection_manager = ConnectionManager::new(manager);
        let http = Http::new(HostPolicy::LoopbackToo, clock.clone()).unwrap();
        let issuer = Broker::serving("token-broker", &[Operation::AccessToken], &broker, &secrets);
        let issuer = TokenBroker::new(issuer, HostPolicy::LoopbackToo, Clock::system());
        onboarding.salesforce = Salesforce::new(http, ApiVersion::DEFAULT, issuer);
        onboarding.connection_manager = callback.connection_manager.clone();
        let called = Onboarding { deps: onboarding.clone(), secrets: secrets.clone() };
        callback.onboarding = connecting::onboarding::Onboarding::new(called);
        Self { org, other_org, clock, broker, callback, onboarding, secrets, public_url: public_url.to_owned(), apps }
    }

    /// Connects also a team that does not see every record.
    pub(crate) fn allow_limited_team(&mut self) {
        self.broker.team_access = TeamAccess::Limited;
        self.callback.connection_manager =
            ConnectionManager::new(Broker::connection_manager(&self.broker, &self.secrets));
    }

    /// Grants a user of the org system permissions such as `ViewAllData`.
    pub(crate) fn grant(&self, username: &str, system: &[&str]) {
        let system = system.iter().map(|name| (*name).to_owned()).collect();
        self.org.assign_permission_set(username, &PermissionSet { system, ..PermissionSet::default() }).unwrap();
    }

    /// Consents for the team of the org for a tenant as a user, and returns the last page.
    pub(crate) async fn try_team(&self, tenant: &str, username: &str) -> Page {
        let mut visitor = Visitor::new(self);
        let started = visitor.begin(&self.team_link(tenant).await).await;
        let back = visitor.consent(&started, username).await;
        visitor.get(&back).await
    }

    /// Advances the clocks of Ferry and of the org.
    pub(crate) fn pass(&self, span: SignedDuration) {
        self.clock.advance(span);
        self.org.advance_clock(span);
    }

    pub(crate) fn router(&self) -> Router {
        harness::guarded(self.callback.orgs.clone(), oauth_callback::router(self.callback.clone()))
    }

    pub(crate) fn org_id(&self) -> OrgId {
        self.org.org_id().parse().unwrap()
    }

    pub(crate) fn admin(&self) -> String {
        admin_of(&self.org)
    }

    pub(crate) fn rep(&self) -> String {
        self.org.users().into_iter().find(|user| !user.is_admin).unwrap().username
    }

    /// Requests a connect link as the platform does.
    pub(crate) async fn request_link(&self, body: &Value) -> (StatusCode, Value) {
        self.post("/v1/connect-links", body).await
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let tenant = body["tenant"].as_str().unwrap_or("acme");
        let request = http::Request::post(path).extension(harness::token(tenant, None, harness::ALL_SCOPES));
        let request = request.header("content-type", "application/json");
        let page = send(self.router(), request.body(body.to_string().into()).unwrap()).await;
        let response = serde_json::from_str(&page.html).unwrap();
        harness::contract::check("POST", path, page.status, &response);
        (page.status, response)
    }

    /// Creates a connect link and returns its path.
    pub(crate) async fn link(&self, body: &Value) -> String {
        let (status, link) = self.request_link(body).await;
        assert_eq!(status, StatusCode::CREATED, "{link}");
        let path = link["url"].as_str().unwrap().strip_prefix(&self.public_url).unwrap();
        self.secrets.note(path.rsplit('/').next().unwrap());
        path.to_owned()
    }

    pub(crate) async fn team_link(&self, tenant: &str) -> String {
        self.link(&json!({"tenant": tenant, "kind": "team", "environment": "production"})).await
    }

    pub(crate) async fn personal_link(&self, tenant: &str) -> String {
        self.link(&self.personal(tenant)).await
    }

    /// Returns the platform's request for a connect link for its rep.
    pub(crate) fn personal(&self, tenant: &str) -> Value {
        json!({
            "tenant": tenant, "kind": "personal", "platform_user": "rep-1",
            "org_id": self.org_id(), "environment": "production",
        })
    }

    /// Connects the team of the org for a tenant, as its admin.
    pub(crate) async fn connect_team(&self, tenant: &str) {
        let mut visitor = Visitor::new(self);
        let started = visitor.begin(&self.team_link(tenant).await).await;
        let back = visitor.consent(&started, &self.admin()).await;
        let page = visitor.get(&back).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    }

    /// Connects the rep.
    pub(crate) async fn connect_rep(&self, tenant: &str) {
        let mut visitor = Visitor::new(self);
        let started = visitor.begin(&self.personal_link(tenant).await).await;
        let back = visitor.consent(&started, &self.rep()).await;
        let page = visitor.get(&back).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    }

    /// Returns the platform's request for a connect link for another person.
    pub(crate) fn personal_of(&self, platform_user: &str) -> Value {
        let mut request = self.personal("acme");
        request["platform_user"] = json!(platform_user);
        request
    }

    /// Connects the rep's Salesforce user for another person.
    pub(crate) async fn connect_as(&self, platform_user: &str) {
        let mut visitor = Visitor::new(self);
        let started = visitor.begin(&self.link(&self.personal_of(platform_user)).await).await;
        let back = visitor.consent(&started, &self.rep()).await;
        assert_eq!(visitor.get(&back).await.status, StatusCode::OK);
    }

    /// Registers the next app, `v3`, and waits until the functions have read the registrations again.
    pub(crate) async fn release_another_app(&self) {
        let (id, secret) = ("3MVG9.the.next.app", "the-secret-of-the-next-app");
        self.secrets.note(secret);
        self.org.add_app("Ferry v3", id, secret, &format!("{}/oauth/callback", self.public_url));
        let v2 = registration("v2", self.org.client_id(), self.org.client_secret());
        let registrations = json!({ "apps": [v2, registration("v3", id, secret)] }).to_string();
        let (secrets_manager, secret) = &self.apps;
        let put = secrets_manager.put_secret_value().secret_id(secret).secret_string(registrations);
        put.send().await.unwrap();
        self.pass(SignedDuration::from_mins(6));
    }

    /// Returns whether the org accepts an access token.
    pub(crate) async fn accepts(&self, token: &SecretString) -> bool {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/services/data/v66.0/limits", self.org.url());
        http.get(url).bearer_auth(token.expose_secret()).send().await.unwrap().status().is_success()
    }

    /// Connects the rep's Salesforce user for another person, and ends that connection.
    pub(crate) async fn connect_another(&self, platform_user: &str, reason: &str) {
        self.connect_as(platform_user).await;
        let id = ConnectionId::personal(&platform_user.parse().unwrap());
        let (state, now) = (ConnectionState::ReauthRequired { reason: reason.to_owned() }, self.clock.now());
        harness::set_connection_state(&self.broker.connections, self.org_id(), &id, &state, now).await;
    }

    /// Creates a link to the connections page and returns its path.
    pub(crate) async fn admin_link(&self, tenant: &str) -> String {
        let (status, link) = self.post("/v1/admin-links", &json!({ "tenant": tenant })).await;
        assert_eq!(status, StatusCode::CREATED, "{link}");
        let path = link["url"].as_str().unwrap().strip_prefix(&self.public_url).unwrap();
        self.secrets.note(path.rsplit('/').next().unwrap());
        path.to_owned()
    }

    /// Returns the browser of a tenant's admin with a session.
    pub(crate) async fn signed_in(&self, tenant: &str) -> Visitor {
        let mut visitor = Visitor::new(self);
        assert_eq!(visitor.press(&self.admin_link(tenant).await).await.status, StatusCode::SEE_OTHER);
        visitor
    }

    pub(crate) async fn team(&self) -> Option<Connection> {
        self.broker.connections.load(self.org_id(), &ConnectionId::team()).await.unwrap()
    }

    pub(crate) async fn reps(&self) -> Option<Connection> {
        let kind = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
        self.broker.connections.load(self.org_id(), &kind.connection_id()).await.unwrap()
    }

    /// Returns whether the org has neither connections nor the tokens of a team.
    pub(crate) async fn is_untouched(&self, org: OrgId) -> bool {
        let rows = self.broker.connections.list(org).await.unwrap();
        let tokens = self.broker.vault.load(org, &ConnectionId::team()).await.unwrap();
        rows.is_empty() && tokens.is_none()
    }

    /// Returns the number of requests to the org whose line in its log begins with `what`.
    pub(crate) fn requests(&self, what: &str) -> usize {
        self.org.request_log().iter().filter(|line| line.starts_with(what)).count()
    }
}

pub(crate) fn admin_of(org: &Simulator) -> String {
    org.users().into_iter().find(|user| user.is_admin).unwrap().username
}

fn registration(name: &str, client_id: &str, client_secret: &str) -> Value {
    json!({
        "name": name, "client_id": client_id, "client_secret": client_secret,
        "install_url_production": "https://login.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001",
        "install_url_sandbox": "https://test.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001",
    })
}

async fn register(aws: &Aws, state: &State, org: &Simulator) {
    let app = registration("v2", org.client_id(), org.client_secret());
    let registrations = json!({ "apps": [app] }).to_string();
    let secret = state.physical("AppsSecret").unwrap();
    aws.secrets_manager().put_secret_value().secret_id(secret).secret_string(registrations).send().await.unwrap();
}

/// Returns the environment variables of the functions, as the template sets them.
fn environment(state: &State, prefix: &str, public_url: &str, login: &str) -> Env {
    let queues = ["BackfillQueue", "RecordUpsertQueue", "RecordWriteQueue"];
    let queues = queues.map(|queue| (variable_of(queue), state.physical(queue).unwrap().to_owned()));
    let apps = state.physical("AppsSecret").unwrap().to_owned();
    let tables = state.tables.clone();
    let (prefix, public_url, login) = (prefix.to_owned(), public_url.to_owned(), login.to_owned());
    Env::new(move |name| match name {
        "PUBLIC_URL" | "WEBHOOK_URL" => Some(public_url.clone()),
        "SALESFORCE_HOSTS" => Some("loopback".to_owned()),
        "LOGIN_URL_PRODUCTION" | "LOGIN_URL_SANDBOX" => Some(login.clone()),
        "APPS_SECRET_ARN" => Some(apps.clone()),
        "TOKEN_SECRET_READERS" => Some("arn:aws:iam::000000000000:role/broker".to_owned()),
        "OPERATIONS" => Some(Operation::ALL.map(Operation::as_str).join(",")),
        "TOKEN_SECRET_PREFIX" => Some(format!("ferry/{prefix}/tokens")),
        _ if name.ends_with("_FUNCTION") => Some(name.to_lowercase()),
        _ => match name.strip_suffix("_TABLE") {
            Some(noun) => Some(tables.name(&noun.to_lowercase())),
            None => queues.iter().find(|(known, _)| known == name).map(|(_, url)| url.clone()),
        },
    })
}

/// Returns the environment variable of a queue: `BACKFILL_QUEUE_URL` for `BackfillQueue`.
fn variable_of(queue: &str) -> String {
    let words = queue.chars().map(|c| if c.is_uppercase() { format!("_{c}") } else { c.to_uppercase().to_string() });
    format!("{}_URL", words.collect::<String>().trim_start_matches('_'))
}
