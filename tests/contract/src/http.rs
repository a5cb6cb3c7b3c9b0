//! The HTTP client, the only file that names it.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::Error;
use crate::answer::Answer;
use crate::check::Finding;

/// The time after which a request counts as unanswered.
const TIMEOUT: Duration = Duration::from_secs(130);

/// A client that follows no redirects, decompresses nothing and sends one request at a time.
#[derive(Debug)]
pub(crate) struct Http {
    runtime: Runtime,
    client: Client,
}

/// A request with everything that is sent.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    /// The request without host and secrets, for findings.
    pub(crate) shown: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
    /// A text with its content type.
    Text(&'static str, String),
}

impl Http {
    pub(crate) fn new() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Client(error.to_string()))?;
        let client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).no_gzip().build();
        Ok(Self { runtime, client: client.map_err(|error| Error::Client(error.to_string()))? })
    }

    /// Sends the request and reads the answer to its end.
    pub(crate) fn send(&self, request: HttpRequest) -> Result<Answer, Finding> {
        let shown = request.shown.clone();
        // The error's own text contains the address, and so perhaps a code.
        let failed = |error: reqwest::Error| Finding::NotRun(format!("{shown}: {}", error.without_url()));
        self.runtime.block_on(async {
            let method = Method::from_bytes(request.method.as_bytes()).unwrap_or_default();
            let mut builder = self.client.request(method, &request.url);
            for (name, value) in &request.headers {
                builder = builder.header(name, value);
            }
            builder = match &request.body {
                Body::None => builder,
                Body::Json(json) => builder.json(json),
                Body::Form(pairs) => builder.form(pairs),
                Body::Text(content_type, text) => builder.header("content-type", *content_type).body(text.clone()),
            };
            let response = builder.send().await.map_err(failed)?;
            let status = response.status().as_u16();
            let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let bytes = response.bytes().await.map_err(failed)?.to_vec();
            let json = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Answer { request: request.shown.clone(), status, headers, bytes, json })
        })
    }

    /// Runs a future on the client's runtime.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}
