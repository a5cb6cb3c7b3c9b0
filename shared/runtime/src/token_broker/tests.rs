use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use salesforce::deadline::Deadline;
use salesforce::{BoxFuture, Classify as _, Retry, Unusable};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

/// A fake broker that counts its calls.
struct FakeBroker<F> {
    calls: Arc<AtomicUsize>,
    respond: F,
}

impl<F: Fn(usize, Value) -> Value + Send + Sync + 'static> Invoke for FakeBroker<F> {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, request: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let number = self.calls.fetch_add(1, Ordering::SeqCst);
            Ok((self.respond)(number, serde_json::from_slice(&request).unwrap()).to_string().into_bytes())
        })
    }
}

fn broker(respond: impl Fn(usize, Value) -> Value + Send + Sync + 'static) -> (TokenBroker, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let function = FakeBroker { calls: Arc::clone(&calls), respond };
    (TokenBroker::new(function, HostPolicy::SalesforceOnly, Clock::system()), calls)
}

fn token(number: usize) -> Value {
    let access_token = format!("token {number}");
    json!({"answer": "token", "access_token": access_token, "instance_url": "https://acme.my.salesforce.com"})
}

fn refusal(code: &str, retry: &Value) -> Value {
    json!({"answer": "refused", "code": code, "reason": "because", "retry": retry})
}

fn org() -> OrgId {
    "00D5e000000KQ2eEAG".parse().unwrap()
}

