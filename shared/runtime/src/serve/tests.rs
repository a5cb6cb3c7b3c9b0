use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::routing::get;
use http::StatusCode;
use jiff::SignedDuration;
use salesforce::{BoxFuture, Clock, HostPolicy};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::TokenBroker;
use crate::invoke::Invoke;

/// The log: one JSON object per line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[derive(Serialize)]
struct Done {
    applied: u64,
}

impl Report for Done {
    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("records.applied", self.applied)]
    }
}

fn clock() -> Clock {
    Clock::manual(Timestamp::UNIX_EPOCH)
}

/// The end of a second-long invocation.
fn ends_at() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1)
}

fn get_request(path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {},
        "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        "isBase64Encoded": false,
    })
}

fn raw(event: &Value) -> Box<RawValue> {
    to_raw_value(event).unwrap()
}

#[tokio::test]
async fn an_invocation_ends_with_its_outcome_and_counts() {
    let clock = clock();

    let handle = async |applied: u64| {
        clock.advance(SignedDuration::from_millis(120));
        Ok::<_, store::Error>(Done { applied })
    };
    let (response, line) = respond_event(&clock, &raw(&json!(3)), ends_at(), handle).await;

    assert_eq!(response.unwrap().get(), r#"{"applied":3}"#);
    assert_eq!((line.outcome, line.duration_ms, line.http_status), (Outcome::Ok, 120, None));
    assert_eq!(line.counts, [("records.applied", 3)]);
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_chain() {
    let (log, _guard) = Log::start();

    let handle = async |_: u64| {
        Err::<Done, _>(store::Error::Unavailable { operation: "apply the change", source: "throttled".into() })
    };
    let (response, line) = respond_event(&clock(), &raw(&json!(3)), ends_at(), handle).await;

    assert_eq!(response.unwrap_err().error_type, "Transient");
    let lines = log.lines();
    let [failure] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(failure["error"], "could not apply the change: AWS is unavailable: throttled");
    assert_eq!(failure["level"], "WARN");
    assert_eq!(line.outcome, Outcome::Failed);
}

#[tokio::test]
async fn an_event_of_another_kind_fails_and_is_not_quoted() {
    let (log, _guard) = Log::start();

    let handle = async |applied: u64| Ok::<_, store::Error>(Done { applied });
    let (response, line) = respond_event(&clock(), &raw(&json!({"secret": "hush"})), ends_at(), handle).await;

    let failed = response.unwrap_err();
    assert_eq!((failed.error_type.as_str(), line.outcome), ("Permanent", Outcome::Failed));
    assert!(!format!("{failed:?}{:?}{line:?}", log.lines()).contains("hush"));
}

#[tokio::test]
async fn a_request_is_closed_with_its_status() {
    let router = Router::new()
        .route("/fine", get(|| async {}))
        .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }));
    for (path, outcome, status) in
        [("/fine", Outcome::Ok, 200), ("/absent", Outcome::Refused, 404), ("/broken", Outcome::Failed, 500)]
    {
        let (response, line) = respond_http(&clock(), &router, raw(&get_request(path)), ends_at()).await;

        let response: Value = serde_json::from_str(response.unwrap().get()).unwrap();
        assert_eq!(response["statusCode"], status);
        assert_eq!((line.outcome, line.http_status), (outcome, Some(status)));
    }
}

#[tokio::test]
async fn a_request_that_salesforce_cannot_serve_is_refused() {
    for code in ProblemCode::ALL.iter().filter(|code| code.status().is_server_error()) {
        let router = Router::new().route("/", get(move || async move { Problem::new(*code) }));

        let (_, line) = respond_http(&clock(), &router, raw(&get_request("/")), ends_at()).await;

        let is_refused = matches!(code, ProblemCode::ApiLimit | ProblemCode::SalesforceUnavailable);
        assert_eq!(line.outcome, if is_refused { Outcome::Refused } else { Outcome::Failed }, "{code:?}");
    }
}

#[tokio::test]
async fn a_handler_that_hangs_ends_as_a_failure_to_retry() {
    let started = tokio::time::Instant::now();

    let handle = async |_: u64| std::future::pending::<Result<Done, store::Error>>().await;
    let (response, line) = respond_event(&clock(), &raw(&json!(3)), ends_at(), handle).await;

    assert!(started.elapsed() < std::time::Duration::from_secs(1), "after Lambda's kill");
    assert_eq!(response.unwrap_err().error_type, "Transient");
    assert_eq!((line.outcome, line.counts), (Outcome::Failed, vec![("timed_out", 1)]));
}

#[tokio::test]
async fn a_request_that_hangs_is_answered_with_503() {
    let started = tokio::time::Instant::now();
    let router = Router::new().route("/hangs", get(std::future::pending::<()>));

    let (response, line) = respond_http(&clock(), &router, raw(&get_request("/hangs")), ends_at()).await;

    assert!(started.elapsed() < std::time::Duration::from_secs(1), "after Lambda's kill");
    let response: Value = serde_json::from_str(response.unwrap().get()).unwrap();
    assert_eq!((&response["statusCode"], &response["headers"]["retry-after"]), (&json!(503), &json!("5")));
    assert_eq!((line.http_status, line.counts), (Some(503), vec![("timed_out", 1)]));
}

/// A broker that answers every call in the same way: with a response, or with the code of Lambda's refusal.
#[derive(Clone, Copy)]
struct Broker(Result<&'static str, &'static str>);

impl Invoke for Broker {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, crate::Error>> {
        Box::pin(async move {
            self.0.map(|response| response.as_bytes().to_vec()).map_err(|code| crate::Error::NotAllowed {
                function: self.name().to_owned(),
                code: code.to_owned(),
                source: "test".into(),
            })
        })
    }
}

#[tokio::test]
async fn faults_of_the_deployment_are_counted() {
    let refusal = r#"{"answer": "refused", "code": "unknown_app", "reason": "x", "retry": {"kind": "never"}}"#;
    let other_host = r#"{"answer": "token", "access_token": "t", "instance_url": "https://attacker.example"}"#;
    for (broker, faults) in [
        (Broker(Err("AccessDeniedException")), 1),
        (Broker(Ok("<html>")), 1),
        (Broker(Ok(r#"{"answer": "apps", "apps": []}"#)), 1),
        (Broker(Ok(other_host)), 1),
        (Broker(Ok(refusal)), 0),
    ] {
        let client = TokenBroker::new(broker, HostPolicy::SalesforceOnly, Clock::system());
        let (org, team) = ("00D5e000000KQ2eEAG".parse().unwrap(), store::ConnectionId::team());
        let sessions = client.sessions(org, &team);
        let counted = |line: &ClosingLine| -> u64 {
            line.counts.iter().filter(|(name, _)| *name == "deployment.faults").map(|(_, count)| count).sum()
        };

        let handle = async |applied: u64| {
            assert!(sessions.session(None).await.is_err());
            assert!(client.status(org, &team).await.is_err());
            Ok::<_, store::Error>(Done { applied })
        };
        let (_, line) = respond_event(&clock(), &raw(&json!(3)), ends_at(), handle).await;
        assert_eq!(counted(&line), 2 * faults, "{:?}: {line:?}", broker.0);

        let of_request = Arc::clone(&sessions);
        let router = Router::new().route("/", get(async move || assert!(of_request.session(None).await.is_err())));
        let (_, line) = respond_http(&clock(), &router, raw(&get_request("/")), ends_at()).await;
        assert_eq!(counted(&line), faults, "{:?}: {line:?}", broker.0);
    }
}
