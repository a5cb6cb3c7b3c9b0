//! OAuth: the web server flow with PKCE, refresh, revoke (docs/salesforce.md 2).

mod consent;
mod token;

use secrecy::SecretString;
use serde::Deserialize;

pub use consent::{Consent, consent};
pub use token::{Identity, TokenAnswer};

use crate::{Error, Http, LoginHost, OrgId, RecordId, Session};

/// An OAuth client registration: a connected app or an external client app.
#[derive(Clone, Debug, Deserialize)]
pub struct App {
    /// How connections remember which app they belong to.
    pub name: String,
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret; also the key of the signature on token answers.
    pub client_secret: SecretString,
}

/// A code that came back to the redirect URI.
#[derive(Clone, Debug)]
pub struct CodeExchange {
    /// Character for character the one of the consent.
    pub redirect_uri: String,
    /// Good once, for 15 minutes.
    pub code: SecretString,
    /// [`Consent::code_verifier`].
    pub code_verifier: SecretString,
    /// [`Consent::nonce`], to be compared with that of the `id_token`, where there is one.
    pub nonce: Option<SecretString>,
}

/// Who a session belongs to.
#[derive(Clone, Debug, Deserialize)]
pub struct UserInfo {
    /// The user.
    pub user_id: RecordId,
    /// The user's org.
    #[serde(rename = "organization_id")]
    pub org_id: OrgId,
    /// The user's name in the org, unique worldwide.
    pub preferred_username: Option<String>,
    /// The user's e-mail address.
    pub email: Option<String>,
    /// The user's full name.
    pub name: Option<String>,
}

/// Trades a code for tokens.
///
/// # Errors
///
/// [`Error::GrantEnded`] when the code is used, expired or foreign; [`Error::AppRefused`] when the app or the
/// redirect URI is wrong; [`Error::Untrusted`] when the answer's signature is.
pub async fn exchange_code(
    http: &Http,
    app: &App,
    login: &LoginHost,
    exchange: &CodeExchange,
) -> Result<TokenAnswer, Error> {
    todo!()
}

/// Trades a refresh token for an access token, once: with rotation on, the refresh token is dead afterwards,
/// whether the answer arrives or not.
///
/// # Errors
///
/// [`Error::RefreshBusy`] when another refresh is under way; [`Error::GrantEnded`] when only a person can help;
/// with [`Retry::Unknown`](crate::Retry::Unknown), the refresh token may be used up.
pub async fn refresh(
    http: &Http,
    app: &App,
    login: &LoginHost,
    refresh_token: &SecretString,
) -> Result<TokenAnswer, Error> {
    todo!()
}

/// Revokes a refresh token and its access tokens, or one access token. A token that is already dead is a success.
///
/// # Errors
///
/// Those of any call.
pub async fn revoke(http: &Http, login: &LoginHost, token: &SecretString) -> Result<(), Error> {
    todo!()
}

/// Asks Salesforce who a session belongs to.
///
/// # Errors
///
/// [`Error::SessionRefused`] when the access token is dead.
pub async fn fetch_userinfo(http: &Http, session: &Session) -> Result<UserInfo, Error> {
    todo!()
}
