//! The session of one connection: cached, and fetched by one caller at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::deadline::TimeLimit;
use salesforce::{
    BoxFuture, Classify, Clock, Condition, Error, Fingerprint, HostPolicy, InstanceUrl, Retry, Session, Sessions,
    Unusable,
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
    clock: Clock,
    /// The time from which on the acceptance of the cached session is to be reported; `None` if the broker asked for no report, or
    /// has it. It is taken while a report is under way.
    report_from: std::sync::Mutex<Option<Timestamp>>,
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

/// The pause after a failure of the deployment, which passes with the deployment, or when an operator has acted.
const DEPLOYMENT_PAUSE: Duration = Duration::from_mins(1);

/// The time that the report of an accepted session may take: nobody waits for its outcome, and the answer of Salesforce has yet to
/// be stored.
pub(super) const REPORT: TimeLimit = TimeLimit {
    longest: Duration::from_secs(2),
    shortest: Duration::from_millis(500),
    reserve: Duration::from_secs(5),
};

/// The time after a failed report in which no other one is made, so that a broker that does not respond delays few calls.
const REPORT_PAUSE: SignedDuration = SignedDuration::from_secs(30);

impl ConnectionSessions {
    pub(super) fn new(function: Arc<dyn Invoke>, policy: HostPolicy, clock: Clock, connection: ConnectionRef) -> Self {
        let last = Mutex::new(LastCall::None);
        Self { function, policy, connection, calls: AtomicU64::new(0), last, clock, report_from: Default::default() }
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
                *self.report_from() = token.report_acceptance.then_some(Timestamp::MIN);
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

    /// Reports an accepted session to the broker, until the broker has responded once. It runs between an answer of Salesforce
    /// and the caller that stores it, so it takes little time, and a failure is only logged: an accepted call after
    /// [`REPORT_PAUSE`] reports again.
    async fn report(&self, session: &Session) {
        let Ok(limit) = REPORT.now(&self.clock) else { return };
        let now = self.clock.now();
        if self.report_from().take_if(|from| *from <= now).is_none() {
            return;
        }
        let request = AccessTokenRequest { accepted_fingerprint: Some(session.fingerprint()), ..self.request() };
        let request = Request::AccessToken(request);
        let failure = match tokio::time::timeout(limit, call::<_, Response>(&self.function, &request)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => Chain(&error).to_string(),
            Err(_) => "no response in time".to_owned(),
        };
        tracing::warn!(org.id = %self.connection.org_id, error = failure, "could not report an accepted session");
        *self.report_from() = Some(now.saturating_add(REPORT_PAUSE).unwrap_or(now));
    }

    fn report_from(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.report_from.lock().unwrap_or_else(PoisonError::into_inner)
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
