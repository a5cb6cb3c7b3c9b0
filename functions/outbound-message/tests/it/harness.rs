//! The test context: an org on the emulator with a webhook address and a queue of its own.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode};
use bench::Proxy;
use jiff::{SignedDuration, Timestamp};
use local::Emulator;
use outbound_message::{Deps, OrgCache, OrgLimits, router};
use salesforce::{Clock, OrgId};
use secret_scan::SecretScan;
use serde_json::Value;
use soap_receiver::RequiredClient;
use store::{
    ActivationRequest, BindingRight, ChangeHint, Environment, Org, OrgState, Orgs, Queue, SecretHash, WebhookSecret,
};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

/// One runtime for all tests, since connections to the emulator belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static CLOUD: OnceCell<Cloud> = OnceCell::const_new();

struct Cloud {
    emulator: Emulator,
    orgs_table: String,
}

/// Runs a test.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

async fn cloud() -> &'static Cloud {
    let start = async {
        let emulator = Emulator::start().await.expect("the emulator");
        let tables = emulator.create_tables(&local::unique_prefix()).await.expect("tables");
        Cloud { emulator, orgs_table: tables.name("orgs") }
    };
    CLOUD.get_or_init(|| start).await
}

/// One test's org, queue and function.
pub(crate) struct TestContext {
    pub(crate) org: OrgId,
    pub(crate) orgs: Orgs,
    pub(crate) limits: OrgLimits,
    secret: WebhookSecret,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    proxy: Proxy,
    clock: Clock,
    router: Router,
    _scan: SecretScan,
}

impl TestContext {
    /// Returns a context with an active org.
    pub(crate) async fn new() -> Self {
        Self::requiring(RequiredClient::default()).await
    }

    /// The same, with a required client certificate.
    pub(crate) async fn requiring(client: RequiredClient) -> Self {
        let cloud = cloud().await;
        let sqs = aws_sdk_sqs::Client::new(cloud.emulator.sdk_config());
        let queue = sqs.create_queue().queue_name(local::unique_prefix()).send().await.expect("a queue");
        Self::with_queue(cloud, sqs, queue.queue_url().expect("a URL").to_owned(), client).await
    }

    /// The same, but its queue does not exist.
    pub(crate) async fn without_queue() -> Self {
        let cloud = cloud().await;
        let sqs = aws_sdk_sqs::Client::new(cloud.emulator.sdk_config());
        let url = format!("{}/000000000000/nowhere", cloud.emulator.endpoint());
        Self::with_queue(cloud, sqs, url, RequiredClient::default()).await
    }

    async fn with_queue(cloud: &Cloud, sqs: aws_sdk_sqs::Client, queue_url: String, client: RequiredClient) -> Self {
        let clock = Clock::manual(Clock::system().now());
        let sdk = cloud.emulator.sdk_config();
        let orgs = Orgs::new(aws_sdk_dynamodb::Client::new(sdk), cloud.orgs_table.clone());
        let (org, secret) = (random_org(), WebhookSecret::generate(&mut rand::rng()));
        activate(&orgs, org, secret.hash(clock.now())).await;
        let proxy = Proxy::start(cloud.emulator.endpoint()).await.expect("a proxy");
        let through = sdk.to_builder().endpoint_url(proxy.url()).build();
        let limits = OrgLimits::default();
        let deps = Deps {
            orgs: Orgs::new(aws_sdk_dynamodb::Client::new(&through), cloud.orgs_table.clone()),
            org_cache: OrgCache::default(),
            limits: limits.clone(),
            hints: Queue::<ChangeHint>::new(aws_sdk_sqs::Client::new(&through), queue_url.clone(), clock.clone()),
            client,
            clock: clock.clone(),
        };
        let scan = secret_scan::start();
        scan.forbid(secret.reveal());
        Self { org, orgs, limits, secret, sqs, queue_url, proxy, clock, router: router(deps), _scan: scan }
    }

    /// Returns the function's requests since the last call, by AWS operation.
    pub(crate) fn requests(&self) -> Vec<(String, usize)> {
        self.proxy.take_counts().into_iter().collect()
    }

    /// Returns the time of the clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Advances the clock.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Returns the org's webhook address.
    pub(crate) fn address(&self) -> String {
        self.address_of(self.org.as_str(), self.secret.reveal())
    }

    /// Returns an address of the same form.
    pub(crate) fn address_of(&self, org: &str, secret: &str) -> String {
        format!("/webhooks/salesforce/{org}/{secret}")
    }

    /// Returns the secret of the org's address.
    pub(crate) fn secret(&self) -> &str {
        self.secret.reveal()
    }

    /// Sets the org's state.
    pub(crate) async fn mark(&self, state: OrgState) {
        self.orgs.set_state(self.org, state, Clock::system().now()).await.expect("a known org");
    }

    /// Posts a body as Salesforce does.
    pub(crate) async fn post(&self, address: &str, body: impl Into<Body>) -> HttpResponse {
        self.send(request(Method::POST, address, &[("content-type", "text/xml; charset=utf-8")], body)).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> HttpResponse {
        HttpResponse::of(self.router.clone().oneshot(request).await.expect("an answer")).await
    }

    /// Loads the org's row.
    pub(crate) async fn stored(&self) -> Option<Org> {
        self.orgs.load(self.org).await.expect("the table")
    }

    /// Returns the function's router.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Receives every hint in the queue.
    pub(crate) async fn queued(&self) -> Vec<ChangeHint> {
        let mut hints = Vec::new();
        loop {
            let received =
                self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10).send().await;
            let messages = received.expect("the queue").messages.unwrap_or_default();
            if messages.is_empty() {
                return hints;
            }
            let bodies = messages.iter().map(|message| message.body().expect("a body"));
            hints.extend(bodies.map(|body| serde_json::from_str::<ChangeHint>(body).expect("a hint")));
        }
    }
}

async fn activate(orgs: &Orgs, org_id: OrgId, webhook_secret: SecretHash) {
    let tenant = "tenant-1".parse().expect("a tenant");
    let now = Clock::system().now();
    let (right, environment, my_domain_url) = (BindingRight::Unowned, Environment::Production, None);
    let activate = ActivationRequest { org_id, tenant, right, environment, my_domain_url, webhook_secret, now };
    orgs.activate(&activate).await.expect("an active org");
}

/// Returns an org id that no other test uses.
pub(crate) fn random_org() -> OrgId {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("00D{}", &unique[..12]).parse().expect("an org id")
}

/// Builds a request.
pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = headers
        .iter()
        .fold(Request::builder().method(method).uri(path), |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).expect("a request")
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl HttpResponse {
    pub(crate) async fn of(response: Response<Body>) -> Self {
        let status = response.status();
        let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        Self { status, content_type: content_type.unwrap_or_default(), body }
    }

    /// Returns whether Salesforce accepts this as an acknowledgement.
    pub(crate) fn is_ack(&self) -> bool {
        self.status == StatusCode::OK && self.body.contains("<Ack>true</Ack>")
    }

    /// Returns the problem's code; an acknowledgement has none.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.content_type, "application/problem+json", "{self:?}");
        assert!(!self.body.contains("Ack"), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).expect("JSON");
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        let kind = problem["type"].as_str().expect("a type");
        kind.strip_prefix("urn:ferry:problem:").expect("one of ours").to_owned()
    }
}

/// Returns the log of `action`.
pub(crate) async fn logged<T>(action: impl Future<Output = T>) -> (T, String) {
    use tracing::instrument::WithSubscriber as _;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let result = action.with_subscriber(subscriber).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).expect("text");
    (result, text)
}
