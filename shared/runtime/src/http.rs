//! What handlers of the HTTP API take, with problems instead of plain-text rejections.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;
use store::{IdempotencyKey, PlatformUser};

use crate::Problem;

/// The largest JSON body that is read.
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

/// The `Idempotency-Key`, which a write must have.
#[derive(Clone, Debug)]
pub struct Idempotency(pub IdempotencyKey);

/// The acting user, `?as=`, if there is one.
#[derive(Clone, Debug)]
pub struct ActingUser(pub Option<PlatformUser>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let _ = request;
        todo!()
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let _ = (parts, state);
        todo!()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let _ = (parts, state);
        todo!()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let _ = parts;
        todo!()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ActingUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let _ = (parts, state);
        todo!()
    }
}
