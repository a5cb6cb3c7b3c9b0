//! Files over the deployed stack: uploaded to the signed address from outside, and written by the deployed function.

use bench::RuntimeApi;
use end_to_end::{Binary, Connected, Method, eventually, stop_poller};
use local::stack;
use serde_json::{Value, json};

const MB: usize = 1024 * 1024;
/// The most that the function's memory may grow by while it sends a file of 40 MB: a few pieces, and buffers of two connections.
const MAX_GROWTH: u64 = 16 * 1024 * 1024;

/// Uploads bytes as the platform does, and returns the id of the upload.
async fn upload(org: &Connected, content: &[u8]) -> Value {
    let body = json!({ "file_name": "call.mp4", "content_type": "video/mp4", "size": content.len() });
    let address = org.platform(Method::POST, &org.path("/file-uploads"), &body).await.unwrap();
    let mut request = reqwest::Client::new().put(address["url"].as_str().unwrap());
    for (name, value) in address["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let response = request.body(content.to_vec()).send().await.unwrap();
    assert_eq!(response.status(), 200, "{:?}", response.text().await);
    address["upload_id"].clone()
}

fn size_in_org(org: &Connected, file: &Value) -> Value {
    let version = file["content_version_id"].as_str().unwrap();
    org.stack.simulator().record("ContentVersion", version).unwrap()["ContentSize"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_request_and_of_an_upload_are_written_once() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let account = org.create("Account", &json!({ "Name": "Acme" })).unwrap();

    let small =
        json!({ "title": "Transcript", "file_name": "call.txt", "content_base64": "aGVsbG8=", "links": [account] });
    let written = org.platform(Method::POST, &org.path("/files"), &small).await.unwrap();
    assert_eq!(size_in_org(&org, &written), 5, "{written}");

    let content = vec![7; 20 * MB];
    let upload_id = upload(&org, &content).await;
    let large = json!({ "title": "Recording", "file_name": "call.mp4", "upload_id": upload_id, "links": [account] });
    let written = org.platform(Method::POST, &org.path("/files"), &large).await.unwrap();
    assert_eq!(size_in_org(&org, &written), content.len(), "{written}");

    let counts = org.stack.simulator().record_counts();
    assert_eq!(
        (counts["ContentVersion"], counts["ContentDocumentLink"]),
        (2, 4),
        "each with its owner and the account"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_40_mb_needs_little_memory() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let account = org.create("Account", &json!({ "Name": "Acme" })).unwrap();
    stop_poller(&org.stack, "file-write").await.unwrap();
    let function = Binary::of(&org.stack, "file-write").await.unwrap().start().unwrap();
    eventually("the function is ready", async || Ok(function.ready_after().is_some())).await.unwrap();

    let idle = write_from_queue(&org, &function, &account, 33 * MB, "first").await;
    let (_, peak) = (idle, write_from_queue(&org, &function, &account, 73 * MB, "second").await);

    // The first file made the connections and their buffers; the second is 40 MB larger.
    assert!(peak <= idle + MAX_GROWTH, "the memory grew from {idle} to {peak} bytes");
}

/// Writes a file that is too large for a request, and returns the highest memory of the function since its start, in bytes.
async fn write_from_queue(org: &Connected, function: &RuntimeApi, account: &str, size: usize, title: &str) -> u64 {
    let upload_id = upload(org, &vec![7; size]).await;
    let file = json!({ "title": title, "file_name": "call.mp4", "upload_id": upload_id, "links": [account] });
    let queued = org.platform(Method::POST, &org.path("/files"), &file).await.unwrap();
    assert_eq!(queued["state"], "queued", "{queued}");
    let task = json!({ "org_id": org.stack.simulator().org_id(), "write_id": queued["write_id"], "deferrals": 1 });
    let event = json!({ "Records": [{
        "messageId": "message", "receiptHandle": "handle", "body": task.to_string(), "attributes": {},
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue", "awsRegion": "us-east-1",
    }] });
    function.invoke(&event).await.unwrap();
    let path = org.path(&format!("/writes/{}", queued["write_id"].as_str().unwrap()));
    let write = org.get(&path).await.unwrap();
    assert_eq!((&write["state"], size_in_org(org, &write)), (&json!("finished"), json!(size)), "{write}");
    function.peak_bytes().unwrap()
}
