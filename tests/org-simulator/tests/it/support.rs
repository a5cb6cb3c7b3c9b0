//! The test harness: a running org and a client for it.

use std::path::PathBuf;

use org_simulator::{Clock, Options, Simulator};
use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use serde_json::{Map, Value};

pub(crate) const ADMIN: &str = "admin@larkspur.example";
pub(crate) const CASEY: &str = "casey@larkspur.example";
pub(crate) const JORDAN: &str = "jordan@larkspur.example";
pub(crate) const REDIRECT: &str = "http://localhost:8580/oauth/callback";
pub(crate) const START: &str = "2026-11-22T10:00:00Z";

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), bytes }
    }

    /// Returns the error code.
    pub(crate) fn code(&self) -> &str {
        self.body[0]["errorCode"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A running org and a user's session in it.
pub(crate) struct Scene {
    pub(crate) org: Simulator,
    pub(crate) http: reqwest::Client,
    token: String,
}

impl Scene {
    /// Starts the seeded org with a clock that stands still, and logs in its administrator.
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(START.parse().unwrap());
        let org = Simulator::start(Options { clock, ..Options::default() }).await.unwrap();
        Self::of(org, ADMIN)
    }

    /// Returns a context for a running org and a user.
    pub(crate) fn of(org: Simulator, username: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let token = org.access_token(username).unwrap();
        Self { org, http, token }
    }

    /// Continues as another user.
    pub(crate) fn log_in(&mut self, username: &str) {
        self.token = self.org.access_token(username).unwrap();
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request to the data API, with a path after the version.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.call_with(method, path, body, &[]).await
    }

    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self
            .http
            .request(method, format!("{}/services/data/v66.0/{path}", self.org.url()))
            .bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn query(&self, soql: &str) -> Answer {
        let url = format!("{}/services/data/v66.0/query", self.org.url());
        Answer::of(self.http.get(url).query(&[("q", soql)]).bearer_auth(&self.token).send().await.unwrap()).await
    }

    /// Sends a request outside the data API, without a token.
    pub(crate) async fn plain(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// Sends a request to the admin API.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}/_simulator/{path}", self.org.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Returns the id of the record with that name.
    pub(crate) async fn id_of(&self, object: &str, name: &str) -> String {
        let answer = self.query(&format!("SELECT Id FROM {object} WHERE Name = '{}'", name.replace('\'', "\\'"))).await;
        answer.body["records"][0]["Id"].as_str().unwrap().to_owned()
    }
}

/// Returns a JSON object in the form of the handle's methods.
pub(crate) fn fields(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// Returns the path of a recorded file; prints a note and returns `None` when the recordings are missing.
pub(crate) fn recorded(path: &str) -> Option<PathBuf> {
    fixtures::path(path)
}
