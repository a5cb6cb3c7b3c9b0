//! Extractors for handlers of the HTTP API. They reject with problems instead of plain text.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use store::{IdempotencyKey, PlatformUser};

use crate::{Caller, Problem, ProblemCode};

mod data_fault;

use data_fault::{describe_data, describe_path, describe_query};

/// The size limit of a JSON body.
pub const MAX_JSON_BYTES: usize = 5 * 1024 * 1024;

/// A JSON body: `application/json`, at most [`MAX_JSON_BYTES`].
#[derive(Clone, Debug)]
pub struct JsonBody<T>(pub T);

/// Path parameters.
#[derive(Clone, Debug)]
pub struct PathOf<T>(pub T);

/// Query parameters. `T` has `#[serde(deny_unknown_fields)]`, so that a misspelt parameter is refused by its name.
#[derive(Clone, Debug)]
pub struct QueryOf<T>(pub T);

/// The query of a request without parameters. A handler takes this or [`QueryOf`] or [`ActingUser`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// The `Idempotency-Key` header, required for a write.
#[derive(Clone, Debug)]
pub struct Idempotency(pub IdempotencyKey);

/// The acting user: `?as=`, which is the only query parameter of the request, or the user that the caller is.
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
            Err(rejection) => Err(Problem::invalid(describe_path(&rejection.body_text()))),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let fault = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::invalid(describe_query(fault)))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        QueryOf::from_request_parts(parts, state).await.map(|QueryOf(query)| query)
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
        #[serde(deny_unknown_fields)]
        struct Acting {
            #[serde(rename = "as")]
            user: Option<PlatformUser>,
        }
        let QueryOf(Acting { user }) = QueryOf::from_request_parts(parts, state).await?;
        Caller::from_request_parts(parts, state).await?.acting_user(user).map(Self)
    }
}

/// The author of a write.
#[derive(Clone, Debug)]
pub struct Author {
    /// The acting user, `?as=`.
    pub user: Option<PlatformUser>,
    /// The acting user is the caller itself, so the write may have no rights but that user's.
    pub is_caller: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Author {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ActingUser(user) = ActingUser::from_request_parts(parts, state).await?;
        let is_caller = Caller::from_request_parts(parts, state).await?.user.is_some();
        Ok(Self { user, is_caller })
    }
}

/// The query of a write that can be planned: `?as=` and `?dry_run=`. A write has an `Idempotency-Key`; a dry run needs none.
#[derive(Clone, Debug)]
pub struct WriteQuery {
    /// The author.
    pub author: Author,
    /// The purpose of the request.
    pub mode: WriteMode,
}

/// The purpose of a request to write.
#[derive(Clone, Debug)]
pub enum WriteMode {
    /// The write is made.
    Write(IdempotencyKey),
    /// The write is only planned.
    DryRun,
}

impl<S: Send + Sync> FromRequestParts<S> for WriteQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Parameters {
            #[serde(rename = "as")]
            user: Option<PlatformUser>,
            #[serde(default)]
            dry_run: bool,
        }
        let QueryOf(Parameters { user, dry_run }) = QueryOf::from_request_parts(parts, state).await?;
        let caller = Caller::from_request_parts(parts, state).await?;
        let author = Author { is_caller: caller.user.is_some(), user: caller.acting_user(user)? };
        let mode = if dry_run {
            WriteMode::DryRun
        } else {
            let Idempotency(key) = Idempotency::from_request_parts(parts, state).await?;
            WriteMode::Write(key)
        };
        Ok(Self { author, mode })
    }
}

/// Describes the fault of a body. Leaves out the value that the parser quotes, because it may be a customer's data.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Syntax | Category::Io => format!("the body is not JSON ({position})"),
        Category::Eof => "the body is incomplete".to_owned(),
        Category::Data => format!("the body is invalid: {}", describe_data(&text, "member")),
    }
}

#[cfg(test)]
mod tests;
