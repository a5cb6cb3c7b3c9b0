//! One simulated org, one emulated AWS account, and any number of brokers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use jiff::SignedDuration;
use local::emulator::Tables;
use local::{Emulator, unique_prefix};
use org_simulator::{Options, PermissionSet, Simulator};
use runtime::token_broker::{
    AccessTokenRequest, Connected, ConnectionRef, ExchangeCode, Operation, Refusal, RefusalCode, Request, Response,
    Token,
};
use salesforce::auth;
use salesforce::{ApiVersion, Clock, Fingerprint, HostPolicy, Http, LoginHost, ObjectName, OrgId, Timeouts};
use secrecy::ExposeSecret as _;
use secret_scan::SecretScan;
use store::{
    ActivationRequest, Apps, BindingRight, Connection, ConnectionId, ConnectionKind, Connections, Environment, Orgs,
    Protection, SecretHash, TokenVault,
};
use token_broker::protocol::Limits;
use token_broker::{Deps, Objects, TeamAccess, Timer, handle};

const REDIRECT_URI: &str = "http://localhost:8580/oauth/callback";
/// The role that may use tokens.
pub(crate) const READER: &str = "arn:aws:iam::000000000000:role/broker";
const OBJECTS: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];
const V1_CLIENT_ID: &str = "3MVG9.ferry.simulator.v1";
pub(crate) const V1_CLIENT_SECRET: &str = "simulator-secret-v1";

pub(crate) struct TestContext {
    pub(crate) org: Simulator,
    pub(crate) deps: Deps,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) requests: Requests,
    /// The secret with the app registrations.
    pub(crate) apps: String,
    prefix: String,
    admin: String,
    pub(crate) emulator: Emulator,
    tables: Tables,
    _scan: SecretScan,
}

/// Parses the names of objects.
pub(crate) fn names(names: &[&str]) -> Vec<ObjectName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Counts the AWS requests of the brokers by operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<BTreeMap<String, usize>>>);

impl Requests {
    /// Returns the counts since the last call.
    pub(crate) fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        *self.0.lock().unwrap().entry(operation).or_default() += 1;
        Ok(())
    }
}

/// Long limits: on a busy machine all tests wait for the emulator, which is one process.
fn limits() -> Limits {
    Limits {
        lease: SignedDuration::from_secs(60),
        call: SignedDuration::from_secs(20),
        max_wait: SignedDuration::from_secs(120),
        retry_delay: Duration::from_millis(50),
        busy_delay: Duration::from_millis(50),
        store_attempts: 3,
    }
}

