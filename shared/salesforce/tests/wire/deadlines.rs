//! Calls within an invocation: none outlasts it.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use salesforce::deadline::Deadline;
use salesforce::{
    ApiVersion, Classify as _, Client, Clock, Error, HostPolicy, Http, ObjectName, Retry, Soql, Timeouts,
};

use crate::replay::{Replay, Reply, Tokens};

fn client(url: &str, clock: &Clock) -> Client {
    let http = Http::new(HostPolicy::LoopbackToo, clock.clone()).unwrap().with_timeouts(Timeouts::default());
    Client::new(http, Arc::new(Tokens::new(url)), ApiVersion::DEFAULT)
}

fn count() -> Soql {
    Soql::count().from(&ObjectName::from_static("Account"))
}

fn in_two_seconds(now: Timestamp) -> Deadline {
    Deadline::new(now, now + SignedDuration::from_secs(2))
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: the timeout runs in real time")]
fn stopwatch() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn a_silent_org_is_left_before_the_invocation_ends() {
    // The kernel accepts the connection; nobody reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let clock = Clock::system();
    let client = client(&format!("http://{}", silent.local_addr().unwrap()), &clock);
    let began = stopwatch();
    let error = in_two_seconds(clock.now()).scope(client.count(&count())).await.unwrap_err();
    assert!(matches!(error, Error::NoResponse { .. }), "{error:?}");
    // A reserve of 5 of 20 seconds is half a second of 2.
    assert!(began.elapsed() < Duration::from_millis(1_900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_call_without_time_left_is_not_sent() {
    let server = Replay::start(vec![Reply::HangUp]);
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let client = client(server.url(), &clock);
    let deadline = in_two_seconds(clock.now());
    clock.advance(SignedDuration::from_millis(1_400));
    let error = deadline.scope(client.count(&count())).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(matches!(error.retry(), Retry::After(_)));
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn no_attempt_begins_that_cannot_finish() {
    let server = Replay::start(vec![Reply::HangUp, Reply::HangUp]);
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let client = client(server.url(), &clock);
    let deadline = Deadline::new(clock.now(), clock.now() + SignedDuration::from_secs(29));
    clock.advance(SignedDuration::from_millis(21_900));
    let error = deadline.scope(client.count(&count())).await.unwrap_err();
    assert!(matches!(error, Error::NoResponse { .. }), "{error:?}");
    assert_eq!(
        server.requests().len(),
        1,
        "24 seconds after the start, an attempt with a pause before it has no two seconds"
    );
}
