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
use serde_json::json;
use uuid::Uuid;

use crate::Error;
use crate::ids::{ConnectionId, NAMESPACE, TokenVersion, sha256_hex};

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
    /// The mark of the [`Protection`] that the secret had when these tokens were stored; `None` if it is not known to have one.
    pub protection: Option<String>,
}

/// The protection of the secrets, beside the permissions of their callers.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// The ARNs of the roles that may read and replace tokens. A secret's resource policy denies it to everyone else in the
    /// account, whatever their permissions. Without any, the secrets have no resource policy.
    pub readers: Vec<String>,
    /// The ARN of the customer-managed key of the secrets; `None` for AWS's key.
    pub kms_key: Option<String>,
}

impl Protection {
    /// Returns the resource policy of a secret.
    ///
    /// It does not deny reading and deleting the policy itself or the secret, so that an administrator of the account can
    /// always repair or remove a secret whose policy names roles that no longer exist.
    fn policy(&self) -> Option<String> {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "OnlyTheTokenBroker",
                "Effect": "Deny",
                "Principal": "*",
                "Action": DENIED.map(|action| format!("secretsmanager:{action}")),
                "Resource": "*",
                "Condition": { "ArnNotEquals": { "aws:PrincipalArn": self.readers } },
            }],
        });
        (!self.readers.is_empty()).then(|| policy.to_string())
    }

    /// Returns a mark that changes with the protection. `None` if there is none.
    fn mark(&self) -> Option<String> {
        let key = self.kms_key.as_deref().unwrap_or_default();
        let policy = self.policy().or_else(|| self.kms_key.as_ref().map(|_| String::new()))?;
        let mut mark = sha256_hex(format!("{policy}{key}").as_bytes());
        mark.truncate(16);
        Some(mark)
    }
}

/// The actions that read, replace or copy a secret's value.
const DENIED: [&str; 7] = [
    "GetSecretValue",
    "PutSecretValue",
    "ReplicateSecretToRegions",
    "RestoreSecret",
    "RotateSecret",
    "UpdateSecret",
    "UpdateSecretVersionStage",
];

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
    protection: Protection,
}

