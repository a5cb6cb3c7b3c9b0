//! Files: versions and documents, with their bytes as base64 or as a part of the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, ApiResponse, CASEY, JORDAN, TestContext};

async fn version(context: &TestContext, body: Value) -> String {
    let made = context.post("sobjects/ContentVersion", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

/// Sends JSON and bytes as two parts.
async fn send_parts(
    context: &TestContext,
    method: Method,
    path: &str,
    json: &Value,
    blob: (&str, &[u8]),
) -> ApiResponse {
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity\"\r\nContent-Type: application/json\r\n\r\n{json}\r\n\
         --b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"f.txt\"\r\n\r\n",
        blob.0
    )
    .into_bytes();
    body.extend(blob.1);
    body.extend(b"\r\n--b--\r\n");
    let url = format!("{}/services/data/v66.0/{path}", context.org.url());
    let request = context.http.request(method, url).bearer_auth(context.token());
    context.plain(request.header("content-type", "multipart/form-data; boundary=b").body(body)).await
}

#[tokio::test]
async fn a_file_is_written_as_base64_and_read_as_bytes() {
    let context = TestContext::new().await;
    let id = version(&context, json!({"Title": "f", "PathOnClient": "f.txt", "VersionData": "aGVsbG8="})).await;
    assert!(id.starts_with("068"), "{id}");
    let read = context.get(&format!("sobjects/ContentVersion/{id}")).await.body;
    let data = format!("sobjects/ContentVersion/{id}/VersionData");
    assert_eq!(read["VersionData"], format!("/services/data/v66.0/{data}"));
    assert_eq!(context.get(&data).await.bytes, b"hello");
    let expected = json!({"FileType": "TEXT", "FileExtension": "txt", "ContentSize": 5, "VersionNumber": "1", "IsLatest": true,
        "Checksum": "5d41402abc4b2a76b9719d911017c592"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&read[name], value, "{name}");
    }
    let document = read["ContentDocumentId"].as_str().unwrap();
    let document = context.get(&format!("sobjects/ContentDocument/{document}")).await.body;
    assert_eq!((&document["Title"], &document["LatestPublishedVersionId"]), (&json!("f"), &json!(id)));
}

#[tokio::test]
async fn a_file_is_written_as_a_part_of_the_request() {
    let context = TestContext::new().await;
    let bytes = [0_u8, 255, b'\r', b'\n', 7];
    let fields = json!({"PathOnClient": "/tmp/report.final.pdf"});
    let made = send_parts(&context, Method::POST, "sobjects/ContentVersion", &fields, ("VersionData", &bytes)).await;
    let id = made.body["id"].as_str().unwrap_or_else(|| panic!("{}", made.body)).to_owned();
    assert_eq!(context.get(&format!("sobjects/ContentVersion/{id}/VersionData")).await.bytes, bytes);
    let read = context.get(&format!("sobjects/ContentVersion/{id}?fields=Title,FileType")).await.body;
    assert_eq!((&read["Title"], &read["FileType"]), (&json!("report.final"), &json!("PDF")));

    let attributes = json!({"type": "ContentVersion", "binaryPartName": "one", "binaryPartNameAlias": "VersionData"});
    let rows = json!({"records": [{"attributes": attributes, "PathOnClient": "a.txt"}]});
    let rows = send_parts(&context, Method::POST, "composite/sobjects", &rows, ("one", b"in a collection")).await.body;
    let id = rows[0]["id"].as_str().unwrap_or_else(|| panic!("{rows}"));
    assert_eq!(context.get(&format!("sobjects/ContentVersion/{id}/VersionData")).await.bytes, b"in a collection");
}

#[tokio::test]
async fn an_unreadable_part_is_an_error() {
    let context = TestContext::new().await;
    let url = format!("{}/services/data/v66.0/sobjects/ContentVersion", context.org.url());
    for body in ["", "nothing", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nx\r\n--b--"] {
        let request = context.http.post(&url).bearer_auth(context.token()).body(body);
        let refused = context.plain(request.header("content-type", "multipart/form-data; boundary=b")).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_file_needs_its_bytes_and_its_path() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let refused = context.post("sobjects/ContentVersion", json!({"Title": "f"})).await;
    assert_eq!(
        (refused.code(), &refused.body[0]["fields"]),
        ("REQUIRED_FIELD_MISSING", &json!(["VersionData", "PathOnClient"]))
    );
    let derived = json!({"PathOnClient": "f.txt", "VersionData": "aGVsbG8=", "FileType": "PDF"});
    let refused = context.post("sobjects/ContentVersion", derived).await;
    assert_eq!(refused.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn a_file_is_published_only_to_a_record_that_is_there() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let file =
        json!({"PathOnClient": "f.txt", "VersionData": "aGVsbG8=", "FirstPublishLocationId": "001000000000001AAA"});
    let refused = context.post("sobjects/ContentVersion", file).await;
    assert_eq!(refused.code(), "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY");
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn a_second_version_belongs_to_the_same_document() {
    let mut context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let file = |more: Value| {
        let mut body = json!({"PathOnClient": "f.txt", "VersionData": STANDARD.encode("v")});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    context.log_in(CASEY);
    let first = version(&context, file(json!({"FirstPublishLocationId": account}))).await;
    let document = context.org.record("ContentVersion", &first).unwrap()["ContentDocumentId"].clone();
    let second = version(&context, file(json!({"ContentDocumentId": document, "Title": "New"}))).await;
    let state = |id: &str| {
        let record = context.org.record("ContentVersion", id).unwrap();
        (record["VersionNumber"].clone(), record["IsLatest"].clone())
    };
    assert_eq!((state(&first), state(&second)), ((json!("1"), json!(false)), (json!("2"), json!(true))));
    let document = document.as_str().unwrap();
    assert_eq!(context.org.record("ContentDocument", document).unwrap()["Title"], "New");
    let links = context
        .query(&format!("SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"))
        .await;
    let linked: Vec<&Value> =
        links.body["records"].as_array().unwrap().iter().map(|link| &link["LinkedEntityId"]).collect();
    assert!(linked.len() == 2 && linked.contains(&&json!(account)), "{linked:?}");

    context.log_in(JORDAN);
    let other = context.post("sobjects/ContentVersion", file(json!({"ContentDocumentId": document}))).await;
    assert_eq!(other.code(), "INSUFFICIENT_ACCESS_OR_READONLY");
    assert_eq!(context.delete(&format!("sobjects/ContentDocument/{document}")).await.status, 403);
    context.log_in(CASEY);
    assert_eq!(context.delete(&format!("sobjects/ContentVersion/{second}")).await.status, 403);
    assert_eq!(context.get("sobjects/ContentVersion/describe").await.body["deletable"], false);
    assert_eq!(context.delete(&format!("sobjects/ContentDocument/{document}")).await.status, 204);
    assert_eq!(context.get(&format!("sobjects/ContentVersion/{second}")).await.status, 404);
}

#[tokio::test]
async fn a_file_is_seen_by_those_who_see_a_linked_record() {
    let mut context = TestContext::new().await;
    let id = version(&context, json!({"Title": "f", "PathOnClient": "f.txt", "VersionData": "aGVsbG8="})).await;
    let path = format!("sobjects/ContentVersion/{id}");
    let document = context.get(&path).await.body["ContentDocumentId"].as_str().unwrap().to_owned();
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let link = json!({"ContentDocumentId": document, "LinkedEntityId": account, "ShareType": "V"});
    let queries = [
        format!("SELECT Id FROM ContentVersion WHERE Id = '{id}'"),
        format!("SELECT Id FROM ContentDocument WHERE Id = '{document}'"),
        format!(
            "SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{document}' AND LinkedEntityId = '{account}'"
        ),
    ];
    for is_linked in [false, true] {
        if is_linked {
            context.log_in(ADMIN);
            assert_eq!(context.post("sobjects/ContentDocumentLink", link.clone()).await.status, 201);
        }
        context.log_in(CASEY);
        let status = if is_linked { 200 } else { 404 };
        assert_eq!(context.get(&path).await.status, status);
        assert_eq!(context.get(&format!("{path}/VersionData")).await.status, status);
        for query in &queries {
            assert_eq!(context.query(query).await.body["totalSize"], i32::from(is_linked), "{query}");
        }
    }
}
