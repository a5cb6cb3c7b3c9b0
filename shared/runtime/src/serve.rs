//! The last line of every `main`: hands events to the function until Lambda ends the process.

use std::error::Error;
use std::future::Future;

use axum::Router;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use salesforce::{Classify, Clock, Retry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::report::Invocation;
use crate::{BoxError, Chain, Outcome, Report, diagnostic, http_event};

/// Serves requests of the HTTP API.
///
/// # Errors
/// Only those of Lambda's runtime.
pub async fn serve_http(clock: Clock, router: Router) -> Result<(), BoxError> {
    let answer = |event: LambdaEvent<Box<RawValue>>| answer_http(&clock, &router, event.payload);
    lambda_runtime::run(service_fn(answer)).await
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
    serve_events_until(clock, |event, _deadline| handle(event)).await
}

/// The same for a function that must put its work away before Lambda ends the invocation, at the time it is given.
///
/// # Errors
/// Only those of Lambda's runtime.
pub async fn serve_events_until<E, A, F, Fut, Err>(clock: Clock, handle: F) -> Result<(), BoxError>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    F: Fn(E, Timestamp) -> Fut,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let answer = async |event: LambdaEvent<Box<RawValue>>| {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let deadline = Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX);
        answer_event(&clock, &event.payload, |event| handle(event, deadline)).await
    };
    lambda_runtime::run(service_fn(answer)).await
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
    let answer = async |event: LambdaEvent<Box<RawValue>>| {
        if http_event::is_request(&event.payload) {
            answer_http(&clock, &router, event.payload).await
        } else {
            answer_event(&clock, &event.payload, &handle).await
        }
    };
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer_http(clock: &Clock, router: &Router, event: Box<RawValue>) -> Result<Box<RawValue>, Diagnostic> {
    let invocation = Invocation::begin(clock);
    let answer = http_event::answer(router, &event).await;
    let outcome = match &answer {
        Ok(answer) if answer.status_code < 400 => Outcome::Ok,
        Ok(answer) if answer.status_code < 500 => Outcome::Refused,
        Ok(_) | Err(_) => Outcome::Failed,
    };
    let status = answer.as_ref().ok().and_then(|answer| u64::try_from(answer.status_code).ok());
    invocation.close(outcome, status.map(|status| ("http.status", status)).into_iter().collect());
    to_raw(&answer.map_err(|error| permanent(error.to_string()))?)
}

async fn answer_event<E, A, Fut, Err>(
    clock: &Clock,
    event: &RawValue,
    handle: impl FnOnce(E) -> Fut,
) -> Result<Box<RawValue>, Diagnostic>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let invocation = Invocation::begin(clock);
    let Ok(event) = E::deserialize(event) else {
        invocation.close(Outcome::Failed, Vec::new());
        return Err(permanent("the event is not of the kind that this function takes".to_owned()));
    };
    match handle(event).await {
        Ok(report) => {
            invocation.close(report.outcome(), report.counts());
            to_raw(&report)
        }
        Err(error) => {
            log_failure(&error);
            invocation.close(Outcome::Failed, Vec::new());
            Err(diagnostic(&error))
        }
    }
}

fn log_failure<E: Classify + Error>(error: &E) {
    let (retry, chain) = (error.retry(), Chain(error));
    match retry {
        Retry::Never => tracing::error!(?retry, error = %chain, "the invocation failed for good"),
        Retry::NeedsHuman => tracing::warn!(?retry, error = %chain, "the invocation needs a person"),
        Retry::After(_) | Retry::Unknown(_) => tracing::warn!(?retry, error = %chain, "the invocation failed for now"),
    }
}

fn to_raw(answer: &impl Serialize) -> Result<Box<RawValue>, Diagnostic> {
    serde_json::value::to_raw_value(answer).map_err(|_| permanent("the answer cannot be written as JSON".to_owned()))
}

/// A failure that trying again cannot help.
fn permanent(error_message: String) -> Diagnostic {
    Diagnostic { error_type: "Permanent".to_owned(), error_message }
}

#[cfg(test)]
mod tests;
