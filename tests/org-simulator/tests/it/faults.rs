use std::time::Duration;

use jiff::SignedDuration;
use org_simulator::{Effect, Fault, FaultRule};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestContext;

fn fault(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data".to_owned(), method: None, times: 1, effect }
}

#[tokio::test]
async fn presets_return_salesforces_errors() {
    let context = TestContext::new().await;
    for (effect, status, code) in [
        (Effect::RequestLimitExceeded, 403, "REQUEST_LIMIT_EXCEEDED"),
        (Effect::ConcurrentLimitExceeded, 403, "REQUEST_LIMIT_EXCEEDED"),
        (Effect::UnableToLockRow, 400, "UNABLE_TO_LOCK_ROW"),
        (Effect::QueryTimeout, 400, "QUERY_TIMEOUT"),
        (
            Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".to_owned(), message: "x".to_owned() },
            503,
            "SERVER_UNAVAILABLE",
        ),
        (Effect::Unavailable, 503, ""),
        (Effect::InternalError, 500, ""),
    ] {
        context.org.fault(fault(effect.clone()));
        let response = context.get("limits").await;
        assert_eq!((response.status, response.code()), (status, code));
        match effect {
            Effect::RequestLimitExceeded => assert_eq!(response.header("sforce-limit-info"), "api-usage=0/100000"),
            Effect::Unavailable => assert!(response.header("content-type").starts_with("text/html")),
            Effect::InternalError => assert!(response.bytes.is_empty()),
            _ => {}
        }
    }
    assert_eq!(context.get("limits").await.status, 200, "each was ordered once");
}

#[tokio::test]
async fn a_late_commit_takes_effect_when_the_clock_has_advanced() {
    let context = TestContext::new().await;
    let before = context.org.record_counts()["Account"];
    let late = Fault { method: Some("POST".to_owned()), ..fault(Effect::CommitLate { delay_s: 60 }) };
    context.org.fault(late);
    let url = format!("{}/services/data/v66.0/sobjects/Account", context.org.url());
    let request = context.http.post(url).bearer_auth(context.token()).json(&json!({"Name": "Late"}));
    assert!(request.send().await.is_err(), "no response");

    context.org.advance_clock(SignedDuration::from_secs(59));
    assert_eq!(context.org.record_counts()["Account"], before);
    let moved = context.admin(Method::POST, "clock", Some(json!({"advance_seconds": 1}))).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(context.org.record_counts()["Account"], before + 1);
    context.org.advance_clock(SignedDuration::from_secs(60));
    assert_eq!(context.org.record_counts()["Account"], before + 1, "once");
}

#[tokio::test]
async fn an_error_may_follow_the_commit() {
    let context = TestContext::new().await;
    let before = context.org.record_counts()["Account"];
    let effect = Effect::ErrorAfter { status: 500, code: "UNKNOWN_EXCEPTION".to_owned(), message: "x".to_owned() };
    context.org.fault(fault(effect));

    let response = context.post("sobjects/Account", json!({"Name": "x"})).await;

    assert_eq!((response.status, response.code()), (500, "UNKNOWN_EXCEPTION"));
    assert_eq!(context.org.record_counts()["Account"], before + 1);
}

#[tokio::test]
async fn a_scripted_response_replaces_the_work() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let effect = Effect::Answer { status: 500, content_type: "text/plain".to_owned(), body: "oops".to_owned() };
    context.org.fault(Fault { method: Some("POST".to_owned()), ..fault(effect) });

    let response = context.post("sobjects/Account", json!({"Name": "x"})).await;

    assert_eq!((response.status, response.bytes), (500, b"oops".to_vec()));
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn a_reset_before_or_after_the_work_gives_no_response() {
    let context = TestContext::new().await;
    let before = context.org.record_counts()["Account"];
    let url = format!("{}/services/data/v66.0/sobjects/Account", context.org.url());
    let send = || context.http.post(&url).bearer_auth(context.token()).json(&json!({"Name": "x"})).send();

    context.org.fault(fault(Effect::ResetBefore));
    assert!(send().await.is_err());
    assert_eq!(context.org.record_counts()["Account"], before);
    context.org.fault(fault(Effect::ResetAfter));
    assert!(send().await.is_err());
    assert_eq!(context.org.record_counts()["Account"], before + 1);
    assert!(send().await.is_ok());
}

#[tokio::test]
async fn a_delay_holds_the_response_back() {
    let context = TestContext::new().await;
    context.org.fault(fault(Effect::Delay { delay_ms: 400 }));
    let slow = tokio::time::timeout(std::time::Duration::from_millis(200), context.get("limits")).await;
    assert!(slow.is_err());
    assert_eq!(context.get("limits").await.status, 200);
}

#[tokio::test]
async fn requests_are_logged_with_their_status() {
    let context = TestContext::new().await;
    context.get("limits").await;
    context.get("sobjects/Nope?secret=x").await;
    assert_eq!(
        context.org.request_log(),
        ["GET /services/data/v66.0/limits 200", "GET /services/data/v66.0/sobjects/Nope 404"]
    );
}

