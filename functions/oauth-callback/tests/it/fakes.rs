//! The functions that are called, as far as these tests need them.

use std::sync::{Arc, Mutex};

use connecting::onboarding::Event;
use runtime::Error;
use runtime::invoke::Invoke;
use runtime::token_broker::{Connected, ExchangeCode, Refusal, RefusalCode, Request, Response, RetryHint};
use salesforce::auth::{self, App, CodeExchange};
use salesforce::{BoxFuture, Clock, HostPolicy, Http, LoginHost};
use serde_json::{Value, json};

/// A broker that really trades the code, so that a wrong verifier, nonce or redirect URI shows. It keeps no tokens.
#[derive(Clone)]
pub(crate) struct FakeBroker {
    pub(crate) app: App,
    /// Refuse everything with this code.
    pub(crate) refuses: Arc<Mutex<Option<RefusalCode>>>,
    pub(crate) heard: Arc<Mutex<Vec<Request>>>,
}

impl FakeBroker {
    pub(crate) fn new(app: App) -> Self {
        Self { app, refuses: Arc::default(), heard: Arc::default() }
    }

    async fn answer(&self, request: Request) -> Response {
        let refuses = *self.refuses.lock().unwrap();
        match (refuses, request) {
            (Some(code), _) => refused(code),
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
            Ok(answer) => Response::Connected(Connected {
                org_id: answer.identity.org_id,
                connection_id,
                user_id: answer.identity.user_id,
                instance_url: answer.instance_url.unwrap().to_string(),
                username: None,
                grants: 1,
                displaced: Vec::new(),
            }),
            Err(_) => refused(RefusalCode::GrantRefused),
        }
    }
}

fn refused(code: RefusalCode) -> Response {
    Response::Refused(Refusal { code, reason: "played".to_owned(), retry: RetryHint::NeedsHuman })
}

impl Invoke for FakeBroker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, payload: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let request: Request = serde_json::from_slice(&payload).unwrap();
            self.heard.lock().unwrap().push(request.clone());
            Ok(serde_json::to_vec(&self.answer(request).await).unwrap())
        })
    }
}

/// What the played onboarding does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Onboards {
    /// The org becomes active, and has a new webhook address.
    First,
    /// The org was active.
    Again,
    Quarantined,
    /// It fails with this error type.
    Fails(&'static str),
}

/// An onboarding that keeps no orgs.
#[derive(Clone)]
pub(crate) struct FakeOnboarding {
    pub(crate) onboards: Arc<Mutex<Onboards>>,
    pub(crate) heard: Arc<Mutex<Vec<Event>>>,
}

impl FakeOnboarding {
    pub(crate) fn new() -> Self {
        Self { onboards: Arc::new(Mutex::new(Onboards::First)), heard: Arc::default() }
    }

    fn answer(&self, org_id: &str) -> Result<Value, Error> {
        let url = format!("https://ferry.example.com/webhooks/salesforce/{org_id}/the-webhook-secret");
        match *self.onboards.lock().unwrap() {
            Onboards::First => Ok(json!({"org_id": org_id, "state": "active", "webhook_url": url})),
            Onboards::Again => Ok(json!({"org_id": org_id, "state": "active"})),
            Onboards::Quarantined => Ok(json!({"org_id": org_id, "state": "quarantined"})),
            Onboards::Fails(error_type) => {
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
            self.heard.lock().unwrap().push(event.clone());
            let Event::TeamConnected(connected) = event else { panic!("{event:?}") };
            Ok(serde_json::to_vec(&self.answer(connected.org_id.as_str())?).unwrap())
        })
    }
}
