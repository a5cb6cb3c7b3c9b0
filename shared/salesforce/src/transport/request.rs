//! Requests and responses as values.

use std::time::Duration;

use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::upload::Upload;
use crate::Error;
use crate::bulk::IngestFile;

/// The size limit of URL and headers together (FACTS.md 4.5).
const MAX_HEAD_BYTES: usize = 16_384;

/// An allowance for the headers that the transport adds: user agent, host, encodings.
const OWN_HEADERS_BYTES: usize = 512;

/// A request without host and token.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// An infinitive for errors and logs: "create the record".
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Consists of checked names and ids only, so that it needs no escaping.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Body,
    pub(crate) safety: RetrySafety,
    pub(crate) error_format: ErrorFormat,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Vec<u8>),
    Form(Vec<u8>),
    /// The element of an operation of the partner SOAP API. The session is added when the request is sent, so that nothing
    /// that is kept or printed has it.
    Soap(String),
    /// Fields and the bytes of a file, of which each attempt reads its own.
    Upload(Upload),
    /// The rows of an ingest job.
    Csv(IngestFile),
}

/// The conditions under which the transport may retry a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetrySafety {
    /// After any temporary failure.
    Idempotent,
    /// Only if the request did not take effect.
    IfNotApplied,
    /// Never. The caller decides.
    Never,
}

/// The format of error responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    Rest,
    Oauth,
    Soap,
}

impl Request {
    /// Creates a read.
    pub(crate) fn get(operation: &'static str, path: String) -> Self {
        Self {
            operation,
            method: Method::GET,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            safety: RetrySafety::Idempotent,
            error_format: ErrorFormat::Rest,
        }
    }

    /// Creates a write, or a read with a body. Turns off lead and case assignment rules, which would change the owner.
    pub(crate) fn send(
        operation: &'static str,
        method: Method,
        path: String,
        body: &impl Serialize,
    ) -> Result<Self, Error> {
        let body =
            serde_json::to_vec(body).map_err(|_| Error::Invalid { what: "request body", reason: "is not JSON" })?;
        let safety = match method {
            Method::POST => RetrySafety::IfNotApplied,
            _ => RetrySafety::Idempotent,
        };
        Ok(Self {
            method,
            headers: vec![("sforce-auto-assign", "FALSE")],
            body: Body::Json(body),
            safety,
            ..Self::get(operation, path)
        })
    }

    /// Creates a `POST` of fields and the bytes of a file, as `multipart/form-data`.
    pub(crate) fn upload(operation: &'static str, path: String, upload: Upload) -> Self {
        Self {
            method: Method::POST,
            body: Body::Upload(upload),
            safety: RetrySafety::IfNotApplied,
            ..Self::get(operation, path)
        }
    }

    /// Creates a form for an OAuth endpoint.
    pub(crate) fn form(operation: &'static str, path: String, form: Vec<u8>) -> Self {
        Self {
            method: Method::POST,
            headers: vec![("accept", "application/json")],
            body: Body::Form(form),
            safety: RetrySafety::Never,
            error_format: ErrorFormat::Oauth,
            ..Self::get(operation, path)
        }
    }

    /// Creates a deletion. One with a lost response may be sent again: what is deleted stays so.
    pub(crate) fn delete(operation: &'static str, path: String) -> Self {
        Self { method: Method::DELETE, ..Self::get(operation, path) }
    }

    /// Creates an operation of the partner SOAP API.
    pub(crate) fn soap(operation: &'static str, path: String, element: String) -> Self {
        Self {
            method: Method::POST,
            headers: vec![("soapaction", "\"\"")],
            body: Body::Soap(element),
            safety: RetrySafety::IfNotApplied,
            error_format: ErrorFormat::Soap,
            ..Self::get(operation, path)
        }
    }

    /// Adds a query parameter.
    pub(crate) fn with_query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Declares a `POST` to be idempotent.
    pub(crate) fn idempotent(self) -> Self {
        Self { safety: RetrySafety::Idempotent, ..self }
    }

    /// Leaves the retry after an unknown outcome to the caller.
    pub(crate) fn unless_applied(self) -> Self {
        Self { safety: RetrySafety::IfNotApplied, ..self }
    }

    /// Leaves every retry to the caller.
    pub(crate) fn once(self) -> Self {
        Self { safety: RetrySafety::Never, ..self }
    }

    /// Returns whether the request changes something. A `POST` that is declared to be idempotent reads.
    pub(crate) fn is_write(&self) -> bool {
        self.method != Method::GET && (self.method != Method::POST || self.safety != RetrySafety::Idempotent)
    }

    /// Returns path and query, encoded.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        format!("{}?{}", self.path, query.finish())
    }

    /// Rejects a request that Salesforce would refuse with a bare 414 or 431.
    pub(crate) fn check_size(&self, base: &str, token_bytes: usize) -> Result<(), Error> {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let head = base.len() + self.target().len() + headers + token_bytes + OWN_HEADERS_BYTES;
        if head > MAX_HEAD_BYTES {
            return Err(Error::TooLarge { operation: self.operation, what: "the URL" });
        }
        Ok(())
    }
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Parses the body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|_| self.invalid("unexpected JSON"))
    }

    /// Creates the error for a response of unexpected form.
    pub(crate) fn invalid(&self, what: &'static str) -> Error {
        Error::InvalidResponse { operation: self.operation, what }
    }

    /// Returns the pause in `Retry-After`.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get("retry-after")?.to_str().ok()?;
        Some(Duration::from_secs(seconds.trim().parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_in_a_query_is_encoded() {
        let request = Request::get("run a test", "/services/data/v66.0/query".into())
            .with_query("q", "SELECT Id FROM Account WHERE Name = 'A+B & C'");
        assert_eq!(
            request.target(),
            "/services/data/v66.0/query?q=SELECT+Id+FROM+Account+WHERE+Name+%3D+%27A%2BB+%26+C%27"
        );
    }

    #[test]
    fn a_post_is_retried_only_if_it_was_not_applied() {
        let send = |method| Request::send("run a test", method, "/x".into(), &"body").unwrap().safety;
        assert_eq!(send(Method::POST), RetrySafety::IfNotApplied);
        assert_eq!(send(Method::PATCH), RetrySafety::Idempotent);
        assert_eq!(Request::form("run a test", "/x".into(), vec![]).safety, RetrySafety::Never);
    }

    #[test]
    fn a_url_over_the_size_limit_is_not_sent() {
        let request = |bytes| {
            Request::get("run a test", "/q".into())
                .with_query("q", "x".repeat(bytes))
                .check_size("https://acme.my.salesforce.com", 112)
        };
        assert!(request(15_000).is_ok());
        assert!(matches!(request(16_384), Err(Error::TooLarge { .. })));
    }
}
