//! The token vault, in Secrets Manager: one secret a connection. Only the token broker may use it.

use std::borrow::Cow;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Error;
use crate::ids::{ConnectionId, NAMESPACE, TokenVersion};

/// The content of a connection's secret.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token of API calls.
    pub access_token: SecretString,
    /// The refresh token. It can be used once.
    pub refresh_token: SecretString,
    /// The base URL at which the access token is valid.
    pub instance_url: String,
    /// The time of issue, by Salesforce's clock.
    pub issued_at: Timestamp,
    /// The grant of the tokens; `None` in secrets of earlier versions, whose grant is that of the connection.
    pub grant: Option<TokenGrant>,
}

/// The grant that tokens belong to. After a new consent's tokens are stored, and before the connection is updated, the
/// connection still names the grant before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The Salesforce user who granted it.
    pub user_id: RecordId,
    /// The app registration it was granted to.
    pub app: String,
    /// The login host that refreshes and revokes the grant.
    pub login_url: String,
}

/// The secrets under one prefix.
#[derive(Clone, Debug)]
pub struct TokenVault {
    client: Client,
    prefix: String,
}

impl TokenVault {
    /// Creates a client for secrets named `{prefix}/{org}/{connection}`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into() }
    }

    /// Makes `tokens` the current version, and returns that version. `replaces` is the version that the caller loaded
    /// before; of two callers that replace the same version, one gets [`Error::Conflict`]. `None` means a consent whose
    /// tokens replace any others.
    ///
    /// A repeated call with the same tokens is safe: the new version is derived from the one that it replaces.
    ///
    /// # Errors
    /// [`Error::Conflict`]: another caller replaced that version with other tokens.
    pub async fn store(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        tokens: &Tokens,
        replaces: Option<&TokenVersion>,
    ) -> Result<TokenVersion, Error> {
        let name = self.name(org, connection);
        let secret = tokens.render()?;
        if let Some(version) = replaces {
            return self.replace(&name, &secret, version).await;
        }
        if let Some(version) = self.create(&name, &secret).await? {
            return Ok(version);
        }
        let (_, version) = self.load(org, connection).await?.ok_or(Error::Conflict { operation: STORE })?;
        self.replace(&name, &secret, &version).await
    }

    /// Creates the secret. Returns `None` if it exists already.
    async fn create(&self, name: &str, secret: &SecretString) -> Result<Option<TokenVersion>, Error> {
        let request = self.client.create_secret().name(name).client_request_token(successor(name, "nothing"));
        match request.secret_string(secret.expose_secret()).send().await {
            Ok(response) => version_of(STORE, response.version_id).map(Some),
            Err(error) => match error.as_service_error() {
                Some(CreateSecretError::ResourceExistsException(_)) => Ok(None),
                // A deleted name becomes available again only after some seconds.
                Some(CreateSecretError::InvalidRequestException(_)) => {
                    Err(Error::Unavailable { operation: STORE, source: Box::new(error) })
                }
                _ => Err(Error::aws(STORE)(error)),
            },
        }
    }

    async fn replace(&self, name: &str, secret: &SecretString, replaced: &TokenVersion) -> Result<TokenVersion, Error> {
        let token = successor(name, replaced.as_str());
        let request = self.client.put_secret_value().secret_id(name).client_request_token(token);
        match request.secret_string(secret.expose_secret()).send().await {
            Ok(response) => version_of(STORE, response.version_id),
            Err(error) => match error.as_service_error() {
                Some(PutSecretValueError::ResourceExistsException(_)) => Err(Error::Conflict { operation: STORE }),
                _ => Err(Error::aws(STORE)(error)),
            },
        }
    }

    /// Returns the current tokens and their version, or `None` if the connection has no secret or it is being deleted.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn load(&self, org: OrgId, connection: &ConnectionId) -> Result<Option<(Tokens, TokenVersion)>, Error> {
        let operation = "load the tokens";
        let request = self.client.get_secret_value().secret_id(self.name(org, connection));
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => match error.as_service_error() {
                Some(
                    GetSecretValueError::ResourceNotFoundException(_) | GetSecretValueError::InvalidRequestException(_),
                ) => return Ok(None),
                _ => return Err(Error::aws(operation)(error)),
            },
        };
        let version = version_of(operation, response.version_id)?;
        let secret: SecretString = response.secret_string.unwrap_or_default().into();
        Ok(Some((Tokens::parse(operation, &secret)?, version)))
    }

    /// Deletes the secret permanently. A missing secret is not an error.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn delete(&self, org: OrgId, connection: &ConnectionId) -> Result<(), Error> {
        let request = self.client.delete_secret().secret_id(self.name(org, connection));
        match request.force_delete_without_recovery(true).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteSecretError::ResourceNotFoundException(_)) => Ok(()),
                _ => Err(Error::aws("delete the tokens")(error)),
            },
        }
    }

    fn name(&self, org: OrgId, connection: &ConnectionId) -> String {
        format!("{}/{org}/{connection}", self.prefix)
    }
}

