//! The transport. This is the only file that names the HTTP library.

mod incoming;
mod request;
mod retry;
mod upload;

use std::time::Duration;

use futures::StreamExt as _;
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

pub(crate) use incoming::{Answer, Incoming};
pub(crate) use request::{Body, ErrorFormat, Request, Response};
pub(crate) use upload::Upload;
pub use upload::{ContentStream, FileContent};

use crate::deadline::TimeLimit;
use crate::error::{oauth_failure, rest_failure, soap_failure};
use crate::key_cache::KeyCache;
use crate::meter::Meter;
use crate::soap::partner;
use crate::{Classify, Clock, Error, HostPolicy, Retry};

/// The size limit of a response. Parsed, it takes several times as much of a function's 512 MB; a reader of larger answers asks
/// for less at once.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// The time limits of a call. In an invocation of a function, its end limits each attempt too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The limit of one attempt, from connecting to the last byte of the response.
    pub attempt: Duration,
    /// The time after which no further attempt begins.
    pub total: Duration,
    /// The time of an invocation that remains after the last attempt, for the caller to act on its failure.
    pub reserve: Duration,
}

impl Default for Timeouts {
    /// 25 seconds for an attempt, within the 30 seconds of an HTTP API; no further attempt after 20 seconds; 5 seconds to store
    /// or queue what was not done, and to respond.
    fn default() -> Self {
        Self { attempt: Duration::from_secs(25), total: Duration::from_secs(20), reserve: Duration::from_secs(5) }
    }
}

impl Timeouts {
    /// An attempt with less time is likely to end without a response, and would leave its outcome unknown.
    const SHORTEST_ATTEMPT: Duration = Duration::from_secs(2);

    fn attempt_limit(&self) -> TimeLimit {
        TimeLimit { longest: self.attempt, shortest: Self::SHORTEST_ATTEMPT, reserve: self.reserve }
    }

    /// Returns the time in which another attempt of a call may begin that has taken `spent`.
    fn left_for_retry(&self, spent: Duration, clock: &Clock) -> Duration {
        let attempt = TimeLimit { longest: Duration::MAX, ..self.attempt_limit() };
        let invocation = attempt.now(clock).unwrap_or_default().saturating_sub(Self::SHORTEST_ATTEMPT);
        self.total.saturating_sub(spent).min(invocation)
    }
}

/// A pool of HTTP connections with bounded responses, no redirects and few retries.
#[derive(Clone, Debug)]
pub struct Http {
    pool: reqwest::Client,
    policy: HostPolicy,
    clock: Clock,
    timeouts: Timeouts,
    key_cache: KeyCache,
}

/// The destination of a request.
pub(crate) struct Target<'a> {
    /// An origin without a trailing slash.
    pub(crate) base: &'a str,
    pub(crate) token: Option<&'a SecretString>,
    pub(crate) meter: Option<&'a Meter>,
}

impl Http {
    /// Creates a pool for the hosts that `policy` allows.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the machine has no usable TLS configuration.
    pub fn new(policy: HostPolicy, clock: Clock) -> Result<Self, Error> {
        let pool = reqwest::Client::builder()
            .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .https_only(policy == HostPolicy::SalesforceOnly)
            .build()
            .map_err(|_| Error::Invalid { what: "TLS configuration", reason: "is not usable" })?;
        Ok(Self { pool, policy, clock, timeouts: Timeouts::default(), key_cache: KeyCache::default() })
    }

    /// Replaces the time limits.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Returns the hosts that the pool may connect to.
    pub fn policy(&self) -> HostPolicy {
        self.policy
    }

    /// Returns the clock that measures deadlines.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the cache of the keys with which login hosts sign.
    pub(crate) fn key_cache(&self) -> &KeyCache {
        &self.key_cache
    }

    /// Sends a request, reads the response to its end, and retries it as [`retry::pause`] allows.
    pub(crate) async fn call(&self, target: &Target<'_>, request: &Request) -> Result<Response, Error> {
        self.call_as(target, request).await
    }

