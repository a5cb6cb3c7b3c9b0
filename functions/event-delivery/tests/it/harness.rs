//! The function in a [`harness::TestContext`], and the platform's server.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use ::http::{HeaderMap, Request, StatusCode};
use aws_lambda_events::sqs::SqsEvent;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event_delivery::{Deps, Sender, handle, router};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use local::EventCatalogue;
use runtime::sqs::BatchReport;
use salesforce::HostPolicy;
use serde_json::{Value, json};
use sha2::Sha256;
use store::event_deliveries::end_of_lane;
use store::{BusEvent, EndpointId, EventBus, EventDeliveries, EventEndpoints, EventKind, Queue, Tenant, WaitingEvent};

pub(crate) use harness::run;

pub(crate) const QUEUE: &str = "EventDeliveryQueue";
pub(crate) const RECORDS: [&str; 2] = ["0065e00000AbCdEAAV", "0065e00000AbCdFAAV"];

/// A request that the platform's server got.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Returns whether a signature is that of a secret. Written from the specification, without the code of Ferry.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let signed = [self.header("webhook-id"), self.header("webhook-timestamp"), &self.body].join(".");
        mac.update(signed.as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }
}

/// An answer of the platform's server.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Scripted {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }
}

#[derive(Debug, Default)]
struct Log {
    received: Vec<Received>,
    /// The next answers by subject of the event; 200 if there is none.
    answers: BTreeMap<String, VecDeque<Scripted>>,
    /// The answer to everything, while it is set.
    always: Option<Scripted>,
}

/// The platform's server.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) url: String,
    log: Arc<Mutex<Log>>,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let log: Arc<Mutex<Log>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ferry", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(receive).with_state(Arc::clone(&log));
        #[expect(clippy::disallowed_methods, reason = "a server of a test ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, log }
    }

    /// Answers everything so, until it is called with `None`.
    pub(crate) fn always(&self, answer: Option<Scripted>) {
        self.log.lock().unwrap().always = answer;
    }

    /// Answers the next event of a record so.
    pub(crate) fn answer(&self, record: &str, answer: Scripted) {
        self.log.lock().unwrap().answers.entry(format!("Opportunity/{record}")).or_default().push_back(answer);
    }

    /// Returns what it got so far, and forgets it.
    pub(crate) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.log.lock().unwrap().received)
    }

    /// Returns the ids of the events that it got so far, and forgets them.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.received().iter().map(|received| received.header("webhook-id").to_owned()).collect()
    }
}

