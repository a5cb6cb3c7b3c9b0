//! The tokens, in Secrets Manager: one secret a connection. Only the token broker may use this.

use aws_sdk_secretsmanager::Client;
use jiff::Timestamp;
use salesforce::OrgId;
use secrecy::SecretString;

use crate::Error;
use crate::ids::{ConnectionId, TokenVersion};

/// What a connection's secret holds.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Opens API calls.
    pub access_token: SecretString,
    /// Good once.
    pub refresh_token: SecretString,
    /// Where the access token is good.
    pub instance_url: String,
    /// When Salesforce issued them.
    pub issued_at: Timestamp,
}

/// The secrets below one prefix.
#[derive(Clone, Debug)]
pub struct TokenVault {
    client: Client,
    prefix: String,
}

impl TokenVault {
    /// Secrets named `{prefix}/{org}/{connection}`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into() }
    }

    /// Makes `tokens` the current ones, and says which version they are. `replaces` is the version that the caller loaded
    /// before; of two callers that replace the same version, one gets [`Error::Conflict`]. `None` means a first consent, or
    /// one after which nothing of the old tokens matters.
    ///
    /// # Errors
    /// [`Error::Conflict`]: someone else replaced that version with other tokens.
    pub async fn store(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        tokens: &Tokens,
        replaces: Option<&TokenVersion>,
    ) -> Result<TokenVersion, Error> {
        let _ = (&self.client, &self.prefix, org, connection, tokens, replaces);
        todo!()
    }

    /// The current tokens and their version, or `None` when the connection has no secret.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn load(&self, org: OrgId, connection: &ConnectionId) -> Result<Option<(Tokens, TokenVersion)>, Error> {
        let _ = (org, connection);
        todo!()
    }

    /// Removes the secret for good. One that is not there is removed already.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn delete(&self, org: OrgId, connection: &ConnectionId) -> Result<(), Error> {
        let _ = (org, connection);
        todo!()
    }
}
