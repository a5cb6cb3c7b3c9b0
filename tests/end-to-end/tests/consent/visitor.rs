//! A simulated browser: cookies, requests to Ferry's pages, and consents in Salesforce.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt as _;

use crate::harness::{PUBLIC_URL, TestContext};
use crate::log::Secrets;

/// A response to a browser.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// Returns whether this is the error page with this code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.shows(&format!("<code>{code}</code>"))
    }

    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A started consent: the authorize URL that the browser is redirected to.
pub(crate) struct StartedConsent(pub(crate) String);

impl StartedConsent {
    /// Returns a parameter of the authorize URL.
    pub(crate) fn parameter(&self, name: &str) -> String {
        parameter(&self.0, name)
    }

    pub(crate) fn state(&self) -> String {
        self.parameter("state")
    }
}

/// A browser with its own cookies.
pub(crate) struct Visitor {
    router: Router,
    secrets: Secrets,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    pub(crate) fn new(context: &TestContext) -> Self {
        Self { router: context.router(), secrets: context.secrets.clone(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path)).await
    }

    /// Presses the only button of Ferry's page at `path`.
    pub(crate) async fn press(&mut self, path: &str) -> Page {
        self.send(Request::post(path).header("sec-fetch-site", "same-origin")).await
    }

    /// Sends a form from one of Ferry's pages.
    pub(crate) async fn submit(&mut self, method: Method, path: &str, form: &str) -> Page {
        let request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
        self.send_with(request, form).await
    }

    pub(crate) fn cookie(&self, name: &str) -> String {
        self.cookies[name].clone()
    }

    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn send(&mut self, request: http::request::Builder) -> Page {
        self.send_with(request, "").await
    }

    pub(crate) async fn send_with(&mut self, request: http::request::Builder, body: &str) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(COOKIE, cookies.join("; ")).body(Body::from(body.to_owned())).unwrap();
        let page = send(self.router.clone(), request).await;
        for cookie in page.headers.get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.secrets.note(value);
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        page
    }

    /// Opens a connect link and continues to Salesforce.
    pub(crate) async fn begin(&mut self, link: &str) -> StartedConsent {
        assert_eq!(self.get(link).await.status, StatusCode::OK);
        let page = self.press(link).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        let started = StartedConsent(page.header(LOCATION).to_owned());
        self.secrets.note(&started.state());
        self.secrets.note(&started.parameter("nonce"));
        started
    }

    /// Consents as `username`. Returns the path and query of the callback.
    pub(crate) async fn consent(&self, started: &StartedConsent, username: &str) -> String {
        let back = consent(&started.0, username).await;
        self.secrets.note(&parameter(&back, "code"));
        path_of(&back)
    }
}

/// Returns the URL that Salesforce redirects the browser to after the consent of `username`.
pub(crate) async fn consent(authorize_url: &str, username: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let response = client.get(authorize_url).header("x-simulator-user", username).send().await.unwrap();
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// Returns the path and query of one of Ferry's URLs.
fn path_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    assert_eq!(url.host_str(), Some("localhost"), "{url}");
    url[url::Position::BeforePath..].to_owned()
}

/// Returns a query parameter of a URL or of a path with a query.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(PUBLIC_URL).unwrap().join(url).unwrap();
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

pub(crate) async fn send(router: Router, request: Request<Body>) -> Page {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let html = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    if !parts.status.is_success() {
        secret_scan::add(&html);
    }
    Page { status: parts.status, headers: parts.headers, html }
}
