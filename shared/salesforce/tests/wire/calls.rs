//! The client against refusals, faults and lost responses.

use std::sync::Arc;
use std::time::Duration;

use salesforce::composite::{CompositeRequest, Subrequest};
use salesforce::{
    ApiUsage, ApiVersion, Classify, Client, Error, Fingerprint, HostPolicy, JsonObject, LoginHost, ObjectName,
    RecordId, Retry, Soql, Timeouts,
};

use crate::replay::{Replay, Reply, Tokens, http, json};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const REFUSED: &str = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
const CREATED: &str = r#"{"compositeResponse":[{"referenceId":"account","httpStatusCode":201,"body":{}}]}"#;
const COUNT: &str = r#"{"totalSize":3,"done":true,"records":[]}"#;

fn count() -> Soql {
    Soql::count().from(&ACCOUNT)
}

/// Sends a write that is not idempotent.
async fn create(client: &Client) -> Result<(), Error> {
    let url = "sobjects/Account".to_owned();
    let account = Subrequest { method: "POST", url, reference_id: "account".to_owned(), body: Some(JsonObject::new()) };
    client.send_composite(&CompositeRequest { all_or_none: true, requests: vec![account] }).await.map(drop)
}

fn bearer_tokens(server: &Replay) -> Vec<String> {
    let tokens = server.requests().into_iter().map(|request| request.header("authorization").unwrap().to_owned());
    tokens.collect()
}

#[tokio::test]
async fn a_refused_session_is_replaced_and_the_call_is_retried() {
    let server = Replay::start(vec![json(401, REFUSED), json(200, CREATED)]);
    let tokens = Arc::new(Tokens::new(server.url()));
    let client = Client::new(http(), tokens.clone(), ApiVersion::DEFAULT);
    create(&client).await.unwrap();
    assert_eq!(bearer_tokens(&server), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(tokens.requests(), [None, Some(Fingerprint::from_token(&"token-1".into()))]);
}

#[tokio::test]
async fn a_session_refused_twice_needs_a_human() {
    let server = Replay::start(vec![json(401, REFUSED), json(401, REFUSED)]);
    let error = server.client().count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::SessionRefused { .. }));
    assert_eq!(error.retry(), Retry::NeedsHuman);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_session_without_api_access_is_not_replaced() {
    let body =
        r#"[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]"#;
    let server = Replay::once(401, body);
    let error = server.client().count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::SessionNotPermitted { .. }));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_but_renews_the_session() {
    let moved = Reply::Send(302, vec![("location", "http://127.0.0.1:1/elsewhere".to_owned())], String::new());
    let server = Replay::start(vec![moved, json(200, CREATED)]);
    create(&server.client()).await.unwrap();
    assert_eq!(bearer_tokens(&server), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_read_with_a_lost_response_is_retried() {
    let server = Replay::start(vec![Reply::HangUp, json(200, COUNT)]);
    assert_eq!(server.client().count(&count()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_create_with_a_lost_response_is_not_retried() {
    let server = Replay::start(vec![Reply::HangUp, json(200, CREATED)]);
    let error = create(&server.client()).await.unwrap_err();
    assert!(matches!(error, Error::NoResponse { .. }));
    assert!(matches!(error.retry(), Retry::Unknown(_)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_create_with_a_locked_row_is_retried() {
    let locked = r#"[{"message":"unable to obtain exclusive access to this record","errorCode":"UNABLE_TO_LOCK_ROW","fields":[]}]"#;
    let server = Replay::start(vec![json(400, locked), json(200, CREATED)]);
    create(&server.client()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_long_retry_after_ends_the_call() {
    let page = || Reply::Send(503, vec![("retry-after", "1".to_owned())], "<html>maintenance</html>".to_owned());
    let server = Replay::start(vec![page(), json(200, COUNT)]);
    assert_eq!(server.client().count(&count()).await.unwrap(), 3);
    let long = Reply::Send(503, vec![("retry-after", "600".to_owned())], String::new());
    let server = Replay::start(vec![long, json(200, COUNT)]);
    let error = server.client().count(&count()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_mins(10)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_daily_limit_is_not_retried() {
    let body = r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
    let headers = vec![("sforce-limit-info", "api-usage=15000/15000".to_owned())];
    let server = Replay::start(vec![Reply::Send(403, headers, body.to_owned())]);
    let client = server.client();
    let error = client.count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::DailyLimit { .. }));
    let reading = client.read_meter().unwrap();
    assert_eq!((reading.usage, reading.calls), (ApiUsage { used: 15_000, max: 15_000 }, 1));
}

#[tokio::test]
async fn every_attempt_of_a_call_is_counted() {
    let usage = || vec![("sforce-limit-info", "api-usage=7/15000".to_owned())];
    let replies = vec![Reply::HangUp, json(401, REFUSED), Reply::Send(200, usage(), COUNT.to_owned())];
    let server = Replay::start(replies);
    let client = server.client();
    client.count(&count()).await.unwrap();
    assert_eq!((client.read_meter().unwrap().calls, client.api_calls()), (3, 3));
}

#[tokio::test]
async fn a_missing_note_is_none() {
    for code in ["NOT_FOUND", "ENTITY_IS_DELETED"] {
        let server = Replay::once(404, format!(r#"[{{"errorCode":"{code}","message":"gone"}}]"#));
        let id: RecordId = "069dM00003kRs59QAC".parse().unwrap();
        assert_eq!(server.client().fetch_note(&id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_unreachable_host_is_not_a_lost_response() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tokens = Arc::new(Tokens::new(&format!("http://{unused}")));
    let timeouts = Timeouts { attempt: Duration::from_secs(1), total: Duration::ZERO, ..Timeouts::default() };
    let client = Client::new(http().with_timeouts(timeouts), tokens, ApiVersion::DEFAULT);
    let error = create(&client).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }));
    assert!(matches!(error.retry(), Retry::After(_)));
}

#[tokio::test]
async fn a_query_over_the_url_limit_is_not_sent() {
    let server = Replay::start(vec![]);
    let names = (0..2_000).map(|number| format!("Account number {number}"));
    let soql = count().where_(salesforce::soql::in_(&"Name".parse().unwrap(), names));
    let error = server.client().count(&soql).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn plain_http_is_accepted_on_loopback_only() {
    assert!(LoginHost::parse("http://127.0.0.1:1", HostPolicy::SalesforceOnly).is_err());
}
