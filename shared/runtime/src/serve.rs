//! The loop of every `main`: passes events to the function until Lambda ends the process.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use jiff::{SignedDuration, Timestamp};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::aws_lambda_events::encodings::Body;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use salesforce::deadline::{Deadline, OutOfTime};
use salesforce::{Classify, Clock, Retry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::closing_line::{ClosingLine, Invocation};
use crate::{
    BoxError, Chain, GuardedRouter, Outcome, Problem, ProblemCode, Report, diagnostic, faults, http_event, problem,
};

/// Serves requests of the HTTP API.
///
/// # Errors
/// Lambda's runtime fails.
pub async fn serve_http(clock: Clock, router: GuardedRouter) -> Result<(), BoxError> {
    let router = router.into_router();
    let response = async |event: LambdaEvent<Box<RawValue>>| {
        let deadline = deadline(&event);
        closed(respond_http(&clock, &router, event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(response)).await
}

/// Serves events of one other kind: SQS, a stream, a schedule or direct invocations.
///
/// # Errors
/// Lambda's runtime fails.
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

/// Serves events, and passes the function the deadline at which Lambda ends the invocation.
///
/// # Errors
/// Lambda's runtime fails.
pub async fn serve_events_until<E, A, F, Fut, Err>(clock: Clock, handle: F) -> Result<(), BoxError>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    F: Fn(E, Timestamp) -> Fut,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let response = async |event: LambdaEvent<Box<RawValue>>| {
        let deadline = deadline(&event);
        closed(respond_event(&clock, &event.payload, deadline, |event| handle(event, deadline)).await)
    };
    lambda_runtime::run(service_fn(response)).await
}

/// Serves requests of the HTTP API, and events of one other kind.
///
/// # Errors
/// Lambda's runtime fails.
pub async fn serve_both<E, A, F, Fut, Err>(clock: Clock, router: GuardedRouter, handle: F) -> Result<(), BoxError>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    F: Fn(E) -> Fut,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    serve_both_until(clock, router, |event, _deadline| handle(event)).await
}

/// Serves requests of the HTTP API, and events with the deadline at which Lambda ends the invocation.
///
/// # Errors
/// Lambda's runtime fails.
pub async fn serve_both_until<E, A, F, Fut, Err>(clock: Clock, router: GuardedRouter, handle: F) -> Result<(), BoxError>
where
    E: DeserializeOwned,
    A: Serialize + Report,
    F: Fn(E, Timestamp) -> Fut,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let router = router.into_router();
    let response = async |event: LambdaEvent<Box<RawValue>>| {
        let deadline = deadline(&event);
        closed(if http_event::is_request(&event.payload) {
            respond_http(&clock, &router, event.payload, deadline).await
        } else {
            respond_event(&clock, &event.payload, deadline, |event| handle(event, deadline)).await
        })
    };
    lambda_runtime::run(service_fn(response)).await
}

fn deadline<T>(event: &LambdaEvent<T>) -> Timestamp {
    let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX)
}

/// The time for a request, also in a function that has longer for its other events. The HTTP API waits for 30 seconds.
const REQUEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(29);
/// The time that remains to close an invocation whose handler did not finish, and to respond for it.
const RESERVE: Duration = Duration::from_millis(500);

/// The count of the closing line of an invocation whose handler did not finish.
const TIMED_OUT: &str = "timed_out";

/// Runs a handler until shortly before Lambda ends the invocation at `ends_at`; no call of the handler outlasts it either.
///
/// The handler is dropped where it waits, as if the process were killed there. The difference is that the caller gets a response.
async fn in_time<F: Future>(clock: &Clock, ends_at: Timestamp, handler: F) -> Result<F::Output, OutOfTime> {
    let now = clock.now();
    let deadline = Deadline::new(now, ends_at);
    let left = deadline.time_left(now, RESERVE);
    tokio::time::timeout(left, deadline.scope(handler)).await.map_err(|_| {
        tracing::error!("the handler did not finish within {left:?}");
        OutOfTime
    })
}

/// The response of an invocation, and its closing line.
type Ended = (Result<Box<RawValue>, Diagnostic>, ClosingLine);

/// Writes the closing line, after every other line of the invocation.
fn closed((response, line): Ended) -> Result<Box<RawValue>, Diagnostic> {
    line.write();
    response
}

