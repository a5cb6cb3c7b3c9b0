//! The session of one connection: cached, and fetched by one caller at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use salesforce::{BoxFuture, Classify, Error, Fingerprint, HostPolicy, InstanceUrl, Retry, Session, Sessions};
use tokio::sync::Mutex;

use super::wire::{AccessTokenRequest, ConnectionRef, Refusal, Request, Response, Token};
use crate::invoke::{Invoke, call};

pub(super) struct ConnectionSessions {
    function: Arc<dyn Invoke>,
    policy: HostPolicy,
    connection: ConnectionRef,
    /// The number of calls to the broker. If it grew while a caller waited for the lock, the caller shares the outcome.
    calls: AtomicU64,
    last: Mutex<LastCall>,
}

/// The outcome of the last call to the broker.
enum LastCall {
    None,
    Session(Session),
    Failure(Failure),
}

/// A failure that several callers can share.
#[derive(Clone)]
struct Failure {
    reason: String,
    retry: Retry,
}

impl ConnectionSessions {
    pub(super) fn new(function: Arc<dyn Invoke>, policy: HostPolicy, connection: ConnectionRef) -> Self {
        let last = Mutex::new(LastCall::None);
        Self { function, policy, connection, calls: AtomicU64::new(0), last }
    }

    /// Returns the cached session, unless it is the refused one; otherwise fetches another one.
    async fn load_or_fetch(&self, refused: Option<Fingerprint>) -> Result<Session, Error> {
        let calls = self.calls.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        let called_meanwhile = self.calls.load(Ordering::Acquire) != calls;
        match &*last {
            LastCall::Session(session) if Some(session.fingerprint()) != refused => return Ok(session.clone()),
            LastCall::Failure(failure) if called_meanwhile => return Err(failure.clone().into()),
            _ => {}
        }
        let fetched = self.fetch(refused).await;
        self.calls.fetch_add(1, Ordering::Release);
        *last = match &fetched {
            Ok(session) => LastCall::Session(session.clone()),
            Err(failure) => LastCall::Failure(failure.clone()),
        };
        fetched.map_err(Error::from)
    }

    async fn fetch(&self, refused_fingerprint: Option<Fingerprint>) -> Result<Session, Failure> {
        let ConnectionRef { org_id, connection_id } = self.connection.clone();
        let request = AccessTokenRequest { org_id, connection_id, refused_fingerprint };
        match call(&self.function, &Request::AccessToken(request)).await {
            Ok(Response::Token(token)) => self.session(token),
            Ok(Response::Refused(refusal)) => Err(refusal.into()),
            Ok(_) => Err(Failure { reason: "the token broker returned no token".to_owned(), retry: Retry::Never }),
            Err(error) => Err(Failure { reason: error.to_string(), retry: error.retry() }),
        }
    }

    /// Accepts the token only for an instance URL that the policy allows.
    fn session(&self, token: Token) -> Result<Session, Failure> {
        match InstanceUrl::parse(&token.instance_url, self.policy) {
            Ok(instance_url) => Ok(Session { instance_url, access_token: token.access_token }),
            Err(error) => Err(Failure { reason: error.to_string(), retry: Retry::Never }),
        }
    }
}

impl Sessions for ConnectionSessions {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(self.load_or_fetch(refused))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { reason: refusal.reason, retry: refusal.retry.into() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::NoSession { reason: failure.reason, retry: failure.retry }
    }
}
