//! The simulator's answers beside recorded ones: whatever a recording has, the answer has, with the same JSON type.

use serde_json::{Value, json};

use crate::support::{Scene, recorded};

fn read(path: &str) -> Option<Value> {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(recorded(path)?).unwrap()).unwrap();
    Some(json.pointer("/response/body").cloned().unwrap_or(json))
}

/// Compares keys and types; the first element stands for a list, and null goes with everything.
fn assert_shape(ours: &Value, theirs: &Value, at: &str, optional: &[&str]) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs.iter().filter(|(key, _)| !optional.contains(&key.as_str())) {
                let mine = ours.get(key).unwrap_or_else(|| panic!("{at}.{key} is missing"));
                assert_shape(mine, value, &format!("{at}.{key}"), optional);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                assert_shape(ours, theirs, &format!("{at}[0]"), optional);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (ours, theirs) => {
            assert_eq!(std::mem::discriminant(ours), std::mem::discriminant(theirs), "{at}: {ours} {theirs}")
        }
    }
}

#[tokio::test]
async fn describe_has_the_recorded_keys() {
    let Some(recording) = read("rest/describe/OpportunityContactRole.json") else { return };
    let scene = Scene::new().await;
    let ours = scene.get("sobjects/OpportunityContactRole/describe").await.body;
    assert_shape(&ours, &recording, "describe", &["urls", "recordTypeInfos"]);
    for field in recording["fields"].as_array().unwrap() {
        let mine = ours["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["name"] == field["name"])
            .unwrap_or_else(|| panic!("{}", field["name"]));
        for key in [
            "type",
            "referenceTo",
            "relationshipName",
            "soapType",
            "nillable",
            "createable",
            "updateable",
            "externalId",
        ] {
            assert_eq!(mine[key], field[key], "{} {key}", field["name"]);
        }
    }
}

#[tokio::test]
async fn standard_fields_are_described_as_recorded() {
    for object in ["Account", "Contact", "Lead", "Opportunity", "Case"] {
        let Some(recording) = read(&format!("rest/describe/{object}.json")) else { return };
        let scene = Scene::new().await;
        let ours = scene.get(&format!("sobjects/{object}/describe")).await.body;
        for field in ours["fields"].as_array().unwrap() {
            let Some(theirs) = recording["fields"].as_array().unwrap().iter().find(|f| f["name"] == field["name"])
            else {
                continue;
            };
            for key in [
                "type",
                "nillable",
                "createable",
                "updateable",
                "defaultedOnCreate",
                "idLookup",
                "nameField",
                "relationshipName",
            ] {
                assert_eq!(field[key], theirs[key], "{object}.{} {key}", field["name"]);
            }
        }
        assert_eq!(ours["keyPrefix"], recording["keyPrefix"]);
    }
}

#[tokio::test]
async fn describe_global_versions_and_limits_have_the_recorded_keys() {
    let Some(recording) = read("rest/describe/global-shortened.json") else { return };
    let scene = Scene::new().await;
    assert_shape(&scene.get("sobjects").await.body, &recording, "global", &["urls"]);
    let versions = scene.plain(scene.http.get(format!("{}/services/data", scene.org.url()))).await;
    assert_shape(&versions.body, &read("rest/versions.json").unwrap(), "versions", &[]);
    let limits = read("rest/limits.json").unwrap();
    let ours = scene.get("limits").await.body;
    for (name, limit) in ours.as_object().unwrap() {
        assert_shape(limit, &limits[name], name, &[]);
        assert!(limits.get(name).is_some(), "{name} is no limit of a real org");
    }
    let count = scene.get("limits/recordCount?sObjects=Account").await.body;
    assert_shape(&count, &read("rest/query/record-count.json").unwrap(), "recordCount", &[]);
    assert_eq!(count, json!({"sObjects": [{"count": 5, "name": "Account"}]}));
}

#[tokio::test]
async fn ui_api_has_the_recorded_keys() {
    let Some(recording) = read("ui-api/object-info-account.json") else { return };
    let scene = Scene::new().await;
    assert_shape(&scene.get("ui-api/object-info/Account").await.body, &recording, "object-info", &["fields"]);
    let field = |info: &Value| info["fields"]["ParentId"].clone();
    assert_shape(&field(&scene.get("ui-api/object-info/Account").await.body), &field(&recording), "ParentId", &[]);
    let types = scene.get("ui-api/object-info/Account/picklist-values/012000000000000AAA/Type").await.body;
    let mut recorded_types = read("ui-api/picklist-values-account-type.json").unwrap();
    for (key, value) in [("eTag", types["eTag"].clone()), ("url", types["url"].clone())] {
        recorded_types[key] = value;
    }
    assert_eq!(types, recorded_types);
}

#[tokio::test]
async fn identity_userinfo_and_discovery_have_the_recorded_keys() {
    let Some(recording) = read("oauth/userinfo-2026.json") else { return };
    let scene = Scene::new().await;
    let url = scene.org.url();
    let userinfo =
        scene.plain(scene.http.get(format!("{url}/services/oauth2/userinfo")).bearer_auth(scene.token())).await.body;
    assert_shape(&userinfo, &recording, "userinfo", &["feeds", "groups", "users", "feed_items", "feed_elements"]);
    let admin = scene.org.users().remove(0);
    let identity = scene
        .plain(scene.http.get(format!("{url}/id/{}/{}", scene.org.org_id(), admin.id)).bearer_auth(scene.token()))
        .await
        .body;
    assert_shape(&identity, &read("oauth/identity.json").unwrap(), "identity", &["custom_attributes"]);
    let discovery = scene.plain(scene.http.get(format!("{url}/.well-known/openid-configuration"))).await.body;
    assert_shape(&discovery, &read("oauth/openid-configuration.json").unwrap(), "discovery", &[]);
}

#[tokio::test]
async fn errors_are_worded_as_recorded() {
    if recorded("rest/errors/not-found-404.json").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let compare = |answer: &crate::support::Answer, path: &str| assert_eq!(answer.body, read(path).unwrap(), "{path}");

    compare(&scene.get("sobjects/Foo").await, "rest/errors/not-found-404.json");
    compare(&scene.get("sobjects/Account/23foo").await, "rest/errors/external-id-field-unknown-404.json");
    compare(
        &scene.post("sobjects/Account", json!({"Name": "x", "AccountNumer": "1"})).await,
        "rest/errors/unknown-field-400.json",
    );
    compare(
        &scene.patch(&format!("sobjects/Account/{account}"), json!({"MasterRecordId": account})).await,
        "rest/errors/field-not-writeable-400.json",
    );
    scene.delete(&format!("sobjects/Account/{account}")).await;
    compare(&scene.get(&format!("sobjects/Account/{account}")).await, "rest/errors/entity-is-deleted-404.json");
    let contacts = json!({"allOrNone": true, "records": [{"attributes": {"type": "Contact"}}, {"attributes": {"type": "Contact"}, "LastName": "x"}]});
    compare(
        &scene.post("composite/sobjects", contacts).await,
        "rest/collections/create-contacts-partial-but-allOrNone.json",
    );
    compare(
        &scene.post("composite/sobjects", json!({"records": []})).await,
        "rest/collections/create-contacts-err-bad-request.json",
    );
    scene.org.expire_sessions(crate::support::ADMIN).unwrap();
    compare(&scene.get("limits").await, "rest/errors/session-expired-401.json");
}
