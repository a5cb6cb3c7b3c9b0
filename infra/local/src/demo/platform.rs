//! The platform: calls Ferry's HTTP API as the vendor's product does.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A client of `/v1`.
pub(super) struct Platform {
    http: reqwest::Client,
    base: String,
}

impl Platform {
    pub(super) fn new(base: &str) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, base: base.to_owned() })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        answer("GET", path, self.http.get(format!("{}{path}", self.base))).await
    }

    /// Posts a write; the key makes it safe to repeat.
    pub(super) async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base)).header("Idempotency-Key", key).json(body);
        answer("POST", path, request).await
    }
}

async fn answer(method: &str, path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await.with_context(|| format!("{method} {path} had no answer"))?;
    let (status, body) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        bail!("{method} {path} was answered {status}: {}", body.chars().take(400).collect::<String>());
    }
    serde_json::from_str(&body).with_context(|| format!("{method} {path} was not answered with JSON"))
}
