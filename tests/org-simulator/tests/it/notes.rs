use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{CASEY, JORDAN, TestContext};

fn note(title: &str, html: &str) -> Value {
    json!({"Title": title, "Content": STANDARD.encode(html)})
}

async fn created(context: &TestContext, html: &str) -> String {
    let response = context.post("sobjects/ContentNote", note("Call", html)).await;
    assert_eq!(response.status, 201, "{:?}", response.body);
    response.body["id"].as_str().unwrap().to_owned()
}

fn link(note: &str, record: &str) -> Value {
    json!({"ContentDocumentId": note, "LinkedEntityId": record, "ShareType": "V", "Visibility": "AllUsers"})
}

#[tokio::test]
async fn a_note_is_written_and_read_as_bytes() {
    let context = TestContext::new().await;
    let id = created(&context, "<p>Line &amp; more</p>").await;
    assert!(id.starts_with("069"));

    let read = context.get(&format!("sobjects/ContentNote/{id}")).await;
    let content = context.get(&format!("sobjects/ContentNote/{id}/Content")).await;

    assert_eq!(read.body["Content"], format!("/services/data/v66.0/sobjects/ContentNote/{id}/Content"));
    assert_eq!((&read.body["FileType"], &read.body["TextPreview"]), (&json!("SNOTE"), &json!("Line & more")));
    assert_eq!(content.bytes, b"<p>Line &amp; more</p>");
    let version = read.body["LatestPublishedVersionId"].as_str().unwrap();
    assert_eq!(context.get(&format!("sobjects/ContentVersion/{version}/VersionData")).await.bytes, content.bytes);
}

#[tokio::test]
async fn the_latest_version_can_be_changed() {
    let context = TestContext::new().await;
    let id = created(&context, "<p>1</p>").await;
    let note = format!("sobjects/ContentNote/{id}");
    let latest = async || {
        let read = context.get(&note).await;
        format!("sobjects/ContentVersion/{}", read.body["LatestPublishedVersionId"].as_str().unwrap())
    };
    let first = latest().await;

    assert_eq!(context.patch(&first, json!({"Description": "mine", "Title": "x"})).await.status, 204);
    let read = context.get(&first).await.body;
    assert_eq!((&read["Description"], &read["Title"]), (&json!("mine"), &json!("x")));
    assert_eq!(context.get(&note).await.body["Title"], "x");
    assert_eq!(context.get(&format!("sobjects/ContentDocument/{id}")).await.body["Title"], "x");

    let unsafe_html = STANDARD.encode("<script>");
    let refused = context.patch(&first, json!({"VersionData": unsafe_html})).await;
    assert_eq!(refused.body[0]["fields"], json!(["VersionData"]));
    context.patch(&note, json!({"Content": STANDARD.encode("<p>2</p>")})).await;
    assert_ne!(latest().await, first);
    let refused = context.patch(&first, json!({"Title": "y"})).await;
    assert_eq!((refused.status, refused.code()), (400, "FIELD_INTEGRITY_EXCEPTION"));
}

