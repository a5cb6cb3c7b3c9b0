//! The pages: rendered by the server, without scripts, with a strict Content-Security-Policy.

use std::sync::LazyLock;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, StatusCode};
use salesforce::{LoginHost, ObjectName, OrgId};
use sha2::{Digest as _, Sha256};
use store::Environment;

use crate::connect_failure::{ConnectFailure, PageText};

pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// The Content-Security-Policy without `form-action`.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action"
    )
});

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The page that shows what will be connected, with the button that starts the consent.
#[derive(Clone, Debug, Template)]
#[template(path = "connect.html")]
pub(crate) struct ConnectPage<'a> {
    pub(crate) team: bool,
    pub(crate) tenant: &'a str,
    pub(crate) platform_user: Option<&'a str>,
    pub(crate) environment: &'static str,
    pub(crate) org_id: Option<OrgId>,
    pub(crate) my_domain: Option<&'a str>,
    pub(crate) install_url: Option<&'a str>,
    pub(crate) minutes: i64,
}

/// The page that shows what was connected.
#[derive(Clone, Debug, Template)]
#[template(path = "connected.html")]
pub(crate) struct ConnectedPage<'a> {
    pub(crate) team: bool,
    pub(crate) tenant: &'a str,
    pub(crate) org_id: OrgId,
    pub(crate) org_host: &'a str,
    pub(crate) user_id: salesforce::RecordId,
    pub(crate) username: Option<&'a str>,
    /// The platform user of a personal connection.
    pub(crate) platform_user: Option<&'a str>,
    /// The mirrored objects of which a team's user may not see every record.
    pub(crate) limited_objects: &'a [ObjectName],
    pub(crate) environment: &'static str,
    /// The URL to enter by hand as the endpoint of the org's outbound messages.
    pub(crate) webhook_url: Option<&'a str>,
    /// `true` if Ferry has set the endpoint of the org's outbound messages.
    pub(crate) configured: bool,
    /// `true` if the org's edition has no outbound messages, so that Ferry polls the org.
    pub(crate) polled: bool,
    /// The names of the connections that this one displaced.
    pub(crate) displaced: &'a [String],
    /// `true` if the next consent of this user will displace a connection.
    pub(crate) is_last: bool,
    /// `true` if this browser has a session of the connections page.
    pub(crate) is_admin: bool,
}

/// The page of a failure, with the steps that the reader can take.
#[derive(Clone, Debug, Template)]
#[template(path = "failed.html")]
struct FailedPage<'a> {
    title: &'static str,
    explanation: &'static str,
    steps: &'static [&'static str],
    code: &'static str,
    install_url: Option<&'a str>,
    /// The permissions that the user lacks.
    missing: Option<&'a str>,
}

impl ConnectPage<'_> {
    /// The form is sent to this function, which redirects to Salesforce: browsers apply `form-action` to the whole redirect
    /// chain.
    pub(crate) fn respond(&self, login: &LoginHost) -> Response {
        let targets = format!("'self' {login} https://*.salesforce.com https://*.salesforce.mil https://*.force.com");
        page(StatusCode::OK, self, &targets)
    }
}

impl ConnectedPage<'_> {
    pub(crate) fn respond(&self) -> Response {
        page(StatusCode::OK, self, "'none'")
    }
}

/// Renders the page of a failure. `install_url` is shown only if the package is not installed.
pub(crate) fn failed(failure: ConnectFailure, install_url: Option<&str>) -> Response {
    let install_url = install_url.filter(|_| failure == ConnectFailure::NotInstalled);
    failure_page(failure, install_url, None)
}

/// Renders the page for a user without the needed permissions, and names the missing ones.
pub(crate) fn missing_permissions(missing: &str) -> Response {
    failure_page(ConnectFailure::MissingPermissions, None, Some(missing))
}

fn failure_page(failure: ConnectFailure, install_url: Option<&str>, missing: Option<&str>) -> Response {
    let code = failure.code();
    tracing::info!(failure = code, "showed the failure page {code}");
    let PageText { title, explanation, steps } = failure.text();
    page(failure.status(), &FailedPage { title, explanation, steps, code, install_url, missing }, "'none'")
}

/// Returns the name of an environment, for display.
pub(crate) fn environment_label(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "Production",
        Environment::Sandbox => "Sandbox",
    }
}

/// Renders a page. Its forms may lead only to `form_targets`, the sources of the policy's `form-action`.
pub(crate) fn page(status: StatusCode, template: &impl Template, form_targets: &str) -> Response {
    let Ok(html) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, Html(html)).into_response();
    protect(&mut response);
    if let Ok(policy) = HeaderValue::try_from(format!("{} {form_targets}", *POLICY)) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Returns a URL's host, for display.
pub(crate) fn host_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, host)| host).trim_end_matches('/')
}

/// Adds the headers of every response to a browser: not cached, and no referrer for other sites. For this
/// site there is one, because earlier browsers omit `Origin` together with it.
pub(crate) fn protect(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=()"));
}

#[cfg(test)]
mod tests;
