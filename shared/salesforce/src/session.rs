//! Access tokens, and who supplies them to a client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, InstanceUrl};

/// A boxed future, as trait objects need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An access token and where to use it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The base URL of the org's API.
    pub instance_url: InstanceUrl,
    /// Sent as the bearer token; dies without notice.
    pub access_token: SecretString,
}

impl Session {
    /// Names the access token without revealing it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_token(&self.access_token)
    }
}

/// Tells access tokens apart: the beginning of the token's SHA-256, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of an access token.
    pub fn from_token(access_token: &SecretString) -> Self {
        let digest = Sha256::digest(access_token.expose_secret());
        Self(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Supplies a client with sessions.
pub trait Sessions: Send + Sync + 'static {
    /// A session to use now.
    ///
    /// `refused` names the session that Salesforce has just refused: another one is wanted.
    /// A client asks so at most once a call.
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostPolicy;

    fn session(token: &str) -> Session {
        let url = "https://acme.my.salesforce.com";
        Session {
            instance_url: InstanceUrl::parse(url, HostPolicy::SalesforceOnly).unwrap(),
            access_token: token.into(),
        }
    }

    #[test]
    fn a_fingerprint_tells_tokens_apart_and_does_not_reveal_them() {
        let (one, other) = (session("00D!one"), session("00D!other"));
        assert_eq!(one.fingerprint(), session("00D!one").fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.fingerprint().as_str().len(), 16);
    }

    #[test]
    fn debug_output_holds_no_token() {
        assert!(!format!("{:?}", session("00D!one")).contains("one"));
    }
}
