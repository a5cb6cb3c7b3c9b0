//! The client against refusals, faults and lost responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use salesforce::composite::{CompositeRequest, Subrequest};
use salesforce::{
    ApiUsage, ApiVersion, BoxFuture, Classify, Client, Error, Fingerprint, HostPolicy, Http, InstanceUrl, JsonObject,
    LoginHost, ObjectName, RecordId, Retry, Session, Sessions, Soql, Timeouts,
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
async fn two_stale_sessions_are_replaced_one_after_the_other() {
    let server = Replay::start(vec![json(401, REFUSED), json(401, REFUSED), json(200, COUNT)]);
    let tokens = Arc::new(Tokens::new(server.url()));
    let client = Client::new(http(), tokens.clone(), ApiVersion::DEFAULT);
    assert_eq!(client.count(&count()).await.unwrap(), 3);
    let refused = |token: &str| Some(Fingerprint::from_token(&token.into()));
    assert_eq!(tokens.requests(), [None, refused("token-1"), refused("token-2")]);
}

#[tokio::test]
async fn sessions_that_are_refused_say_nothing_about_the_grant() {
    let server = Replay::start(vec![json(401, REFUSED), json(401, REFUSED), json(401, REFUSED)]);
    let error = server.client().count(&count()).await.unwrap_err();
    assert!(matches!(error, Error::SessionRefused { .. }));
    assert!(matches!(error.retry(), Retry::After(_)));
    assert_eq!(server.requests().len(), 3);
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

/// Sessions of an org that moves: the first session is for the old host, the others are for the new one.
struct Moving {
    hosts: [String; 2],
    asked: AtomicUsize,
}

impl Sessions for Moving {
    fn session(&self, _: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let instance_url = InstanceUrl::parse(&self.hosts[number.min(1)], HostPolicy::LoopbackToo).unwrap();
        Box::pin(async move { Ok(Session { instance_url, access_token: format!("token-{number}").into() }) })
    }
}

fn moved() -> Reply {
    Reply::Send(302, vec![("location", "http://127.0.0.1:1/elsewhere".to_owned())], String::new())
}

fn unreachable() -> String {
    format!("http://{}", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn fast() -> Http {
    http().with_timeouts(Timeouts { attempt: Duration::from_secs(1), total: Duration::ZERO, ..Timeouts::default() })
}

#[tokio::test]
async fn a_call_follows_an_org_that_has_moved() {
    let old = Replay::start(vec![moved()]);
    for host in [old.url().to_owned(), unreachable()] {
        let new = Replay::once(200, CREATED);
        let sessions = Moving { hosts: [host, new.url().to_owned()], asked: AtomicUsize::new(0) };
        create(&Client::new(fast(), Arc::new(sessions), ApiVersion::DEFAULT)).await.unwrap();
        assert_eq!(bearer_tokens(&new), ["Bearer token-1"]);
    }
}

#[tokio::test]
async fn a_redirect_of_an_org_that_has_not_moved_passes() {
    let server = Replay::start(vec![moved(), json(200, CREATED)]);
    let error = create(&server.client()).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error}");
    assert_eq!(server.requests().len(), 1);
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
    assert_eq!(error.retry(), Retry::Unknown(Duration::from_mins(10)));
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

const NOT_FOUND: &str = r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#;
const EMPTY: &str = r#"{"totalSize":0,"done":true,"records":[]}"#;
const NOTE: &str = r#"{"totalSize":1,"done":true,"records":[{"attributes":{"type":"ContentNote","url":"/x"},"Id":"069dM00003kRs59QAC"}]}"#;

#[tokio::test]
async fn a_note_is_missing_only_if_a_query_does_not_find_it() {
    let id: RecordId = "069dM00003kRs59QAC".parse().unwrap();
    let deleted = r#"[{"errorCode":"ENTITY_IS_DELETED","message":"entity is deleted"}]"#;
    for replies in [vec![json(404, deleted)], vec![json(404, NOT_FOUND), json(200, EMPTY)]] {
        assert_eq!(Replay::start(replies).client().fetch_note(&id).await.unwrap(), None);
    }
    for replies in [vec![json(404, NOT_FOUND), json(200, NOTE)], vec![json(404, "<html>"), json(404, "<html>")]] {
        let error = Replay::start(replies).client().fetch_note(&id).await.unwrap_err();
        assert!(matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)), "{error}");
    }
}

#[tokio::test]
async fn marks_are_missing_only_if_the_describe_does_not_show_them() {
    let link = r#"{"attributes":{"type":"ContentDocumentLink","url":"/x"},"Id":"06A000000000001","ContentDocumentId":"069dM00003kRs59QAC","ContentDocument":{"Title":"Call","CreatedDate":"2026-11-22T10:00:00.000+0000"}}"#;
    let links = || json(200, format!(r#"{{"totalSize":1,"done":true,"records":[{link}]}}"#));
    let refused = || json(400, r#"[{"errorCode":"INVALID_FIELD","message":"No such column 'Description'"}]"#);
    let describe = |field: &str| {
        let object = r#""name":"ContentVersion","label":"x","keyPrefix":null,"custom":false,"queryable":true,"createable":true,"updateable":true,"replicateable":true"#;
        let field = format!(
            r#"{{"name":"{field}","label":"x","type":"string","nillable":true,"createable":true,"updateable":true}}"#
        );
        json(200, format!(r#"{{{object},"fields":[{field}]}}"#))
    };
    let record: RecordId = "0065e0000000000AAA".parse().unwrap();
    let since = jiff::Timestamp::UNIX_EPOCH;
    let hidden = Replay::start(vec![links(), refused(), describe("Title")]);
    assert_eq!(hidden.client().find_notes(&record, since).await.unwrap()[0].marks, Vec::<String>::new());
    let shown = Replay::start(vec![links(), refused(), describe("Description")]);
    let error = shown.client().find_notes(&record, since).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)), "{error}");
}

#[tokio::test]
async fn an_object_is_hidden_only_if_the_list_does_not_have_it() {
    let list = |name: &str| {
        let object = format!(
            r#"{{"name":"{name}","label":"x","keyPrefix":null,"custom":false,"queryable":true,"createable":true,"updateable":true,"replicateable":true}}"#
        );
        json(200, format!(r#"{{"sobjects":[{object}]}}"#))
    };
    let hidden = Replay::start(vec![json(404, NOT_FOUND), list("Contact")]);
    assert_eq!(hidden.client().find_object(&ACCOUNT).await.unwrap(), None);
    let listed = Replay::start(vec![json(404, NOT_FOUND), list("account")]);
    let error = listed.client().find_object(&ACCOUNT).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::After(_)) && !error.is_hidden(), "{error}");
    assert_eq!(listed.requests().len(), 2);
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

#[tokio::test]
async fn the_deleted_records_of_a_window_are_listed_with_its_covered_end() {
    let deleted = r#"{"deletedRecords":[{"deletedDate":"2026-11-21T07:52:00.000+0000","id":"0065e00000ZkM3hAAF"}],"earliestDateAvailable":"2026-11-06T07:52:00.000+0000","latestDateCovered":"2026-11-21T23:40:00.000+0000"}"#;
    let server = Replay::start(vec![json(200, deleted)]);
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let (start, end) = (at("2026-11-21T00:00:00Z"), at("2026-11-22T00:00:00Z"));

    let listed = server.client().get_deleted(&ObjectName::from_static("Opportunity"), start, end).await.unwrap();

    let [record] = listed.deleted_records.as_slice() else { panic!("{listed:?}") };
    assert_eq!((record.id.as_str(), record.deleted_date), ("0065e00000ZkM3hAAF", at("2026-11-21T07:52:00Z")));
    assert_eq!(listed.earliest_date_available, at("2026-11-06T07:52:00Z"));
    assert_eq!(listed.latest_date_covered, at("2026-11-21T23:40:00Z"), "earlier than the end that was asked for");
    let line = server.requests()[0].line.clone();
    let window = "start=2026-11-21T00%3A00%3A00.000Z&end=2026-11-22T00%3A00%3A00.000Z";
    assert_eq!(line, format!("GET /services/data/v66.0/sobjects/Opportunity/deleted/?{window}"));
}
