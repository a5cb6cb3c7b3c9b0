use org_simulator::ObjectPermissions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CASEY, JORDAN, Scene};

const REP: &str = "Standard User";

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry[key] == name).unwrap()
}

async fn limited(object: &str, permissions: &ObjectPermissions) -> Scene {
    let mut scene = Scene::new().await;
    scene.org.limit_profile(REP, object, permissions).unwrap();
    scene.log_in(CASEY);
    scene
}

#[tokio::test]
async fn a_hidden_object_does_not_exist() {
    let mut scene = limited("Lead", &ObjectPermissions { hidden: true, ..ObjectPermissions::default() }).await;
    let body = json!({"LastName": "x", "Company": "y"});

    assert!(!names(&scene.get("sobjects").await.body["sobjects"], "name").contains(&"Lead"));
    for path in ["sobjects/Lead", "sobjects/Lead/describe", "composite/sobjects/Lead?ids=x&fields=Id"] {
        assert_eq!(scene.get(path).await.code(), "NOT_FOUND", "{path}");
    }
    assert_eq!(scene.post("sobjects/Lead", body.clone()).await.code(), "NOT_FOUND");
    let record = json!({"attributes": {"type": "Lead"}, "LastName": "x", "Company": "y"});
    let many = scene.post("composite/sobjects", json!({"records": [record]})).await;
    assert_eq!(many.body[0]["errors"][0]["statusCode"], "INVALID_TYPE");
    let relations = scene.get("sobjects/User/describe").await.body["childRelationships"].clone();
    assert!(!names(&relations, "childSObject").contains(&"Lead"));

    scene.log_in(crate::support::ADMIN);
    assert_eq!(scene.post("sobjects/Lead", body).await.status, 201);
}