impl TestContext {
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let prefix = unique_prefix();
        let tables = emulator.create_tables(&prefix).await.unwrap();
        let org = Simulator::start(Options::default()).await.unwrap();
        org.add_app("Ferry v1", V1_CLIENT_ID, V1_CLIENT_SECRET, REDIRECT_URI);
        let requests = Requests::default();
        let secrets = aws_sdk_secretsmanager::Config::from(emulator.sdk_config()).to_builder();
        let secrets = aws_sdk_secretsmanager::Client::from_conf(secrets.interceptor(requests.clone()).build());
        let dynamodb = aws_sdk_dynamodb::Config::from(emulator.sdk_config()).to_builder();
        let dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb.interceptor(requests.clone()).build());
        let apps = format!("{prefix}-apps");
        secrets.create_secret().name(&apps).secret_string(registrations(&org)).send().await.unwrap();
        let clock = Clock::system();
        let timeouts =
            Timeouts { attempt: Duration::from_secs(10), total: Duration::from_secs(1), ..Timeouts::default() };
        let deps = Deps {
            operations: Operation::ALL.to_vec(),
            orgs: Orgs::new(dynamodb.clone(), tables.name("orgs")),
            connections: Connections::new(dynamodb, tables.name("connections")),
            vault: TokenVault::new(secrets.clone(), format!("ferry/{prefix}/tokens"))
                .with_protection(Protection { readers: vec![READER.to_owned()], kms_key: None }),
            apps: Apps::new(secrets.clone(), apps.clone(), clock.clone()),
            http: Http::new(HostPolicy::LoopbackToo, clock.clone()).unwrap().with_timeouts(timeouts),
            api_version: ApiVersion::DEFAULT,
            objects: Objects { mirrored: names(&OBJECTS), written: names(&OBJECTS) },
            team_access: TeamAccess::Full,
            clock,
            timer: Timer::real(),
            limits: limits(),
        };
        let admin = org.users()[0].username.clone();
        let scan = secret_scan::start();
        scan.forbid(V1_CLIENT_SECRET);
        scan.forbid(org.client_secret());
        Self { org, deps, secrets, requests, apps, prefix, admin, emulator, tables, _scan: scan }
    }

    /// Returns the environment variables of a broker process on the same state, which reaches AWS at `aws`.
    pub(crate) fn environment(&self, aws: &str) -> [(&'static str, String); 11] {
        [
            ("OPERATIONS", Operation::ALL.map(Operation::as_str).join(",")),
            ("ORGS_TABLE", self.tables.name("orgs")),
            ("CONNECTIONS_TABLE", self.tables.name("connections")),
            ("APPS_SECRET_ARN", self.apps.clone()),
            ("TOKEN_SECRET_PREFIX", format!("ferry/{}/tokens", self.prefix)),
            ("TOKEN_SECRET_READERS", READER.to_owned()),
            ("SALESFORCE_HOSTS", "loopback".to_owned()),
            ("AWS_ENDPOINT_URL", aws.to_owned()),
            ("AWS_REGION", local::emulator::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }

    pub(crate) fn org_id(&self) -> OrgId {
        self.org.org_id().parse().unwrap()
    }

    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    /// Grants a user system permissions such as `ViewAllData`.
    pub(crate) fn grant(&self, username: &str, system: &[&str]) {
        let system = system.iter().map(|name| (*name).to_owned()).collect();
        self.org.assign_permission_set(username, &PermissionSet { system, ..PermissionSet::default() }).unwrap();
    }

    /// Returns the code of a consent that `username` gave in the simulated org.
    pub(crate) async fn consent(&self, username: &str, kind: ConnectionKind) -> ExchangeCode {
        self.consent_to("v2", self.org.url(), username, kind).await
    }

    /// Returns the code of a consent to `app` at a login host.
    pub(crate) async fn consent_to(
        &self,
        app: &str,
        login_url: &str,
        username: &str,
        kind: ConnectionKind,
    ) -> ExchangeCode {
        let app = self.deps.apps.find(app).await.unwrap().expect("a registration").app;
        let login = LoginHost::parse(login_url, HostPolicy::LoopbackToo).unwrap();
        let consent = auth::consent(&app.client_id, &login, REDIRECT_URI, &mut rand::rng()).unwrap();
        let code = code_of(consent.authorize_url.as_str(), username).await;
        ExchangeCode {
            kind,
            tenant: "acme".parse().unwrap(),
            expected_org_id: None,
            app: app.name,
            login_url: login.to_string(),
            redirect_uri: REDIRECT_URI.to_owned(),
            code: code.into(),
            code_verifier: consent.code_verifier,
            nonce: Some(consent.nonce),
        }
    }

    /// Creates a context with a team connection.
    pub(crate) async fn connected() -> Self {
        let context = Self::new().await;
        context.connect_team().await;
        context
    }

    pub(crate) async fn connect_team(&self) {
        let consent = self.consent(&self.admin, ConnectionKind::Team).await;
        self.exchange(consent).await.expect("the team connects");
    }

    /// Makes the org active for the tenant, as `onboarding` does after the team connected.
    pub(crate) async fn activate(&self) {
        let now = self.deps.clock.now();
        let webhook_secret = SecretHash { sha256: "0".repeat(64), created_at: now };
        let (org_id, tenant, environment) = (self.org_id(), "acme".parse().unwrap(), Environment::Production);
        let (right, my_domain_url) = (BindingRight::Unowned, None);
        let activate = ActivationRequest { org_id, tenant, right, environment, my_domain_url, webhook_secret, now };
        self.deps.orgs.activate(&activate).await.unwrap();
    }

    pub(crate) async fn exchange(&self, exchange: ExchangeCode) -> Result<Connected, Refusal> {
        match handle(&self.deps, Request::ExchangeCode(exchange)).await.unwrap().answer {
            Response::Connected(connected) => Ok(connected),
            Response::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// Returns an access token of the team connection other than `refused`.
    pub(crate) async fn token(&self, refused: Option<&Token>) -> Result<Token, Refusal> {
        self.token_of(&ConnectionId::team(), refused).await
    }

    pub(crate) async fn token_of(&self, connection: &ConnectionId, refused: Option<&Token>) -> Result<Token, Refusal> {
        let wanted = AccessTokenRequest {
            refused_fingerprint: refused.map(|token| Fingerprint::from_token(&token.access_token)),
            ..AccessTokenRequest::new(self.org_id(), connection.clone())
        };
        self.ask(wanted).await
    }

    pub(crate) async fn ask(&self, wanted: AccessTokenRequest) -> Result<Token, Refusal> {
        match handle(&self.deps, Request::AccessToken(wanted)).await.unwrap().answer {
            Response::Token(token) => Ok(token),
            Response::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn refused(&self, refused: Option<&Token>) -> RefusalCode {
        self.token(refused).await.expect_err("a refusal").code
    }

    pub(crate) async fn revoke(&self) -> Result<(), Refusal> {
        match handle(&self.deps, Request::Revoke(self.team())).await.unwrap().answer {
            Response::Revoked(_) => Ok(()),
            Response::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn team(&self) -> ConnectionRef {
        ConnectionRef { org_id: self.org_id(), connection_id: ConnectionId::team() }
    }

    pub(crate) async fn connection(&self) -> Connection {
        self.deps.connections.load(self.org_id(), &ConnectionId::team()).await.unwrap().expect("a connection")
    }

    /// Waits until a disconnection in progress has marked the connection.
    pub(crate) async fn eventually_revoked(&self) {
        while self.connection().await.state != store::ConnectionState::Revoked {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The refresh token in the vault.
    pub(crate) async fn refresh_token(&self) -> String {
        let (tokens, _) = self.deps.vault.load(self.org_id(), &ConnectionId::team()).await.unwrap().expect("tokens");
        tokens.refresh_token.expose_secret().to_owned()
    }

    pub(crate) fn token_prefix(&self) -> String {
        format!("ferry/{}/tokens", self.prefix)
    }

    pub(crate) fn secret_name(&self) -> String {
        format!("{}/{}/team", self.token_prefix(), self.org.org_id())
    }

    /// Returns the number of successful responses of the token endpoint.
    pub(crate) fn token_responses(&self) -> usize {
        self.org.request_log().iter().filter(|line| *line == "POST /services/oauth2/token 200").count()
    }

    /// Returns whether the org accepts the token, which is reported where the broker asked for it.
    pub(crate) async fn is_accepted(&self, token: &Token) -> bool {
        let url = format!("{}/services/data/v66.0/limits", self.org.url());
        let request = reqwest::Client::new().get(url).bearer_auth(token.access_token.expose_secret());
        let is_accepted = request.send().await.unwrap().status().is_success();
        if is_accepted && token.report_acceptance {
            let accepted_fingerprint = Some(Fingerprint::from_token(&token.access_token));
            for Connection { connection_id, .. } in self.deps.connections.list(self.org_id()).await.unwrap() {
                let report = AccessTokenRequest::new(self.org_id(), connection_id);
                let report = AccessTokenRequest { accepted_fingerprint: accepted_fingerprint.clone(), ..report };
                let _ = self.ask(report).await;
            }
        }
        is_accepted
    }
}

fn registrations(org: &Simulator) -> String {
    let app = |name: &str, client_id: &str, client_secret: &str| {
        serde_json::json!({
            "name": name, "client_id": client_id, "client_secret": client_secret,
            "install_url_production": "https://login.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001",
            "install_url_sandbox": "https://test.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001",
        })
    };
    let v1 = app("v1", V1_CLIENT_ID, V1_CLIENT_SECRET);
    serde_json::json!({ "apps": [v1, app("v2", org.client_id(), org.client_secret())] }).to_string()
}

/// Consents as `username` and returns the code from the redirect.
async fn code_of(authorize_url: &str, username: &str) -> String {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let response = client.get(authorize_url).header("x-simulator-user", username).send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap();
    let location = url::Url::parse(location).unwrap();
    location.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned()
}
