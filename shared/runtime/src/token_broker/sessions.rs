//! One connection's sessions in this process: remembered, and asked for by one caller at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use salesforce::{BoxFuture, Classify, Error, Fingerprint, HostPolicy, InstanceUrl, Retry, Session, Sessions};
use tokio::sync::Mutex;

use super::wire::{Answer, ConnectionRef, Refusal, Request, Token, TokenWanted};
use crate::invoke::{Invoke, ask};

pub(super) struct ConnectionSessions {
    function: Arc<dyn Invoke>,
    policy: HostPolicy,
    connection: ConnectionRef,
    /// How often the broker was asked. Who finds it grown after waiting shares the outcome of the one who asked.
    asked: AtomicU64,
    outcome: Mutex<Outcome>,
}

/// What came of the last question.
enum Outcome {
    NotAsked,
    Session(Session),
    Failure(Failure),
}

/// An error that many callers can be given.
#[derive(Clone)]
struct Failure {
    reason: String,
    retry: Retry,
}

impl ConnectionSessions {
    pub(super) fn new(function: Arc<dyn Invoke>, policy: HostPolicy, connection: ConnectionRef) -> Self {
        let outcome = Mutex::new(Outcome::NotAsked);
        Self { function, policy, connection, asked: AtomicU64::new(0), outcome }
    }

    async fn obtain(&self, refused: Option<Fingerprint>) -> Result<Session, Error> {
        let seen = self.asked.load(Ordering::Acquire);
        let mut outcome = self.outcome.lock().await;
        let asked_meanwhile = self.asked.load(Ordering::Acquire) != seen;
        match &*outcome {
            Outcome::Session(session) if Some(session.fingerprint()) != refused => return Ok(session.clone()),
            Outcome::Failure(failure) if asked_meanwhile => return Err(failure.clone().into()),
            _ => {}
        }
        let answer = self.ask(refused).await;
        self.asked.fetch_add(1, Ordering::Release);
        *outcome = match &answer {
            Ok(session) => Outcome::Session(session.clone()),
            Err(failure) => Outcome::Failure(failure.clone()),
        };
        answer.map_err(Error::from)
    }

    async fn ask(&self, refused_fingerprint: Option<Fingerprint>) -> Result<Session, Failure> {
        let ConnectionRef { org_id, connection_id } = self.connection.clone();
        let wanted = Request::AccessToken(TokenWanted { org_id, connection_id, refused_fingerprint });
        match ask(&self.function, &wanted).await {
            Ok(Answer::Token(token)) => self.believe(token),
            Ok(Answer::Refused(refusal)) => Err(refusal.into()),
            Ok(_) => {
                Err(Failure { reason: "the token broker answered another question".to_owned(), retry: Retry::Never })
            }
            Err(error) => Err(Failure { reason: error.to_string(), retry: error.retry() }),
        }
    }

    fn believe(&self, token: Token) -> Result<Session, Failure> {
        match InstanceUrl::parse(&token.instance_url, self.policy) {
            Ok(instance_url) => Ok(Session { instance_url, access_token: token.access_token }),
            Err(error) => Err(Failure { reason: error.to_string(), retry: Retry::Never }),
        }
    }
}

impl Sessions for ConnectionSessions {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(self.obtain(refused))
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
