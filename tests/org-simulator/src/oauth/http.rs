//! The OAuth endpoints over HTTP.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value as Json;
use url::Url;

use super::identity;
use super::{Consent, Form, Granted, Logins, Refresh, Refusal};
use crate::ids::RecordId;
use crate::org::Org;
use crate::page;
use crate::server::{Shared, bearer, json_response};

/// The routes of login host and instance.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/services/oauth2/authorize", get(authorize).post(decide))
        .route("/services/oauth2/token", post(token))
        .route("/services/oauth2/revoke", get(revoke_by_query).post(revoke))
        .route("/services/oauth2/introspect", post(introspect))
        .route("/services/oauth2/userinfo", get(userinfo).post(userinfo))
        .route("/id/keys", get(keys))
        .route("/id/{org}/{user}", get(identity_of))
        .route("/.well-known/openid-configuration", get(discovery))
}

/// An authorization request whose app and redirect URI are known.
struct Request<'a> {
    form: &'a Form,
    redirect: Url,
}

/// Why nobody is sent back: the request cannot be trusted to say where to.
fn checked<'a>(org: &Org, form: &'a Form) -> Result<Request<'a>, Refusal> {
    let app =
        org.logins.app(form.get("client_id")).ok_or(Refusal::new("invalid_client_id", "client identifier invalid"))?;
    let given = form.get("redirect_uri");
    let mismatch = Refusal::new("redirect_uri_mismatch", "redirect_uri must match configuration");
    if !app.redirect_uris.iter().any(|known| known == given) {
        return Err(mismatch);
    }
    Ok(Request { form, redirect: Url::parse(given).map_err(|_| mismatch)? })
}

impl Request<'_> {
    /// What is wrong with the rest, for which the client is told through the redirect.
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        if self.form.get("response_type") != "code" {
            return Some(("unsupported_response_type", "response type not supported"));
        }
        let method = self.form.get("code_challenge_method");
        if !self.form.get("code_challenge").is_empty() && !matches!(method, "" | "S256") {
            return Some(("invalid_request", "code challenge method must be S256"));
        }
        None
    }

    fn back(&self, parameters: &[(&str, &str)]) -> Response {
        let mut url = self.redirect.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(parameters);
            if !self.form.get("state").is_empty() {
                query.append_pair("state", self.form.get("state"));
            }
        }
        (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
    }

    /// Consents for the user and sends the browser back with a code.
    fn allow(&self, org: &mut Org, username: &str) -> Response {
        let user = org.user_named(username).and_then(|user| org.actor(user));
        let Some(user) = user else {
            return (StatusCode::BAD_REQUEST, Html(page::message("There is no such active user."))).into_response();
        };
        let optional = |name: &str| Some(self.form.get(name)).filter(|value| !value.is_empty()).map(str::to_owned);
        let consent = Consent {
            client_id: self.form.get("client_id").to_owned(),
            user: user.user,
            redirect_uri: self.form.get("redirect_uri").to_owned(),
            scope: optional("scope").unwrap_or_else(|| "api refresh_token openid".to_owned()),
            code_challenge: optional("code_challenge"),
            nonce: optional("nonce"),
        };
        let now = org.clock.now();
        let code = org.logins.issue_code(consent, now);
        self.back(&[("code", &code)])
    }
}

fn refused_page(refusal: &Refusal) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Html(page::message(&format!("error={}&error_description={}", refusal.error, refusal.description))),
    )
        .into_response()
}

/// Shows the consent page, or consents at once for the user that `X-Simulator-User` names.
async fn authorize(
    State(shared): State<Shared>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let form = Form::new(query);
    let mut org = shared.org();
    let request = match checked(&org, &form) {
        Ok(request) => request,
        Err(refusal) => return refused_page(&refusal),
    };
    if let Some((error, description)) = request.fault() {
        return request.back(&[("error", error), ("error_description", description)]);
    }
    match headers.get("x-simulator-user").and_then(|user| user.to_str().ok()) {
        Some(username) => request.allow(&mut org, username),
        None => Html(page::consent(&org, &form)).into_response(),
    }
}

