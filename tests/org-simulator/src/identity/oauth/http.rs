//! The OAuth endpoints over HTTP: all routes, and the endpoints for existing tokens.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::host::Host;
use super::{Form, SigningKey, authorize, consent_page, identity, token};
use crate::identity::oauth::response::{credentials, error_response, oauth_json};
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::logins::error::OAuthError;
use crate::wire::{bearer, json_response};

/// Returns the routes of a login host, which an org's own host has too.
pub(crate) fn routes() -> Router<Host> {
    Router::new()
        .route("/services/oauth2/authorize", get(authorize::authorize).post(authorize::decide))
        .route("/services/oauth2/token", post(token::token))
        .route("/services/oauth2/revoke", get(revoke_by_query).post(revoke))
        .route("/services/oauth2/introspect", post(introspect))
        .route("/services/oauth2/userinfo", get(userinfo).post(userinfo))
        .route("/id/keys", get(keys))
        .route("/id/{org}/{user}", get(identity_of))
        .route("/.well-known/openid-configuration", get(discovery))
        .route(consent_page::STYLE_PATH, get(consent_style))
}

/// Serves the style sheet. It is the same for everyone and cached for minutes only, so that a new version is used soon.
async fn consent_style() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, consent_page::STYLE)
}

/// Returns the org that issued a token, as an access token or as a refresh token.
fn org_of_token(host: &Host, token: &str) -> Option<Shared> {
    host.find(|org| org.logins.grant_of(token).is_some() || org.logins.session(token, org.clock.now()).is_some())
}

fn revoked(host: &Host, token: &str) -> Response {
    if org_of_token(host, token).is_some_and(|shared| shared.org().logins.revoke(token)) {
        StatusCode::OK.into_response()
    } else {
        error_response(&OAuthError::new("unsupported_token_type", "this token type is not supported"))
    }
}

async fn revoke(State(host): State<Host>, body: Bytes) -> Response {
    revoked(&host, Form::parse(&body).get("token"))
}

async fn revoke_by_query(State(host): State<Host>, Query(query): Query<Vec<(String, String)>>) -> Response {
    revoked(&host, Form::new(query).get("token"))
}

async fn introspect(State(host): State<Host>, headers: HeaderMap, body: Bytes) -> Response {
    let form = credentials(&headers, &body);
    let app = match host.apps().authenticate(form.get("client_id"), form.get("client_secret")) {
        Ok(app) => app,
        Err(error) => return error_response(&error),
    };
    let (url, token) = (host.url(), form.get("token"));
    let known = org_of_token(&host, token).and_then(|shared| identity::introspection(&shared.org(), &url, token, &app));
    oauth_json(200, &known.unwrap_or_else(|| json!({"active": false})))
}

fn forbidden(text: &'static str) -> Response {
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Returns the org and the user of the request's token.
fn caller(host: &Host, headers: &HeaderMap) -> Result<(Shared, RecordId), &'static str> {
    let token = bearer(headers).ok_or("Missing_OAuth_Token")?;
    let shared = host.org_of(token).ok_or("Bad_OAuth_Token")?;
    let user = {
        let mut org = shared.org();
        let now = org.clock.now();
        org.logins.session_user(token, now).filter(|user| org.may_log_in(*user).is_ok())
    };
    Ok((shared, user.ok_or("Bad_OAuth_Token")?))
}

async fn userinfo(State(host): State<Host>, headers: HeaderMap) -> Response {
    let url = host.url();
    match caller(&host, &headers) {
        Ok((shared, user)) => json_response(200, &identity::userinfo(&shared.org(), &url, user)),
        Err(text) => forbidden(text),
    }
}

async fn identity_of(
    State(host): State<Host>,
    Path((org_id, user_id)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let shared = match caller(&host, &headers) {
        Ok((shared, _)) => shared,
        Err(text) => return forbidden(text),
    };
    let (url, query) = (host.url(), Form::new(query));
    let org = shared.org();
    match RecordId::parse(&user_id).filter(|_| RecordId::parse(&org_id) == Some(org.id)) {
        Some(user) if org.actor(user).is_some() => {
            json_response(200, &identity::identity(&org, &url, user, query.get("version")))
        }
        _ => forbidden("Wrong_Org"),
    }
}

async fn keys() -> Response {
    match SigningKey::of_process() {
        Some(key) => json_response(200, &key.jwks()),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn discovery(State(host): State<Host>) -> Response {
    json_response(200, &identity::discovery(&host.url()))
}
