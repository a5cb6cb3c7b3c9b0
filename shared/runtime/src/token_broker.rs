//! The token broker: what the other functions say to it, what it says, and the client that remembers its answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use salesforce::{HostPolicy, OrgId, Sessions};
use store::ConnectionId;

use crate::Error;
use crate::invoke::{Invoke, ask};

mod sessions;
mod wire;

use sessions::ConnectionSessions;
pub use wire::{
    Answer, Connected, ConnectionRef, ConnectionStatus, ExchangeCode, Kind, Refusal, RefusalCode, Request, RetryHint,
    Token, TokenWanted,
};

type SessionsByConnection = HashMap<(OrgId, ConnectionId), Arc<ConnectionSessions>>;

/// The way to the token broker. Sessions are remembered for the life of the process, and of any number of callers that need
/// one for the same connection at the same time, one asks.
#[derive(Clone)]
pub struct TokenBroker {
    function: Arc<dyn Invoke>,
    policy: HostPolicy,
    sessions: Arc<Mutex<SessionsByConnection>>,
}

impl TokenBroker {
    /// Through this function; instance URLs must satisfy `policy`.
    pub fn new(function: impl Invoke, policy: HostPolicy) -> Self {
        Self { function: Arc::new(function), policy, sessions: Arc::default() }
    }

    /// Asks the broker.
    ///
    /// # Errors
    /// Those of the call. A refusal is an answer.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Error> {
        ask(&self.function, request).await
    }

    /// Trades a code for a connection.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of the call.
    pub async fn exchange_code(&self, exchange: ExchangeCode) -> Result<Connected, Error> {
        match self.ask(&Request::ExchangeCode(exchange)).await? {
            Answer::Connected(connected) => Ok(connected),
            other => Err(self.unexpected(other)),
        }
    }

    /// Ends a connection, at Salesforce and here.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of the call.
    pub async fn revoke(&self, org: OrgId, connection: &ConnectionId) -> Result<(), Error> {
        match self.ask(&Request::Revoke(reference(org, connection))).await? {
            Answer::Revoked(_) => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    /// Has a connection refreshed that has been idle for long, and says how it is. To be asked every hour.
    ///
    /// # Errors
    /// [`Error::Refused`] when it could not be refreshed now, and those of the call.
    pub async fn keep_alive(&self, org: OrgId, connection: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match self.ask(&Request::KeepAlive(reference(org, connection))).await? {
            Answer::Status(status) => Ok(status),
            other => Err(self.unexpected(other)),
        }
    }

    /// How a connection is.
    ///
    /// # Errors
    /// [`Error::Refused`], and those of the call.
    pub async fn status(&self, org: OrgId, connection: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match self.ask(&Request::Status(reference(org, connection))).await? {
            Answer::Status(status) => Ok(status),
            other => Err(self.unexpected(other)),
        }
    }

    /// The sessions of a connection, for a Salesforce client.
    #[must_use]
    pub fn sessions(&self, org: OrgId, connection: &ConnectionId) -> Arc<dyn Sessions> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sessions.entry((org, connection.clone())).or_insert_with(|| {
            let reference = reference(org, connection);
            Arc::new(ConnectionSessions::new(Arc::clone(&self.function), self.policy, reference))
        });
        Arc::<ConnectionSessions>::clone(known)
    }

    fn unexpected(&self, answer: Answer) -> Error {
        match answer {
            Answer::Refused(refusal) => Error::Refused(refusal),
            _ => Error::BadAnswer { function: self.function.name().to_owned() },
        }
    }
}

fn reference(org_id: OrgId, connection: &ConnectionId) -> ConnectionRef {
    ConnectionRef { org_id, connection_id: connection.clone() }
}

#[cfg(test)]
mod tests;
