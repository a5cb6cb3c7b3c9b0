//! The beginning of the web server flow: where to send the browser.

use rand::CryptoRng;
use secrecy::SecretString;
use url::Url;

use super::App;
use crate::{Error, LoginHost};

/// A consent that was begun.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Where to send the browser.
    pub authorize_url: Url,
    /// Comes back with the code; single use.
    pub state: SecretString,
    /// Proves at the code exchange that the same party began the consent (PKCE, S256).
    pub code_verifier: SecretString,
    /// Comes back in the `id_token`.
    pub nonce: SecretString,
}

/// Begins a consent: an authorize URL and the secrets that belong to it, drawn from `rng`.
///
/// # Errors
///
/// [`Error::Invalid`] when the redirect URI is no URL.
pub fn consent(
    app: &App,
    login: &LoginHost,
    redirect_uri: &str,
    rng: &mut impl CryptoRng,
) -> Result<Consent, Error> {
    todo!()
}
