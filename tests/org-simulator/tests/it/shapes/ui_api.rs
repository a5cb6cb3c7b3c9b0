//! User Interface API and GraphQL, beside the recordings of `ui-api`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest},
    assert_rows, assert_shape, read,
};
use crate::support::Scene;

pub(super) const RECORDINGS: &[(&str, Comparison)] = &[
    ("ui-api/create-record-account.json", ByTest("ui_api_records_have_the_recorded_keys")),
    ("ui-api/get-record-contact.json", ByTest("ui_api_records_have_the_recorded_keys")),
    ("ui-api/graphql-opportunities.json", ByTest("graphql_responses_are_as_recorded")),
    ("ui-api/list-ui-contacts.json", ByTest("list_views_come_as_recorded")),
    ("ui-api/object-info-account.json", ByTest("ui_api_has_the_recorded_keys")),
    ("ui-api/picklist-values-account-type.json", ByTest("ui_api_has_the_recorded_keys")),
    ("ui-api/picklist-values-by-record-type-account.json", ByTest("ui_api_has_the_recorded_keys")),
    ("ui-api/record-defaults-create-account.json", ByTest("a_new_record_starts_as_recorded")),
];

#[tokio::test]
async fn ui_api_records_have_the_recorded_keys() {
    let Some(theirs) = read("ui-api/create-record-account.json") else { return };
    let scene = Scene::new().await;
    let made =
        scene.post("ui-api/records", json!({"apiName": "Account", "fields": {"Name": "Universal Containers"}})).await;
    assert_eq!(made.status, 201);
    assert_shape(&made.body, &theirs, "create", &[]);
    let contact =
        scene.query("SELECT Id FROM Contact LIMIT 1").await.body["records"][0]["Id"].as_str().unwrap().to_owned();
    let path = format!("ui-api/records/{contact}?fields=Contact.Email,Contact.Name,Contact.Phone,Contact.Title");
    assert_shape(
        &scene.get(&path).await.body,
        &read("ui-api/get-record-contact.json").unwrap(),
        "contact",
        &["Picture__c"],
    );
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
    let all = scene.get("ui-api/object-info/Account/picklist-values/012000000000000AAA").await.body;
    let recorded_all = read("ui-api/picklist-values-by-record-type-account.json").unwrap();
    for (name, field) in all["picklistFieldValues"].as_object().unwrap() {
        if let Some(recorded) = recorded_all["picklistFieldValues"].get(name) {
            assert_shape(field, recorded, name, &[]);
        }
    }
    assert_shape(&all["eTag"], &recorded_all["eTag"], "eTag", &[]);
}

#[tokio::test]
async fn a_new_record_starts_as_recorded() {
    let Some(theirs) = read("ui-api/record-defaults-create-account.json") else { return };
    let scene = Scene::new().await;
    scene
        .admin(
            reqwest::Method::POST,
            "objects",
            Some(json!({"name": "Account", "fields": [{"name": "AreaNumber__c", "type": "double"}]})),
        )
        .await;
    let ours = scene.get("ui-api/record-defaults/create/Account").await.body;
    let users = &theirs["objectInfos"]["User"]["fields"];
    assert_shape(&ours["layout"], &theirs["layout"], "layout", &[]);
    assert_shape(&ours["record"], &theirs["record"], "record", &[]);
    for object in ["Account", "User"] {
        let (ours, theirs) = (&ours["objectInfos"][object], &theirs["objectInfos"][object]);
        assert_shape(ours, theirs, object, &["fields", "dependentFields", "recordTypeInfos"]);
    }
    assert_shape(&ours["objectInfos"]["User"]["fields"]["Name"], &users["Name"], "User.Name", &[]);

    let items = |body: &Value| -> std::collections::BTreeMap<String, Value> {
        let sections = body["layout"]["sections"].as_array().unwrap().iter();
        let rows = sections.flat_map(|section| section["layoutRows"].as_array().unwrap());
        let items = rows.flat_map(|row| row["layoutItems"].as_array().unwrap());
        items.map(|item| (item["layoutComponents"][0]["apiName"].to_string(), item.clone())).collect()
    };
    let headings = |body: &Value| -> Vec<(Value, Value)> {
        let sections = body["layout"]["sections"].as_array().unwrap().iter();
        sections.map(|section| (section["heading"].clone(), section["columns"].clone())).collect()
    };
    assert_eq!(headings(&ours), headings(&theirs));
    let mine = items(&ours);
    for (name, item) in items(&theirs).iter().filter(|(name, _)| *name != "null") {
        let mine = mine.get(name).unwrap_or_else(|| panic!("{name} is not in the layout"));
        assert_shape(mine, item, name, &[]);
        for key in ["editableForNew", "editableForUpdate", "required", "sortable", "lookupIdApiName"] {
            assert_eq!(mine[key], item[key], "{name} {key}");
        }
        let parts = |item: &Value| -> Vec<Value> {
            item["layoutComponents"].as_array().unwrap().iter().map(|part| part["apiName"].clone()).collect()
        };
        assert_eq!(parts(mine), parts(item));
    }
}

#[tokio::test]
async fn graphql_responses_are_as_recorded() {
    let Some(theirs) = read("ui-api/graphql-opportunities.json") else { return };
    let scene = Scene::new().await;
    let node = "Id Name { value } Amount { value } StageName { value } IsClosed { value } OwnerId { value }";
    let query = format!("query {{ uiapi {{ query {{ Opportunity {{ edges {{ node {{ {node} }} }} }} }} }} }}");
    let ours = scene.post("graphql", json!({"query": query})).await;
    assert_eq!((ours.status, &ours.body["errors"]), (200, &json!([])));
    assert_shape(&ours.body["data"], &theirs, "data", &[]);
    let edges = |data: &Value| data["uiapi"]["query"]["Opportunity"]["edges"].clone();
    let nodes = [json!([edges(&ours.body["data"])[0]["node"]]), json!([edges(&theirs)[0]["node"]])];
    assert!(nodes[0][0]["Id"].is_string());
    assert_rows(&nodes[0], &nodes[1], "node");
    assert_rows(&json!([nodes[0][0]["Name"]]), &json!([nodes[1][0]["Name"]]), "Name");
}
