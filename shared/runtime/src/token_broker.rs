//! The client of the token broker, and the messages between the broker and the other functions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use salesforce::{HostPolicy, OrgId, Sessions};
use store::ConnectionId;

use crate::Error;
use crate::invoke::{Invoke, call};

mod sessions;
mod wire;

use sessions::ConnectionSessions;
pub use wire::{
    AccessTokenRequest, Connected, ConnectionRef, ConnectionStatus, ExchangeCode, Refusal, RefusalCode, Request,
    Response, RetryHint, Token,
};

type SessionsByConnection = HashMap<(OrgId, ConnectionId), Arc<ConnectionSessions>>;

/// A client of the token broker. The process caches a session for each connection; of concurrent callers that need a new
/// one for the same connection, only one calls the broker.
#[derive(Clone)]
pub struct TokenBroker {
    function: Arc<dyn Invoke>,
    policy: HostPolicy,
    sessions: Arc<Mutex<SessionsByConnection>>,
}

impl TokenBroker {
    /// Creates a client that calls `function`, and accepts the instance URLs that `policy` allows.
    pub fn new(function: impl Invoke, policy: HostPolicy) -> Self {
        Self { function: Arc::new(function), policy, sessions: Arc::default() }
    }

    /// Sends a request. A refusal is a response, not an error.
    ///
    /// # Errors
    /// The call fails.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        call(&self.function, request).await
    }

    /// Exchanges an authorization code for a connection.
    ///
    /// # Errors
    /// [`Error::Refused`], or the call fails.
    pub async fn exchange_code(&self, exchange: ExchangeCode) -> Result<Connected, Error> {
        match self.send(&Request::ExchangeCode(exchange)).await? {
            Response::Connected(connected) => Ok(connected),
            other => Err(self.unexpected(other)),
        }
    }

    /// Revokes the grant of a connection at Salesforce and deletes its tokens.
    ///
    /// # Errors
    /// [`Error::Refused`], or the call fails.
    pub async fn revoke(&self, org: OrgId, connection: &ConnectionId) -> Result<(), Error> {
        match self.send(&Request::Revoke(reference(org, connection))).await? {
            Response::Revoked(_) => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    /// Refreshes a connection that has been idle for long, and returns its status. Call this every hour.
    ///
    /// # Errors
    /// [`Error::Refused`] if the connection could not be refreshed now, or the call fails.
    pub async fn keep_alive(&self, org: OrgId, connection: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match self.send(&Request::KeepAlive(reference(org, connection))).await? {
            Response::Status(status) => Ok(status),
            other => Err(self.unexpected(other)),
        }
    }

    /// Returns the status of a connection.
    ///
    /// # Errors
    /// [`Error::Refused`], or the call fails.
    pub async fn status(&self, org: OrgId, connection: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match self.send(&Request::Status(reference(org, connection))).await? {
            Response::Status(status) => Ok(status),
            other => Err(self.unexpected(other)),
        }
    }

    /// Returns the sessions of a connection, for a Salesforce client.
    #[must_use]
    pub fn sessions(&self, org: OrgId, connection: &ConnectionId) -> Arc<dyn Sessions> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = sessions.entry((org, connection.clone())).or_insert_with(|| {
            let reference = reference(org, connection);
            Arc::new(ConnectionSessions::new(Arc::clone(&self.function), self.policy, reference))
        });
        Arc::<ConnectionSessions>::clone(cached)
    }

    fn unexpected(&self, response: Response) -> Error {
        match response {
            Response::Refused(refusal) => Error::Refused(refusal),
            _ => Error::InvalidResponse { function: self.function.name().to_owned() },
        }
    }
}

fn reference(org_id: OrgId, connection: &ConnectionId) -> ConnectionRef {
    ConnectionRef { org_id, connection_id: connection.clone() }
}

#[cfg(test)]
mod tests;
