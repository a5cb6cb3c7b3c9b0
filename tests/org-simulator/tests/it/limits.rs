//! The limits on API calls by the day, and on requests at the same time.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{ADMIN, TestContext};

#[tokio::test]
async fn the_daily_limit_is_that_of_the_last_24_hours() {
    let mut context = TestContext::new().await;
    context.org.set_daily_api_limit(2);
    assert_eq!(context.get("limits").await.header("sforce-limit-info"), "api-usage=1/2");
    context.org.advance_clock(SignedDuration::from_mins(30));
    let body = context.get("limits").await.body;
    assert_eq!(body["DailyApiRequests"], json!({"Max": 2, "Remaining": 0}));
    let refused = context.get("limits").await;
    assert_eq!((refused.status, refused.code()), (403, "REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(refused.body[0]["message"], "TotalRequests Limit exceeded.");
    assert_eq!(refused.header("sforce-limit-info"), "api-usage=2/2");
    let mut after = async |minutes| {
        context.org.advance_clock(SignedDuration::from_mins(minutes));
        context.log_in(ADMIN);
        context.get("limits").await.status
    };
    assert_eq!(after(23 * 60 + 29).await, 403);
    assert_eq!((after(1).await, after(29).await, after(1).await), (200, 403, 200));
}

#[tokio::test]
async fn rejected_requests_do_not_count() {
    let context = TestContext::new().await;
    context.org.set_daily_api_limit(1);
    for status in [200, 403, 403] {
        assert_eq!(context.get("sobjects").await.status, status);
    }
    assert_eq!(context.org.api_calls(), 1);
}

#[tokio::test]
async fn what_jobs_use_is_taken_from_the_limits() {
    let context = TestContext::new().await;
    let before = context.get("limits").await.body;
    let job = json!({"object": "Lead", "operation": "insert"});
    let job = context.post("jobs/ingest", job).await.body["id"].as_str().unwrap().to_owned();
    let url = format!("{}/services/data/v66.0/jobs/ingest/{job}/batches", context.org.url());
    let upload = context.http.put(url).bearer_auth(context.token()).header("content-type", "text/csv");
    assert_eq!(context.plain(upload.body("LastName,Company\nx,y\n")).await.status, 201);
    context.patch(&format!("jobs/ingest/{job}"), json!({"state": "UploadComplete"})).await;
    context.post("jobs/query", json!({"operation": "query", "query": "SELECT Id FROM Lead"})).await;
    let after = context.get("limits").await.body;
    for name in ["DailyBulkApiBatches", "DailyBulkV2QueryJobs"] {
        let remaining = |limits: &serde_json::Value| limits[name]["Remaining"].as_u64().unwrap();
        assert_eq!(remaining(&before) - remaining(&after), 1, "{name}");
    }
}

/// Sends a request without its body; the org serves it until the body is there.
async fn begin(context: &TestContext) -> TcpStream {
    let address = context.org.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /services/data/v66.0/sobjects/Account HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        context.token(),
        BODY.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Sends the body and returns the response.
async fn end(mut stream: TcpStream) -> String {
    stream.write_all(BODY.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

const BODY: &str = "{\"Name\":\"x\"}";

#[tokio::test]
async fn no_request_is_accepted_beside_too_many_long_ones() {
    let context = TestContext::new().await;
    assert_eq!(context.admin(Method::POST, "settings", Some(json!({"long_requests": 2}))).await.status, 200);
    let running = async || context.admin(Method::GET, "org", None).await.body["running"].clone();
    let (first, second) = (begin(&context).await, begin(&context).await);
    while running().await["requests"] != 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(context.get("limits").await.status, 200);
    context.org.advance_clock(SignedDuration::from_secs(20));
    assert_eq!(running().await, json!({"requests": 2, "long": 2, "max": 2}));
    let refused = context.get("limits").await;
    assert_eq!((refused.status, refused.code()), (403, "REQUEST_LIMIT_EXCEEDED"));
    let message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    assert_eq!(refused.body[0]["message"], message);
    assert!(end(first).await.starts_with("HTTP/1.1 201 "));
    assert_eq!(context.get("limits").await.status, 200);
    assert!(end(second).await.starts_with("HTTP/1.1 201 "));
}
