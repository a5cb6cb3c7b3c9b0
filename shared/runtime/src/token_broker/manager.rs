//! The client of the `connection-manager` function.

use std::sync::Arc;

use salesforce::OrgId;
use store::ConnectionId;

use super::wire::{Connected, ExchangeCode, Request, Response};
use super::{reference, unexpected};
use crate::Error;
use crate::invoke::{Invoke, call};

/// A client of the `connection-manager` function, which creates and ends connections.
#[derive(Clone)]
pub struct ConnectionManager {
    function: Arc<dyn Invoke>,
}

impl ConnectionManager {
    /// Creates a client that calls `function`.
    pub fn new(function: impl Invoke) -> Self {
        Self { function: Arc::new(function) }
    }

    /// Exchanges an authorization code for a connection.
    ///
    /// # Errors
    /// [`Error::Refused`], or the call fails.
    pub async fn exchange_code(&self, exchange: ExchangeCode) -> Result<Connected, Error> {
        match call(&self.function, &Request::ExchangeCode(exchange)).await? {
            Response::Connected(connected) => Ok(connected),
            other => Err(unexpected(&self.function, other)),
        }
    }

    /// Revokes the grant of a connection at Salesforce and deletes its tokens.
    ///
    /// # Errors
    /// [`Error::Refused`], or the call fails.
    pub async fn revoke(&self, org: OrgId, connection: &ConnectionId) -> Result<(), Error> {
        match call(&self.function, &Request::Revoke(reference(org, connection))).await? {
            Response::Revoked(_) => Ok(()),
            other => Err(unexpected(&self.function, other)),
        }
    }
}
