//! Contents that are uploaded to a signed address.

use http::StatusCode;
use jiff::Timestamp;
use salesforce::Clock;
use serde_json::{Value, json};
use store::WriteState;
use store::staged_files::Sha256Digest;

use crate::harness::{REP, TestContext, run};

fn upload(content: &[u8]) -> Value {
    json!({ "file_name": "deck.pdf", "content_type": "application/pdf", "size": content.len(),
        "sha256": Sha256Digest::of(content).hex() })
}

/// Sends the content to the address, with its headers.
async fn put(address: &Value, content: &[u8]) -> u16 {
    let mut request = reqwest::Client::new().put(address["url"].as_str().unwrap());
    for (name, value) in address["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(content.to_vec()).send().await.unwrap().status().as_u16()
}

fn named(context: &TestContext, address: &Value) -> Value {
    let mut body = context.file(b"");
    body.as_object_mut().unwrap().remove("content_base64");
    body["upload_id"] = address["upload_id"].clone();
    body
}

#[test]
fn an_upload_becomes_a_file() {
    run(async {
        let context = TestContext::patient().await;
        let content = vec![7; 6_000_000];
        let (status, address) = context.post("file-uploads", Some(REP), None, &upload(&content)).await;
        assert_eq!((status, &address["method"]), (StatusCode::CREATED, &json!("PUT")), "{address}");
        assert_eq!(put(&address, &content).await, 200);

        let body = named(&context, &address);
        let (status, written) = context.create_file(Some(REP), "k", &body).await;

        assert_eq!(status, StatusCode::CREATED, "{written}");
        context.assert_one_file(&written, &content);
        assert!(context.content_of(&written["content_version_id"]).await == content);
        assert_eq!(context.staged().await, 0);
        let again = context.create_file(Some(REP), "k", &body).await;
        assert_eq!(again, (status, written), "although the upload is gone");
        let (status, problem) = context.create_file(Some(REP), "k2", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "an upload is one file: {problem}");
    });
}

#[test]
fn the_address_binds_size_type_and_digest() {
    run(async {
        let context = TestContext::new().await;
        let (_, address) = context.post("file-uploads", None, None, &upload(b"hello")).await;

        let url = address["url"].as_str().unwrap();
        let signed = url.split('&').find_map(|part| part.strip_prefix("X-Amz-SignedHeaders=")).unwrap();
        for header in ["content-length", "content-type", "x-amz-checksum-sha256", "host"] {
            assert!(signed.contains(header), "{header} is not signed: {signed}");
        }
        assert!(url.contains("X-Amz-Expires=900"), "{url}");
        assert_eq!(address["headers"]["content-length"], "5");
        let expires_at: Timestamp = address["expires_at"].as_str().unwrap().parse().unwrap();
        let left = expires_at.duration_since(Clock::system().now()).as_secs();
        assert!((800..=900).contains(&left), "{left} s are left");
    });
}

#[test]
fn an_upload_is_found_only_by_who_made_it() {
    run(async {
        let context = TestContext::new().await;
        let (_, address) = context.post("file-uploads", Some(REP), None, &upload(b"hello")).await;
        assert_eq!(put(&address, b"hello").await, 200);

        let (status, problem) = context.create_file(None, "k", &named(&context, &address)).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with("upload_id: nothing was uploaded"), "{problem}");
        assert_eq!(context.create_file(Some(REP), "k", &named(&context, &address)).await.0, StatusCode::CREATED);
    });
}

#[test]
fn a_large_file_is_made_from_the_queue() {
    run(async {
        let context = TestContext::patient().await;
        let content = vec![7; 33 * 1024 * 1024];
        let (_, address) = context.post("file-uploads", None, None, &upload(&content)).await;
        assert_eq!(put(&address, &content).await, 200);

        let (status, queued) = context.create_file(None, "k", &named(&context, &address)).await;
        assert_eq!((status, context.files()), (StatusCode::ACCEPTED, 0), "{queued}");
        let write = context.ledger(&queued["write_id"]).await;
        assert!(write.obstacle.is_some_and(|obstacle| obstacle.reason.is_none()));
        assert!(context.resume(&queued["write_id"]).await);

        let write = context.ledger(&queued["write_id"]).await;
        assert_eq!(write.state, WriteState::Finished);
        context.assert_one_file(&write.response.unwrap(), &content);
    });
}

#[test]
fn a_write_whose_content_has_expired_fails() {
    run(async {
        let context = TestContext::new().await;
        let content = vec![7; 33 * 1024 * 1024];
        let (_, address) = context.post("file-uploads", None, None, &upload(&content)).await;
        assert_eq!(put(&address, &content).await, 200);
        let (_, queued) = context.create_file(None, "k", &named(&context, &address)).await;
        let (deleted, more) = context.deps.staged_files.delete_page(context.org).await.unwrap();
        assert_eq!((deleted, more), (1, false));

        assert!(context.resume(&queued["write_id"]).await);

        let write = context.ledger(&queued["write_id"]).await;
        assert_eq!((write.state, context.files()), (WriteState::Failed, 0));
        let problem = &write.response.unwrap()["problem"];
        assert_eq!(problem["detail"], "the uploaded content does not exist");
    });
}
