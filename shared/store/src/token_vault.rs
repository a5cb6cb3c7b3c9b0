//! The tokens, in Secrets Manager: one secret a connection. Only the token broker may use this.

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
    /// Which grant they are of; `None` in secrets of before this was kept, whose grant is the connection's.
    pub grant: Option<TokenGrant>,
}

/// The grant that tokens are of. Between the storing of a new consent's tokens and the note of it in the connection's row,
/// the row still names the grant before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The Salesforce user who gave it.
    pub user_id: RecordId,
    /// The app registration it was given to.
    pub app: String,
    /// The login host that refreshes and revokes it.
    pub login_url: String,
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
    /// Trying again with the same tokens is safe: the version's name follows from the one that it replaces.
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

    /// `None` when there is a secret with this name.
    async fn create(&self, name: &str, secret: &SecretString) -> Result<Option<TokenVersion>, Error> {
        let request = self.client.create_secret().name(name).client_request_token(successor(name, "nothing"));
        match request.secret_string(secret.expose_secret()).send().await {
            Ok(answer) => version_of(STORE, answer.version_id).map(Some),
            Err(error) => match error.as_service_error() {
                Some(CreateSecretError::ResourceExistsException(_)) => Ok(None),
                // The name is free again only some seconds after a deletion.
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
            Ok(answer) => version_of(STORE, answer.version_id),
            Err(error) => match error.as_service_error() {
                Some(PutSecretValueError::ResourceExistsException(_)) => Err(Error::Conflict { operation: STORE }),
                _ => Err(Error::aws(STORE)(error)),
            },
        }
    }

    /// The current tokens and their version, or `None` when the connection has no secret, or one that is being deleted.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn load(&self, org: OrgId, connection: &ConnectionId) -> Result<Option<(Tokens, TokenVersion)>, Error> {
        let operation = "load the tokens";
        let request = self.client.get_secret_value().secret_id(self.name(org, connection));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => match error.as_service_error() {
                Some(
                    GetSecretValueError::ResourceNotFoundException(_) | GetSecretValueError::InvalidRequestException(_),
                ) => return Ok(None),
                _ => return Err(Error::aws(operation)(error)),
            },
        };
        let version = version_of(operation, answer.version_id)?;
        let secret: SecretString = answer.secret_string.unwrap_or_default().into();
        Ok(Some((Tokens::parse(operation, &secret)?, version)))
    }

    /// Removes the secret for good. One that is not there is removed already.
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

/// The version that replaces another one: always the same, so that only one of two brokers can write it, and one broker can
/// write it again.
fn successor(name: &str, replaced: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("tokens/{name}/{replaced}").as_bytes()).to_string()
}

fn version_of(operation: &'static str, id: Option<String>) -> Result<TokenVersion, Error> {
    let id = id.ok_or(Error::Incomplete { operation, field: "VersionId" })?;
    id.try_into().map_err(|source| Error::Corrupt { operation, source: Box::new(source) })
}

/// The secret's text.
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

    /// The parser's own error is dropped: it may quote the secret.
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