#[tokio::test]
async fn concurrent_callers_share_one_request() {
    let (broker, calls) = broker(|number, _| token(number));
    let sessions = broker.sessions(org(), &ConnectionId::team());

    let both = tokio::join!(sessions.session(None), sessions.session(None));

    assert_eq!(both.0.unwrap().fingerprint(), both.1.unwrap().fingerprint());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn clients_of_a_connection_share_its_session() {
    let (broker, calls) = broker(|number, _| token(number));
    let personal = ConnectionId::personal(&"rep".parse().unwrap());

    for _ in 0..2 {
        broker.sessions(org(), &ConnectionId::team()).session(None).await.unwrap();
        broker.sessions(org(), &personal).session(None).await.unwrap();
    }

    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refused_session_is_replaced_once_for_all_callers() {
    let (broker, calls) = broker(|number, request| {
        assert_eq!(request["refused_fingerprint"].is_string(), number == 1);
        token(number)
    });
    let sessions = broker.sessions(org(), &ConnectionId::team());
    let refused = sessions.session(None).await.unwrap().fingerprint();

    let (first, second) =
        tokio::join!(sessions.session(Some(refused.clone())), sessions.session(Some(refused.clone())));
    let third = sessions.session(Some(refused.clone())).await.unwrap().fingerprint();

    let first = first.unwrap().fingerprint();
    assert_ne!(first, refused);
    assert_eq!((&second.unwrap().fingerprint(), &third), (&first, &first));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_replacement_says_why_the_session_was_unusable() {
    let (broker, calls) = broker(|number, request| {
        let stated = |name: &str| !request[name].is_null();
        let (refused, unreachable) = (stated("refused_fingerprint"), stated("unreachable_fingerprint"));
        assert_eq!((refused, unreachable), [(false, false), (true, false), (false, true)][number], "{request}");
        token(number)
    });
    let sessions = broker.sessions(org(), &ConnectionId::team());
    for unusable in [Unusable::Refused, Unusable::Unreachable] {
        let session = sessions.session(None).await.unwrap();
        let replacement = sessions.replacement(unusable(session.fingerprint())).await.unwrap();
        assert_ne!(replacement.fingerprint(), session.fingerprint());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_accepted_session_is_reported_once_where_the_broker_asks() {
    for report_acceptance in [false, true] {
        let (broker, calls) = broker(move |number, request| {
            assert_eq!(request["accepted_fingerprint"].is_string(), number == 1, "{request}");
            let mut token = token(0);
            token["report_acceptance"] = report_acceptance.into();
            token
        });
        let sessions = broker.sessions(org(), &ConnectionId::team());
        let session = sessions.session(None).await.unwrap();
        for _ in 0..3 {
            sessions.accepted(&session).await;
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1 + usize::from(report_acceptance));
    }
}

/// A broker that issues sessions, and responds to the reports of accepted ones only while `responds` is true.
struct SilentToReports {
    reports: Arc<AtomicUsize>,
    responds: Arc<AtomicBool>,
}

impl Invoke for SilentToReports {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, request: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        let request: Value = serde_json::from_slice(&request).unwrap();
        let mut token = token(0);
        token["report_acceptance"] = true.into();
        Box::pin(async move {
            if request["accepted_fingerprint"].is_string() {
                self.reports.fetch_add(1, Ordering::SeqCst);
                if !self.responds.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
            }
            Ok(token.to_string().into_bytes())
        })
    }
}

#[tokio::test]
async fn a_report_without_a_response_ends_and_is_sent_again() {
    let (reports, responds) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let function = SilentToReports { reports: Arc::clone(&reports), responds: Arc::clone(&responds) };
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let sessions = TokenBroker::new(function, HostPolicy::SalesforceOnly, clock.clone());
    let sessions = sessions.sessions(org(), &ConnectionId::team());
    let session = sessions.session(None).await.unwrap();
    // An invocation of two seconds has a tenth of each limit.
    let accepted =
        || Deadline::new(clock.now(), clock.now() + Duration::from_secs(2)).scope(sessions.accepted(&session));
    let sent = || reports.load(Ordering::SeqCst);

    tokio::time::timeout(Duration::from_secs(60), accepted()).await.expect("it waits for no response");
    assert_eq!(sent(), 1);

    accepted().await;
    assert_eq!(sent(), 1, "the next calls are not delayed");

    responds.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        clock.advance(SignedDuration::from_secs(30));
        accepted().await;
    }
    assert_eq!(sent(), 2, "it is sent again until the broker has responded");
}

#[tokio::test]
async fn a_report_leaves_the_time_to_store_the_answer() {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let deadline = Deadline::new(clock.now(), clock.now() + Duration::from_secs(29));
    for (spent, limit) in [(0, Some(2_000)), (22, Some(2_000)), (23, Some(1_000)), (24, None)] {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH + Duration::from_secs(spent));
        let left = deadline.scope(async { sessions::REPORT.now(&clock) }).await.ok();
        assert_eq!(left, limit.map(Duration::from_millis), "after {spent} s");
    }
}

#[tokio::test]
async fn an_unusable_answer_of_the_broker_defers_the_work() {
    let answers = [
        json!({"answer": "token", "access_token": "t", "instance_url": "https://example.com"}),
        json!({"answer": "apps", "apps": []}),
        json!({"answer": "of a later version"}),
        json!({"answer": "refused", "code": "of_a_later_version", "reason": "x", "retry": {"kind": "never"}}),
        json!("text"),
    ];
    for answer in answers {
        let (broker, _) = broker(move |_, _| answer.clone());
        let error = broker.sessions(org(), &ConnectionId::team()).session(None).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)), "{error}");
    }
}

#[tokio::test]
async fn a_call_that_lambda_refuses_defers_the_work() {
    struct Refused;
    impl Invoke for Refused {
        fn name(&self) -> &str {
            "token-broker"
        }

        fn invoke(&self, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
            let (function, code) = ("token-broker".to_owned(), "AccessDeniedException".to_owned());
            Box::pin(async { Err(Error::NotAllowed { function, code, source: "no".into() }) })
        }
    }
    let broker = TokenBroker::new(Refused, HostPolicy::SalesforceOnly, Clock::system());
    let error = broker.sessions(org(), &ConnectionId::team()).session(None).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error}");
}

#[tokio::test]
async fn a_blocked_connection_keeps_its_condition() {
    let (broker, _) = broker(|_, _| {
        let mut refused = refusal("unavailable", &json!({"kind": "needs_human"}));
        refused["condition"] = json!("session_refused");
        refused
    });
    let error = broker.sessions(org(), &ConnectionId::team()).session(None).await.unwrap_err();
    let blocked = matches!(error, salesforce::Error::Blocked { condition: salesforce::Condition::SessionRefused, .. });
    assert!(blocked, "{error}");
    assert_eq!(error.retry(), Retry::NeedsHuman);
}

