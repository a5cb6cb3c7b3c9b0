//! Calls Ferry's HTTP API, as the platform does.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A client of the routes below `/v1`.
pub(super) struct Platform {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Platform {
    /// Creates a client that sends this JWT.
    pub(super) fn new(base: &str, token: String) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, base: base.to_owned(), token })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        send("GET", path, self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token)).await
    }

    /// Sends a POST request with an `Idempotency-Key` header, so that it is safe to repeat.
    pub(super) async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base)).header("Idempotency-Key", key);
        send("POST", path, request.bearer_auth(&self.token).json(body)).await
    }
}

async fn send(method: &str, path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await.with_context(|| format!("could not send {method} {path}"))?;
    let (status, body) = (response.status(), response.text().await?);
    if !status.is_success() {
        bail!("{method} {path} returned {status}: {}", body.chars().take(400).collect::<String>());
    }
    serde_json::from_str(&body).with_context(|| format!("could not parse the response to {method} {path}"))
}
