//! Fakes of the functions that this function calls.

use std::sync::{Arc, Mutex};

use connecting::onboarding::Event;
use runtime::Error;
use runtime::invoke::Invoke;
use runtime::token_broker::{Apps, Connected, ExchangeCode, Refusal, RefusalCode, Request, Response, RetryHint};
use salesforce::auth::{self, App, CodeExchange};
use salesforce::{BoxFuture, Clock, Condition, HostPolicy, Http, LoginHost, ObjectName};
use serde_json::{Value, json};
use store::PublicApp;

/// A connection manager that exchanges the code at the simulated org, so that a wrong verifier, nonce or redirect URI fails. It stores
/// no tokens.
#[derive(Clone)]
pub(crate) struct FakeBroker {
    pub(crate) app: App,
    pub(crate) apps: Vec<PublicApp>,
    /// The code with which every request is refused.
    pub(crate) refuse_with: Arc<Mutex<Option<RefusalCode>>>,
    /// The condition that a refusal names.
    pub(crate) condition: Arc<Mutex<Option<Condition>>>,
    /// The requests, except those for the apps.
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
    /// The objects of which the user may not see every record.
    pub(crate) limited_objects: Arc<Mutex<Vec<ObjectName>>>,
}

impl FakeBroker {
    pub(crate) fn new(app: App, apps: Vec<PublicApp>) -> Self {
        let (refuse_with, condition) = (Arc::default(), Arc::default());
        Self { app, apps, refuse_with, condition, requests: Arc::default(), limited_objects: Arc::default() }
    }

    async fn respond(&self, request: Request) -> Response {
        let refuse_with = *self.refuse_with.lock().unwrap();
        match (refuse_with, request) {
            (_, Request::Apps) => Response::Apps(Apps { apps: self.apps.clone() }),
            (Some(code), _) => refused(code, *self.condition.lock().unwrap()),
            (None, Request::ExchangeCode(exchange)) => self.exchange(exchange).await,
            (None, Request::Revoke(connection)) => Response::Revoked(connection),
            (None, other) => panic!("{other:?}"),
        }
    }

    async fn exchange(&self, exchange: ExchangeCode) -> Response {
        let http = Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap();
        let login = LoginHost::parse(&exchange.login_url, HostPolicy::LoopbackToo).unwrap();
        let connection_id = exchange.kind.connection_id();
        let code = CodeExchange {
            redirect_uri: exchange.redirect_uri,
            code: exchange.code,
            code_verifier: exchange.code_verifier,
            nonce: exchange.nonce,
        };
        match auth::exchange_code(&http, &self.app, &login, &code).await {
            Ok(response) => Response::Connected(Connected {
                org_id: response.identity.org_id,
                connection_id,
                user_id: response.identity.user_id,
                instance_url: response.instance_url.unwrap().to_string(),
                username: None,
                limited_objects: self.limited_objects.lock().unwrap().clone(),
                grants: 1,
                displaced: Vec::new(),
            }),
            Err(_) => refused(RefusalCode::GrantRefused, None),
        }
    }
}

fn refused(code: RefusalCode, condition: Option<Condition>) -> Response {
    let (reason, retry) = ("refused by the fake".to_owned(), RetryHint::NeedsHuman);
    Response::Refused(Refusal { code, reason, retry, condition })
}

impl Invoke for FakeBroker {
    fn name(&self) -> &str {
        "connection-manager"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let request: Request = serde_json::from_slice(&payload).unwrap();
            if !matches!(request, Request::Apps) {
                self.requests.lock().unwrap().push(request.clone());
            }
            Ok(serde_json::to_vec(&self.respond(request).await).unwrap())
        })
    }
}

/// The outcome of an activation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ActivationOutcome {
    /// The org becomes active, and has a new webhook address.
    FirstActivation,
    /// The org was active before.
    AlreadyActive,
    /// The function fails with this error type.
    Fails(&'static str),
}

/// An `onboarding` function that stores no orgs.
#[derive(Clone)]
pub(crate) struct FakeOnboarding {
    pub(crate) outcome: Arc<Mutex<ActivationOutcome>>,
    pub(crate) requests: Arc<Mutex<Vec<Event>>>,
}

impl FakeOnboarding {
    pub(crate) fn new() -> Self {
        Self { outcome: Arc::new(Mutex::new(ActivationOutcome::FirstActivation)), requests: Arc::default() }
    }

    fn respond(&self, org_id: &str) -> Result<Value, Error> {
        let url = format!("https://ferry.example.com/webhooks/salesforce/{org_id}/the-webhook-secret");
        match *self.outcome.lock().unwrap() {
            ActivationOutcome::FirstActivation => Ok(json!({"org_id": org_id, "state": "active", "webhook_url": url})),
            ActivationOutcome::AlreadyActive => Ok(json!({"org_id": org_id, "state": "active"})),
            ActivationOutcome::Fails(error_type) => {
                Err(Error::Failed { function: self.name().to_owned(), error_type: error_type.to_owned() })
            }
        }
    }
}

impl Invoke for FakeOnboarding {
    fn name(&self) -> &str {
        "onboarding"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let event: Event = serde_json::from_slice(&payload).unwrap();
            self.requests.lock().unwrap().push(event.clone());
            let Event::TeamConnected(connected) = event else { panic!("{event:?}") };
            Ok(serde_json::to_vec(&self.respond(connected.org_id.as_str())?).unwrap())
        })
    }
}
