//! OAuth: the web server flow with PKCE, refresh and revocation (Salesforce Help, OAuth authorization flows).

mod app;
mod consent;
mod id_token;
mod signing_keys;
mod token;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, StandardRevocableToken,
    TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use crate::error::INACTIVE_USER;
pub use app::App;
pub use consent::{Consent, consent};
pub use id_token::OF_ANOTHER_CONSENT;
pub use token::{Identity, TokenResponse};

use crate::transport::{Request, Response, Target};
use crate::{BoxFuture, Error, Http, LoginHost, OrgId, RecordId, Session};
use token::RawResponse;

/// An `oauth2` client of which only the token endpoint is set.
type TokenClient = Client<
    BasicErrorResponse,
    RawResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// An authorization code that the redirect URI received.
#[derive(Clone, Debug)]
pub struct CodeExchange {
    /// The redirect URI of the consent, character for character.
    pub redirect_uri: String,
    /// The authorization code: valid once, for 15 minutes.
    pub code: SecretString,
    /// [`Consent::code_verifier`].
    pub code_verifier: SecretString,
    /// [`Consent::nonce`]. When set, the response must have an `id_token` that was signed for this consent.
    pub nonce: Option<SecretString>,
}

/// The user of a session.
#[derive(Clone, Debug, Deserialize)]
pub struct UserInfo {
    /// The user.
    pub user_id: RecordId,
    /// The user's org.
    #[serde(rename = "organization_id")]
    pub org_id: OrgId,
    /// The username, unique in all of Salesforce.
    pub preferred_username: Option<String>,
    /// The user's e-mail address.
    pub email: Option<String>,
    /// The user's full name.
    pub name: Option<String>,
}

/// Exchanges an authorization code for tokens.
///
/// # Errors
///
/// [`Error::GrantEnded`] when the code was used, has expired or belongs to another app; [`Error::AppRefused`] when the app or
/// the redirect URI is wrong; [`Error::Untrusted`] when the response's signature or its `id_token` is not valid. A grant whose
/// `id_token` is not valid is revoked.
pub async fn exchange_code(
    http: &Http,
    app: &App,
    login: &LoginHost,
    exchange: &CodeExchange,
) -> Result<TokenResponse, Error> {
    const OPERATION: &str = "exchange the authorization code";
    let redirect = RedirectUrl::new(exchange.redirect_uri.clone()).map_err(|_| not_a_url("redirect URI"))?;
    let verifier = exchange.code_verifier.expose_secret().to_owned();
    let response = token_client(app, login)?
        .set_redirect_uri(redirect)
        .exchange_code(AuthorizationCode::new(exchange.code.expose_secret().to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier))
        .request_async(&HttpAdapter { http, login, operation: OPERATION })
        .await;
    let response = without_body(OPERATION, response)?.verify(OPERATION, app, http.policy())?;
    if let Some(nonce) = &exchange.nonce {
        let checks = id_token::Checks { operation: OPERATION, app, login, nonce };
        if let Err(error) = checks.verify(http, &response).await {
            revoke_unused(http, login, &response).await;
            return Err(error);
        }
    }
    Ok(response)
}

/// Revokes a grant that is not stored. A failure is logged: the caller returns the error that made the grant unusable.
async fn revoke_unused(http: &Http, login: &LoginHost, response: &TokenResponse) {
    let grant = response.refresh_token.as_ref().unwrap_or(&response.access_token);
    if let Err(error) = revoke(http, login, grant).await {
        tracing::warn!("the grant of an invalid consent stays in the org: {error}");
    }
}

/// Exchanges a refresh token for an access token, with one attempt: with rotation on, the refresh token is no longer valid
/// afterwards, whether the response arrives or not.
///
/// # Errors
///
/// [`Error::RefreshInProgress`] when another refresh is in progress; [`Error::GrantEnded`] when a person has to consent again.
/// After an error with [`Retry::Unknown`](crate::Retry::Unknown) the refresh token may have been used.
pub async fn refresh(
    http: &Http,
    app: &App,
    login: &LoginHost,
    refresh_token: &SecretString,
) -> Result<TokenResponse, Error> {
    const OPERATION: &str = "refresh the token";
    let response = token_client(app, login)?
        .exchange_refresh_token(&RefreshToken::new(refresh_token.expose_secret().to_owned()))
        .request_async(&HttpAdapter { http, login, operation: OPERATION })
        .await;
    without_body(OPERATION, response)?.verify(OPERATION, app, http.policy())
}