#[tokio::test]
async fn describe_reports_the_users_permissions() {
    let permissions = ObjectPermissions { no_create: true, no_delete: true, ..ObjectPermissions::default() };
    let scene = limited("Account", &permissions).await;
    let global = scene.get("sobjects").await.body;
    let own = scene.get("sobjects/Account/describe").await.body;
    for object in [named(&global["sobjects"], "name", "Account"), &own] {
        assert_eq!(
            (&object["createable"], &object["deletable"], &object["updateable"]),
            (&json!(false), &json!(false), &json!(true))
        );
    }
    let name = named(&own["fields"], "name", "Name");
    assert_eq!((&name["createable"], &name["updateable"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn writes_without_permission_are_rejected() {
    let permissions =
        ObjectPermissions { no_create: true, no_edit: true, no_delete: true, ..ObjectPermissions::default() };
    let scene = limited("Account", &permissions).await;
    let path = format!("sobjects/Account/{}", scene.id_of("Account", "Fjordglass Optics").await);

    let created = scene.post("sobjects/Account", json!({"Name": "x"})).await;
    let changed = scene.patch(&path, json!({"Name": "x"})).await;
    let deleted = scene.delete(&path).await;

    let refusal = |verb: &str| json!([{"message": format!("entity type cannot be {verb}: Account"), "errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "fields": []}]);
    assert_eq!((created.status, created.body), (400, refusal("inserted")));
    assert_eq!((changed.status, changed.body), (400, refusal("updated")));
    assert_eq!((deleted.status, deleted.code()), (403, "INSUFFICIENT_ACCESS_OR_READONLY"));
    assert_eq!(scene.get(&path).await.body["Name"], "Fjordglass Optics");
}

#[tokio::test]
async fn hidden_fields_do_not_exist_and_locked_ones_are_read_only() {
    let permissions = ObjectPermissions {
        hidden_fields: vec!["Industry".into(), "Ferry_External_Id__c".into()],
        locked_fields: vec!["Rating".into()],
        ..ObjectPermissions::default()
    };
    let scene = limited("Account", &permissions).await;
    let path = format!("sobjects/Account/{}", scene.id_of("Account", "Fjordglass Optics").await);

    let fields = scene.get("sobjects/Account/describe").await.body["fields"].clone();
    assert!(!names(&fields, "name").contains(&"Industry"));
    assert_eq!(named(&fields, "name", "Rating")["updateable"], false);
    assert!(scene.get(&path).await.body.get("Industry").is_none());
    assert_eq!(scene.get(&format!("{path}?fields=Industry")).await.code(), "INVALID_FIELD");
    let hidden = scene.patch(&path, json!({"Industry": "Retail"})).await;
    assert_eq!(
        hidden.body,
        json!([{"message": "No such column 'Industry' on sobject of type Account", "errorCode": "INVALID_FIELD"}])
    );
    let locked = scene.post("sobjects/Account", json!({"Name": "x", "Rating": "Hot"})).await;
    assert_eq!((locked.code(), &locked.body[0]["fields"]), ("INVALID_FIELD_FOR_INSERT_UPDATE", &json!(["Rating"])));
    let key = "sobjects/Account/Ferry_External_Id__c/ACC-1001";
    assert_eq!(scene.patch(key, json!({"Name": "x"})).await.code(), "NOT_FOUND");
    assert_eq!(scene.get(key).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_hidden_record_type_cannot_be_assigned() {
    let scene = Scene::new().await;
    let body = json!({"objects": {"Opportunity": {"hidden_record_types": ["New_Business"]}}});
    let answer = scene.admin(Method::PATCH, "profiles/Standard%20User", Some(body)).await;
    assert_eq!(answer.status, 200);
    let mut scene = scene;
    scene.log_in(CASEY);

    let types = scene.get("sobjects/Opportunity/describe").await.body["recordTypeInfos"].clone();
    let hidden = named(&types, "developerName", "New_Business");
    assert_eq!(
        (&hidden["available"], &named(&types, "developerName", "Renewal")["available"]),
        (&json!(false), &json!(true))
    );
    let body = |record_type: &Value| json!({"Name": "x", "StageName": "Qualification", "CloseDate": "2026-12-01", "RecordTypeId": record_type});
    let refused = scene.post("sobjects/Opportunity", body(&hidden["recordTypeId"])).await;
    assert_eq!((refused.code(), &refused.body[0]["fields"]), ("INVALID_CROSS_REFERENCE_KEY", &json!(["RecordTypeId"])));
    let unset = scene
        .post("sobjects/Opportunity", json!({"Name": "x", "StageName": "Qualification", "CloseDate": "2026-12-01"}))
        .await;
    let record = scene.org.record("Opportunity", unset.body["id"].as_str().unwrap()).unwrap();
    assert_eq!(record["RecordTypeId"], Value::Null);
}

#[tokio::test]
async fn a_hidden_record_cannot_be_referenced() {
    let mut scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    scene.org.set_private("Account", true).unwrap();
    scene.log_in(JORDAN);
    let refused = scene.post("sobjects/Contact", json!({"LastName": "x", "AccountId": account})).await;
    assert_eq!((refused.status, refused.code()), (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"));
    assert_eq!(
        refused.body[0]["message"],
        format!("insufficient access rights on cross-reference id: {}", &account[..15])
    );
}

#[tokio::test]
async fn restrictions_on_unknown_names_are_rejected() {
    let scene = Scene::new().await;
    for (profile, body) in [
        ("Nobody", json!({"objects": {"Account": {}}})),
        ("Standard%20User", json!({"objects": {"Nope": {}}})),
        ("Standard%20User", json!({"objects": {"Account": {"hidden_fields": ["Nope"]}}})),
        ("Standard%20User", json!({"objects": {"Account": {"hidden_record_types": ["Nope"]}}})),
        ("Standard%20User", json!({"objects": {"Account": {"invisible": true}}})),
    ] {
        let answer = scene.admin(Method::PATCH, &format!("profiles/{profile}"), Some(body.clone())).await;
        assert!((400..500).contains(&answer.status), "{profile} {body}: {}", answer.status);
    }
}