#[tokio::test]
async fn a_lock_names_the_record() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    context.org.fault(fault(Effect::UnableToLockRow));
    let response = context.patch(&format!("sobjects/Account/{account}"), json!({"Phone": "1"})).await;
    let expected = format!("unable to obtain exclusive access to this record or 1 records: {account}");
    assert_eq!(response.body, json!([{"message": expected, "errorCode": "UNABLE_TO_LOCK_ROW", "fields": []}]));
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_announced() {
    let context = TestContext::new().await;
    let described = || {
        context
            .http
            .get(format!("{}/services/data/v66.0/sobjects/Account/describe", context.org.url()))
            .bearer_auth(context.token())
            .send()
    };
    let whole = described().await.unwrap().bytes().await.unwrap();
    for keep_bytes in [None, Some(10), Some(0), Some(1_000_000)] {
        context.org.fault(fault(Effect::Truncate { keep_bytes }));
        let mut response = described().await.unwrap();
        assert_eq!((response.status().as_u16(), response.content_length()), (200, Some(whole.len() as u64)));
        let mut brought = Vec::new();
        let broken = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => brought.extend_from_slice(&chunk),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken && whole.starts_with(&brought) && brought.len() < whole.len(), "{keep_bytes:?}");
    }
    let accounts = context.org.record_counts()["Account"];
    context.org.fault(FaultRule {
        method: Some("POST".to_owned()),
        times: Some(1),
        ..FaultRule::new(Effect::Truncate { keep_bytes: None })
    });
    let url = format!("{}/services/data/v66.0/sobjects/Account", context.org.url());
    let response =
        context.http.post(url).bearer_auth(context.token()).json(&json!({"Name": "x"})).send().await.unwrap();
    assert!(response.status() == 201 && response.bytes().await.is_err());
    assert_eq!(context.org.record_counts()["Account"], accounts + 1, "the work was done");
}

#[tokio::test]
async fn a_slow_body_is_complete_in_the_end() {
    let context = TestContext::new().await;
    let whole = context.get("limits").await;
    context.org.fault(fault(Effect::Trickle { chunk_bytes: whole.bytes.len() / 4 + 1, pause_ms: 60 }));
    let start = tokio::time::Instant::now();
    let slow = context.get("limits").await;
    assert!(start.elapsed() >= Duration::from_millis(240));
    assert_eq!(slow.body["DailyApiRequests"]["Max"], whole.body["DailyApiRequests"]["Max"]);
}

#[tokio::test]
async fn a_body_may_be_invalid_json_or_of_another_type() {
    let context = TestContext::new().await;
    context.org.fault(fault(Effect::MalformedJson));
    let malformed = context.get("limits").await;
    assert_eq!((malformed.status, &malformed.body), (200, &Value::Null));
    assert!(malformed.bytes.starts_with(b"{\"") && malformed.header("content-type").starts_with("application/json"));
    context.org.fault(fault(Effect::ContentType { content_type: "text/html".to_owned() }));
    let misnamed = context.get("limits").await;
    assert_eq!((misnamed.header("content-type"), misnamed.body.is_object()), ("text/html", true));
}

#[tokio::test]
async fn a_delay_before_the_work_lets_others_go_first() {
    let context = TestContext::new().await;
    context.org.fault(FaultRule {
        path: Some("/services/data/*/sobjects/Account".to_owned()),
        times: Some(1),
        ..FaultRule::new(Effect::DelayBefore { delay_ms: 300 })
    });
    let before = context.org.record_counts()["Account"];
    let create = context.post("sobjects/Account", json!({"Name": "late"}));
    let look = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        context.org.record_counts()["Account"]
    };
    let (created, meanwhile) = tokio::join!(create, look);
    assert_eq!((created.status, meanwhile, context.org.record_counts()["Account"]), (201, before, before + 1));
}

#[tokio::test]
async fn faults_are_added_and_removed_over_the_admin_api() {
    let context = TestContext::new().await;
    let orders = json!([
        {"path": "/services/data/v66.0/lim*", "skip": 1, "times": 1, "effect": {"kind": "internal_error"}},
        {"method": "DELETE", "probability": 0.5, "seed": 3, "effect": {"kind": "trickle", "chunk_bytes": 1, "pause_ms": 1}},
    ]);
    let ids = context.admin(Method::POST, "faults", Some(orders)).await.body["ids"].clone();
    assert_eq!(ids, json!([1, 2]));
    let statuses =
        [context.get("limits").await.status, context.get("limits").await.status, context.get("limits").await.status];
    assert_eq!(statuses, [200, 500, 200]);
    let list = context.admin(Method::GET, "faults", None).await.body;
    assert_eq!((&list[0]["matched"], &list[0]["used"], &list[0]["spent"]), (&json!(2), &json!(1), &json!(true)));
    assert_eq!((&list[1]["used"], &list[1]["rule"]["method"]), (&json!(0), &json!("DELETE")));
    assert_eq!(context.admin(Method::DELETE, "faults/2", None).await.status, 200);
    assert_eq!(context.admin(Method::DELETE, "faults/2", None).await.status, 404);
    for wrong in [
        json!({"effect": {"kind": "nonsense"}}),
        json!({"probability": 2, "effect": {"kind": "unavailable"}}),
        json!({"times": 1}),
    ] {
        assert_eq!(context.admin(Method::POST, "faults", Some(wrong)).await.status, 400);
    }
    assert_eq!(context.org.faults().len(), 1);
}

#[tokio::test]
async fn a_fault_ends_by_the_orgs_clock() {
    let context = TestContext::new().await;
    let now = context.org.clock().now();
    let (from, until) = (Some(now + SignedDuration::from_mins(10)), Some(now + SignedDuration::from_mins(20)));
    context.org.fault(FaultRule { from, until, ..FaultRule::new(Effect::Unavailable) });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(context.get("limits").await.status);
        context.org.advance_clock(SignedDuration::from_mins(10));
    }
    assert_eq!(statuses, [200, 503, 200]);
}
