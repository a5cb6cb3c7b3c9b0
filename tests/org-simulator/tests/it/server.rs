//! HTTP itself: compression, HEAD, connections, limits, and unsupported paths.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::header;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Answer, Scene};

/// Sends requests over a plain TCP connection and returns the raw responses.
async fn raw(scene: &Scene, requests: &[String]) -> Vec<u8> {
    let address = scene.org.url().strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    for request in requests {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn request(scene: &Scene, line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{headers}\r\n", scene.token())
}

#[tokio::test]
async fn a_client_that_accepts_gzip_gets_gzip() {
    let scene = Scene::new().await;
    let line = "GET /services/data/v66.0/sobjects/Account/describe";
    let answer = raw(&scene, &[request(&scene, line, "Accept-Encoding: gzip\r\nConnection: close\r\n")]).await;
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    assert!(head.contains("content-encoding: gzip") && head.contains("vary: accept-encoding"), "{head}");
    let mut body = String::new();
    GzDecoder::new(&answer[end..]).read_to_string(&mut body).unwrap();
    let described: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(described["name"], "Account");

    let plain = raw(&scene, &[request(&scene, line, "Connection: close\r\n")]).await;
    let plain = String::from_utf8(plain).unwrap();
    assert!(plain.ends_with(&body) && !plain.to_ascii_lowercase().contains("content-encoding"));
}

#[tokio::test]
async fn a_request_body_may_be_compressed() {
    let scene = Scene::new().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"Name": "Packed"}"#).unwrap();
    let packed = encoder.finish().unwrap();
    let url = format!("{}/services/data/v66.0/sobjects/Account", scene.org.url());
    let post = |coding: &str, body: &[u8]| {
        let request = scene.http.post(&url).bearer_auth(scene.token()).header(header::CONTENT_TYPE, "application/json");
        scene.plain(request.header(header::CONTENT_ENCODING, coding).body(body.to_vec()))
    };
    assert_eq!(post("gzip", &packed).await.status, 201);
    let broken: Answer = post("gzip", b"not gzip").await;
    assert_eq!((broken.status, broken.code()), (400, "JSON_PARSER_ERROR"));
    let unknown = post("br", &packed).await;
    assert_eq!((unknown.status, unknown.code()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    assert!(!scene.id_of("Account", "Packed").await.is_empty());
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let scene = Scene::new().await;
    let head = scene.call(Method::HEAD, "limits", None).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert!(head.header("sforce-limit-info").starts_with("api-usage="));
    assert_eq!(scene.call(Method::HEAD, "sobjects/Nope", None).await.status, 404);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let scene = Scene::new().await;
    let line = "GET /services/data/v66.0/limits";
    let requests = [request(&scene, line, ""), request(&scene, line, "Connection: close\r\n")];
    let answers = String::from_utf8(raw(&scene, &requests).await).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let scene = Scene::new().await;
    let expected = json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]);
    for path in ["sobjects/Nope", "nope", "composite/nope", "ui-api/nope"] {
        let answer = scene.get(path).await;
        assert_eq!((answer.status, &answer.body), (404, &expected), "{path}");
    }
    let outside = scene.plain(scene.http.get(format!("{}/services/apexrest/nope", scene.org.url()))).await;
    assert_eq!((outside.status, outside.body), (404, expected));
}

#[tokio::test]
async fn a_url_beyond_the_limit_is_rejected() {
    let scene = Scene::new().await;
    let answer = scene.get(&format!("limits?x={}", "y".repeat(16_400))).await;
    assert_eq!(answer.status, 414);
}
