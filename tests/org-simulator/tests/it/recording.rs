//! The file of recorded requests.

use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use org_simulator::{Effect, FaultRule, Options, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, TestContext};

async fn recording(path: &Path) -> TestContext {
    let options = Options { record: Some(path.to_owned()), ..Options::default() };
    TestContext::of(Simulator::start(options).await.unwrap(), ADMIN)
}

/// Stops the org, after which all its requests are written, and returns the file and its lines.
async fn recorded(context: TestContext, path: &Path) -> (String, Vec<Value>) {
    let TestContext { org, http, .. } = context;
    drop(http);
    org.stop().await;
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, lines)
}

#[tokio::test]
async fn requests_and_responses_are_recorded_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests.jsonl");
    let context = recording(&path).await;
    let created = context.post("sobjects/Account", json!({"Name": "Recorded"})).await;
    assert_eq!(created.status, 201);
    let read = context.get(&format!("sobjects/Account/{}?fields=Name", created.body["id"].as_str().unwrap())).await;
    context.admin(Method::GET, "org", None).await;
    let (_, lines) = recorded(context, &path).await;

    assert_eq!(lines.len(), 2, "not the admin API: {lines:#?}");
    let (create, get) = (&lines[0], &lines[1]);
    assert_eq!(
        (&create["request"]["method"], &create["request"]["body"]),
        (&json!("POST"), &json!({"Name": "Recorded"}))
    );
    assert_eq!((&create["response"]["status"], &create["response"]["body"]), (&json!(201), &created.body));
    assert!(get["request"]["url"].as_str().unwrap().ends_with("?fields=Name"));
    assert_eq!(get["response"]["body"], read.body);
    let length = get["response"]["headers"]["content-length"].as_str();
    assert_eq!(length, Some(read.bytes.len().to_string().as_str()), "recording does not change a response");
    assert!(create["at"].is_string() && create["duration_ms"].is_u64());
}

#[tokio::test]
async fn no_token_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests.jsonl");
    let mut context = recording(&path).await;
    let granted = context.granted(CASEY).await;
    context.refresh(granted["refresh_token"].as_str().unwrap()).await;
    context.log_in(CASEY);
    let userinfo = context.http.get(format!("{}/services/oauth2/userinfo", context.org.url()));
    let token = granted["access_token"].as_str().unwrap().to_owned();
    context.plain(userinfo.query(&[("access_token", &token)])).await;
    context.get("limits").await;
    context.org.fault(FaultRule::new(Effect::Truncate { keep_bytes: None }));
    context
        .http
        .get(format!("{}/services/oauth2/userinfo", context.org.url()))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let mut secrets = context.org.secrets();
    secrets.extend([context.org.client_secret().to_owned(), token]);
    secrets.push(granted["id_token"].as_str().unwrap().to_owned());
    let (text, lines) = recorded(context, &path).await;

    assert!(secrets.len() > 5 && lines.len() > 5, "{secrets:?}");
    for secret in &secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
        let (_, tail) = secret.split_at(secret.len() / 2);
        assert!(!text.contains(tail), "the end of {secret} in {text}");
    }
    assert!(lines.iter().any(|line| line["response"]["body"]["refresh_token"] == "***"), "{text}");
}

#[tokio::test]
async fn a_closed_connection_has_no_response() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests.jsonl");
    let context = recording(&path).await;
    context.org.fault(FaultRule { times: Some(1), ..FaultRule::new(Effect::ResetAfter) });
    let limits = context.http.get(format!("{}/services/data/v66.0/limits", context.org.url()));
    assert!(limits.bearer_auth(context.token()).send().await.is_err());
    let (_, lines) = recorded(context, &path).await;
    assert_eq!((lines.len(), &lines[0]["response"]), (1, &Value::Null));
}

#[tokio::test]
async fn compressed_and_binary_bodies_are_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests.jsonl");
    let context = recording(&path).await;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut packed, br#"{"Name": "Packed"}"#).unwrap();
    let request = context.http.post(format!("{}/services/data/v66.0/sobjects/Account", context.org.url()));
    let request = request.bearer_auth(context.token()).header("content-type", "application/json");
    let packed = request.try_clone().unwrap().header("content-encoding", "gzip").body(packed.finish().unwrap());
    assert_eq!(context.plain(packed).await.status, 201);
    context.plain(request.body(vec![0xFF, 0xFE])).await;
    let (_, lines) = recorded(context, &path).await;
    assert_eq!(lines[0]["request"]["body"], json!({"Name": "Packed"}));
    assert_eq!(lines[1]["request"]["body"], json!({"base64": "//4="}));
}

#[tokio::test]
async fn a_line_is_written_as_its_request_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests.jsonl");
    let context = recording(&path).await;
    context.get("limits").await;
    let written = async {
        while !std::fs::read_to_string(&path).unwrap().ends_with('\n') {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.unwrap();
}