const STORE: &str = "store the tokens";

/// Derives the version that replaces another one. It is always the same, so that only one of two brokers can write it,
/// and a broker can repeat its write.
fn successor(name: &str, replaced: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("tokens/{name}/{replaced}").as_bytes()).to_string()
}

fn version_of(operation: &'static str, id: Option<String>) -> Result<TokenVersion, Error> {
    let id = id.ok_or(Error::Incomplete { operation, field: "VersionId" })?;
    id.try_into().map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
}

/// The JSON of a secret.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    access_token: Cow<'a, str>,
    refresh_token: Cow<'a, str>,
    instance_url: Cow<'a, str>,
    #[serde(with = "crate::time::millis")]
    issued_at: Timestamp,
    #[serde(default, rename = "origin", skip_serializing_if = "Option::is_none")]
    grant: Option<Cow<'a, TokenGrant>>,
}

impl Tokens {
    fn render(&self) -> Result<SecretString, Error> {
        let stored = Stored {
            access_token: self.access_token.expose_secret().into(),
            refresh_token: self.refresh_token.expose_secret().into(),
            instance_url: self.instance_url.as_str().into(),
            issued_at: self.issued_at,
            grant: self.grant.as_ref().map(Cow::Borrowed),
        };
        let text = serde_json::to_string(&stored);
        text.map(SecretString::from).map_err(|source| Error::Corrupt { operation: STORE, source: Box::new(source) })
    }

    /// The parser's error is dropped, because it may quote the secret.
    fn parse(operation: &'static str, secret: &SecretString) -> Result<Self, Error> {
        let stored: Stored<'_> = serde_json::from_str(secret.expose_secret())
            .map_err(|_| Error::Corrupt { operation, source: "the secret is not what was stored".into() })?;
        Ok(Self {
            access_token: stored.access_token.into_owned().into(),
            refresh_token: stored.refresh_token.into_owned().into(),
            instance_url: stored.instance_url.into_owned(),
            issued_at: stored.issued_at,
            grant: stored.grant.map(Cow::into_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            access_token: "00D!access".into(),
            refresh_token: "5Aep!refresh".into(),
            instance_url: "https://acme.my.salesforce.com".to_owned(),
            issued_at: Timestamp::UNIX_EPOCH,
            grant: None,
        }
    }

    #[test]
    fn tokens_come_back_as_they_were_stored() {
        let back = Tokens::parse("test", &tokens().render().unwrap()).unwrap();
        assert_eq!(back.access_token.expose_secret(), "00D!access");
        assert_eq!(back.refresh_token.expose_secret(), "5Aep!refresh");
        assert_eq!(back.instance_url, "https://acme.my.salesforce.com");
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_token() {
        let error =
            Tokens::parse("test", &r#"{"access_token": 1, "refresh_token": "5Aep!refresh"}"#.into()).unwrap_err();
        let shown = format!("{:?} {error:?} {error}", tokens());
        assert!(!shown.contains("access\"") && !shown.contains('!'), "{shown}");
    }

    #[test]
    fn a_version_has_one_successor_in_one_secret() {
        assert_eq!(successor("a", "1"), successor("a", "1"));
        assert_ne!(successor("a", "1"), successor("a", "2"));
        assert_ne!(successor("a", "1"), successor("b", "1"));
    }
}
