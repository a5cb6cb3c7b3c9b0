//! The last line of every `main`: hands events to the function until Lambda ends the process.

use std::error::Error;
use std::future::Future;

use axum::Router;
use salesforce::{Classify, Clock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{BoxError, Report};

/// Serves requests of the HTTP API.
///
/// # Errors
/// Only those of Lambda's runtime.
pub async fn serve_http(clock: Clock, router: Router) -> Result<(), BoxError> {
    let _ = (clock, router);
    todo!()
}

/// Serves events of any other kind: SQS, streams, the scheduler, direct calls.
///
/// # Errors
/// Only those of Lambda's runtime.
pub async fn serve_events<E, A, F, Fut, Err>(clock: Clock, handle: F) -> Result<(), BoxError>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    F: Fn(E) -> Fut,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let _ = (clock, handle);
    todo!()
}

/// Serves requests of the HTTP API, and events of one other kind.
///
/// # Errors
/// Only those of Lambda's runtime.
pub async fn serve_both<E, A, F, Fut, Err>(clock: Clock, router: Router, handle: F) -> Result<(), BoxError>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    F: Fn(E) -> Fut,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let _ = (clock, router, handle);
    todo!()
}
