//! The local stack's front door: what a custom domain is in production.
//!
//! It gives the HTTP API a plain address (`http://localhost:8580`), answers what API Gateway itself would answer
//! before a function is reached, and vouches for the platform on the machine it runs on.

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

/// API Gateway's own limits for HTTP APIs.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(30);
/// The emulator asks for a signature but, as it has no users, does not check whose it is.
const LOCAL_SIGNATURE: HeaderValue = HeaderValue::from_static(
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0",
);

/// A gateway that has its port but does not serve yet: the stack has to know the address before there is an API.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A running gateway; it stops when dropped.
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

/// Takes a port of 127.0.0.1; 0 takes a free one.
///
/// # Errors
/// When the port is taken.
pub async fn bind(port: u16) -> Result<Bound> {
    let listener =
        TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| taken(error, port, "the HTTP API", "--port"))?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

/// Why something cannot listen, in one sentence that says what to do about it.
pub(crate) fn taken(error: std::io::Error, port: u16, what: &str, option: &str) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => anyhow!("port {port} for {what} is taken; choose another with {option}"),
        _ => anyhow::Error::new(error).context(format!("{what} cannot listen on port {port}")),
    }
}

impl Bound {
    /// The base URL, without a trailing slash. `localhost`, as browsers keep `Secure` cookies for that name without TLS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Passes every request on to the API's stage at `base`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn serve(self, base: String) -> Result<Gateway> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(MAX_TIME)
            .build()?;
        let url = self.url();
        let app = Router::new().fallback(forward).with_state(Upstream { http, base });
        #[expect(clippy::disallowed_methods, reason = "a server on the developer's machine, stopped by its handle")]
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(self.listener, app).await {
                tracing::error!("the local gateway stopped: {error}");
            }
        });
        Ok(Gateway { url, server })
    }
}

impl Gateway {
    /// The base URL, without a trailing slash.
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
    match exchange(upstream.http.request(parts.method, url).headers(headers).body(body)).await {
        Ok(response) => response,
        Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> reqwest::Result<Response> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    let body: Bytes = answer.bytes().await?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The headers that are not about one hop only.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let hop = ["keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"];
    for name in hop.map(HeaderName::from_static).into_iter().chain([CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH]) {
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

    /// A gateway in front of a server that answers with what it was sent.
    async fn in_front_of_echo() -> (Gateway, Gateway) {
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
        #[expect(clippy::disallowed_methods, reason = "the test's own server")]
        let server = tokio::spawn(async move { axum::serve(echo.listener, app).await.unwrap() });
        let gateway = bind(0).await.unwrap().serve(format!("{url}/stage")).unwrap();
        (gateway, Gateway { url, server })
    }

    #[tokio::test]
    async fn a_request_keeps_its_method_path_query_and_body() {
        let (gateway, _echo) = in_front_of_echo().await;

        let request =
            reqwest::Client::new().request(Method::PUT, format!("{}/a/b%20c?d=e%2Ff", gateway.url())).body("12345");
        let answer = request.send().await.unwrap();

        assert_eq!(answer.headers().get_all(SET_COOKIE).iter().count(), 2);
        assert_eq!(answer.text().await.unwrap(), "PUT /stage/a/b%20c?d=e%2Ff false 5");
    }

    #[tokio::test]
    async fn the_platforms_requests_are_signed() {
        let (gateway, _echo) = in_front_of_echo().await;

        let answer = reqwest::get(format!("{}/v1/orgs", gateway.url())).await.unwrap();

        assert_eq!(answer.text().await.unwrap(), "GET /stage/v1/orgs true 0");
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_refused() {
        let (gateway, _echo) = in_front_of_echo().await;

        let request = reqwest::Client::new().post(gateway.url()).body(vec![0; MAX_BODY_BYTES + 1]);
        let answer = request.send().await.unwrap();

        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn an_api_that_is_gone_is_unavailable() {
        let gateway = bind(0).await.unwrap().serve("http://127.0.0.1:1".to_owned()).unwrap();

        let answer = reqwest::get(gateway.url()).await.unwrap();

        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = bind(0).await.unwrap();

        let error = bind(taken.address.port()).await.unwrap_err();

        let port = taken.address.port();
        assert_eq!(error.to_string(), format!("port {port} for the HTTP API is taken; choose another with --port"));
    }
}
