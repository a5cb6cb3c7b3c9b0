//! AWS services that accept a connection and never answer.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests: a failure fails the test")]

use std::net::TcpListener;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::Credentials;
use jiff::{SignedDuration, Timestamp};
use runtime::Aws;
use salesforce::Clock;
use salesforce::deadline::Deadline;
use store::aws::{Failure, classify};
use tokio::time::Instant;

/// The kernel accepts the connections of a listener; nobody reads from them.
fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

async fn aws(service: &TcpListener, clock: Clock) -> Aws {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(format!("http://{}", service.local_addr().unwrap()))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    Aws::new(config.load().await, clock)
}

fn in_two_seconds() -> Deadline {
    Deadline::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + SignedDuration::from_secs(2))
}

/// Calls each service once, all at the same time, within [`in_two_seconds`]. Returns the class of each error and the time that it took.
async fn call_each(aws: &Aws) -> [(&'static str, Failure, Duration); 5] {
    macro_rules! call {
        ($name:literal, $call:expr) => {
            async {
                let started = Instant::now();
                let error = $call.send().await.unwrap_err();
                ($name, classify(&error), started.elapsed())
            }
        };
    }
    let calls = async {
        tokio::join!(
            call!("dynamodb", aws.dynamodb().list_tables()),
            call!("secretsmanager", aws.secrets_manager().get_secret_value().secret_id("none")),
            call!("sqs", aws.sqs().list_queues()),
            call!("lambda", aws.lambda().invoke().function_name("none")),
            call!("eventbridge", aws.eventbridge().list_event_buses()),
        )
    };
    tokio::time::timeout(Duration::from_secs(20), in_two_seconds().scope(calls))
        .await
        .expect("a call has no limit")
        .into()
}

#[tokio::test]
async fn a_silent_service_is_left_before_the_invocation_ends() {
    let service = silent();
    let aws = aws(&service, Clock::manual(Timestamp::UNIX_EPOCH)).await;
    for (name, failure, time) in call_each(&aws).await {
        assert_eq!(failure, Failure::Unknown, "{name} may have taken effect");
        assert!(time < Duration::from_secs(2), "{name} took {time:?}");
    }
}

#[tokio::test]
async fn a_call_without_time_left_is_not_sent() {
    let service = silent();
    service.set_nonblocking(true).unwrap();
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let aws = aws(&service, clock.clone()).await;
    clock.advance(SignedDuration::from_millis(1_950));
    for (name, failure, _) in call_each(&aws).await {
        assert_eq!(failure, Failure::NotApplied, "{name}");
    }
    assert_eq!(service.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "a call was sent");
}
