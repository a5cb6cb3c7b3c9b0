use org_simulator::{ObjectPermissions, PermissionSet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CASEY, JORDAN, TestContext};

const REP: &str = "Standard User";

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry[key] == name).unwrap()
}

async fn limited(object: &str, permissions: &ObjectPermissions) -> TestContext {
    let mut context = TestContext::new().await;
    context.org.limit_profile(REP, object, permissions).unwrap();
    context.log_in(CASEY);
    context
}

#[tokio::test]
async fn a_hidden_object_does_not_exist() {
    let mut context = limited("Lead", &ObjectPermissions { hidden: true, ..ObjectPermissions::default() }).await;
    let body = json!({"LastName": "x", "Company": "y"});

    assert!(!names(&context.get("sobjects").await.body["sobjects"], "name").contains(&"Lead"));
    for path in ["sobjects/Lead", "sobjects/Lead/describe", "composite/sobjects/Lead?ids=x&fields=Id"] {
        assert_eq!(context.get(path).await.code(), "NOT_FOUND", "{path}");
    }
    assert_eq!(context.post("sobjects/Lead", body.clone()).await.code(), "NOT_FOUND");
    let record = json!({"attributes": {"type": "Lead"}, "LastName": "x", "Company": "y"});
    let many = context.post("composite/sobjects", json!({"records": [record]})).await;
    assert_eq!(many.body[0]["errors"][0]["statusCode"], "INVALID_TYPE");
    let relations = context.get("sobjects/User/describe").await.body["childRelationships"].clone();
    assert!(!names(&relations, "childSObject").contains(&"Lead"));

    context.log_in(crate::support::ADMIN);
    assert_eq!(context.post("sobjects/Lead", body).await.status, 201);
}

