//! A reverse proxy in front of the emulated HTTP API, in place of API Gateway's custom domain.
//!
//! It serves the HTTP API at a short address (`http://localhost:8580`), returns the errors that API Gateway itself returns before a
//! function runs, and verifies the JWTs of requests below `/v1/`. It also serves the issuer of these JWTs, below `/issuer`.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::authorizer::Authorizer;
use crate::issuer::{self, Issuer};

/// API Gateway's limit for the body of a request to an HTTP API.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// API Gateway's time limit for a request to an HTTP API.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A gateway that listens but does not serve yet. The stack needs its URL as a parameter, before the API exists.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A running gateway. Dropping it stops it.
#[derive(Debug)]
pub struct Gateway {
    url: String,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Upstream {
    http: reqwest::Client,
    base: String,
    authorizer: Arc<Authorizer>,
}

/// Listens on a port of 127.0.0.1; 0 selects a free port.
///
/// # Errors
/// If the port is in use.
pub async fn bind(port: u16) -> Result<Bound> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| listen_error(error, port, "the HTTP API", "--port"))?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

/// Describes why `server` cannot listen on a port. For a port in use, names the option that changes it.
pub(crate) fn listen_error(error: std::io::Error, port: u16, server: &str, option: &str) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow!("could not start {server}: port {port} is in use; choose another port with {option}")
        }
        _ => anyhow::Error::new(error).context(format!("could not start {server} on port {port}")),
    }
}

impl Bound {
    /// Returns the base URL, without a trailing slash. Its host is `localhost`, for which browsers accept `Secure` cookies without TLS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Forwards every request to the API's stage at the URL `base`, those below `/v1/` only with a token of the issuer.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub fn serve(self, base: String, issuer: &Arc<Issuer>) -> Result<Gateway> {
        let authorizer = Arc::new(Authorizer {
            issuer: issuer.url().to_owned(),
            audience: issuer::AUDIENCE.to_owned(),
            keys: serde_json::from_value(issuer.jwks()).context("could not read the keys of the issuer")?,
        });
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let url = self.url();
        let app = issuer.routes().fallback(forward).with_state(Upstream { http, base, authorizer });
        #[expect(clippy::disallowed_methods, reason = "a server on the developer's machine, stopped by its handle")]
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, app).await {
                tracing::error!("could not serve the HTTP API: {error}");
            }
        });
        Ok(Gateway { url, server })
    }
}

impl Gateway {
    /// Returns the base URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(upstream): State<Upstream>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", upstream.base);
    let mut headers = end_to_end(parts.headers);
    headers.remove(HOST);
    if path.starts_with("/v1/")
        && let Err(unauthorized) = upstream.authorizer.authorize(&headers, issuer::now())
    {
        let challenge = [(WWW_AUTHENTICATE, unauthorized.challenge())];
        return (challenge, message(StatusCode::UNAUTHORIZED, "Unauthorized")).into_response();
    }
    match send(upstream.http.request(parts.method, url).headers(headers).body(body)).await {
        Ok(response) => response,
        Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

async fn send(request: reqwest::RequestBuilder) -> reqwest::Result<Response> {
    let upstream = request.send().await?;
    let (status, headers) = (upstream.status(), end_to_end(upstream.headers().clone()));
    let body: Bytes = upstream.bytes().await?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Removes the hop-by-hop headers (RFC 9110, section 7.6.1) and the content length, which the HTTP library sets.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let hop_by_hop = ["keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"];
    for name in
        hop_by_hop.map(HeaderName::from_static).into_iter().chain([CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH])
    {
        headers.remove(name);
    }
    headers
}

fn message(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "message": text }))).into_response()
}

#[cfg(test)]
mod tests;
