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
use crate::model::logins::refusal::Refusal;
use crate::wire::html;

const DENIED: Refusal = Refusal::new("access_denied", "end-user denied authorization");
/// Returns the user with a username and the user's org, among the orgs of this host.
pub(crate) fn person(host: &Host, username: &str) -> Option<(Shared, RecordId)> {
    let mut found = None;
    let shared = host.find(|org| {
        found = org.user_named(username).filter(|user| org.actor(*user).is_some());
        found.is_some()
    })?;
    Some((shared, found?))
}

fn refused_page(refusal: &Refusal) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Html(html::message(&format!("error={}&error_description={}", refusal.error, refusal.description))),
    )
        .into_response()
}

/// Shows the login or consent page, unless the user is logged in and has approved the app. With `X-Simulator-User` no
/// page is shown: that user allows the app, or denies it when `X-Simulator-Decision` is `deny`.
pub(super) async fn authorize(
    State(host): State<Host>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let form = Form::new(query);
    let request = match Request::checked(&host, &form) {
        Ok(request) => request,
        Err(refusal) => return refused_page(&refusal),
    };
    if let Some(refusal) = request.fault() {
        return request.refuse(&refusal);
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(username) = header("x-simulator-user") else {
        return request.ask(&host, &headers);
    };
    let Some((shared, user)) = person(&host, username) else { return no_such_user() };
    if request.is_silent() && !shared.org().is_approved(&request.app.client_id, user) {
        return request.silent_refusal("consent_required", "user has not approved this app");
    }
    match header("x-simulator-decision") {
        None | Some("allow") => request.allow((&shared, user)),
        Some("deny") => request.refuse(&DENIED),
        Some(other) => {
            tracing::warn!(decision = other, "the simulator does not know this decision");
            (StatusCode::BAD_REQUEST, Html(html::message("X-Simulator-Decision is allow or deny."))).into_response()
        }
    }
}

/// Handles the form of the consent page. A named user logs in; otherwise the browser's user is meant.
pub(super) async fn decide(
    State(host): State<Host>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut fields: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    fields.extend(query);
    let form = Form::new(fields);
    let request = match Request::checked(&host, &form) {
        Ok(request) => request,
        Err(refusal) => return refused_page(&refusal),
    };
    if let Some(refusal) = request.fault() {
        return request.refuse(&refusal);
    }
    if form.get("decision") != "allow" {
        return request.refuse(&DENIED);
    }
    let username = form.get("username");
    if username.is_empty() {
        return match request.logged_in(&host, &headers) {
            Some((shared, user)) => request.allow((&shared, user)),
            None => Html(consent_page::render(&host, &request, None)).into_response(),
        };
    }
    match person(&host, username) {
        Some((shared, user)) => browser::remember(request.allow((&shared, user)), &shared, user),
        None => no_such_user(),
    }
}

impl Request<'_> {
    /// Responds to a browser with the page that is needed, or with the redirect.
    fn ask(&self, host: &Host, headers: &HeaderMap) -> Response {
        let Some((shared, user)) = self.logged_in(host, headers) else {
            if self.is_silent() {
                return self.silent_refusal("login_required", "user is not logged in");
            }
            return Html(consent_page::render(host, self, None)).into_response();
        };
        let approved = shared.org().is_approved(&self.app.client_id, user);
        if approved && !self.prompts("consent") {
            return self.allow((&shared, user));
        }
        if self.is_silent() {
            return self.silent_refusal("consent_required", "user has not approved this app");
        }
        Html(consent_page::render(host, self, Some((&shared, user)))).into_response()
    }
}
