//! Sends requests: the one file that names the HTTP library.

mod request;
mod retry;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

pub(crate) use request::{Body, ErrorFormat, Request, Response};

use crate::auth::SigningKeys;
use crate::error::{oauth_failure, rest_failure};
use crate::limits::Meter;
use crate::{Classify, Clock, Error, HostPolicy};

/// The longest answer that is read: 2,000 wide records fit several times.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For one attempt, from connecting to the last byte of the answer.
    pub attempt: Duration,
    /// For all attempts together: after it no further one begins.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 25 seconds an attempt, which is what an HTTP API gives its function; no further attempt begins after 20 seconds.
    fn default() -> Self {
        Self { attempt: Duration::from_secs(25), total: Duration::from_secs(20) }
    }
}

/// A connection pool with Ferry's rules: bounded answers, no redirects, few retries.
#[derive(Clone, Debug)]
pub struct Http {
    pool: reqwest::Client,
    policy: HostPolicy,
    clock: Clock,
    timeouts: Timeouts,
    signing_keys: SigningKeys,
}

/// Where a request goes, and as whom.
pub(crate) struct Target<'a> {
    /// An origin without a trailing slash.
    pub(crate) base: &'a str,
    pub(crate) token: Option<&'a SecretString>,
    pub(crate) meter: Option<&'a Meter>,
}

impl Http {
    /// A pool that talks to the hosts that `policy` allows.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the machine has no usable TLS set-up.
    pub fn new(policy: HostPolicy, clock: Clock) -> Result<Self, Error> {
        let pool = reqwest::Client::builder()
            .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .https_only(policy == HostPolicy::SalesforceOnly)
            .build()
            .map_err(|_| Error::Invalid { what: "TLS set-up", reason: "cannot be used" })?;
        Ok(Self { pool, policy, clock, timeouts: Timeouts::default(), signing_keys: SigningKeys::default() })
    }

    /// The same pool with other time limits.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Which hosts it may talk to.
    pub fn policy(&self) -> HostPolicy {
        self.policy
    }

    /// The clock that it counts its deadlines with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The keys with which login hosts sign.
    pub(crate) fn signing_keys(&self) -> &SigningKeys {
        &self.signing_keys
    }

    /// Makes a call, again where [`retry::pause`] allows it.
    pub(crate) async fn call(&self, target: &Target<'_>, request: &Request) -> Result<Response, Error> {
        let token_bytes = target.token.map_or(0, |token| token.expose_secret().len());
        request.check_size(target.base, token_bytes)?;
        let began = self.clock.now();
        let mut attempt = 1;
        loop {
            let error = match self.attempt(target, request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let spent = self.clock.now().duration_since(began);
            let spent = Duration::try_from(spent).unwrap_or_default();
            let left = self.timeouts.total.saturating_sub(spent);
            let Some(pause) = retry::pause(error.retry(), request.safety, attempt, left, rand::random()) else {
                return Err(error);
            };
            warn!(sf.operation = request.operation, sf.attempt = attempt, retry = ?error.retry(), "{error}; trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, target: &Target<'_>, request: &Request) -> Result<Response, Error> {
        let answer = self.exchange(target, request).await?;
        if let Some(meter) = target.meter {
            meter.observe(&answer.headers);
        }
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(match request.error_format {
            ErrorFormat::Rest => rest_failure(request.operation, &answer),
            ErrorFormat::Oauth => oauth_failure(request.operation, &answer),
        })
    }

    /// One request and its whole answer, whatever its status.
    async fn exchange(&self, target: &Target<'_>, request: &Request) -> Result<Response, Error> {
        let operation = request.operation;
        let lost = |error: reqwest::Error| network_failure(operation, error);
        let mut answer = self.build(target, request).send().await.map_err(lost)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(Error::TooLarge { operation, what: "the answer" });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            operation,
            status: answer.status().as_u16(),
            headers: std::mem::take(answer.headers_mut()),
            body,
        })
    }

    fn build(&self, target: &Target<'_>, request: &Request) -> reqwest::RequestBuilder {
        let url = format!("{}{}", target.base, request.target());
        let mut builder = self.pool.request(request.method.clone(), url).timeout(self.timeouts.attempt);
        for (name, value) in &request.headers {
            builder = builder.header(*name, *value);
        }
        if let Some(token) = target.token {
            builder = builder.bearer_auth(token.expose_secret());
        }
        match &request.body {
            Body::Empty => builder,
            Body::Json(json) => builder.header("content-type", "application/json").body(json.clone()),
            Body::Form(form) => builder.header("content-type", "application/x-www-form-urlencoded").body(form.clone()),
        }
    }
}

/// Tells a request that was never sent from one whose fate is unknown. URLs are left out of errors.
fn network_failure(operation: &'static str, error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_builder() {
        Error::Invalid { what: "request", reason: "cannot be sent" }
    } else if error.is_connect() {
        Error::Unreachable { operation, source: error.into() }
    } else {
        Error::NoResponse { operation, source: error.into() }
    }
}
