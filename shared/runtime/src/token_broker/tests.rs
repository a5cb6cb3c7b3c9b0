use std::sync::atomic::{AtomicUsize, Ordering};

use salesforce::{BoxFuture, Retry};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

/// A broker that counts how often it is asked, and answers what it is told to.
struct Counting<F> {
    asked: Arc<AtomicUsize>,
    answer: F,
}

impl<F: Fn(usize, Value) -> Value + Send + Sync + 'static> Invoke for Counting<F> {
    fn name(&self) -> &str {
        "token-broker"
    }

    fn invoke(&self, question: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            Ok((self.answer)(number, serde_json::from_slice(&question).unwrap()).to_string().into_bytes())
        })
    }
}

fn broker(answer: impl Fn(usize, Value) -> Value + Send + Sync + 'static) -> (TokenBroker, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let function = Counting { asked: Arc::clone(&asked), answer };
    (TokenBroker::new(function, HostPolicy::SalesforceOnly), asked)
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
async fn callers_at_the_same_time_share_one_request() {
    let (broker, asked) = broker(|number, _| token(number));
    let sessions = broker.sessions(org(), &ConnectionId::team());

    let both = tokio::join!(sessions.session(None), sessions.session(None));

    assert_eq!(both.0.unwrap().fingerprint(), both.1.unwrap().fingerprint());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn two_clients_of_a_connection_share_its_session_and_connections_do_not() {
    let (broker, asked) = broker(|number, _| token(number));
    let personal = ConnectionId::personal(&"rep".parse().unwrap());

    for _ in 0..2 {
        broker.sessions(org(), &ConnectionId::team()).session(None).await.unwrap();
        broker.sessions(org(), &personal).session(None).await.unwrap();
    }

    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refused_session_is_replaced_once_for_all_who_had_it() {
    let (broker, asked) = broker(|number, question| {
        assert_eq!(question["refused_fingerprint"].is_string(), number == 1);
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
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn who_waited_for_a_failure_shares_it_and_who_comes_later_asks_again() {
    let (broker, asked) = broker(|_, _| refusal("unavailable", &json!({"kind": "after", "pause_ms": 500})));
    let sessions = broker.sessions(org(), &ConnectionId::team());

    let all = futures::future::join_all((0..50).map(|_| sessions.session(None))).await;

    assert!(all.iter().all(Result::is_err));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(sessions.session(None).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_says_what_the_caller_may_do() {
    use salesforce::Classify as _;
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
async fn an_answer_to_another_question_is_none() {
    let (broker, _) = broker(|number, _| token(number));

    let error = broker.revoke(org(), &ConnectionId::team()).await.unwrap_err();

    assert!(matches!(error, Error::BadAnswer { .. }));
}

#[test]
fn tokens_are_on_the_wire_and_in_no_debug_text() {
    let token =
        Answer::Token(Token { access_token: "hush".into(), instance_url: "https://x.my.salesforce.com".to_owned() });
    let wire = serde_json::to_value(&token).unwrap();
    assert_eq!(wire["access_token"], "hush");
    assert!(!format!("{token:?}").contains("hush"));
    let Answer::Token(back) = serde_json::from_value(wire).unwrap() else { panic!("another answer") };
    assert_eq!(back.access_token.expose_secret(), "hush");
}

#[test]
fn neither_code_nor_verifier_is_in_a_debug_text() {
    let question = json!({
        "operation": "exchange_code", "kind": "personal", "platform_user": "rep", "tenant": "acme", "app": "v2",
        "login_url": "https://login.salesforce.com", "redirect_uri": "https://ferry.example/oauth/callback",
        "code": "hush-code", "code_verifier": "hush-verifier", "nonce": "hush-nonce",
    });
    let exchange: Request = serde_json::from_value(question.clone()).unwrap();
    assert!(!format!("{exchange:?}").contains("hush"));
    assert_eq!(serde_json::to_value(&exchange).unwrap(), question);
}
