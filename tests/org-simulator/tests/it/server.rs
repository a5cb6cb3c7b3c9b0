//! HTTP itself: compression, HEAD, connections, limits, and unsupported paths.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{ApiResponse, TestContext};

/// Sends requests over a plain TCP connection and returns the raw responses.
async fn raw(context: &TestContext, requests: &[String]) -> Vec<u8> {
    let address = context.org.url().strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    for request in requests {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn request(context: &TestContext, line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{headers}\r\n", context.token())
}

#[tokio::test]
async fn a_client_that_accepts_gzip_gets_gzip() {
    let context = TestContext::new().await;
    let line = "GET /services/data/v66.0/sobjects/Account/describe";
    let response = raw(&context, &[request(&context, line, "Accept-Encoding: gzip\r\nConnection: close\r\n")]).await;
    let end = response.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
    assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept-encoding"), "{head}");
    let mut body = String::new();
    GzDecoder::new(&response[end..]).read_to_string(&mut body).unwrap();
    let described: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(described["name"], "Account");

    let plain = raw(&context, &[request(&context, line, "Connection: close\r\n")]).await;
    let plain = String::from_utf8(plain).unwrap();
    assert!(plain.ends_with(&body) && !plain.to_ascii_lowercase().contains("content-encoding"));
}

#[tokio::test]
async fn a_request_body_may_be_compressed() {
    let context = TestContext::new().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"Name": "Packed"}"#).unwrap();
    let packed = encoder.finish().unwrap();
    let url = format!("{}/services/data/v66.0/sobjects/Account", context.org.url());
    let post = |coding: &str, body: &[u8]| {
        let request =
            context.http.post(&url).bearer_auth(context.token()).header(header::CONTENT_TYPE, "application/json");
        context.plain(request.header(header::CONTENT_ENCODING, coding).body(body.to_vec()))
    };
    assert_eq!(post("gzip", &packed).await.status, 201);
    let broken: ApiResponse = post("gzip", b"not gzip").await;
    assert_eq!((broken.status, broken.code()), (400, "JSON_PARSER_ERROR"));
    let unknown = post("br", &packed).await;
    assert_eq!((unknown.status, unknown.code()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    assert!(!context.id_of("Account", "Packed").await.is_empty());
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let context = TestContext::new().await;
    let head = context.call(Method::HEAD, "limits", None).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert!(head.header("sforce-limit-info").starts_with("api-usage="));
    assert_eq!(context.call(Method::HEAD, "sobjects/Nope", None).await.status, 404);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let context = TestContext::new().await;
    let line = "GET /services/data/v66.0/limits";
    let requests = [request(&context, line, ""), request(&context, line, "Connection: close\r\n")];
    let responses = String::from_utf8(raw(&context, &requests).await).unwrap();
    assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), 2);
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let context = TestContext::new().await;
    let expected = json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]);
    for path in ["sobjects/Nope", "nope", "composite/nope", "ui-api/nope"] {
        let response = context.get(path).await;
        assert_eq!((response.status, &response.body), (404, &expected), "{path}");
    }
    let outside = context.plain(context.http.get(format!("{}/services/apexrest/nope", context.org.url()))).await;
    assert_eq!((outside.status, outside.body), (404, expected));
}

#[tokio::test]
async fn a_url_beyond_the_limit_is_rejected() {
    let context = TestContext::new().await;
    let response = context.get(&format!("limits?x={}", "y".repeat(16_400))).await;
    assert_eq!(response.status, 414);
}

#[tokio::test]
async fn a_retired_version_is_gone() {
    let context = TestContext::new().await;
    let get = async |path: &str| {
        let url = format!("{}/services/{path}", context.org.url());
        let request = context.http.get(url).bearer_auth(context.token()).header("x-sfdc-session", context.token());
        context.plain(request.header("content-type", "application/json")).await
    };
    for path in ["data/v30.0/sobjects", "data/v21.0/jobs/query", "data/v7.0/query?q=x"] {
        let response = get(path).await;
        assert_eq!((response.status, response.code()), (410, "UNSUPPORTED_API_VERSION"), "{path}");
    }
    for path in ["data/v99.0/sobjects", "data/v30/sobjects", "data/v0.0/sobjects"] {
        assert_eq!(get(path).await.status, 404, "{path}");
    }
    let bulk = get("async/30.0/job/750000000000000AAA").await;
    assert_eq!((bulk.status, &bulk.body["exceptionCode"]), (400, &json!("InvalidVersion")));
    let soap = context.http.post(format!("{}/services/Soap/u/30.0", context.org.url())).body("<x/>");
    let soap = context.plain(soap).await;
    let text = String::from_utf8(soap.bytes).unwrap();
    assert_eq!(soap.status, 500);
    assert!(text.contains("<faultcode>sf:UNSUPPORTED_API_VERSION</faultcode>"), "{text}");
}

#[tokio::test]
async fn an_object_without_records_is_not_counted() {
    let context = TestContext::new().await;
    assert_eq!(context.get("limits/recordCount?sObjects=Case").await.body, json!({"sObjects": []}));
    let case = context.post("sobjects/Case", json!({"Subject": "x"})).await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(context.get("limits/recordCount?sObjects=Case").await.body["sObjects"][0]["count"], 1);
    context.delete(&format!("sobjects/Case/{case}")).await;
    assert_eq!(context.get("limits/recordCount?sObjects=Case").await.body, json!({"sObjects": []}));
    let counted = context.get("limits/recordCount?sObjects=Case,Account").await.body;
    assert_eq!(counted["sObjects"][0]["name"], "Account");
    assert_eq!(counted["sObjects"].as_array().unwrap().len(), 1);
}
