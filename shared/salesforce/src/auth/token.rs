//! Responses of the token endpoint.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::app::App;
use crate::{Error, HostPolicy, InstanceUrl, OrgId, RecordId};

/// The org and the user of a token, from the `id` URL of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The org.
    pub org_id: OrgId,
    /// The user.
    pub user_id: RecordId,
}

/// A token response with a valid signature.
#[derive(Clone, Debug)]
pub struct TokenResponse {
    /// The access token. The customer's settings limit its life; Salesforce does not say by how much.
    pub access_token: SecretString,
    /// The new refresh token; `None` means that the old one stays valid.
    pub refresh_token: Option<SecretString>,
    /// The org's host, to which calls with the access token go; `None` in some responses to a refresh: it has not changed.
    pub instance_url: Option<InstanceUrl>,
    /// The org and the user.
    pub identity: Identity,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The time at which the access token was issued.
    pub issued_at: Timestamp,
    /// The OpenID Connect `id_token`, if `openid` was granted.
    pub id_token: Option<SecretString>,
}

/// The JSON of a token response. Other keys are ignored: Salesforce adds new ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RawResponse {
    access_token: AccessToken,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    instance_url: Option<String>,
    #[serde(default)]
    id: String,
    /// Milliseconds since 1970, as a string; a number is accepted too.
    #[serde(default)]
    issued_at: Value,
    #[serde(default)]
    signature: String,
    #[serde(default)]
    id_token: Option<AccessToken>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl oauth2::TokenResponse for RawResponse {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    /// Salesforce does not return the life of a token.
    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    /// `None`: [`RawResponse::verify`] splits the one string that Salesforce returns.
    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl RawResponse {
    /// Returns the response if its signature is valid and its host is one of Salesforce's.
    pub(super) fn verify(self, operation: &'static str, app: &App, policy: HostPolicy) -> Result<TokenResponse, Error> {
        let untrusted = |what| Error::Untrusted { operation, what };
        let issued_at = match &self.issued_at {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(untrusted("no time of issue")),
        };
        if !is_signed(&app.client_secret, &self.id, &issued_at, &self.signature) {
            return Err(untrusted("a wrong signature"));
        }
        let issued_at = issued_at.parse().ok();
        let issued_at = issued_at.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let instance_url = self.instance_url.as_deref();
        let instance_url = instance_url.map(|url| InstanceUrl::parse(url, policy));
        Ok(TokenResponse {
            access_token: self.access_token.into_secret().into(),
            refresh_token: self.refresh_token.map(|token| token.into_secret().into()),
            instance_url: instance_url.transpose().map_err(|_| untrusted("an instance that is not Salesforce's"))?,
            identity: identity(&self.id).ok_or_else(|| untrusted("no identity"))?,
            scopes: words(self.scope.as_deref().unwrap_or_default()),
            issued_at: issued_at.ok_or_else(|| untrusted("no time of issue"))?,
            id_token: self.id_token.map(|token| token.into_secret().into()),
        })
    }
}

/// Returns whether `signature` is the base64 of HMAC-SHA256 with the client secret over `id` followed by `issued_at`
/// (Salesforce Help, OAuth web server flow). The comparison takes constant time.
fn is_signed(client_secret: &SecretString, id: &str, issued_at: &str, signature: &str) -> bool {
    let Ok(signature) = BASE64_STANDARD.decode(signature) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(client_secret.expose_secret().as_bytes()) else {
        return false;
    };
    mac.update(id.as_bytes());
    mac.update(issued_at.as_bytes());
    mac.verify_slice(&signature).is_ok()
}

/// Parses `https://login.salesforce.com/id/{org}/{user}`.
pub(super) fn identity(id: &str) -> Option<Identity> {
    let (_, path) = id.split_once("/id/")?;
    let (org_id, user_id) = path.split_once('/')?;
    Some(Identity { org_id: org_id.parse().ok()?, user_id: user_id.trim_end_matches('/').parse().ok()? })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
