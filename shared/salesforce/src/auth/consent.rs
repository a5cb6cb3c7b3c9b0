//! The start of the web server flow: the authorize URL for the browser.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use rand::CryptoRng;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Error, LoginHost};

/// The scopes that Ferry requests: the user's identity, the API and a refresh token.
const SCOPES: [&str; 3] = ["openid", "api", "refresh_token"];

/// A consent that has been started.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The page to which the browser is redirected.
    pub authorize_url: Url,
    /// The OAuth `state`: the redirect URI receives it with the code. Valid once.
    pub state: SecretString,
    /// The PKCE code verifier (S256): proves at the code exchange that the same party started the consent.
    pub code_verifier: SecretString,
    /// The OpenID Connect `nonce`, which the `id_token` repeats.
    pub nonce: SecretString,
}

/// Starts a consent to the app with this client id: creates an authorize URL and its secrets, from `rng`.
///
/// The user has to log in again, because a browser that is logged in to another org would consent for that org.
///
/// # Errors
///
/// [`Error::Invalid`] when the redirect URI is not a URL.
pub fn consent(
    client_id: &str,
    login: &LoginHost,
    redirect_uri: &str,
    rng: &mut impl CryptoRng,
) -> Result<Consent, Error> {
    let authorize = format!("{login}/services/oauth2/authorize");
    let authorize = AuthUrl::new(authorize).map_err(|_| invalid("login host"))?;
    let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| invalid("redirect URI"))?;
    let client =
        BasicClient::new(ClientId::new(client_id.to_owned())).set_auth_uri(authorize).set_redirect_uri(redirect);
    let (state, code_verifier, nonce) = (secret(rng), secret(rng), secret(rng));
    let verifier = PkceCodeVerifier::new(code_verifier.expose_secret().to_owned());
    let (authorize_url, _) = client
        .authorize_url(|| CsrfToken::new(state.expose_secret().to_owned()))
        .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_extra_param("nonce", nonce.expose_secret())
        .add_extra_param("prompt", "login")
        .url();
    Ok(Consent { authorize_url, state, code_verifier, nonce })
}

/// Creates 256 random bits as 43 URL-safe characters, the shortest code verifier that PKCE allows.
fn secret(rng: &mut impl CryptoRng) -> SecretString {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes).into()
}

fn invalid(what: &'static str) -> Error {
    Error::Invalid { what, reason: "is not a URL" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::HostPolicy;

    fn begin() -> Consent {
        let login = LoginHost::parse("https://test.salesforce.com", HostPolicy::SalesforceOnly).unwrap();
        consent("3MVG9client", &login, "https://ferry.example/oauth/callback", &mut rand::rng()).unwrap()
    }

    #[test]
    fn an_authorize_url_has_challenge_state_and_nonce() {
        let consent = begin();
        let url = &consent.authorize_url;
        assert!(url.as_str().starts_with("https://test.salesforce.com/services/oauth2/authorize?"));
        let pairs: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let challenge = Sha256::digest(consent.code_verifier.expose_secret());
        assert_eq!(pairs["code_challenge"], BASE64_URL_SAFE_NO_PAD.encode(challenge));
        assert_eq!(pairs["code_challenge_method"], "S256");
        assert_eq!(pairs["response_type"], "code");
        assert_eq!(pairs["client_id"], "3MVG9client");
        assert_eq!(pairs["redirect_uri"], "https://ferry.example/oauth/callback");
        assert_eq!(pairs["scope"], "openid api refresh_token");
        assert_eq!(pairs["state"], consent.state.expose_secret());
        assert_eq!(pairs["nonce"], consent.nonce.expose_secret());
        assert!(!url.as_str().contains(consent.code_verifier.expose_secret()));
    }

    #[test]
    fn every_consent_has_its_own_secrets_and_hides_them() {
        let (one, other) = (begin(), begin());
        assert_ne!(one.state.expose_secret(), other.state.expose_secret());
        assert_ne!(one.code_verifier.expose_secret(), other.code_verifier.expose_secret());
        assert_ne!(one.nonce.expose_secret(), one.state.expose_secret());
        assert_eq!(one.code_verifier.expose_secret().len(), 43);
        assert!(!format!("{:?}", one.state).contains(one.state.expose_secret()));
    }
}