async fn respond_http(clock: &Clock, router: &Router, event: Box<RawValue>, ends_at: Timestamp) -> Ended {
    let invocation = Invocation::begin(clock);
    let ends_at = clock.now().saturating_add(REQUEST_TIMEOUT).map_or(ends_at, |limit| limit.min(ends_at));
    let (response, faults) = faults::counted(in_time(clock, ends_at, http_event::respond(router, &event))).await;
    let timed_out = response.is_err();
    let response = match response {
        Ok(response) => response,
        Err(OutOfTime) => http_event::event_response(unavailable().into_response()).await,
    };
    let status = response.as_ref().ok().and_then(|response| u64::try_from(response.status_code).ok());
    let outcome = match status {
        Some(..400) => Outcome::Ok,
        Some(400..500) => Outcome::Refused,
        // A used-up API limit or an outage of Salesforce is no failure of the function.
        Some(500..) if response.as_ref().is_ok_and(is_caused_by_salesforce) => Outcome::Refused,
        // A server error is a successful invocation for Lambda, so that its metric `Errors` does not count it.
        Some(500..) | None => Outcome::Failed,
    };
    let counts = timed_out.then_some((TIMED_OUT, 1)).into_iter().collect();
    let line = ClosingLine { http_status: status, ..invocation.end(outcome, counts) }.with_faults(faults);
    let response = response.map_err(|error| permanent(error.to_string())).and_then(|response| to_raw(&response));
    (response, line)
}

fn is_caused_by_salesforce(response: &ApiGatewayV2httpResponse) -> bool {
    matches!(&response.body, Some(Body::Text(body)) if problem::is_caused_by_salesforce(body))
}

/// Returns the response for a request whose handler did not finish.
fn unavailable() -> Problem {
    Problem::new(ProblemCode::Unavailable).retry_after(Retry::Unknown(Duration::from_secs(5)))
}

async fn respond_event<E, A, Fut, Err>(
    clock: &Clock,
    event: &RawValue,
    ends_at: Timestamp,
    handle: impl FnOnce(E) -> Fut,
) -> Ended
where
    E: DeserializeOwned,
    A: Serialize + Report,
    Fut: Future<Output = Result<A, Err>>,
    Err: Classify + Error,
{
    let invocation = Invocation::begin(clock);
    let Ok(event) = E::deserialize(event) else {
        let error = permanent("the event is not one that this function handles".to_owned());
        return (Err(error), invocation.end(Outcome::Failed, Vec::new()));
    };
    let (handled, faults) = faults::counted(in_time(clock, ends_at, handle(event))).await;
    let (response, line) = match handled {
        Err(out_of_time) => {
            let error = Diagnostic { error_type: "Transient".to_owned(), error_message: out_of_time.to_string() };
            (Err(error), invocation.end(Outcome::Failed, vec![(TIMED_OUT, 1)]))
        }
        Ok(Ok(report)) => {
            let line = invocation.end(report.outcome(), report.counts());
            (to_raw(&report), ClosingLine { samples: report.samples(), ..line })
        }
        Ok(Err(error)) => {
            log_failure(&error);
            (Err(diagnostic(&error)), invocation.end(Outcome::Failed, Vec::new()))
        }
    };
    (response, line.with_faults(faults))
}

fn log_failure<E: Classify + Error>(error: &E) {
    let (retry, chain) = (error.retry(), Chain(error));
    match retry {
        Retry::Never => tracing::error!(?retry, error = %chain, "the invocation failed permanently"),
        Retry::NeedsHuman => tracing::warn!(?retry, error = %chain, "the invocation failed until a person acts"),
        Retry::After(_) | Retry::Unknown(_) => {
            tracing::warn!(?retry, error = %chain, "the invocation failed and may be retried")
        }
    }
}

fn to_raw(response: &impl Serialize) -> Result<Box<RawValue>, Diagnostic> {
    serde_json::value::to_raw_value(response).map_err(|_| permanent("could not serialize the response".to_owned()))
}

/// Returns a failure that no retry can help.
fn permanent(error_message: String) -> Diagnostic {
    Diagnostic { error_type: "Permanent".to_owned(), error_message }
}

#[cfg(test)]
mod tests;