#[tokio::test]
async fn a_file_with_the_extension_snote_is_a_note() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let body = json!({
        "Title": "Visit", "PathOnClient": "Visit.snote", "VersionData": STANDARD.encode("<p>1 &amp; 2</p>\n"),
        "Description": "mine", "FirstPublishLocationId": account,
    });
    let version = context.post("sobjects/ContentVersion", body).await.body["id"].clone();
    let found = context
        .query(&format!(
            "SELECT Id, Title, TextPreview FROM ContentNote WHERE LatestPublishedVersionId = '{}'",
            version.as_str().unwrap()
        ))
        .await;
    let note = &found.body["records"][0];
    assert_eq!((&note["Title"], &note["TextPreview"]), (&json!("Visit"), &json!("1 & 2")), "{}", found.body);
    let id = note["Id"].as_str().unwrap();
    let content = format!("sobjects/ContentNote/{id}/Content");
    assert_eq!(context.get(&content).await.bytes, b"<p>1 &amp; 2</p>");
    let links = context
        .query(&format!(
            "SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{account}' AND ContentDocumentId = '{id}'"
        ))
        .await;
    assert_eq!(links.body["totalSize"], 1);

    // A second version of it, and a change of the note, work as for other notes.
    let next = json!({"ContentDocumentId": id, "PathOnClient": "a.snote", "VersionData": STANDARD.encode("<p>3</p>")});
    assert_eq!(context.post("sobjects/ContentVersion", next).await.status, 201);
    assert_eq!(context.get(&content).await.bytes, b"<p>3</p>");
    assert_eq!(context.patch(&format!("sobjects/ContentNote/{id}"), json!({"Title": "z"})).await.status, 204);
    assert_eq!(context.get(&format!("sobjects/ContentDocument/{id}")).await.body["Title"], "z");
    assert_eq!(context.delete(&format!("sobjects/ContentNote/{id}")).await.status, 204);

    let bad = json!({"PathOnClient": "a.snote", "VersionData": STANDARD.encode("a < b")});
    assert_eq!(context.post("sobjects/ContentVersion", bad).await.body[0]["fields"], json!(["VersionData"]));
    let file = json!({"PathOnClient": "a.txt", "VersionData": STANDARD.encode("a < b")});
    let file = context.post("sobjects/ContentVersion", file).await.body["id"].clone();
    let notes = context
        .query(&format!("SELECT Id FROM ContentNote WHERE LatestPublishedVersionId = '{}'", file.as_str().unwrap()))
        .await;
    assert_eq!(notes.body["totalSize"], 0);
}

