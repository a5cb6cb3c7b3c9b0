//! The token endpoint.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, header};
use serde_json::Value as Json;

use super::assertion::Assertion;
use super::host::Host;
use super::password::PASSWORD;
use super::{Form, IssuedTokens, Refresh, identity};
use crate::identity::oauth::response::{credentials, error_response, oauth_json};
use crate::identity::realm::Shared;
use crate::model::logins::error::{EXPIRED_TOKEN, OAuthError};
use crate::wire::ClientAddress;

const NO_SUCH_CODE: OAuthError = OAuthError::new("invalid_grant", "invalid authorization code");
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) async fn token(
    State(host): State<Host>,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_form(&headers) {
        return error_response(&OAuthError::new(
            "invalid_request",
            "must use HTTP POST with content type application/x-www-form-urlencoded",
        ));
    }
    let form = credentials(&headers, &body).sent_from(from);
    let outcome = match form.get("grant_type") {
        "authorization_code" => exchange(&host, &form),
        "refresh_token" => refresh(&host, &form).await,
        JWT_BEARER => bearer_assertion(&host, &form),
        "client_credentials" => client_credentials(&host, &form),
        PASSWORD => password(&host, &form),
        other => Err(unsupported(other)),
    };
    match outcome {
        Ok(body) => oauth_json(200, &body),
        Err(error) => error_response(&error),
    }
}

fn unsupported(grant_type: &str) -> OAuthError {
    tracing::warn!(grant_type, "this grant type is not supported, or not allowed in this org");
    OAuthError::new("unsupported_grant_type", "grant type not supported")
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

fn exchange(host: &Host, form: &Form) -> Result<Json, OAuthError> {
    host.apps().authenticate(form.get("client_id"), form.get("client_secret"))?;
    let shared = host.find(|org| org.logins.consent(form.get("code")).is_some()).ok_or(NO_SUCH_CODE)?;
    let granted = shared.org().exchange_code(form)?;
    Ok(token_response(host, &shared, &granted))
}

/// Refreshes tokens. A refresh is completed even when the client disconnects, as on a real server. At the login host of
/// the other environment the token is treated as expired.
async fn refresh(host: &Host, form: &Form) -> Result<Json, OAuthError> {
    host.apps().authenticate(form.get("client_id"), form.get("client_secret"))?;
    let shared = host.find(|org| org.logins.grant_of(form.get("refresh_token")).is_some()).ok_or(EXPIRED_TOKEN)?;
    let (accepted, processing) = {
        let mut org = shared.org();
        (org.begin_refresh(form)?, org.logins.processing)
    };
    let host = host.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a server: the refresh is finished whether the client waits or not"
    )]
    let work = tokio::spawn(async move {
        tokio::time::sleep(processing).await;
        finish(&host, &shared, accepted)
    });
    work.await.unwrap_or(Err(OAuthError { status: 500, error: "unknown_error", description: "retry your request" }))
}

fn finish(host: &Host, shared: &Shared, accepted: Refresh) -> Result<Json, OAuthError> {
    let granted = {
        let mut org = shared.org();
        let (now, id) = (org.clock.now(), org.id);
        org.logins.finish_refresh(accepted, id.short(), now)?
    };
    Ok(token_response(host, shared, &granted))
}

fn bearer_assertion(host: &Host, form: &Form) -> Result<Json, OAuthError> {
    let assertion = Assertion::parse(form.get("assertion"))?;
    let app = host.apps().find(&assertion.claims.issuer)?;
    let subject = &assertion.claims.subject;
    let shared = host.find(|org| org.user_named(subject).is_some()).or_else(|| host.orgs().into_iter().next());
    let shared = shared.ok_or(OAuthError::new("invalid_grant", "user hasn't approved this consumer"))?;
    let granted = {
        let mut org = shared.org();
        let (audiences, now) = (host.audiences(&org), org.clock.now());
        assertion.verify(app.settings.certificate.as_deref(), &audiences, now)?;
        org.bearer_assertion(app, &assertion.claims, form.from())?
    };
    Ok(token_response(host, &shared, &granted))
}

/// Runs the client credentials flow, only at an org's own host: a login host does not know the org.
fn client_credentials(host: &Host, form: &Form) -> Result<Json, OAuthError> {
    let Host::Org(shared) = host else {
        return Err(OAuthError::new("invalid_grant", "request not supported on this domain"));
    };
    let granted = shared.org().client_credentials(form)?;
    Ok(token_response(host, shared, &granted))
}

/// Runs the username-password flow, if the org allows it; the response has no scope, as recorded. A login host uses the
/// org of the username.
fn password(host: &Host, form: &Form) -> Result<Json, OAuthError> {
    let shared = host.find(|org| org.user_named(form.get("username")).is_some());
    let shared = shared.or_else(|| host.orgs().into_iter().find(|shared| shared.org().logins.password_flow));
    let shared = shared.filter(|shared| shared.org().logins.password_flow).ok_or_else(|| unsupported(PASSWORD))?;
    let app = host.apps().authenticate(form.get("client_id"), form.get("client_secret"))?;
    let granted = shared.org().password_login(app, form)?;
    let mut response = token_response(host, &shared, &granted);
    if let Some(map) = response.as_object_mut() {
        map.remove("scope");
    }
    Ok(response)
}

fn token_response(host: &Host, shared: &Shared, granted: &IssuedTokens) -> Json {
    let url = host.url();
    identity::token_response(&shared.org(), &url, granted)
}
