//! What the client does about refusals, faults and lost answers.

use std::sync::Arc;
use std::time::Duration;

use salesforce::{
    ApiUsage, ApiVersion, Classify, Client, Error, Fingerprint, HostPolicy, JsonObject, LoginHost, ObjectName,
    RecordId, Retry, Soql, Timeouts,
};

use crate::replay::{Answer, Replay, Tokens, http, json};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const REFUSED: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
const CREATED: &str = r#"{"id":"001dM00003kRs59QAC","success":true,"errors":[]}"#;
const COUNT: &str = r#"{"totalSize":3,"done":true,"records":[]}"#;

fn count() -> Soql {
    Soql::count().from(&ACCOUNT)
}

fn tokens_seen(server: &Replay) -> Vec<String> {
    let tokens = server.seen().into_iter().map(|seen| seen.header("authorization").unwrap().to_owned());
    tokens.collect()
}

#[tokio::test]
async fn a_refused_session_is_replaced_once_and_the_call_is_made_again() {
    let server = Replay::start(vec![json(401, REFUSED), json(201, CREATED)]);
    let tokens = Arc::new(Tokens::new(server.url()));
    let client = Client::new(http(), tokens.clone(), ApiVersion::DEFAULT);
    client.create(&ACCOUNT, &JsonObject::new()).await.unwrap();
    assert_eq!(tokens_seen(&server), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(tokens.asked(), [None, Some(Fingerprint::from_token(&"token-1".into()))]);
}

#[tokio::test]
async fn a_session_refused_twice_needs_a_human() {
    let server = Replay::start(vec![json(401, REFUSED), json(401, REFUSED)]);
    let error = server.client().count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::SessionRefused { .. }));
    assert_eq!(error.retry(), Retry::NeedsHuman);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_unfit_session_is_not_replaced() {
    let body =
        r#"[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]"#;
    let server = Replay::once(401, body);
    let error = server.client().count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::SessionNotPermitted { .. }));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_but_asks_for_another_session() {
    let moved = Answer::Send(302, vec![("location", "http://127.0.0.1:1/elsewhere".to_owned())], String::new());
    let server = Replay::start(vec![moved, json(201, CREATED)]);
    server.client().create(&ACCOUNT, &JsonObject::new()).await.unwrap();
    assert_eq!(tokens_seen(&server), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_read_whose_answer_was_lost_is_made_again() {
    let server = Replay::start(vec![Answer::HangUp, json(200, COUNT)]);
    assert_eq!(server.client().count(&count()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_not_made_again() {
    let server = Replay::start(vec![Answer::HangUp, json(201, CREATED)]);
    let error = server.client().create(&ACCOUNT, &JsonObject::new()).await.unwrap_err();
    assert!(matches!(error, Error::NoResponse { .. }));
    assert!(matches!(error.retry(), Retry::Unknown(_)));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_create_that_hit_a_locked_row_is_made_again() {
    let locked = r#"[{"message":"unable to obtain exclusive access to this record","errorCode":"UNABLE_TO_LOCK_ROW","fields":[]}]"#;
    let server = Replay::start(vec![json(400, locked), json(201, CREATED)]);
    server.client().create(&ACCOUNT, &JsonObject::new()).await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn maintenance_is_waited_for_only_so_long() {
    let page = || Answer::Send(503, vec![("retry-after", "1".to_owned())], "<html>maintenance</html>".to_owned());
    let server = Replay::start(vec![page(), json(200, COUNT)]);
    assert_eq!(server.client().count(&count()).await.unwrap(), 3);
    let long = Answer::Send(503, vec![("retry-after", "600".to_owned())], String::new());
    let server = Replay::start(vec![long, json(200, COUNT)]);
    let error = server.client().count(&count()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_mins(10)));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_daily_limit_ends_the_call_at_once() {
    let body = r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
    let headers = vec![("sforce-limit-info", "api-usage=15000/15000".to_owned())];
    let server = Replay::start(vec![Answer::Send(403, headers, body.to_owned())]);
    let client = server.client();
    let error = client.count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::DailyLimit { .. }));
    assert_eq!(client.api_usage(), Some(ApiUsage { used: 15_000, max: 15_000 }));
}

#[tokio::test]
async fn a_record_that_is_gone_is_none() {
    for (status, code) in [(404, "NOT_FOUND"), (404, "ENTITY_IS_DELETED")] {
        let server = Replay::once(status, format!(r#"[{{"errorCode":"{code}","message":"gone"}}]"#));
        let id: RecordId = "001dM00003kRs59QAC".parse().unwrap();
        assert_eq!(server.client().fetch_record(&ACCOUNT, &id, &[]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn nobody_there_is_told_from_no_answer() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tokens = Arc::new(Tokens::new(&format!("http://{nobody}")));
    let timeouts = Timeouts { attempt: Duration::from_secs(1), total: Duration::ZERO };
    let client = Client::new(http().with_timeouts(timeouts), tokens, ApiVersion::DEFAULT);
    let error = client.create(&ACCOUNT, &JsonObject::new()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }));
    assert!(matches!(error.retry(), Retry::After(_)));
}

#[tokio::test]
async fn a_query_that_does_not_fit_into_a_url_is_not_sent() {
    let server = Replay::start(vec![]);
    let names = (0..2_000).map(|number| format!("Account number {number}"));
    let soql = count().where_(salesforce::soql::in_(&"Name".parse().unwrap(), names));
    let error = server.client().count(&soql).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn plain_http_is_for_loopback_only() {
    assert!(LoginHost::parse("http://127.0.0.1:1", HostPolicy::SalesforceOnly).is_err());
}
