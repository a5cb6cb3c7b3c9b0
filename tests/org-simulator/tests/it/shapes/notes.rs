//! Content notes and their links, beside the recordings of `notes`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_rows, assert_shape, read,
};
use crate::support::{Scene, recorded};

pub(super) const RECORDINGS: &[(&str, Comparison)] = &[
    ("notes/content-document-link-created-in-composite.json", ByTest("a_link_is_created_in_a_composite_as_recorded")),
    ("notes/content-document-link-row.json", ByTest("a_link_is_created_in_a_composite_as_recorded")),
    ("notes/content-note-fields-and-rules.txt", ByTest("a_note_has_the_documented_fields")),
    ("notes/content-objects-in-global-describe-2026.json", ByTest("the_objects_of_notes_are_described_as_recorded")),
];

#[tokio::test]
async fn a_note_has_the_documented_fields() {
    let Some(file) = recorded("notes/content-note-fields-and-rules.txt") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let fields = text.lines().find_map(|line| line.strip_prefix("fields: ")).unwrap();
    let documented: Vec<&str> = fields.split(", ").map(|field| field.split(' ').next().unwrap()).collect();
    let scene = Scene::new().await;
    let described = scene.get("sobjects/ContentNote/describe").await.body;
    let names: Vec<&str> =
        described["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    let missing: Vec<&&str> = documented.iter().filter(|field| !names.contains(field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let updateable = described["fields"].as_array().unwrap().iter().filter(|f| f["updateable"] == true);
    let mut updateable: Vec<&str> = updateable.map(|f| f["name"].as_str().unwrap()).collect();
    updateable.sort_unstable();
    assert_eq!((updateable, &described["keyPrefix"]), (vec!["Content", "Title"], &json!("069")));
}

#[tokio::test]
async fn the_objects_of_notes_are_described_as_recorded() {
    let Some(theirs) = read("notes/content-objects-in-global-describe-2026.json") else { return };
    let scene = Scene::new().await;
    let ours = scene.get("sobjects").await.body;
    for name in ["ContentNote", "ContentVersion", "ContentDocument", "ContentDocumentLink"] {
        let find = |list: &Value| list.as_array().unwrap().iter().find(|object| object["name"] == name).cloned();
        let Some(recorded) = find(&theirs) else { continue };
        let mine = find(&ours["sobjects"]).unwrap();
        assert_shape(&mine, &recorded, name, &["urls"]);
        for key in ["queryable", "keyPrefix", "custom"] {
            assert_eq!(mine[key], recorded[key], "{name}.{key}");
        }
    }
}

#[tokio::test]
async fn a_link_is_created_in_a_composite_as_recorded() {
    let Some(theirs) = read("notes/content-document-link-created-in-composite.json") else { return };
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let (version, url) = ("/services/data/v66.0", |path: &str| format!("/services/data/v66.0/{path}"));
    let request = json!({"allOrNone": true, "compositeRequest": [
        {"referenceId": "note", "method": "POST", "url": url("sobjects/ContentNote"), "body": {"Title": "T", "Content": "PHA+aGk8L3A+"}},
        {"referenceId": "read", "method": "GET", "url": format!("{version}/sobjects/ContentNote/@{{note.id}}")},
        {"referenceId": "link", "method": "POST", "url": url("sobjects/ContentDocumentLink"), "body": {"ContentDocumentId": "@{note.id}", "LinkedEntityId": account, "ShareType": "V"}},
    ]});
    let ours = scene.post("composite", request).await.body;
    assert_shape(&ours["compositeResponse"][2], &theirs["compositeResponse"][4], "link", &[]);
    let note = ours["compositeResponse"][0]["body"]["id"].as_str().unwrap();
    let row = scene
        .query(&format!(
            "SELECT Id, ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{note}'"
        ))
        .await;
    let theirs = read("notes/content-document-link-row.json").unwrap();
    assert_shape(&row.body["records"], &theirs, "row", &[]);
    assert_rows(&row.body["records"], &theirs, "row");
}
