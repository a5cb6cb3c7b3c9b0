//! Single records, beside the recordings of `rest/records`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_replayed, assert_shape, read,
};
use crate::support::{Scene, recorded};

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    ("rest/records/create-201.json", ByTest("single_records_are_handled_as_recorded")),
    ("rest/records/delete-204.json", ByTest("single_records_are_handled_as_recorded")),
    ("rest/records/get-account.json", ByTest("whole_records_have_the_recorded_keys")),
    ("rest/records/get-user-by-id.json", ByTest("whole_records_have_the_recorded_keys")),
    ("rest/records/quick-action-defaults-task.json", ByTest("a_new_task_starts_as_recorded")),
    ("rest/records/update-204.json", ByTest("single_records_are_handled_as_recorded")),
    ("rest/records/upsert-by-id-updated-200.json", ByTest("single_records_are_handled_as_recorded")),
    ("rest/records/upsert-created-201.json", ByTest("single_records_are_handled_as_recorded")),
];

#[tokio::test]
async fn single_records_are_handled_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let made = assert_replayed(&scene, "rest/records/create-201.json", "sobjects/Account/", None).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("/services/data/v66.0/sobjects/Account/{id}"));
    assert_replayed(&scene, "rest/records/update-204.json", &format!("sobjects/Account/{id}"), None).await;
    let upsert = format!("sobjects/Account/Id/{id}?updateOnly=true");
    assert_replayed(&scene, "rest/records/upsert-by-id-updated-200.json", &upsert, None).await;
    assert_replayed(&scene, "rest/records/delete-204.json", &format!("sobjects/Account/{id}"), None).await;
    let created = "sobjects/Contact/Email/test_upsert_004%40example.com";
    assert_replayed(&scene, "rest/records/upsert-created-201.json", created, None).await;
}

/// Returns whether a key of a whole record is compared. The others belong to features that one of the two orgs does not have.
fn is_compared(key: &str) -> bool {
    // An object has a RecordTypeId only if it has record types; the simulator has IsDeleted in every row, also in a user's.
    if ["RecordTypeId", "IsDeleted"].contains(&key) {
        return false;
    }
    let not = ["Address", "Preferences", "Preference", "Geocode", "Latitude", "Longitude", "StateCode", "CountryCode"];
    !not.iter().any(|part| key.contains(part))
}

#[tokio::test]
async fn whole_records_have_the_recorded_keys() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let user = scene.org.users().remove(0).id;
    let organization = scene.org.org_id();
    for (file, path) in [
        ("rest/records/get-account.json", format!("sobjects/Account/{account}")),
        ("rest/records/get-user-by-id.json", format!("sobjects/User/Id/{user}")),
        ("rest/organization.json", format!("sobjects/Organization/{organization}")),
    ] {
        let (ours, theirs) = (scene.get(&path).await, read(file).unwrap());
        assert_eq!(ours.status, 200, "{file}");
        let ours = ours.body;
        let both = ours.as_object().unwrap().iter().filter(|(key, _)| is_compared(key) && !key.ends_with("__c"));
        for (key, value) in both {
            let recorded = theirs.get(key).unwrap_or_else(|| panic!("{file}: {key} is not recorded"));
            assert_shape(value, recorded, &format!("{file}.{key}"), &[]);
        }
    }
}

#[tokio::test]
async fn a_new_task_starts_as_recorded() {
    let Some(mut theirs) = read("rest/records/quick-action-defaults-task.json") else { return };
    let scene = Scene::new().await;
    theirs["OwnerId"] = json!(scene.org.users().remove(0).id);
    assert_eq!(scene.get("quickActions/NewTask/defaultValues").await.body, theirs);
    assert_eq!(scene.get("quickActions/NewSpaceship/defaultValues").await.status, 404);
    let mut fields = theirs.as_object().unwrap().clone();
    fields.retain(|name, value| name != "attributes" && !value.is_null());
    fields.remove("Status");
    fields.insert("Subject".to_owned(), json!("Call back"));
    let made = scene.post("sobjects/Task", Value::Object(fields)).await.body["id"].as_str().unwrap().to_owned();
    let task = scene.get(&format!("sobjects/Task/{made}?fields=Status")).await.body;
    assert_eq!(task["Status"], theirs["Status"], "a new record gets the default value");
}
