//! The OAuth flows on the state of an org. [`http`] serves them over HTTP.

mod assertion;
mod authorize;
mod browser;
mod code;
mod consent_page;
mod flows;
mod form;
mod grant;
pub(crate) mod host;
pub(crate) mod http;
mod identity;
mod keys;
mod overview;
mod password;
mod session;
mod token;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::model::ids::RecordId;
use crate::model::logins::apps::App;

pub(crate) use assertion::is_certificate;
pub(crate) use form::Form;
pub(crate) use grant::Refresh;
pub use keys::SigningKey;

/// The content of a token response.
#[derive(Clone, Debug)]
pub(crate) struct IssuedTokens {
    pub(crate) app: App,
    pub(crate) user: RecordId,
    pub(crate) scope: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) issued_at: Timestamp,
}

/// Returns the base64url of a SHA-256 hash, without padding: a PKCE challenge.
pub(crate) fn sha256_url(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

/// Returns the `signature` of a token response: base64 of HMAC-SHA256 over identity URL and issue time, with the client
/// secret as key.
pub(crate) fn signature(secret: &str, identity_url: &str, issued_at: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(identity_url.as_bytes());
    mac.update(issued_at.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

pub(crate) mod request;
pub(crate) mod response;
#[cfg(test)]
mod tests;
