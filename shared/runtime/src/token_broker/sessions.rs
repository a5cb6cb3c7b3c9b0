//! The session of one connection: cached, and fetched by one caller at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use salesforce::{
    BoxFuture, Classify, Condition, Error, Fingerprint, HostPolicy, InstanceUrl, Retry, Session, Sessions, Unusable,
};
use tokio::sync::Mutex;

use super::wire::{AccessTokenRequest, ConnectionRef, Refusal, Request, Response, Token};
use crate::invoke::{Invoke, call};
use crate::{Chain, faults};

pub(super) struct ConnectionSessions {
    function: Arc<dyn Invoke>,
    policy: HostPolicy,
    connection: ConnectionRef,
    /// The number of calls to the broker. If it grew while a caller waited for the lock, the caller shares the outcome.
    calls: AtomicU64,
    last: Mutex<LastCall>,
    /// `true` until Salesforce accepts the cached session, where the broker asked for a report.
    reports_acceptance: AtomicBool,
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
    condition: Option<Condition>,
}

/// The pause after a failure of the deployment, which an operator or the end of a deployment mends.
const DEPLOYMENT_PAUSE: Duration = Duration::from_mins(1);

impl ConnectionSessions {
    pub(super) fn new(function: Arc<dyn Invoke>, policy: HostPolicy, connection: ConnectionRef) -> Self {
        let last = Mutex::new(LastCall::None);
        let reports_acceptance = AtomicBool::new(false);
        Self { function, policy, connection, calls: AtomicU64::new(0), last, reports_acceptance }
    }

    /// Returns the cached session, unless it is the unusable one; otherwise fetches another one.
    async fn load_or_fetch(&self, unusable: Option<Unusable>) -> Result<Session, Error> {
        let calls = self.calls.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        let called_meanwhile = self.calls.load(Ordering::Acquire) != calls;
        match &*last {
            LastCall::Session(session)
                if Some(&session.fingerprint()) != unusable.as_ref().map(Unusable::fingerprint) =>
            {
                return Ok(session.clone());
            }
            LastCall::Failure(failure) if called_meanwhile => return Err(failure.clone().into()),
            _ => {}
        }
        let fetched = self.fetch(unusable).await;
        self.calls.fetch_add(1, Ordering::Release);
        *last = match &fetched {
            Ok(session) => LastCall::Session(session.clone()),
            Err(failure) => LastCall::Failure(failure.clone()),
        };
        fetched.map_err(Error::from)
    }

    async fn fetch(&self, unusable: Option<Unusable>) -> Result<Session, Failure> {
        let mut request = self.request();
        match unusable {
            None => {}
            Some(Unusable::Refused(fingerprint)) => request.refused_fingerprint = Some(fingerprint),
            Some(Unusable::Unreachable(fingerprint)) => request.unreachable_fingerprint = Some(fingerprint),
            Some(Unusable::NotPermitted(fingerprint)) => request.not_permitted_fingerprint = Some(fingerprint),
        }
        match call(&self.function, &Request::AccessToken(request)).await {
            Ok(Response::Token(token)) => {
                self.reports_acceptance.store(token.report_acceptance, Ordering::Release);
                self.session(token)
            }
            Ok(Response::Refused(refusal)) => Err(refusal.into()),
            Ok(_) => Err(unusable_answer("the token broker returned no token")),
            Err(error) => {
                // `call` counts a missing permission and an answer of another version, for an alarm.
                tracing::error!(org.id = %self.connection.org_id, "{}", Chain(&error));
                Err(Failure { reason: error.to_string(), retry: error.retry(), condition: None })
            }
        }
    }

    fn request(&self) -> AccessTokenRequest {
        AccessTokenRequest::new(self.connection.org_id, self.connection.connection_id.clone())
    }

    /// Accepts the token only for an instance URL that the policy allows.
    fn session(&self, token: Token) -> Result<Session, Failure> {
        match InstanceUrl::parse(&token.instance_url, self.policy) {
            Ok(instance_url) => Ok(Session { instance_url, access_token: token.access_token }),
            Err(error) => Err(unusable_answer(&error.to_string())),
        }
    }

    /// Reports an accepted session to the broker, once. A failure is only logged: the next fetch asks for another report.
    async fn report(&self, session: &Session) {
        if !self.reports_acceptance.swap(false, Ordering::AcqRel) {
            return;
        }
        let request = AccessTokenRequest { accepted_fingerprint: Some(session.fingerprint()), ..self.request() };
        if let Err(error) = call::<_, Response>(&self.function, &Request::AccessToken(request)).await {
            tracing::warn!(org.id = %self.connection.org_id, error = %Chain(&error), "could not report an accepted session");
        }
    }
}

/// Returns the failure for an answer that this version cannot use. It is logged as an error, because it does not pass by itself
/// unless a deployment is under way.
fn unusable_answer(reason: &str) -> Failure {
    faults::count();
    tracing::error!("could not get a session: {reason}");
    Failure { reason: reason.to_owned(), retry: Retry::After(DEPLOYMENT_PAUSE), condition: None }
}

impl Sessions for ConnectionSessions {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(self.load_or_fetch(refused.map(Unusable::Refused)))
    }

    fn replacement(&self, unusable: Unusable) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(self.load_or_fetch(Some(unusable)))
    }

    fn accepted<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, ()> {
        Box::pin(self.report(session))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { reason: refusal.reason, retry: refusal.retry.into(), condition: refusal.condition }
    }
}

impl From<Failure> for Error {
    fn from(Failure { reason, retry, condition }: Failure) -> Self {
        match condition {
            Some(condition) => Self::Blocked { condition, code: condition.code().to_owned(), retry },
            None => Self::NoSession { reason, retry },
        }
    }
}
