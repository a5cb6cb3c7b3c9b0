//! The authorization endpoint: checks the request, shows the consent page, and redirects the browser.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::host::Host;
use super::{Form, browser, consent_page};
use crate::identity::oauth::request::{Request, no_such_user};
use crate::identity::realm::Shared;
use crate::model::ids::RecordId;
use crate::model::logins::error::OAuthError;
use crate::wire::ClientAddress;
use crate::wire::html;

const DENIED: OAuthError = OAuthError::new("access_denied", "end-user denied authorization");
/// Returns the user with a username and the user's org, among the orgs of this host.
pub(crate) fn find_user(host: &Host, username: &str) -> Option<(Shared, RecordId)> {
    let mut found = None;
    let shared = host.find(|org| {
        found = org.user_named(username).filter(|user| org.actor(*user).is_some());
        found.is_some()
    })?;
    Some((shared, found?))
}

fn refused_page(error: &OAuthError) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Html(html::message(&format!("error={}&error_description={}", error.error, error.description))),
    )
        .into_response()
}

/// Shows the login or consent page, unless the user is logged in and has approved the app. With `X-Simulator-User` no
/// page is shown: that user allows the app, or denies it when `X-Simulator-Decision` is `deny`.
pub(super) async fn authorize(
    State(host): State<Host>,
    Query(query): Query<Vec<(String, String)>>,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
) -> Response {
    let form = Form::new(query).sent_from(from);
    let request = match Request::checked(&host, &form) {
        Ok(request) => request,
        Err(error) => return refused_page(&error),
    };
    if let Some(error) = request.validation_error() {
        return request.redirect_error(&error);
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(username) = header("x-simulator-user") else {
        return request.show_page(&host, &headers);
    };
    let Some((shared, user)) = find_user(&host, username) else { return no_such_user() };
    if request.is_silent() && !shared.org().is_approved(&request.app.client_id, user) {
        return request.silent_error("consent_required", "user has not approved this app");
    }
    match header("x-simulator-decision") {
        None | Some("allow") => request.allow((&shared, user)),
        Some("deny") => request.redirect_error(&DENIED),
        Some(other) => {
            tracing::warn!(decision = other, "the simulator does not support this decision");
            (StatusCode::BAD_REQUEST, Html(html::message("X-Simulator-Decision is allow or deny."))).into_response()
        }
    }
}

/// Handles the form of the consent page. A named user logs in; otherwise the browser's user is meant.
pub(super) async fn decide(
    State(host): State<Host>,
    Query(query): Query<Vec<(String, String)>>,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut fields: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    fields.extend(query);
    let form = Form::new(fields).sent_from(from);
    let request = match Request::checked(&host, &form) {
        Ok(request) => request,
        Err(error) => return refused_page(&error),
    };
    if let Some(error) = request.validation_error() {
        return request.redirect_error(&error);
    }
    if form.get("decision") != "allow" {
        return request.redirect_error(&DENIED);
    }
    let username = form.get("username");
    if username.is_empty() {
        return match request.logged_in(&host, &headers) {
            Some((shared, user)) => request.allow((&shared, user)),
            None => Html(consent_page::render(&host, &request, None)).into_response(),
        };
    }
    match find_user(&host, username) {
        Some((shared, user)) => browser::set_login_cookie(request.allow((&shared, user)), &shared, user),
        None => no_such_user(),
    }
}

impl Request<'_> {
    /// Responds to a browser with the page that is needed, or with the redirect.
    fn show_page(&self, host: &Host, headers: &HeaderMap) -> Response {
        let Some((shared, user)) = self.logged_in(host, headers) else {
            if self.is_silent() {
                return self.silent_error("login_required", "user is not logged in");
            }
            return Html(consent_page::render(host, self, None)).into_response();
        };
        let approved = shared.org().is_approved(&self.app.client_id, user);
        if approved && !self.has_prompt("consent") {
            return self.allow((&shared, user));
        }
        if self.is_silent() {
            return self.silent_error("consent_required", "user has not approved this app");
        }
        Html(consent_page::render(host, self, Some((&shared, user)))).into_response()
    }
}
