//! A reverse proxy in front of the emulated HTTP API, in place of API Gateway's custom domain.
//!
//! It serves the HTTP API at a short address (`http://localhost:8580`), returns the errors that API Gateway itself returns before a
//! function runs, and adds the platform's IAM signature.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// API Gateway's limit for the body of a request to an HTTP API.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// API Gateway's time limit for a request to an HTTP API.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A placeholder: the emulator requires a signature on routes with IAM authorization, but does not verify it.
const LOCAL_SIGNATURE: HeaderValue = HeaderValue::from_static(
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0",
);

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

    /// Forwards every request to the API's stage at the URL `base`.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub fn serve(self, base: String) -> Result<Gateway> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let url = self.url();
        let app = Router::new().fallback(forward).with_state(Upstream { http, base });
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
    if path.starts_with("/v1/") {
        headers.entry(AUTHORIZATION).or_insert(LOCAL_SIGNATURE);
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
mod tests {
    use axum::http::Method;
    use axum::http::header::SET_COOKIE;
    use axum::response::AppendHeaders;

    use super::*;

    /// Returns a gateway, and the server behind it that echoes method, path, signature and body size.
    async fn gateway_to_echo() -> (Gateway, Gateway) {
        let echo = bind(0).await.unwrap();
        let url = echo.url();
        let app = Router::new().fallback(|request: Request| async move {
            let (parts, body) = request.into_parts();
            let signed = parts.headers.contains_key(AUTHORIZATION);
            let size = to_bytes(body, usize::MAX).await.unwrap().len();
            (
                AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")]),
                format!("{} {} {signed} {size}", parts.method, parts.uri),
            )
        });
        #[expect(clippy::disallowed_methods, reason = "a server of the test")]
        let server = tokio::spawn(async move { axum::serve(echo.listener, app).await.unwrap() });
        let gateway = bind(0).await.unwrap().serve(format!("{url}/stage")).unwrap();
        (gateway, Gateway { url, server })
    }

    #[tokio::test]
    async fn a_request_keeps_its_method_path_query_and_body() {
        let (gateway, _echo) = gateway_to_echo().await;

        let request =
            reqwest::Client::new().request(Method::PUT, format!("{}/a/b%20c?d=e%2Ff", gateway.url())).body("12345");
        let response = request.send().await.unwrap();

        assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 2);
        assert_eq!(response.text().await.unwrap(), "PUT /stage/a/b%20c?d=e%2Ff false 5");
    }

    #[tokio::test]
    async fn requests_of_the_platform_get_a_signature() {
        let (gateway, _echo) = gateway_to_echo().await;

        let response = reqwest::get(format!("{}/v1/orgs", gateway.url())).await.unwrap();

        assert_eq!(response.text().await.unwrap(), "GET /stage/v1/orgs true 0");
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_rejected() {
        let (gateway, _echo) = gateway_to_echo().await;

        let request = reqwest::Client::new().post(gateway.url()).body(vec![0; MAX_BODY_BYTES + 1]);
        let response = request.send().await.unwrap();

        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn an_unreachable_api_is_unavailable() {
        let gateway = bind(0).await.unwrap().serve("http://127.0.0.1:1".to_owned()).unwrap();

        let response = reqwest::get(gateway.url()).await.unwrap();

        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn the_error_for_a_port_in_use_names_the_option() {
        let first = bind(0).await.unwrap();
        let port = first.address.port();

        let error = bind(port).await.unwrap_err();

        let expected = format!("could not start the HTTP API: port {port} is in use; choose another port with --port");
        assert_eq!(error.to_string(), expected);
    }
}