/// Revokes a refresh token and its access tokens, or one access token. A token that is no longer valid counts as revoked.
///
/// Salesforce documents two errors, both with the status 400: `invalid_token`, and `unsupported_token_type`, which it also returns for
/// a token that it does not recognize. `token` is one that Salesforce issued, so both say that it has ended.
///
/// # Errors
///
/// The errors of a call to the login host.
pub async fn revoke(http: &Http, login: &LoginHost, token: &SecretString) -> Result<(), Error> {
    let request = revocation(token);
    match http.call(&endpoint(login), &request.idempotent()).await {
        Err(Error::Unavailable { status: 400, code: Some(code), .. }) if TOKEN_HAS_ENDED.contains(&code.as_str()) => {
            Ok(())
        }
        Err(Error::GrantEnded { .. }) => Ok(()),
        response => response.map(drop),
    }
}

/// The errors of the revoke endpoint (Salesforce Help, "Revoke OAuth Tokens").
const TOKEN_HAS_ENDED: [&str; 2] = ["invalid_token", "unsupported_token_type"];

fn revocation(token: &SecretString) -> Request {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose_secret());
    Request::form("revoke the token", "/services/oauth2/revoke".to_owned(), form.finish().into_bytes())
}

/// Fetches the user of a session.
///
/// # Errors
///
/// [`Error::SessionRefused`] when the access token is no longer valid.
pub async fn fetch_userinfo(http: &Http, session: &Session) -> Result<UserInfo, Error> {
    let target = Target { base: session.instance_url.as_str(), token: Some(&session.access_token), meter: None };
    let request = Request::get("fetch the user info", "/services/oauth2/userinfo".to_owned());
    http.call(&target, &request).await?.json()
}

/// Creates a client of the token endpoint. The secret goes into the body, as Salesforce documents it.
fn token_client(app: &App, login: &LoginHost) -> Result<TokenClient, Error> {
    let token = format!("{login}/services/oauth2/token");
    let token = TokenUrl::new(token).map_err(|_| not_a_url("login host"))?;
    let secret = app.client_secret.expose_secret().to_owned();
    Ok(Client::new(ClientId::new(app.client_id.clone()))
        .set_client_secret(ClientSecret::new(secret))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(token))
}

/// Sends the requests of the `oauth2` crate with [`Http`], which makes every refusal an [`Error`].
struct HttpAdapter<'a> {
    http: &'a Http,
    login: &'a LoginHost,
    operation: &'static str,
}

impl<'c> AsyncHttpClient<'c> for HttpAdapter<'_> {
    type Error = Error;
    type Future = BoxFuture<'c, Result<HttpResponse, Error>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.post(request))
    }
}

impl HttpAdapter<'_> {
    async fn post(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let operation = self.operation;
        let (head, form) = request.into_parts();
        let request = Request::form(operation, head.uri.path().to_owned(), form);
        let Response { status, body, .. } = self.http.call(&endpoint(self.login), &request).await?;
        let mut response = HttpResponse::new(body);
        *response.status_mut() =
            status.try_into().map_err(|_| Error::InvalidResponse { operation, what: "not an HTTP status code" })?;
        Ok(response)
    }
}

fn endpoint(login: &LoginHost) -> Target<'_> {
    Target { base: login.as_str(), token: None, meter: None }
}

/// Replaces the errors of the `oauth2` crate, which contain the response's body and so could put a token into a log.
fn without_body(
    operation: &'static str,
    response: Result<RawResponse, RequestTokenError<Error, BasicErrorResponse>>,
) -> Result<RawResponse, Error> {
    response.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Error::InvalidResponse { operation, what: "not a token response" }
        }
    })
}

fn not_a_url(what: &'static str) -> Error {
    Error::Invalid { what, reason: "is not a URL" }
}