async fn receive(State(log): State<Arc<Mutex<Log>>>, headers: HeaderMap, body: String) -> axum::response::Response {
    let event: Value = serde_json::from_str(&body).unwrap();
    EventCatalogue::get().unwrap().check(&event).unwrap();
    let mut log = log.lock().unwrap();
    log.received.push(Received { headers, body });
    let scripted = log.answers.get_mut(event["subject"].as_str().unwrap()).and_then(VecDeque::pop_front);
    let Scripted { status, headers } = scripted.or(log.always.clone()).unwrap_or(Scripted::status(200));
    let mut response = StatusCode::from_u16(status).unwrap().into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// The context of a test: the function with its dependencies, and the platform's server.
pub(crate) struct TestContext {
    context: harness::TestContext,
    pub(crate) deps: Deps,
    pub(crate) platform: Platform,
}

impl Deref for TestContext {
    type Target = harness::TestContext;

    fn deref(&self) -> &harness::TestContext {
        &self.context
    }
}

impl TestContext {
    pub(crate) async fn new() -> Self {
        Self::from(harness::TestContext::connected().await, HostPolicy::LoopbackToo).await
    }

    pub(crate) async fn killable() -> Self {
        Self::from(harness::TestContext::connected_killable().await, HostPolicy::LoopbackToo).await
    }

    /// Creates the function as it is deployed: without endpoints on its own machine.
    pub(crate) async fn deployed() -> Self {
        Self::from(harness::TestContext::connected().await, HostPolicy::SalesforceOnly).await
    }

    async fn from(context: harness::TestContext, hosts: HostPolicy) -> Self {
        let deps = Deps {
            orgs: context.orgs.clone(),
            endpoints: EventEndpoints::new(context.dynamodb(), context.table("event_endpoints")),
            deliveries: EventDeliveries::new(context.dynamodb(), context.table("event_deliveries")),
            tasks: Queue::new(context.sqs(), context.queue_url(QUEUE), context.clock.clone()),
            bus: EventBus::new(context.eventbridge(), context.bus_name()),
            sender: Sender::new(hosts).unwrap(),
            clock: context.clock.clone(),
        };
        Self { context, deps, platform: Platform::start().await }
    }

    /// Sends a request of the platform.
    pub(crate) async fn request(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.request_as(None, method, path, body).await
    }

    /// Sends a request with the token of a user.
    pub(crate) async fn request_as(
        &self,
        identity: Option<runtime::caller::VerifiedIdentity>,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(format!("/v1/webhook-endpoints{path}"));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let mut request = request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap();
        if let Some(identity) = identity {
            request.extensions_mut().insert(identity);
        }
        self.send(router(self.deps.clone()), request).await
    }

    /// Creates an endpoint on the platform's server. Returns its id and secret.
    pub(crate) async fn endpoint(&self, more: &Value) -> (EndpointId, String) {
        let mut body = json!({ "url": self.platform.url });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, created) = self.request("POST", "", Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{created}");
        let secret = created["secret"].as_str().unwrap();
        self.forbid(secret.strip_prefix("whsec_").unwrap());
        (created["id"].as_str().unwrap().parse().unwrap(), secret.to_owned())
    }

    /// Returns a change of a record, the `number`-th of the test.
    pub(crate) fn change(&self, record: &str, number: u32) -> BusEvent {
        let mut event = BusEvent::new(
            self.org,
            EventKind::RecordChanged,
            format!("Opportunity/{record}"),
            format!("{record}-{number}"),
        );
        let modified = format!("2026-11-22T10:00:{number:02}.000Z");
        event.time = modified.parse().unwrap();
        event.sequence = Some(format!("{modified}/{modified}"));
        event.data = json!({
            "org_id": self.org, "tenant": "acme", "object": "Opportunity", "record_id": record,
            "changed_fields": ["StageName"], "system_modstamp": modified, "created": false, "deleted": false,
        });
        event
    }

    /// Passes an event to the function as the bus does.
    pub(crate) async fn publish(&self, event: &BusEvent) {
        let report = self.handle(&[envelope(event)]).await;
        assert_eq!(report.failed, [""; 0]);
    }

    /// Passes messages to the function.
    pub(crate) async fn handle(&self, bodies: &[Value]) -> BatchReport {
        let deadline = self.clock.now() + SignedDuration::from_secs(120);
        handle(&self.deps, sqs_event(bodies), deadline).await.unwrap()
    }

    /// Returns the tasks of the events that wait: one for each partition key, for its first event.
    pub(crate) async fn tasks(&self, endpoint: &EndpointId) -> Vec<Value> {
        let tenant: Tenant = "acme".parse().unwrap();
        let mut lane_ends = String::new();
        let mut tasks = Vec::new();
        for event in self.events_of(endpoint).await {
            if event.place > lane_ends {
                lane_ends = end_of_lane(&event.place);
                tasks.push(serde_json::to_value(event.task(tenant.clone())).unwrap());
            }
        }
        tasks
    }

    pub(crate) async fn events_of(&self, endpoint: &EndpointId) -> Vec<WaitingEvent> {
        self.deps.deliveries.waiting(endpoint, None).await.unwrap()
    }

    /// Works on what waits for an endpoint, once.
    pub(crate) async fn work(&self, endpoint: &EndpointId) -> BatchReport {
        let tasks = self.tasks(endpoint).await;
        let report = self.handle(&tasks).await;
        assert_eq!(report.failed, [""; 0]);
        report
    }

    /// Returns the deliveries of an endpoint as the API shows them.
    pub(crate) async fn deliveries(&self, endpoint: &EndpointId, query: &str) -> Vec<Value> {
        let (status, body) = self.request("GET", &format!("/{endpoint}/deliveries{query}"), None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["deliveries"].as_array().unwrap().clone()
    }
}

/// Returns the message in which EventBridge sends an event to a queue.
pub(crate) fn envelope(event: &BusEvent) -> Value {
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": event.kind, "source": "ferry",
        "account": "000000000000", "time": "2026-11-22T10:00:00Z", "region": "us-east-1", "resources": [], "detail": event,
    })
}

pub(crate) fn sqs_event(bodies: &[Value]) -> SqsEvent {
    let record = |(n, body): (usize, &Value)| json!({ "messageId": format!("m-{n}"), "body": body.to_string(), "attributes": {}, "messageAttributes": {} });
    let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}
