//! A user's consent: the authorization request, and the parameters with which the browser comes back.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::answer::Answer;
use crate::check::{Finding, not_applicable};
use crate::listener::{Listener, Reply};
use crate::org::{Org, encode};
use crate::target::App;

/// The time in which the operator has to consent in the browser.
const CONSENT_TIME: Duration = Duration::from_secs(300);

/// A verifier of PKCE with its challenge.
pub(crate) struct Pkce {
    pub(crate) verifier: String,
    pub(crate) challenge: String,
}

impl Pkce {
    pub(crate) fn new() -> Self {
        let verifier = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        Self { verifier, challenge }
    }
}

impl Org {
    /// Returns the OAuth app, or a finding that there is none.
    pub(crate) fn app(&self) -> Result<&App, Finding> {
        let app = self.target.app.as_ref();
        app.ok_or_else(|| not_applicable("no OAuth app is given (CONTRACT_CLIENT_ID)"))
    }

    /// Asks for a consent with these parameters besides the app's, and returns the parameters of the redirect.
    pub(crate) fn authorize(&self, parameters: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Finding> {
        let app = self.app()?;
        let fixed = [
            ("response_type", "code"),
            ("client_id", app.client_id.as_str()),
            ("redirect_uri", app.redirect_uri.as_str()),
            ("scope", "api refresh_token openid"),
        ];
        let replaced = |name: &str| parameters.iter().any(|(other, _)| *other == name);
        let all = fixed.iter().filter(|(name, _)| !replaced(name)).chain(parameters);
        let pairs = all.map(|(name, value)| format!("{name}={}", encode(value)));
        let path = format!("/services/oauth2/authorize?{}", pairs.collect::<Vec<_>>().join("&"));
        let location = if self.target.is_simulator {
            let request = self.get(&path).without_session().at_host(&app.login_url);
            let answer = request.header("X-Simulator-User", &self.username()?).send()?;
            answer.header("location").to_owned()
        } else if app.in_browser {
            self.in_browser(app, &path)?
        } else {
            return Err(not_applicable("a consent needs a browser (--consent)"));
        };
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect();
        self.hide(pairs.get("code").map_or("", String::as_str), "CODE");
        Ok(pairs)
    }

    /// Shows the address to the operator, and returns the path with which the browser comes back.
    fn in_browser(&self, app: &App, path: &str) -> Result<String, Finding> {
        let rest = app.redirect_uri.strip_prefix("http://").unwrap_or_default();
        let address = rest.split('/').next().unwrap_or_default();
        let listener = Listener::bind(self, address)?;
        // The page is for the operator; a terminal that is gone ends the wait by its time limit.
        let _ = writeln!(std::io::stderr(), "\nOpen this page and consent:\n{}{path}\n", app.login_url);
        let reply = Reply { status: 200, content_type: "text/plain", body: "You can close this page." };
        let came = listener.next(self, CONSENT_TIME, &reply)?;
        came.map(|request| request.path).ok_or_else(|| not_applicable("nobody consented within 5 minutes"))
    }

    /// Exchanges a code, with these parameters besides the app's.
    pub(crate) fn exchange(&self, code: &str, parameters: &[(&str, &str)]) -> Result<Answer, Finding> {
        let redirect_uri = self.app()?.redirect_uri.clone();
        let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &redirect_uri)];
        form.extend_from_slice(parameters);
        self.token(&form)
    }

    /// Calls the token endpoint with the app's id and secret.
    pub(crate) fn token(&self, form: &[(&str, &str)]) -> Result<Answer, Finding> {
        let app = self.app()?;
        let mut form = form.to_vec();
        form.push(("client_id", &app.client_id));
        form.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
        let request = self.request("POST", "/services/oauth2/token").without_session().at_host(&app.login_url);
        let answer = request.form(&form).send()?;
        for (pointer, shown) in [("/access_token", "ACCESS_TOKEN"), ("/refresh_token", "REFRESH_TOKEN")] {
            self.hide(answer.at(pointer).as_str().unwrap_or_default(), shown);
        }
        Ok(answer)
    }

    /// Obtains a grant by a consent with PKCE, and returns the token response.
    pub(crate) fn grant(&self) -> Result<Answer, Finding> {
        let pkce = Pkce::new();
        let back = self.authorize(&[("code_challenge", &pkce.challenge), ("code_challenge_method", "S256")])?;
        let code = back.get("code").map_or("", String::as_str);
        self.exchange(code, &[("code_verifier", &pkce.verifier)])?.has_status(200)
    }

    fn username(&self) -> Result<String, Finding> {
        self.get("/services/oauth2/userinfo").send()?.text("/preferred_username")
    }
}

/// Returns the text of a form-encoded value.
fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let text = String::from_utf8(digits).unwrap_or_default();
                bytes.extend(u8::from_str_radix(&text, 16).ok());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_encoded_value_is_decoded_once() {
        assert_eq!(decode("end-user+denied%20authorization"), "end-user denied authorization");
        assert_eq!(decode("aPrx%253D%3D"), "aPrx%3D=");
        assert_eq!(decode(&encode("a b/ü")), "a b/ü");
    }

    #[test]
    fn the_challenge_is_the_hash_of_the_verifier() {
        let pkce = Pkce::new();
        assert_eq!(pkce.verifier.len(), 43);
        assert_eq!(URL_SAFE_NO_PAD.decode(&pkce.challenge).unwrap(), Sha256::digest(&pkce.verifier).to_vec());
    }
}