impl TokenVault {
    /// Creates a client for secrets named `{prefix}/{org}/{connection}`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into(), protection: Protection::default() }
    }

    /// Returns the vault with this protection of its secrets. [`TokenVault::protect`] applies it.
    #[must_use]
    pub fn with_protection(self, protection: Protection) -> Self {
        Self { protection, ..self }
    }

    /// Protects a secret that has these tokens, and returns the mark to store with the next ones. If the tokens have the mark
    /// already, no call is made; otherwise one or two calls are.
    ///
    /// A secret cannot be created with its policy. If the process dies in between, or the protection changes, the mark is
    /// missing or another one, and the next caller repeats this.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn protect(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        tokens: &Tokens,
    ) -> Result<Option<String>, Error> {
        let mark = self.protection.mark();
        if tokens.protection == mark {
            return Ok(mark);
        }
        let name = self.name(org, connection);
        if let Some(key) = &self.protection.kms_key {
            let request = self.client.update_secret().secret_id(&name).kms_key_id(key);
            request.send().await.map_err(Error::aws("encrypt the tokens with the key"))?;
        }
        self.put_policy(&name).await?;
        Ok(mark)
    }

    /// Sets the secret's resource policy, if there is one.
    async fn put_policy(&self, name: &str) -> Result<(), Error> {
        if let Some(policy) = self.protection.policy() {
            let request = self.client.put_resource_policy().secret_id(name).resource_policy(policy);
            request.send().await.map_err(Error::aws("protect the tokens"))?;
        }
        Ok(())
    }

    /// Makes `tokens` the current version, and returns that version. `replaces` is the version that the caller loaded
    /// before; of two callers that replace the same version, one gets [`Error::Conflict`].
    ///
    /// A repeated call with the same tokens is safe: the new version is derived from the one that it replaces.
    ///
    /// # Errors
    /// [`Error::Conflict`]: another caller replaced that version with other tokens.
    pub async fn replace(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        tokens: &Tokens,
        replaces: &TokenVersion,
    ) -> Result<TokenVersion, Error> {
        self.put(&self.name(org, connection), &tokens.render()?, replaces).await
    }

    /// Stores the tokens of a consent as [`TokenVault::replace`] does. With `None`, there must be no secret yet.
    ///
    /// # Errors
    /// As [`TokenVault::replace`]; [`Error::Conflict`] also if another caller created the secret.
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
            return self.put(&name, &secret, version).await;
        }
        self.create(&name, &secret).await
    }

    /// Creates the secret. Its first version has a new name, so that a version of a deleted secret is never taken for one of the
    /// secret that was created after it.
    async fn create(&self, name: &str, secret: &SecretString) -> Result<TokenVersion, Error> {
        let request = self.client.create_secret().name(name).client_request_token(Uuid::new_v4().to_string());
        let request = request.set_kms_key_id(self.protection.kms_key.clone());
        match request.secret_string(secret.expose_secret()).send().await {
            Ok(response) => version_of(STORE, response.version_id),
            Err(error) => match error.as_service_error() {
                Some(CreateSecretError::ResourceExistsException(_)) => Err(Error::Conflict { operation: STORE }),
                // A deleted name becomes available again only after some seconds.
                Some(CreateSecretError::InvalidRequestException(_)) => {
                    Err(Error::Unavailable { operation: STORE, source: Box::new(error) })
                }
                _ => Err(Error::aws(STORE)(error)),
            },
        }
    }

    async fn put(&self, name: &str, secret: &SecretString, replaced: &TokenVersion) -> Result<TokenVersion, Error> {
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
    /// If the read is denied, the policy is set anew and the read repeated: the stack was created again, and the policy still
    /// names the roles of the stack before.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn load(&self, org: OrgId, connection: &ConnectionId) -> Result<Option<(Tokens, TokenVersion)>, Error> {
        let name = self.name(org, connection);
        match self.read(&name).await {
            Err(Error::Refused { code, .. }) if code == DENIAL && !self.protection.readers.is_empty() => {
                self.put_policy(&name).await?;
                self.read(&name).await
            }
            result => result,
        }
    }

    async fn read(&self, name: &str) -> Result<Option<(Tokens, TokenVersion)>, Error> {
        let operation = "load the tokens";
        let request = self.client.get_secret_value().secret_id(name);
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

    /// Deletes the secret permanently if this is its current version, or it is missing. Returns `false` if it has another one.
    ///
    /// Secrets Manager deletes without a condition, so the caller holds the lease of the connection, which keeps others from
    /// storing tokens between the read and the deletion.
    ///
    /// # Errors
    /// Only those of Secrets Manager.
    pub async fn delete_version(
        &self,
        org: OrgId,
        connection: &ConnectionId,
        version: &TokenVersion,
    ) -> Result<bool, Error> {
        match self.load(org, connection).await? {
            Some((_, current)) if current != *version => Ok(false),
            Some(_) => self.delete(org, connection).await.map(|()| true),
            None => Ok(true),
        }
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
/// The code of a call that a policy denies.
const DENIAL: &str = "AccessDeniedException";

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protection: Option<Cow<'a, str>>,
}

impl Tokens {
    fn render(&self) -> Result<SecretString, Error> {
        let stored = Stored {
            access_token: self.access_token.expose_secret().into(),
            refresh_token: self.refresh_token.expose_secret().into(),
            instance_url: self.instance_url.as_str().into(),
            issued_at: self.issued_at,
            grant: self.grant.as_ref().map(Cow::Borrowed),
            protection: self.protection.as_deref().map(Cow::Borrowed),
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
            protection: stored.protection.map(Cow::into_owned),
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
            protection: None,
        }
    }

    fn protection(readers: &[&str], kms_key: Option<&str>) -> Protection {
        let readers = readers.iter().map(|&reader| reader.to_owned()).collect();
        Protection { readers, kms_key: kms_key.map(str::to_owned) }
    }

    #[test]
    fn the_policy_denies_tokens_to_all_but_the_readers() {
        let policy = protection(&["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"], None).policy().unwrap();
        let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!((&statement["Effect"], &statement["Principal"]), (&"Deny".into(), &"*".into()));
        let readers = &statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
        assert_eq!(*readers, json!(["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"]));
        let denied = statement["Action"].as_array().unwrap();
        assert!(denied.contains(&"secretsmanager:GetSecretValue".into()));
        assert!(denied.contains(&"secretsmanager:PutSecretValue".into()));
    }

    #[test]
    fn an_administrator_can_remove_policy_and_secret() {
        for action in ["DeleteResourcePolicy", "PutResourcePolicy", "DeleteSecret", "DescribeSecret"] {
            assert!(!DENIED.contains(&action), "{action}");
        }
    }

    #[test]
    fn the_mark_changes_with_readers_and_key() {
        let marks = [
            protection(&[], None).mark(),
            protection(&["a"], None).mark(),
            protection(&["b"], None).mark(),
            protection(&["a"], Some("key")).mark(),
            protection(&[], Some("key")).mark(),
        ];
        assert_eq!(marks[0], None);
        assert_eq!(marks.iter().collect::<std::collections::BTreeSet<_>>().len(), marks.len());
    }

    #[test]
    fn a_secret_of_an_earlier_version_has_no_mark() {
        let secret = r#"{"access_token": "a", "refresh_token": "r", "instance_url": "https://acme.my.salesforce.com",
            "issued_at": "2026-11-22T10:00:00.000Z"}"#;
        assert_eq!(Tokens::parse("test", &secret.into()).unwrap().protection, None);
        let marked = Tokens { protection: Some("mark".to_owned()), ..tokens() };
        assert_eq!(Tokens::parse("test", &marked.render().unwrap()).unwrap().protection.as_deref(), Some("mark"));
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
