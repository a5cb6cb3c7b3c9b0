//! Sessions: access tokens, and the trait that supplies a client with them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, InstanceUrl};

/// A boxed future, for methods of trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An access token and the org that it is for.
#[derive(Clone, Debug)]
pub struct Session {
    /// The base URL of the org's API.
    pub instance_url: InstanceUrl,
    /// The bearer token. It can become invalid at any time.
    pub access_token: SecretString,
}

impl Session {
    /// Returns the fingerprint of the access token.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_token(&self.access_token)
    }
}

/// A fingerprint that identifies an access token without revealing it: the first 8 bytes of its SHA-256, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Computes the fingerprint of an access token.
    pub fn from_token(access_token: &SecretString) -> Self {
        let digest = Sha256::digest(access_token.expose_secret());
        Self(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the hexadecimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A supplier of sessions for a [`Client`](crate::Client).
pub trait Sessions: Send + Sync + 'static {
    /// Returns a session.
    ///
    /// `refused` identifies a session that Salesforce has just refused: the returned one must be a different one.
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>>;

    /// Returns a session in place of one that a client could not use. A client asks at most twice per call.
    ///
    /// By default a refused session is replaced with [`Sessions::session`], and one whose host did not respond is asked for again.
    fn replacement(&self, unusable: Unusable) -> BoxFuture<'_, Result<Session, Error>> {
        match unusable {
            Unusable::Refused(fingerprint) => self.session(Some(fingerprint)),
            Unusable::Unreachable(_) | Unusable::NotPermitted(_) => self.session(None),
        }
    }

    /// Reports that Salesforce accepted a session. By default nothing follows from it.
    fn accepted<'a>(&'a self, _session: &'a Session) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A session that a client could not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Salesforce refused it.
    Refused(Fingerprint),
    /// Its host did not accept a connection, or named another host: the org may have moved.
    Unreachable(Fingerprint),
    /// Its user may not call the API. There is no replacement: the client returns the supplier's error, or that of the call.
    NotPermitted(Fingerprint),
}

impl Unusable {
    /// Returns the fingerprint of the session.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        match self {
            Self::Refused(fingerprint) | Self::Unreachable(fingerprint) | Self::NotPermitted(fingerprint) => {
                fingerprint
            }
        }
    }
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
    fn a_fingerprint_identifies_a_token() {
        let (one, other) = (session("00D!one"), session("00D!other"));
        assert_eq!(one.fingerprint(), session("00D!one").fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.fingerprint().as_str().len(), 16);
    }

    #[test]
    fn debug_output_does_not_contain_the_token() {
        assert!(!format!("{:?}", session("00D!one")).contains("one"));
    }
}
