//! The function on the AWS emulator, with a simulated org and a browser.

use axum::body::{Body, to_bytes};
use connecting::onboarding::Onboarding;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use local::{Emulator, unique_prefix};
use oauth_callback::{Deps, LoginHosts, router};
use org_simulator::{Options, Simulator};
use runtime::caller::{CallerRules, VerifiedIdentity};
use runtime::{AppList, ConnectionManager, Guard};
use salesforce::auth::App;
use salesforce::{Clock, HostPolicy, LoginHost, OrgId};
use secret_scan::SecretScan;
use serde_json::{Value, json};
use store::{
    ActivationRequest, Authorizations, BindingRight, Connections, Environment, Orgs, PublicApp, UserMappings,
    WebhookSecret,
};
use tower::ServiceExt as _;

use crate::fakes::{FakeBroker, FakeOnboarding};

pub(crate) const PUBLIC_URL: &str = "http://localhost:8580";
const INSTALL_URL: &str = "https://test.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001";

pub(crate) struct TestContext {
    pub(crate) org: Simulator,
    pub(crate) deps: Deps,
    pub(crate) broker: FakeBroker,
    pub(crate) onboarding: FakeOnboarding,
    _emulator: Emulator,
    _scan: SecretScan,
}

/// A response, as a browser gets it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A started consent: the URL that the browser is redirected to, and its cookie.
pub(crate) struct StartedConsent {
    pub(crate) authorize_url: String,
    pub(crate) cookie: String,
}

impl StartedConsent {
    pub(crate) fn state(&self) -> String {
        let url = url::Url::parse(&self.authorize_url).unwrap();
        url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    }
}

/// The scopes of the platform's own server.
pub(crate) const ALL_SCOPES: &str = "ferry/read ferry/write ferry/admin";