    /// Sends a request as [`Http::call`] does. Of an [`Incoming`], only the head has arrived; what fails after it is not retried
    /// here.
    pub(crate) async fn call_as<A: Answer>(&self, target: &Target<'_>, request: &Request) -> Result<A, Error> {
        let token_bytes = target.token.map_or(0, |token| token.expose_secret().len());
        request.check_size(target.base, token_bytes)?;
        let began = self.clock.now();
        let mut attempt = 1;
        loop {
            let error = match self.attempt::<A>(target, request).await {
                Ok(response) => return Ok(response),
                Err(error) if error.needs_another_request() => return Err(error),
                Err(error) => error,
            };
            if let Some(meter) =
                target.meter.filter(|_| request.is_write() && matches!(error.retry(), Retry::Unknown(_)))
            {
                meter.mark_lost_write();
            }
            let spent = self.clock.now().duration_since(began);
            let spent = Duration::try_from(spent).unwrap_or_default();
            let left = self.timeouts.left_for_retry(spent, &self.clock);
            let Some(pause) = retry::pause(error.retry(), request.safety, attempt, left, rand::random()) else {
                return Err(error);
            };
            warn!(sf.operation = request.operation, sf.attempt = attempt, retry = ?error.retry(), "{error}; retrying");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<A: Answer>(&self, target: &Target<'_>, request: &Request) -> Result<A, Error> {
        let limit = self.timeouts.attempt_limit();
        let time = limit.now(&self.clock);
        let time = time.map_err(|source| Error::Unreachable { operation: request.operation, source: source.into() })?;
        let builder = self.build(target, request).await?;
        // Counted before it is sent: a caller's timeout drops this future.
        if let Some(meter) = target.meter {
            meter.count();
        }
        let answered = async {
            let incoming = self.begin(builder, request.operation, limit).await?;
            if let Some(meter) = target.meter {
                meter.observe(&incoming.headers);
            }
            if (200..300).contains(&incoming.status) {
                return A::read(incoming).await;
            }
            let response = incoming.whole().await?;
            Err(match request.error_format {
                ErrorFormat::Rest => rest_failure(request.operation, &response),
                ErrorFormat::Oauth => oauth_failure(request.operation, &response),
                ErrorFormat::Soap => soap_failure(request.operation, &response),
            })
        };
        match tokio::time::timeout(time, answered).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(Error::NoResponse { operation: request.operation, source: elapsed.into() }),
        }
    }

    /// Sends one request and waits for the head of its response, of any status.
    async fn begin(
        &self,
        request: reqwest::RequestBuilder,
        operation: &'static str,
        limit: TimeLimit,
    ) -> Result<Incoming, Error> {
        let mut response = request.send().await.map_err(|error| network_failure(operation, error))?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let chunk =
            move |chunk: reqwest::Result<_>| chunk.map(Vec::from).map_err(|error| network_failure(operation, error));
        let body = response.bytes_stream().map(chunk).boxed();
        Ok(Incoming { operation, status, headers, body, limit: (limit, self.clock.clone()) })
    }

    /// Builds one request. Opens the file that it sends.
    async fn build(&self, target: &Target<'_>, request: &Request) -> Result<reqwest::RequestBuilder, Error> {
        let url = format!("{}{}", target.base, request.target());
        let mut builder = self.pool.request(request.method.clone(), url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, *value);
        }
        let token = target.token.map(ExposeSecret::expose_secret);
        if let Body::Soap(element) = &request.body {
            let envelope = partner::envelope(token.unwrap_or_default(), element);
            return Ok(builder.header("content-type", "text/xml; charset=UTF-8").body(envelope));
        }
        if let Some(token) = token {
            builder = builder.bearer_auth(token);
        }
        Ok(match &request.body {
            Body::Empty | Body::Soap(_) => builder,
            Body::Json(json) => builder.header("content-type", "application/json").body(json.clone()),
            Body::Form(form) => builder.header("content-type", "application/x-www-form-urlencoded").body(form.clone()),
            Body::Csv(file) => {
                let builder = builder.header("content-type", "text/csv; charset=UTF-8");
                let builder = if file.is_compressed() { builder.header("content-encoding", "gzip") } else { builder };
                builder.header("content-length", file.length()).body(reqwest::Body::wrap_stream(file.pieces()))
            }
            Body::Upload(upload) => {
                let content = upload.open().await;
                let content = content.map_err(|source| Error::Content { operation: request.operation, source })?;
                let builder = builder.header("content-type", upload.content_type());
                builder.header("content-length", upload.length()).body(reqwest::Body::wrap_stream(content))
            }
        })
    }
}

/// Separates requests that were never sent from those with an unknown outcome. Removes URLs from the errors.
fn network_failure(operation: &'static str, error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_builder() {
        Error::Invalid { what: "request", reason: "is malformed" }
    } else if error.is_connect() {
        Error::Unreachable { operation, source: error.into() }
    } else {
        Error::NoResponse { operation, source: error.into() }
    }
}