#[tokio::test]
async fn describe_reports_the_users_permissions() {
    let permissions = ObjectPermissions { no_create: true, no_delete: true, ..ObjectPermissions::default() };
    let context = limited("Account", &permissions).await;
    let global = context.get("sobjects").await.body;
    let own = context.get("sobjects/Account/describe").await.body;
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
    let context = limited("Account", &permissions).await;
    let path = format!("sobjects/Account/{}", context.id_of("Account", "Fjordglass Optics").await);

    let created = context.post("sobjects/Account", json!({"Name": "x"})).await;
    let changed = context.patch(&path, json!({"Name": "x"})).await;
    let deleted = context.delete(&path).await;

    let refusal = |verb: &str| json!([{"message": format!("entity type cannot be {verb}: Account"), "errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "fields": []}]);
    assert_eq!((created.status, created.body), (400, refusal("inserted")));
    assert_eq!((changed.status, changed.body), (400, refusal("updated")));
    assert_eq!((deleted.status, deleted.code()), (403, "INSUFFICIENT_ACCESS_OR_READONLY"));
    assert_eq!(context.get(&path).await.body["Name"], "Fjordglass Optics");
}

#[tokio::test]
async fn hidden_fields_do_not_exist_and_locked_ones_are_read_only() {
    let permissions = ObjectPermissions {
        hidden_fields: vec!["Industry".into(), "Ferry_External_Id__c".into()],
        locked_fields: vec!["Rating".into()],
        ..ObjectPermissions::default()
    };
    let context = limited("Account", &permissions).await;
    let path = format!("sobjects/Account/{}", context.id_of("Account", "Fjordglass Optics").await);

    let fields = context.get("sobjects/Account/describe").await.body["fields"].clone();
    assert!(!names(&fields, "name").contains(&"Industry"));
    assert_eq!(named(&fields, "name", "Rating")["updateable"], false);
    assert!(context.get(&path).await.body.get("Industry").is_none());
    assert_eq!(context.get(&format!("{path}?fields=Industry")).await.code(), "INVALID_FIELD");
    let hidden = context.patch(&path, json!({"Industry": "Retail"})).await;
    assert_eq!(
        hidden.body,
        json!([{"message": "No such column 'Industry' on sobject of type Account", "errorCode": "INVALID_FIELD"}])
    );
    let locked = context.post("sobjects/Account", json!({"Name": "x", "Rating": "Hot"})).await;
    assert_eq!((locked.code(), &locked.body[0]["fields"]), ("INVALID_FIELD_FOR_INSERT_UPDATE", &json!(["Rating"])));
    let key = "sobjects/Account/Ferry_External_Id__c/ACC-1001";
    assert_eq!(context.patch(key, json!({"Name": "x"})).await.code(), "NOT_FOUND");
    assert_eq!(context.get(key).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_hidden_record_type_cannot_be_assigned() {
    let context = TestContext::new().await;
    let body = json!({"objects": {"Opportunity": {"hidden_record_types": ["New_Business"]}}});
    let response = context.admin(Method::PATCH, "profiles/Standard%20User", Some(body)).await;
    assert_eq!(response.status, 200);
    let mut context = context;
    context.log_in(CASEY);

    let types = context.get("sobjects/Opportunity/describe").await.body["recordTypeInfos"].clone();
    let hidden = named(&types, "developerName", "New_Business");
    assert_eq!(
        (&hidden["available"], &named(&types, "developerName", "Renewal")["available"]),
        (&json!(false), &json!(true))
    );
    let body = |record_type: &Value| json!({"Name": "x", "StageName": "Qualification", "CloseDate": "2026-12-01", "RecordTypeId": record_type});
    let refused = context.post("sobjects/Opportunity", body(&hidden["recordTypeId"])).await;
    assert_eq!((refused.code(), &refused.body[0]["fields"]), ("INVALID_CROSS_REFERENCE_KEY", &json!(["RecordTypeId"])));
    let unset = context
        .post("sobjects/Opportunity", json!({"Name": "x", "StageName": "Qualification", "CloseDate": "2026-12-01"}))
        .await;
    let record = context.org.record("Opportunity", unset.body["id"].as_str().unwrap()).unwrap();
    assert_eq!(record["RecordTypeId"], Value::Null);
}

#[tokio::test]
async fn a_hidden_record_cannot_be_referenced() {
    let mut context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    context.org.set_private("Account", true).unwrap();
    context.log_in(JORDAN);
    let refused = context.post("sobjects/Contact", json!({"LastName": "x", "AccountId": account})).await;
    assert_eq!((refused.status, refused.code()), (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"));
    assert_eq!(
        refused.body[0]["message"],
        format!("insufficient access rights on cross-reference id: {}", &account[..15])
    );
}

#[tokio::test]
async fn restrictions_on_unknown_names_are_rejected() {
    let context = TestContext::new().await;
    for (profile, body) in [
        ("Nobody", json!({"objects": {"Account": {}}})),
        ("Standard%20User", json!({"objects": {"Nope": {}}})),
        ("Standard%20User", json!({"objects": {"Account": {"hidden_fields": ["Nope"]}}})),
        ("Standard%20User", json!({"objects": {"Account": {"hidden_record_types": ["Nope"]}}})),
        ("Standard%20User", json!({"objects": {"Account": {"invisible": true}}})),
    ] {
        let response = context.admin(Method::PATCH, &format!("profiles/{profile}"), Some(body.clone())).await;
        assert!((400..500).contains(&response.status), "{profile} {body}: {}", response.status);
    }
}

const RIGHTS: &str = "SELECT PermissionsCustomizeApplication, PermissionsModifyAllData, PermissionsViewAllData, \
                      PermissionsViewSetup FROM UserPermissionAccess";

async fn rows(context: &TestContext, soql: &str) -> Value {
    context.query(soql).await.body["records"].clone()
}

/// Returns the objects of which the user may view all records by a permission set.
fn view_all(context: &TestContext, username: &str) -> String {
    let user = context.org.users().into_iter().find(|user| user.username == username).unwrap().id;
    format!(
        "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = TRUE AND ParentId IN \
         (SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{user}')"
    )
}

#[tokio::test]
async fn each_user_sees_the_own_system_permissions() {
    let mut context = TestContext::new().await;
    for (username, admin) in [(crate::support::ADMIN, true), (CASEY, false)] {
        context.log_in(username);
        let found = rows(&context, RIGHTS).await;
        assert_eq!(found.as_array().unwrap().len(), 1, "{username}");
        for (name, has) in
            [("CustomizeApplication", admin), ("ModifyAllData", admin), ("ViewAllData", admin), ("ViewSetup", true)]
        {
            assert_eq!(found[0][format!("Permissions{name}")], has, "{username} {name}");
        }
    }
}

#[tokio::test]
async fn only_users_with_view_setup_see_permission_sets() {
    let mut context = TestContext::new().await;
    let set = "SELECT Id FROM PermissionSet WHERE IsOwnedByProfile = TRUE AND PermissionsViewAllData = FALSE";
    let set = rows(&context, set).await[0]["Id"].as_str().unwrap().to_owned();
    for (shown, count) in [(true, 1), (false, 0)] {
        context.log_in(crate::support::ADMIN);
        context.patch(&format!("sobjects/PermissionSet/{set}"), json!({"PermissionsViewSetup": shown})).await;
        context.log_in(CASEY);
        for object in ["PermissionSet", "PermissionSetAssignment"] {
            let found = rows(&context, &format!("SELECT Id FROM {object} LIMIT 1")).await;
            assert_eq!(found.as_array().unwrap().len(), count, "{object} {shown}");
        }
    }
}

#[tokio::test]
async fn assignment_rules_are_records() {
    let context = TestContext::new().await;
    let rule = |name: &str| json!({"name": name, "object": "Lead", "active": true, "entries": [{"owner": CASEY}]});
    for name in ["First", "Second"] {
        context.admin(Method::POST, "assignment-rules", Some(rule(name))).await;
    }
    let soql = "SELECT Name, SobjectType, Active FROM AssignmentRule ORDER BY Name";
    let found = rows(&context, soql).await;
    let shown = |at: usize| (found[at]["Name"].clone(), found[at]["SobjectType"].clone(), found[at]["Active"].clone());
    assert_eq!(shown(0), (json!("First"), json!("Lead"), json!(false)), "one rule of an object is active");
    assert_eq!(shown(1), (json!("Second"), json!("Lead"), json!(true)));
    context.admin(Method::DELETE, "rules/Second", None).await;
    assert_eq!(rows(&context, soql).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn view_all_records_shows_private_records() {
    let mut context = TestContext::new().await;
    context.org.set_private("Account", true).unwrap();
    context.org.set_private("Lead", true).unwrap();
    context.log_in(CASEY);
    let count = async |context: &TestContext, object: &str| {
        rows(context, &format!("SELECT Id FROM {object}")).await.as_array().unwrap().len()
    };
    let (accounts, leads) = (count(&context, "Account").await, count(&context, "Lead").await);

    let granted = PermissionSet { view_all: vec!["account".to_owned()], ..PermissionSet::default() };
    context.org.assign_permission_set(CASEY, &granted).unwrap();

    assert!(count(&context, "Account").await > accounts);
    assert_eq!(count(&context, "Lead").await, leads);
    let found = rows(&context, &view_all(&context, CASEY)).await;
    assert_eq!((found.as_array().unwrap().len(), &found[0]["SobjectType"]), (1, &json!("Account")));
    assert_eq!(rows(&context, &view_all(&context, JORDAN)).await, json!([]));

    let granted = PermissionSet { system: vec!["ViewAllData".to_owned()], ..PermissionSet::default() };
    context.org.assign_permission_set(CASEY, &granted).unwrap();
    assert!(count(&context, "Lead").await > leads);
    assert_eq!(rows(&context, RIGHTS).await[0]["PermissionsViewAllData"], true);
}
