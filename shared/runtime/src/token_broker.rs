//! The clients of the token broker, and the messages between the broker and the other functions.
//!
//! The broker is deployed as two functions, each with its own callers: `token-broker` issues access tokens, and
//! `connection-manager` creates and ends connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use salesforce::{Clock, HostPolicy, OrgId, Sessions};
use store::ConnectionId;

use crate::invoke::{Invoke, call};
use crate::{Error, faults};

mod apps;
mod manager;
mod sessions;
mod wire;

pub use apps::AppList;
pub use manager::ConnectionManager;
use sessions::ConnectionSessions;
pub use wire::{
    AccessTokenRequest, Apps, Connected, ConnectionRef, ConnectionStatus, ExchangeCode, Operation, Refusal,
    RefusalCode, Request, Response, RetryHint, Token,
};

type SessionsByConnection = HashMap<(OrgId, ConnectionId), Arc<ConnectionSessions>>;

/// A client of the `token-broker` function. The process caches a session for each connection; of concurrent callers that need a new
/// one for the same connection, only one calls the broker.
#[derive(Clone)]
pub struct TokenBroker {
    function: Arc<dyn Invoke>,
    policy: HostPolicy,
    clock: Clock,
    sessions: Arc<Mutex<SessionsByConnection>>,
}

impl TokenBroker {
    /// Creates a client that calls `function`, and accepts the instance URLs that `policy` allows.
    pub fn new(function: impl Invoke, policy: HostPolicy, clock: Clock) -> Self {
        Self { function: Arc::new(function), policy, clock, sessions: Arc::default() }
    }

    /// Refreshes a connection that has been idle for long, and returns its status. Call this every hour.
    ///
    /// # Errors
    /// [`Error::Refused`] if the connection could not be refreshed now, or the call fails.
    pub async fn keep_alive(&self, org: OrgId, connection: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match call(&self.function, &Request::KeepAlive(reference(org, connection))).await? {
            Response::Status(status) => Ok(status),
            other => Err(unexpected(&self.function, other)),
        }
    }

    /// Returns the status of a connection.
    ///
    /// # Errors
    /// [`Error::Refused`], or the call fails.
    pub async fn status(&self, org: OrgId, connection: &ConnectionId) -> Result<ConnectionStatus, Error> {
        match call(&self.function, &Request::Status(reference(org, connection))).await? {
            Response::Status(status) => Ok(status),
            other => Err(unexpected(&self.function, other)),
        }
    }

    /// Returns the sessions of a connection, for a Salesforce client.
    #[must_use]
    pub fn sessions(&self, org: OrgId, connection: &ConnectionId) -> Arc<dyn Sessions> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = sessions.entry((org, connection.clone())).or_insert_with(|| {
            let reference = reference(org, connection);
            Arc::new(ConnectionSessions::new(Arc::clone(&self.function), self.policy, self.clock.clone(), reference))
        });
        Arc::<ConnectionSessions>::clone(cached)
    }
}

/// Returns the error of a response that is not the expected one.
fn unexpected(function: &Arc<dyn Invoke>, response: Response) -> Error {
    match response {
        Response::Refused(refusal) => Error::Refused(refusal),
        _ => {
            faults::count();
            Error::InvalidResponse { function: function.name().to_owned() }
        }
    }
}

fn reference(org_id: OrgId, connection: &ConnectionId) -> ConnectionRef {
    ConnectionRef { org_id, connection_id: connection.clone() }
}

#[cfg(test)]
mod tests;
