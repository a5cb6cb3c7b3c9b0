//! Extractors for handlers of the HTTP API. They reject with problems instead of plain text.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use store::{IdempotencyKey, PlatformUser};

use crate::{Problem, ProblemCode};

/// The size limit of a JSON body.
pub const MAX_JSON_BYTES: usize = 5 * 1024 * 1024;

/// A JSON body: `application/json`, at most [`MAX_JSON_BYTES`].
#[derive(Clone, Debug)]
pub struct JsonBody<T>(pub T);

/// Path parameters.
#[derive(Clone, Debug)]
pub struct PathOf<T>(pub T);

/// Query parameters.
#[derive(Clone, Debug)]
pub struct QueryOf<T>(pub T);

/// The `Idempotency-Key` header, required for a write.
#[derive(Clone, Debug)]
pub struct Idempotency(pub IdempotencyKey);

/// The optional acting user, `?as=`.
#[derive(Clone, Debug)]
pub struct ActingUser(pub Option<PlatformUser>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(ProblemCode::UnsupportedMediaType));
        }
        let bytes = to_bytes(request.into_body(), MAX_JSON_BYTES).await.map_err(|_| {
            Problem::new(ProblemCode::PayloadTooLarge).detail(format!("the limit is {MAX_JSON_BYTES} bytes"))
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Problem::invalid(describe(&error)))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(path)) => Ok(Self(path)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let key = parts.headers.get("idempotency-key").ok_or_else(|| {
            Problem::invalid("the header Idempotency-Key is missing")
                .next("Send each write with a key of your own, and with the same key when you repeat it.")
        })?;
        let key = key.to_str().ok().and_then(|key| key.parse().ok());
        key.map(Self).ok_or_else(|| Problem::invalid("the Idempotency-Key must be 1 to 255 visible ASCII characters"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ActingUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Acting {
            #[serde(rename = "as")]
            user: Option<PlatformUser>,
        }
        let QueryOf(Acting { user }) = QueryOf::from_request_parts(parts, state).await?;
        Ok(Self(user))
    }
}

/// Describes the fault of a body. Leaves out the value that the parser quotes, because it may be a customer's data.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Syntax | Category::Io => format!("the body is not JSON ({position})"),
        Category::Eof => "the body is incomplete".to_owned(),
        Category::Data => match text.split_once(", expected ") {
            Some((_, expected)) => format!("the body is invalid: expected {expected}"),
            None => format!("the body is invalid: {text}"),
        },
    }
}

#[cfg(test)]
mod tests;
