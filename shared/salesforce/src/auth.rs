//! OAuth: the web server flow with PKCE, refresh, revoke (Salesforce Help, OAuth authorization flows).

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

pub use consent::{Consent, consent};
pub(crate) use signing_keys::SigningKeys;
pub use token::{Identity, TokenResponse};

use crate::transport::{Request, Response, Target};
use crate::{BoxFuture, Error, Http, LoginHost, OrgId, RecordId, Session};
use token::RawResponse;

/// The protocol's client, with the token endpoint as the only one set.
type Protocol = Client<
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
    /// [`Consent::nonce`]. With it the answer is believed only with an `id_token` that was signed for this very consent.
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
/// redirect URI is wrong; [`Error::Untrusted`] when the answer's signature or its `id_token` is: then the grant is given back.
pub async fn exchange_code(
    http: &Http,
    app: &App,
    login: &LoginHost,
    exchange: &CodeExchange,
) -> Result<TokenResponse, Error> {
    const OPERATION: &str = "exchange the authorization code";
    let redirect = RedirectUrl::new(exchange.redirect_uri.clone()).map_err(|_| not_a_url("redirect URI"))?;
    let verifier = exchange.code_verifier.expose_secret().to_owned();
    let answer = protocol(app, login)?
        .set_redirect_uri(redirect)
        .exchange_code(AuthorizationCode::new(exchange.code.expose_secret().to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier))
        .request_async(&Wire { http, login, operation: OPERATION })
        .await;
    let answer = believed(OPERATION, answer)?.verify(OPERATION, app, http.policy())?;
    if let Some(nonce) = &exchange.nonce {
        let verified = id_token::verify(OPERATION, http, app, login, (&answer, nonce)).await;
        if let Err(error) = verified {
            give_back(http, login, &answer).await;
            return Err(error);
        }
    }
    Ok(answer)
}

/// Ends a grant that nobody will use. Whether that succeeds changes nothing about the answer.
async fn give_back(http: &Http, login: &LoginHost, answer: &TokenResponse) {
    let grant = answer.refresh_token.as_ref().unwrap_or(&answer.access_token);
    if let Err(error) = revoke(http, login, grant).await {
        tracing::warn!("a grant that is not believed could not be given back: {error}");
    }
}

/// Trades a refresh token for an access token, once: with rotation on, the refresh token is dead afterwards,
/// whether the answer arrives or not.
///
/// # Errors
///
/// [`Error::RefreshInProgress`] when another refresh is under way; [`Error::GrantEnded`] when only a person can help;
/// with [`Retry::Unknown`](crate::Retry::Unknown), the refresh token may be used up.
pub async fn refresh(
    http: &Http,
    app: &App,
    login: &LoginHost,
    refresh_token: &SecretString,
) -> Result<TokenResponse, Error> {
    const OPERATION: &str = "refresh the token";
    let answer = protocol(app, login)?
        .exchange_refresh_token(&RefreshToken::new(refresh_token.expose_secret().to_owned()))
        .request_async(&Wire { http, login, operation: OPERATION })
        .await;
    believed(OPERATION, answer)?.verify(OPERATION, app, http.policy())
}

/// Revokes a refresh token and its access tokens, or one access token. A token that is already dead is a success.
///
/// # Errors
///
/// Those of any call.
pub async fn revoke(http: &Http, login: &LoginHost, token: &SecretString) -> Result<(), Error> {
    let request = revocation(token);
    match http.call(&endpoint(login), &request.idempotent()).await {
        Err(Error::Unavailable { code: Some(code), .. }) if code == "invalid_token" => Ok(()),
        Err(Error::GrantEnded { .. }) => Ok(()),
        answer => answer.map(drop),
    }
}

fn revocation(token: &SecretString) -> Request {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose_secret());
    Request::form("revoke the token", "/services/oauth2/revoke".to_owned(), form.finish().into_bytes())
}

/// Asks Salesforce who a session belongs to.
///
/// # Errors
///
/// [`Error::SessionRefused`] when the access token is dead.
pub async fn fetch_userinfo(http: &Http, session: &Session) -> Result<UserInfo, Error> {
    let target = Target { base: session.instance_url.as_str(), token: Some(&session.access_token), meter: None };
    let request = Request::get("fetch the user info", "/services/oauth2/userinfo".to_owned());
    http.call(&target, &request).await?.json()
}

/// Salesforce takes the secret in the body.
fn protocol(app: &App, login: &LoginHost) -> Result<Protocol, Error> {
    let token = format!("{login}/services/oauth2/token");
    let token = TokenUrl::new(token).map_err(|_| not_a_url("login host"))?;
    let secret = app.client_secret.expose_secret().to_owned();
    Ok(Client::new(ClientId::new(app.client_id.clone()))
        .set_client_secret(ClientSecret::new(secret))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(token))
}

/// Carries the requests of the protocol over our own transport, which turns every refusal into an [`Error`].
struct Wire<'a> {
    http: &'a Http,
    login: &'a LoginHost,
    operation: &'static str,
}

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = Error;
    type Future = BoxFuture<'c, Result<HttpResponse, Error>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.post(request))
    }
}

impl Wire<'_> {
    async fn post(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let operation = self.operation;
        let (head, form) = request.into_parts();
        let request = Request::form(operation, head.uri.path().to_owned(), form);
        let Response { status, body, .. } = self.http.call(&endpoint(self.login), &request).await?;
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() =
            status.try_into().map_err(|_| Error::InvalidResponse { operation, what: "a status that is none" })?;
        Ok(answer)
    }
}

fn endpoint(login: &LoginHost) -> Target<'_> {
    Target { base: login.as_str(), token: None, meter: None }
}

/// What the protocol made of an answer; its own errors hold the body and go no further.
fn believed(
    operation: &'static str,
    answer: Result<RawResponse, RequestTokenError<Error, BasicErrorResponse>>,
) -> Result<RawResponse, Error> {
    answer.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Error::InvalidResponse { operation, what: "not a token answer" }
        }
    })
}

fn not_a_url(what: &'static str) -> Error {
    Error::Invalid { what, reason: "is not a URL" }
}