#[tokio::test]
async fn callers_that_waited_share_a_failure_and_later_ones_retry() {
    let (broker, calls) = broker(|_, _| refusal("unavailable", &json!({"kind": "after", "pause_ms": 500})));
    let sessions = broker.sessions(org(), &ConnectionId::team());

    let all = futures::future::join_all((0..50).map(|_| sessions.session(None))).await;

    assert!(all.iter().all(Result::is_err));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(sessions.session(None).await.is_err());
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_keeps_its_retry_hint() {
    let (broker, _) = broker(|_, _| refusal("reauth_required", &json!({"kind": "needs_human"})));

    let error = broker.sessions(org(), &ConnectionId::team()).session(None).await.unwrap_err();

    assert_eq!(error.retry(), Retry::NeedsHuman);
}

#[tokio::test]
async fn an_instance_url_outside_salesforce_is_refused() {
    let (broker, _) =
        broker(|_, _| json!({"answer": "token", "access_token": "t", "instance_url": "https://example.com"}));

    assert!(broker.sessions(org(), &ConnectionId::team()).session(None).await.is_err());
}

#[tokio::test]
async fn a_response_to_another_request_is_invalid() {
    let function = FakeBroker { calls: Arc::default(), respond: |number, _| token(number) };

    let error = ConnectionManager::new(function).revoke(org(), &ConnectionId::team()).await.unwrap_err();

    assert!(matches!(error, Error::InvalidResponse { .. }));
}

#[tokio::test]
async fn apps_are_read_again_after_five_minutes() {
    let calls = Arc::new(AtomicUsize::new(0));
    let respond = |number, request| {
        assert_eq!(request, json!({"operation": "apps"}));
        let app = |name: String| json!({"name": name, "client_id": "id"});
        json!({"answer": "apps", "apps": [app("v1".to_owned()), app(format!("v{}", number + 2))]})
    };
    let clock = salesforce::Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    let apps = AppList::new(FakeBroker { calls: Arc::clone(&calls), respond }, clock.clone());

    assert_eq!(apps.newest().await.unwrap().name, "v2");
    assert!(apps.find("v1").await.unwrap().is_some());
    clock.advance(jiff::SignedDuration::from_mins(5));

    assert_eq!(apps.newest().await.unwrap().name, "v3");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_list_of_apps_drops_a_client_secret() {
    let sent = json!({"answer": "apps", "apps": [{"name": "v1", "client_id": "id", "client_secret": "hush"}]});
    let Response::Apps(apps) = serde_json::from_value(sent).unwrap() else { panic!("another response") };
    assert!(!serde_json::to_string(&apps).unwrap().contains("hush"));
}

#[test]
fn an_operation_is_named_as_in_its_request() {
    let reference = || reference(org(), &ConnectionId::team());
    for request in [Request::Revoke(reference()), Request::KeepAlive(reference()), Request::Apps] {
        let wire = serde_json::to_value(&request).unwrap();
        assert_eq!(wire["operation"], request.operation().as_str());
        assert_eq!(request.operation().as_str().parse(), Ok(request.operation()));
    }
    assert!("everything".parse::<Operation>().is_err());
}

#[test]
fn tokens_are_serialized_and_never_in_debug_output() {
    let token = Response::Token(Token {
        access_token: "hush".into(),
        instance_url: "https://x.my.salesforce.com".to_owned(),
        report_acceptance: false,
    });
    let wire = serde_json::to_value(&token).unwrap();
    assert_eq!(wire["access_token"], "hush");
    assert!(!format!("{token:?}").contains("hush"));
    let Response::Token(back) = serde_json::from_value(wire).unwrap() else { panic!("another response") };
    assert_eq!(back.access_token.expose_secret(), "hush");
}

#[test]
fn codes_and_verifiers_are_never_in_debug_output() {
    let request = json!({
        "operation": "exchange_code", "kind": "personal", "platform_user": "rep", "tenant": "acme", "app": "v2",
        "login_url": "https://login.salesforce.com", "redirect_uri": "https://ferry.example/oauth/callback",
        "code": "hush-code", "code_verifier": "hush-verifier", "nonce": "hush-nonce",
    });
    let exchange: Request = serde_json::from_value(request.clone()).unwrap();
    assert!(!format!("{exchange:?}").contains("hush"));
    assert_eq!(serde_json::to_value(&exchange).unwrap(), request);
}
