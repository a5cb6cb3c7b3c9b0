use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{CASEY, JORDAN, Scene};

fn note(title: &str, html: &str) -> Value {
    json!({"Title": title, "Content": STANDARD.encode(html)})
}

async fn created(scene: &Scene, html: &str) -> String {
    let answer = scene.post("sobjects/ContentNote", note("Call", html)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

fn link(note: &str, record: &str) -> Value {
    json!({"ContentDocumentId": note, "LinkedEntityId": record, "ShareType": "V", "Visibility": "AllUsers"})
}

#[tokio::test]
async fn a_note_is_written_and_read_as_bytes() {
    let scene = Scene::new().await;
    let id = created(&scene, "<p>Line &amp; more</p>").await;
    assert!(id.starts_with("069"));

    let read = scene.get(&format!("sobjects/ContentNote/{id}")).await;
    let content = scene.get(&format!("sobjects/ContentNote/{id}/Content")).await;

    assert_eq!(read.body["Content"], format!("/services/data/v66.0/sobjects/ContentNote/{id}/Content"));
    assert_eq!((&read.body["FileType"], &read.body["TextPreview"]), (&json!("SNOTE"), &json!("Line & more")));
    assert_eq!(content.bytes, b"<p>Line &amp; more</p>");
    let version = read.body["LatestPublishedVersionId"].as_str().unwrap();
    assert_eq!(scene.get(&format!("sobjects/ContentVersion/{version}/VersionData")).await.bytes, content.bytes);
}

#[tokio::test]
async fn a_change_adds_a_version() {
    let scene = Scene::new().await;
    let id = created(&scene, "<p>1</p>").await;

    assert_eq!(
        scene
            .patch(&format!("sobjects/ContentNote/{id}"), json!({"Content": STANDARD.encode("<p>2</p>")}))
            .await
            .status,
        204
    );

    let versions = scene
        .query(&format!(
            "SELECT VersionNumber, IsLatest FROM ContentVersion WHERE ContentDocumentId = '{id}' ORDER BY VersionNumber"
        ))
        .await;
    let latest: Vec<&Value> = versions.body["records"].as_array().unwrap().iter().map(|r| &r["IsLatest"]).collect();
    assert_eq!(latest, [&json!(false), &json!(true)]);
    assert_eq!(scene.get(&format!("sobjects/ContentNote/{id}/Content")).await.bytes, b"<p>2</p>");
    assert_eq!(
        scene.patch(&format!("sobjects/ContentNote/{id}"), json!({"SharingPrivacy": "P"})).await.code(),
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
}

#[tokio::test]
async fn a_note_is_found_through_the_record_it_is_linked_to() {
    let scene = Scene::new().await;
    let (id, opportunity) = (created(&scene, "<p>x</p>").await, scene.id_of("Opportunity", "Fjordglass - pilot").await);
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    for record in [&opportunity, &account] {
        assert_eq!(scene.post("sobjects/ContentDocumentLink", link(&id, record)).await.status, 201);
    }

    let soql = format!(
        "SELECT ContentDocumentId, ContentDocument.Title, ShareType FROM ContentDocumentLink WHERE LinkedEntityId = '{opportunity}' AND ContentDocument.FileType = 'SNOTE'"
    );
    let found = scene.query(&soql).await;

    assert_eq!(found.body["records"][0]["ContentDocument"]["Title"], "Call");
    assert_eq!(found.body["totalSize"], 1);
    let links =
        scene.query(&format!("SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{id}'")).await;
    assert_eq!(links.body["totalSize"], 3, "two records and the creator");
    let again = scene.post("sobjects/ContentDocumentLink", link(&id, &account)).await;
    assert_eq!((again.status, again.code()), (400, "DUPLICATE_VALUE"));
}

#[tokio::test]
async fn note_and_links_are_created_together_or_not_at_all() {
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let request = |record: &str| {
        json!({"allOrNone": true, "compositeRequest": [
            {"method": "POST", "url": "/services/data/v66.0/sobjects/ContentNote", "referenceId": "note", "body": note("T", "<p>x</p>")},
            {"method": "POST", "url": "/services/data/v66.0/sobjects/ContentDocumentLink", "referenceId": "link", "body": link("@{note.id}", record)},
        ]})
    };

    let good = scene.post("composite", request(&account)).await;
    let bad = scene.post("composite", request("0015e0000000zzz")).await;

    assert_eq!(good.body["compositeResponse"][1]["httpStatusCode"], 201);
    assert_eq!(bad.body["compositeResponse"][0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(scene.org.record_counts()["ContentNote"], 1);
    assert_eq!(scene.org.record_counts()["ContentVersion"], 1);
}

#[tokio::test]
async fn unescaped_or_unsupported_content_is_rejected() {
    let scene = Scene::new().await;
    for html in ["a & b", "1 < 2", "<script>x</script>", "<html><body>x</body></html>"] {
        let answer = scene.post("sobjects/ContentNote", note("T", html)).await;
        assert_eq!((answer.status, answer.code()), (400, "FIELD_INTEGRITY_EXCEPTION"), "{html}");
        assert!(answer.body[0]["message"].as_str().unwrap().starts_with("Note can't be saved"));
    }
    assert_eq!(scene.post("sobjects/ContentNote", json!({"Title": "T", "Content": "no base64!"})).await.status, 400);
    assert_eq!(scene.post("sobjects/ContentNote", json!({"Content": ""})).await.code(), "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn a_note_is_visible_through_a_linked_record() {
    let mut scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    scene.log_in(CASEY);
    let id = created(&scene, "<p>mine</p>").await;
    let path = format!("sobjects/ContentNote/{id}");

    scene.log_in(JORDAN);
    assert_eq!(scene.get(&path).await.status, 404);
    scene.log_in(CASEY);
    scene.post("sobjects/ContentDocumentLink", link(&id, &account)).await;
    scene.log_in(JORDAN);
    assert_eq!(scene.get(&path).await.status, 200);
    assert_eq!(scene.patch(&path, json!({"Title": "not mine"})).await.status, 403);
    scene.org.set_private("Account", true).unwrap();
    assert_eq!(scene.get(&path).await.status, 404);
    let hidden = scene.post("sobjects/ContentDocumentLink", link(&id, &account)).await;
    assert_eq!(hidden.code(), "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY");
}

#[tokio::test]
async fn a_deleted_note_deletes_its_versions_and_links() {
    let scene = Scene::new().await;
    let id = created(&scene, "<p>x</p>").await;
    assert_eq!(scene.delete(&format!("sobjects/ContentNote/{id}")).await.status, 204);
    let counts = scene.org.record_counts();
    for object in ["ContentNote", "ContentDocument", "ContentVersion", "ContentDocumentLink"] {
        assert_eq!(counts.get(object), None, "{object}");
    }
    let other = created(&scene, "<p>y</p>").await;
    assert_eq!(scene.delete(&format!("sobjects/ContentDocument/{other}")).await.status, 204);
    assert_eq!(scene.org.record_counts().get("ContentNote"), None);
}

#[tokio::test]
async fn with_notes_disabled_content_note_does_not_exist() {
    let scene = Scene::new().await;
    let note = json!({"Title": "T", "Content": "PHA+aGk8L3A+"});
    let id = scene.post("sobjects/ContentNote", note.clone()).await.body["id"].as_str().unwrap().to_owned();
    scene.org.set_features(org_simulator::Features { enhanced_notes: false, ..org_simulator::Features::default() });
    let refused = scene.post("sobjects/ContentNote", note.clone()).await;
    assert_eq!((refused.status, refused.code()), (404, "NOT_FOUND"));
    assert_eq!(scene.get("sobjects/ContentNote/describe").await.status, 404);
    assert_eq!(scene.query("SELECT Id FROM ContentNote").await.code(), "INVALID_TYPE");
    let all = scene.get("sobjects").await.body;
    assert!(all["sobjects"].as_array().unwrap().iter().all(|object| object["name"] != "ContentNote"));
    let composite = json!({"compositeRequest": [{"method": "POST", "url": "/services/data/v66.0/sobjects/ContentNote", "referenceId": "n", "body": note}]});
    let answer = scene.post("composite", composite).await;
    assert_eq!(answer.body["compositeResponse"][0]["httpStatusCode"], 404);
    let links = scene.query(&format!("SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{id}'")).await;
    assert_eq!(links.body["totalSize"], 1, "documents stay");
}
