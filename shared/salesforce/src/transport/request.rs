//! Requests and answers as values.

use std::time::Duration;

use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Salesforce refuses a URL that is longer than this together with the headers.
const MAX_HEAD_BYTES: usize = 16_384;

/// What the transport adds of its own: user agent, host, encodings.
const OWN_HEADERS_BYTES: usize = 512;

/// A request, apart from the host and the token.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Names the call in errors and logs.
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Made of checked names and ids only, so that it needs no escaping.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Body,
    pub(crate) safety: RetrySafety,
    pub(crate) error_format: ErrorFormat,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Json(Vec<u8>),
    Form(Vec<u8>),
}

/// When the transport may send a request again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetrySafety {
    /// Whenever a failure is temporary: twice is as good as once.
    Idempotent,
    /// Only when it did not take effect.
    IfNotApplied,
    /// Never: the caller decides.
    Never,
}

/// In which form errors come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    Rest,
    Oauth,
}

impl Request {
    /// A read.
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

    /// A write, or a read that needs a body. Lead and case assignment rules are kept from changing the owner.
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

    /// A form for an OAuth endpoint.
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

    /// Declares a `POST` to be as good twice as once.
    pub(crate) fn idempotent(self) -> Self {
        Self { safety: RetrySafety::Idempotent, ..self }
    }

    /// Path and query as they go over the wire.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        format!("{}?{}", self.path, query.finish())
    }

    /// Refuses what Salesforce would refuse with a bare 414 or 431.
    pub(crate) fn check_size(&self, base: &str, token_bytes: usize) -> Result<(), Error> {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let head = base.len() + self.target().len() + headers + token_bytes + OWN_HEADERS_BYTES;
        if head > MAX_HEAD_BYTES {
            return Err(Error::TooLarge { operation: self.operation, what: "the URL" });
        }
        Ok(())
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The body as JSON of a shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|_| self.invalid("not the JSON of this call"))
    }

    /// An answer that is not what the call answers with.
    pub(crate) fn invalid(&self, what: &'static str) -> Error {
        Error::InvalidResponse { operation: self.operation, what }
    }

    /// The pause that the server asks for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get("retry-after")?.to_str().ok()?;
        Some(Duration::from_secs(seconds.trim().parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_and_survives_a_plus() {
        let request = Request::get("a test", "/services/data/v66.0/query".into())
            .with_query("q", "SELECT Id FROM Account WHERE Name = 'A+B & C'");
        assert_eq!(
            request.target(),
            "/services/data/v66.0/query?q=SELECT+Id+FROM+Account+WHERE+Name+%3D+%27A%2BB+%26+C%27"
        );
    }

    #[test]
    fn only_a_post_is_not_repeated_blindly() {
        let send = |method| Request::send("a test", method, "/x".into(), &"body").unwrap().safety;
        assert_eq!(send(Method::POST), RetrySafety::IfNotApplied);
        assert_eq!(send(Method::PATCH), RetrySafety::Idempotent);
        assert_eq!(Request::form("a test", "/x".into(), vec![]).safety, RetrySafety::Never);
    }

    #[test]
    fn a_url_that_salesforce_would_refuse_is_not_sent() {
        let request = |bytes| {
            Request::get("a test", "/q".into())
                .with_query("q", "x".repeat(bytes))
                .check_size("https://acme.my.salesforce.com", 112)
        };
        assert!(request(15_000).is_ok());
        assert!(matches!(request(16_384), Err(Error::TooLarge { .. })));
    }
}