/// Returns the identity of a token, as API Gateway verified it.
pub(crate) fn token(tenant: &str, scopes: &str) -> VerifiedIdentity {
    let claims = [("tenant", tenant), ("scope", scopes)];
    VerifiedIdentity::Jwt(claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

/// Returns the identity of a platform user's own token.
pub(crate) fn user_token(user: &str) -> VerifiedIdentity {
    let claims = [("tenant", "acme"), ("scope", ALL_SCOPES), ("user", user)];
    VerifiedIdentity::Jwt(claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

fn rules() -> CallerRules {
    CallerRules { user_claim: Some("user".to_owned()), ..CallerRules::default() }
}

impl TestContext {
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let prefix = unique_prefix();
        let tables = emulator.create_tables(&prefix).await.unwrap();
        let org = Simulator::start(Options::default()).await.unwrap();
        let dynamodb = aws_sdk_dynamodb::Client::new(emulator.sdk_config());
        let app = App {
            name: "v2".to_owned(),
            client_id: org.client_id().to_owned(),
            client_secret: org.client_secret().into(),
        };
        let broker = FakeBroker::new(app, vec![registered(&org)]);
        let onboarding = FakeOnboarding::new();
        let login = LoginHost::parse(org.url(), HostPolicy::LoopbackToo).unwrap();
        let clock = Clock::manual("2026-11-22T10:15:30Z".parse().unwrap());
        let deps = Deps {
            authorizations: Authorizations::new(dynamodb.clone(), tables.name("authorizations")),
            connections: Connections::new(dynamodb.clone(), tables.name("connections")),
            orgs: Orgs::new(dynamodb.clone(), tables.name("orgs")),
            user_mappings: UserMappings::new(dynamodb, tables.name("users")),
            apps: AppList::new(broker.clone(), clock.clone()),
            connection_manager: ConnectionManager::new(broker.clone()),
            onboarding: Onboarding::new(onboarding.clone()),
            login: LoginHosts { production: login.clone(), sandbox: login },
            hosts: HostPolicy::LoopbackToo,
            public_url: PUBLIC_URL.to_owned(),
            clock,
        };
        Self { org, deps, broker, onboarding, _emulator: emulator, _scan: secret_scan::start() }
    }

    pub(crate) fn org_id(&self) -> OrgId {
        self.org.org_id().parse().unwrap()
    }

    /// Activates the simulated org for a tenant.
    pub(crate) async fn activate_for(&self, tenant: &str) {
        let now = self.deps.clock.now();
        let activate = ActivationRequest {
            org_id: self.org_id(),
            tenant: tenant.parse().unwrap(),
            right: BindingRight::Unowned,
            environment: Environment::Sandbox,
            my_domain_url: None,
            webhook_secret: WebhookSecret::generate(&mut rand::rng()).hash(now),
            now,
        };
        self.deps.orgs.activate(&activate).await.unwrap();
    }

    /// Sends a request. Without an identity in its extensions, it comes from the server of the tenant `acme`.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Page {
        if request.extensions().get::<VerifiedIdentity>().is_none() {
            request.extensions_mut().insert(token("acme", ALL_SCOPES));
        }
        let guard = Guard::new(self.deps.orgs.clone(), rules());
        let router = guard.protect(router(self.deps.clone())).into_router();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let html = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        if parts.status.is_client_error() || parts.status.is_server_error() {
            secret_scan::add(&html);
        }
        Page { status: parts.status, headers: parts.headers, html }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn request_link(&self, body: &Value) -> (StatusCode, Value) {
        self.request_link_as(token("acme", ALL_SCOPES), body).await
    }

    pub(crate) async fn request_link_as(&self, caller: VerifiedIdentity, body: &Value) -> (StatusCode, Value) {
        self.post_as(caller, "/v1/connect-links", body).await
    }

    pub(crate) async fn post_as(&self, caller: VerifiedIdentity, path: &str, body: &Value) -> (StatusCode, Value) {
        self.request_as(caller, "POST", path, body).await
    }

    /// Sends a request with a JSON body.
    pub(crate) async fn request_as(
        &self,
        caller: VerifiedIdentity,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json").extension(caller);
        let page = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (page.status, serde_json::from_str(&page.html).unwrap())
    }

    /// Creates a connect link, and returns its path.
    pub(crate) async fn link(&self, body: &Value) -> String {
        let (status, link) = self.request_link(body).await;
        assert_eq!(status, StatusCode::CREATED, "{link}");
        link["url"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap().to_owned()
    }

    pub(crate) async fn team_link(&self) -> String {
        self.link(&json!({"tenant": "acme", "kind": "team", "environment": "sandbox"})).await
    }

    /// Presses the button of the connect page.
    pub(crate) async fn press(&self, link: &str) -> Page {
        let request = Request::post(link).header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn start_consent(&self, link: &str) -> StartedConsent {
        let page = self.press(link).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        let cookie = page.header(SET_COOKIE).split(';').next().unwrap().to_owned();
        StartedConsent { authorize_url: page.header(LOCATION).to_owned(), cookie }
    }

    /// Allows the access as the simulated org's admin. Returns the path and query of the callback.
    pub(crate) async fn allow(&self, consent: &StartedConsent) -> String {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let admin = self.org.users()[0].username.clone();
        let response = client.get(&consent.authorize_url).header("x-simulator-user", admin).send().await.unwrap();
        let location = response.headers()["location"].to_str().unwrap();
        location.strip_prefix(PUBLIC_URL).unwrap().to_owned()
    }

    /// Follows the redirect from Salesforce to the callback.
    pub(crate) async fn follow_callback(&self, path: &str, cookie: &str) -> Page {
        self.send(Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    /// Connects the team, from a new link to the last page.
    pub(crate) async fn connect_team(&self) -> Page {
        let consent = self.start_consent(&self.team_link().await).await;
        let callback = self.allow(&consent).await;
        self.follow_callback(&callback, &consent.cookie).await
    }
}

fn registered(org: &Simulator) -> PublicApp {
    let app = json!({ "name": "v2", "client_id": org.client_id(), "install_url_sandbox": INSTALL_URL });
    serde_json::from_value(app).unwrap()
}