/// What the person decided on the consent page.
async fn decide(State(shared): State<Shared>, Query(query): Query<Vec<(String, String)>>, body: Bytes) -> Response {
    let mut fields: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    fields.extend(query);
    let form = Form::new(fields);
    let mut org = shared.org();
    let request = match checked(&org, &form) {
        Ok(request) => request,
        Err(refusal) => return refused_page(&refusal),
    };
    match form.get("decision") {
        "allow" => request.allow(&mut org, form.get("username")),
        _ => request.back(&[("error", "access_denied"), ("error_description", "end-user denied authorization")]),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

fn credentials(headers: &HeaderMap, body: &[u8]) -> Form {
    Form::parse(body).with_basic(headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()))
}

fn oauth_json(status: u16, body: &Json) -> Response {
    let mut response = json_response(status, body);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, no-store"));
    response
}

fn refused(refusal: &Refusal) -> Response {
    oauth_json(refusal.status, &refusal.body())
}

async fn token(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_form(&headers) {
        return refused(&Refusal::new(
            "invalid_request",
            "must use HTTP POST with content type application/x-www-form-urlencoded",
        ));
    }
    let form = credentials(&headers, &body);
    let outcome = match form.get("grant_type") {
        "authorization_code" => exchange(&shared, form),
        "refresh_token" => refresh(&shared, &form).await,
        _ => Err(Refusal::new("unsupported_grant_type", "grant type not supported")),
    };
    match outcome {
        Ok(body) => oauth_json(200, &body),
        Err(refusal) => refused(&refusal),
    }
}

fn exchange(shared: &Shared, form: Form) -> Result<Json, Refusal> {
    let mut org = shared.org();
    let now = org.clock.now();
    let form = form.with("org", org.id.short());
    let granted = org.logins.exchange(&form, now)?;
    answer(shared, &mut org, &granted)
}

/// Works on a refresh to its end even when the client has gone, as a server does.
async fn refresh(shared: &Shared, form: &Form) -> Result<Json, Refusal> {
    let (accepted, processing) = {
        let mut org = shared.org();
        let now = org.clock.now();
        (org.logins.begin_refresh(form, now)?, org.logins.processing)
    };
    let shared = shared.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a server: the refresh is finished whether the client waits or not"
    )]
    let work = tokio::spawn(async move {
        tokio::time::sleep(processing).await;
        finish(&shared, accepted)
    });
    work.await.unwrap_or(Err(Refusal { status: 500, error: "unknown_error", description: "retry your request" }))
}

fn finish(shared: &Shared, accepted: Refresh) -> Result<Json, Refusal> {
    let mut org = shared.org();
    let (now, id) = (org.clock.now(), org.id);
    let granted = org.logins.finish_refresh(accepted, id.short(), now)?;
    answer(shared, &mut org, &granted)
}

/// The token answer, unless the user may no longer log in.
fn answer(shared: &Shared, org: &mut Org, granted: &Granted) -> Result<Json, Refusal> {
    if org.actor(granted.user).is_none() {
        org.logins.expire_sessions(granted.user);
        return Err(Refusal::new("invalid_grant", "inactive user"));
    }
    Ok(identity::token_answer(org, shared.keys, granted))
}

fn revoked(logins: &mut Logins, token: &str) -> Response {
    if logins.revoke(token) {
        StatusCode::OK.into_response()
    } else {
        refused(&Refusal::new("unsupported_token_type", "this token type is not supported"))
    }
}

async fn revoke(State(shared): State<Shared>, body: Bytes) -> Response {
    revoked(&mut shared.org().logins, Form::parse(&body).get("token"))
}

async fn revoke_by_query(State(shared): State<Shared>, Query(query): Query<Vec<(String, String)>>) -> Response {
    revoked(&mut shared.org().logins, Form::new(query).get("token"))
}

async fn introspect(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let form = credentials(&headers, &body);
    let org = shared.org();
    match org.logins.client(&form) {
        Ok(app) => oauth_json(200, &identity::introspection(&org, form.get("token"), &app.client_id)),
        Err(refusal) => refused(&refusal),
    }
}

fn forbidden(text: &'static str) -> Response {
    (StatusCode::FORBIDDEN, text).into_response()
}

/// The user of the request's token.
fn caller(org: &mut Org, headers: &HeaderMap) -> Result<RecordId, &'static str> {
    let Some(token) = bearer(headers) else { return Err("Missing_OAuth_Token") };
    let now = org.clock.now();
    org.logins.session_user(token, now).ok_or("Bad_OAuth_Token")
}

async fn userinfo(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let mut org = shared.org();
    match caller(&mut org, &headers) {
        Ok(user) => json_response(200, &identity::userinfo(&org, user)),
        Err(text) => forbidden(text),
    }
}

async fn identity_of(
    State(shared): State<Shared>,
    Path((org_id, user_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut org = shared.org();
    if let Err(text) = caller(&mut org, &headers) {
        return forbidden(text);
    }
    match RecordId::parse(&user_id).filter(|_| RecordId::parse(&org_id) == Some(org.id)) {
        Some(user) if org.actor(user).is_some() => json_response(200, &identity::identity(&org, user)),
        _ => forbidden("Wrong_Org"),
    }
}

async fn keys(State(shared): State<Shared>) -> Response {
    json_response(200, &shared.keys.jwks())
}

async fn discovery(State(shared): State<Shared>) -> Response {
    json_response(200, &identity::discovery(&shared.org()))
}