#[tokio::test]
async fn a_change_adds_a_version() {
    let context = TestContext::new().await;
    let id = created(&context, "<p>1</p>").await;

    assert_eq!(
        context
            .patch(&format!("sobjects/ContentNote/{id}"), json!({"Content": STANDARD.encode("<p>2</p>")}))
            .await
            .status,
        204
    );

    let versions = context
        .query(&format!(
            "SELECT VersionNumber, IsLatest FROM ContentVersion WHERE ContentDocumentId = '{id}' ORDER BY VersionNumber"
        ))
        .await;
    let latest: Vec<&Value> = versions.body["records"].as_array().unwrap().iter().map(|r| &r["IsLatest"]).collect();
    assert_eq!(latest, [&json!(false), &json!(true)]);
    assert_eq!(context.get(&format!("sobjects/ContentNote/{id}/Content")).await.bytes, b"<p>2</p>");
    assert_eq!(
        context.patch(&format!("sobjects/ContentNote/{id}"), json!({"SharingPrivacy": "P"})).await.code(),
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
}

#[tokio::test]
async fn a_note_is_found_through_the_record_it_is_linked_to() {
    let context = TestContext::new().await;
    let (id, opportunity) =
        (created(&context, "<p>x</p>").await, context.id_of("Opportunity", "Fjordglass - pilot").await);
    let account = context.id_of("Account", "Fjordglass Optics").await;
    for record in [&opportunity, &account] {
        assert_eq!(context.post("sobjects/ContentDocumentLink", link(&id, record)).await.status, 201);
    }

    let soql = format!(
        "SELECT ContentDocumentId, ContentDocument.Title, ShareType FROM ContentDocumentLink WHERE LinkedEntityId = '{opportunity}' AND ContentDocument.FileType = 'SNOTE'"
    );
    let found = context.query(&soql).await;

    assert_eq!(found.body["records"][0]["ContentDocument"]["Title"], "Call");
    assert_eq!(found.body["totalSize"], 1);
    let links = context
        .query(&format!("SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{id}'"))
        .await;
    assert_eq!(links.body["totalSize"], 3, "two records and the creator");
    let again = context.post("sobjects/ContentDocumentLink", link(&id, &account)).await;
    assert_eq!((again.status, again.code()), (400, "DUPLICATE_VALUE"));
}

#[tokio::test]
async fn note_and_links_are_created_together_or_not_at_all() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let request = |record: &str| {
        json!({"allOrNone": true, "compositeRequest": [
            {"method": "POST", "url": "/services/data/v66.0/sobjects/ContentNote", "referenceId": "note", "body": note("T", "<p>x</p>")},
            {"method": "POST", "url": "/services/data/v66.0/sobjects/ContentDocumentLink", "referenceId": "link", "body": link("@{note.id}", record)},
        ]})
    };

    let good = context.post("composite", request(&account)).await;
    let bad = context.post("composite", request("0015e0000000zzz")).await;

    assert_eq!(good.body["compositeResponse"][1]["httpStatusCode"], 201);
    assert_eq!(bad.body["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(context.org.record_counts()["ContentNote"], 1);
    assert_eq!(context.org.record_counts()["ContentVersion"], 1);
}

#[tokio::test]
async fn unescaped_or_unsupported_content_is_rejected() {
    let context = TestContext::new().await;
    for html in ["a & b", "1 < 2", "<script>x</script>", "<html><body>x</body></html>"] {
        let response = context.post("sobjects/ContentNote", note("T", html)).await;
        assert_eq!((response.status, response.code()), (400, "FIELD_INTEGRITY_EXCEPTION"), "{html}");
        assert!(response.body[0]["message"].as_str().unwrap().starts_with("Note can't be saved"));
    }
    assert_eq!(context.post("sobjects/ContentNote", json!({"Title": "T", "Content": "no base64!"})).await.status, 400);
    assert_eq!(context.post("sobjects/ContentNote", json!({"Content": ""})).await.code(), "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn a_note_is_visible_through_a_linked_record() {
    let mut context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    context.log_in(CASEY);
    let id = created(&context, "<p>mine</p>").await;
    let path = format!("sobjects/ContentNote/{id}");

    context.log_in(JORDAN);
    assert_eq!(context.get(&path).await.status, 404);
    context.log_in(CASEY);
    context.post("sobjects/ContentDocumentLink", link(&id, &account)).await;
    context.log_in(JORDAN);
    assert_eq!(context.get(&path).await.status, 200);
    assert_eq!(context.patch(&path, json!({"Title": "not mine"})).await.status, 403);
    context.org.set_private("Account", true).unwrap();
    assert_eq!(context.get(&path).await.status, 404);
    let hidden = context.post("sobjects/ContentDocumentLink", link(&id, &account)).await;
    assert_eq!(hidden.code(), "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY");
}

#[tokio::test]
async fn a_deleted_note_deletes_its_versions_and_links() {
    let context = TestContext::new().await;
    let id = created(&context, "<p>x</p>").await;
    assert_eq!(context.delete(&format!("sobjects/ContentNote/{id}")).await.status, 204);
    let counts = context.org.record_counts();
    for object in ["ContentNote", "ContentDocument", "ContentVersion", "ContentDocumentLink"] {
        assert_eq!(counts.get(object), None, "{object}");
    }
    let other = created(&context, "<p>y</p>").await;
    assert_eq!(context.delete(&format!("sobjects/ContentDocument/{other}")).await.status, 204);
    assert_eq!(context.org.record_counts().get("ContentNote"), None);
}

#[tokio::test]
async fn with_notes_disabled_content_note_does_not_exist() {
    let context = TestContext::new().await;
    let note = json!({"Title": "T", "Content": "PHA+aGk8L3A+"});
    let id = context.post("sobjects/ContentNote", note.clone()).await.body["id"].as_str().unwrap().to_owned();
    context.org.set_features(org_simulator::Features { enhanced_notes: false, ..org_simulator::Features::default() });
    let refused = context.post("sobjects/ContentNote", note.clone()).await;
    assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"));
    assert_eq!(context.get("sobjects/ContentNote/describe").await.status, 404);
    assert_eq!(context.query("SELECT Id FROM ContentNote").await.code(), "INVALID_TYPE");
    let all = context.get("sobjects").await.body;
    assert!(all["sobjects"].as_array().unwrap().iter().all(|object| object["name"] != "ContentNote"));
    let composite = json!({"compositeRequest": [{"method": "POST", "url": "/services/data/v66.0/sobjects/ContentNote", "referenceId": "n", "body": note}]});
    let response = context.post("composite", composite).await;
    assert_eq!(response.body["compositeResponse"][0]["httpStatusCode"], 404);
    let links = context.query(&format!("SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{id}'")).await;
    assert_eq!(links.body["totalSize"], 1, "documents stay");
}
