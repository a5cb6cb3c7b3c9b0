//! Users over the API: created, changed, deactivated and frozen; licenses and permission sets.

use reqwest::Method;
use serde_json::{Value, json};

use crate::oauth::text;
use crate::support::{ADMIN, CASEY, JORDAN, TestContext};

/// Returns a user that can be created.
async fn new_user(context: &TestContext, username: &str) -> Value {
    let profile = context.id_of("Profile", "Standard User").await;
    json!({
        "Username": username, "LastName": "Falk", "FirstName": "Mira", "Email": "mira@larkspur.example", "Alias": "mfalk",
        "ProfileId": profile, "TimeZoneSidKey": "Europe/Oslo", "LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US",
        "EmailEncodingKey": "UTF-8",
    })
}

fn id(context: &TestContext, username: &str) -> String {
    context.org.users().into_iter().find(|user| user.username == username).unwrap().id
}

async fn first(context: &TestContext, soql: &str) -> Value {
    context.query(soql).await.body["records"][0].clone()
}

#[tokio::test]
async fn an_administrator_creates_a_user_who_can_log_in() {
    let mut context = TestContext::new().await;
    let body = new_user(&context, "mira@larkspur.example").await;
    let created = context.post("sobjects/User", body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let user = created.body["id"].as_str().unwrap().to_owned();

    let row = context.get(&format!("sobjects/User/{user}")).await.body;
    assert_eq!(
        (&row["Name"], &row["IsActive"], &row["UserType"], &row["CommunityNickname"]),
        (&json!("Mira Falk"), &json!(true), &json!("Standard"), &json!("mira"))
    );
    let login = first(&context, &format!("SELECT IsFrozen FROM UserLogin WHERE UserId = '{user}'")).await;
    assert_eq!(login["IsFrozen"], false);
    let set = format!("SELECT PermissionSet.IsOwnedByProfile FROM PermissionSetAssignment WHERE AssigneeId = '{user}'");
    assert_eq!(first(&context, &set).await["PermissionSet"]["IsOwnedByProfile"], true);
    context.log_in("mira@larkspur.example");
    let own = context.post("sobjects/Account", json!({"Name": "Mira's"})).await;
    let owner = context.org.record("Account", own.body["id"].as_str().unwrap()).unwrap()["OwnerId"].clone();
    assert_eq!(owner, json!(user));
}

#[tokio::test]
async fn a_user_that_is_not_complete_or_not_new_is_refused() {
    let mut context = TestContext::new().await;
    let missing = context.post("sobjects/User", json!({"LastName": "x"})).await;
    assert_eq!(missing.code(), "REQUIRED_FIELD_MISSING");
    let fields = missing.body[0]["fields"].as_array().unwrap();
    for field in [
        "Username",
        "Email",
        "Alias",
        "ProfileId",
        "TimeZoneSidKey",
        "LocaleSidKey",
        "LanguageLocaleKey",
        "EmailEncodingKey",
    ] {
        assert!(fields.contains(&json!(field)), "{field}: {fields:?}");
    }
    for (username, code) in [(CASEY, "DUPLICATE_USERNAME"), ("mira", "INVALID_EMAIL_ADDRESS")] {
        let body = new_user(&context, username).await;
        assert_eq!(context.post("sobjects/User", body).await.code(), code);
    }
    let body = new_user(&context, "mira@larkspur.example").await;
    let profiles = context.org.users().len();
    context.log_in(CASEY);
    let refused = context.post("sobjects/User", body).await;
    assert_eq!((refused.status, refused.code()), (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"));
    assert_eq!(context.org.users().len(), profiles);
}

#[tokio::test]
async fn a_user_changes_the_own_record_but_not_the_own_rights() {
    let mut context = TestContext::new().await;
    let (casey, jordan) = (id(&context, CASEY), id(&context, JORDAN));
    context.log_in(CASEY);
    assert_eq!(context.patch(&format!("sobjects/User/{casey}"), json!({"Title": "Rep"})).await.status, 204);
    let admin_profile = context.id_of("Profile", "System Administrator").await;
    let raised = context.patch(&format!("sobjects/User/{casey}"), json!({"ProfileId": admin_profile})).await;
    assert_eq!(raised.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    let other = context.patch(&format!("sobjects/User/{jordan}"), json!({"Title": "x"})).await;
    assert_eq!((other.status, other.code()), (403, "INSUFFICIENT_ACCESS_OR_READONLY"));
    for (object, body) in [
        ("UserRole", json!({"Name": "x"})),
        ("Group", json!({"Name": "x", "Type": "Regular"})),
        ("PermissionSet", json!({"Name": "x", "Label": "x"})),
    ] {
        let refused = context.post(&format!("sobjects/{object}"), body).await;
        assert_eq!(refused.code(), "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "{object}");
    }
    context.log_in(ADMIN);
    assert_eq!(context.delete(&format!("sobjects/User/{casey}")).await.code(), "INSUFFICIENT_ACCESS_OR_READONLY");
    let own = id(&context, ADMIN);
    assert_eq!(context.patch(&format!("sobjects/User/{own}"), json!({"IsActive": false})).await.status, 400);
}

#[tokio::test]
async fn a_deactivated_user_has_no_access_and_no_new_records() {
    let mut context = TestContext::new().await;
    let casey = id(&context, CASEY);
    let grant = context.granted(CASEY).await;
    let token = context.org.access_token(CASEY).unwrap();
    let path = format!("sobjects/User/{casey}");
    assert_eq!(context.patch(&path, json!({"IsActive": false})).await.status, 204);

    let url = format!("{}/services/data/v66.0/limits", context.org.url());
    for token in [&*token, text(&grant["access_token"])] {
        assert_eq!(context.plain(context.http.get(&url).bearer_auth(token)).await.code(), "INVALID_SESSION_ID");
    }
    let refreshed = context.refresh(text(&grant["refresh_token"])).await;
    assert_eq!((refreshed.status, text(&refreshed.body["error"])), (400, "invalid_grant"), "{}", refreshed.body);
    let owned = context.post("sobjects/Account", json!({"Name": "x", "OwnerId": casey})).await;
    assert_eq!((owned.code(), &owned.body[0]["fields"]), ("INACTIVE_OWNER_OR_USER", &json!(["OwnerId"])));

    assert_eq!(context.patch(&path, json!({"IsActive": true})).await.status, 204);
    let ended = context.plain(context.http.get(&url).bearer_auth(&token)).await;
    assert_eq!(ended.code(), "INVALID_SESSION_ID", "the old session does not come back");
    context.log_in(CASEY);
    assert_eq!(context.get("limits").await.status, 200);
}

#[tokio::test]
async fn a_user_is_frozen_by_the_user_login() {
    let mut context = TestContext::new().await;
    let casey = id(&context, CASEY);
    let token = context.org.access_token(CASEY).unwrap();
    let grant = context.granted(CASEY).await;
    let login = first(&context, &format!("SELECT Id FROM UserLogin WHERE UserId = '{casey}'")).await;
    let path = format!("sobjects/UserLogin/{}", login["Id"].as_str().unwrap());
    assert_eq!(context.patch(&path, json!({"IsFrozen": true})).await.status, 204);
    let url = format!("{}/services/data/v66.0/limits", context.org.url());
    assert_eq!(context.plain(context.http.get(&url).bearer_auth(&token)).await.code(), "INVALID_SESSION_ID");
    let refreshed = context.refresh(text(&grant["refresh_token"])).await;
    assert_eq!((refreshed.status, text(&refreshed.body["error"])), (400, "invalid_grant"), "{}", refreshed.body);
    // A frozen user still owns records.
    assert_eq!(context.post("sobjects/Account", json!({"Name": "x", "OwnerId": casey})).await.status, 201);

    context.org.set_user_frozen(CASEY, false).unwrap();
    assert_eq!(context.get(&path).await.body["IsFrozen"], false);
    context.log_in(CASEY);
    assert_eq!(context.get("limits").await.status, 200);
    assert_eq!(context.patch(&path, json!({"IsFrozen": true})).await.status, 400, "administrators only");
}

#[tokio::test]
async fn there_are_no_more_active_users_than_licenses() {
    let context = TestContext::new().await;
    assert_eq!(context.admin(Method::POST, "settings", Some(json!({"licenses": 3}))).await.status, 200);
    let body = new_user(&context, "mira@larkspur.example").await;
    let refused = context.post("sobjects/User", body.clone()).await;
    assert_eq!((refused.status, refused.code()), (400, "LICENSE_LIMIT_EXCEEDED"));
    assert!(context.query("SELECT Id FROM User WHERE Alias = 'mfalk'").await.body["records"][0].is_null());

    let jordan = id(&context, JORDAN);
    context.patch(&format!("sobjects/User/{jordan}"), json!({"IsActive": false})).await;
    assert_eq!(first(&context, "SELECT UsedLicenses FROM UserLicense").await["UsedLicenses"], 2);
    assert_eq!(context.post("sobjects/User", body).await.status, 201);
    let back = context.patch(&format!("sobjects/User/{jordan}"), json!({"IsActive": true})).await;
    assert_eq!(back.code(), "LICENSE_LIMIT_EXCEEDED");
    assert!(context.org.set_user_active(JORDAN, true).is_err());
}

/// Object Reference, `PermissionSetGroup`: the group's permissions are those of its sets together.
#[tokio::test]
async fn a_permission_set_group_grants_what_its_sets_grant() {
    let mut context = TestContext::new().await;
    let create = async |context: &TestContext, object: &str, body: Value| {
        let made = context.post(&format!("sobjects/{object}"), body).await;
        assert_eq!(made.status, 201, "{object}: {}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    };
    let viewer = json!({"Name": "Viewer", "Label": "Viewer", "PermissionsViewAllData": true});
    let viewer = create(&context, "PermissionSet", viewer).await;
    let reader = create(&context, "PermissionSet", json!({"Name": "Reader", "Label": "Reader"})).await;
    let of_object =
        json!({"ParentId": reader, "SobjectType": "Lead", "PermissionsRead": true, "PermissionsViewAllRecords": true});
    create(&context, "ObjectPermissions", of_object).await;
    let group = create(&context, "PermissionSetGroup", json!({"DeveloperName": "Sales", "MasterLabel": "Sales"})).await;
    let member = |set: &str| json!({"PermissionSetGroupId": group, "PermissionSetId": set});
    let component = create(&context, "PermissionSetGroupComponent", member(&viewer)).await;
    create(&context, "PermissionSetGroupComponent", member(&reader)).await;
    let assignment = json!({"AssigneeId": id(&context, CASEY), "PermissionSetGroupId": group});
    let assignment = create(&context, "PermissionSetAssignment", assignment).await;

    let soql = format!(
        "SELECT PermissionSet.Type, PermissionSetGroup.DeveloperName FROM PermissionSetAssignment WHERE Id = '{assignment}'"
    );
    let row = first(&context, &soql).await;
    let named = (&row["PermissionSet"]["Type"], &row["PermissionSetGroup"]["DeveloperName"]);
    assert_eq!(named, (&json!("Group"), &json!("Sales")));
    let soql = "SELECT SobjectType FROM ObjectPermissions WHERE Parent.PermissionSetGroup.DeveloperName = 'Sales'";
    assert_eq!(first(&context, soql).await["SobjectType"], "Lead");

    let views_all = async |context: &mut TestContext| {
        context.log_in(CASEY);
        let row = first(context, "SELECT PermissionsViewAllData FROM UserPermissionAccess").await;
        context.log_in(ADMIN);
        row["PermissionsViewAllData"].clone()
    };
    assert_eq!(views_all(&mut context).await, true);
    context.delete(&format!("sobjects/PermissionSetGroupComponent/{component}")).await;
    assert_eq!(views_all(&mut context).await, false);
    create(&context, "PermissionSetGroupComponent", member(&viewer)).await;
    assert_eq!(views_all(&mut context).await, true);
    assert_eq!(context.delete(&format!("sobjects/PermissionSetGroup/{group}")).await.status, 204);
    assert_eq!(views_all(&mut context).await, false);
    let left = context.query(&format!("SELECT Id FROM PermissionSetAssignment WHERE Id = '{assignment}'")).await;
    assert_eq!(left.body["totalSize"], 0);
}

#[tokio::test]
async fn a_permission_set_is_assigned_over_the_api() {
    let mut context = TestContext::new().await;
    let body = json!({"Name": "Viewer", "Label": "Viewer", "PermissionsViewAllData": true});
    let set = context.post("sobjects/PermissionSet", body).await.body["id"].as_str().unwrap().to_owned();
    let assignment = json!({"AssigneeId": id(&context, CASEY), "PermissionSetId": set});
    let assignment = context.post("sobjects/PermissionSetAssignment", assignment).await;
    assert_eq!(assignment.status, 201, "{}", assignment.body);
    let path = format!("sobjects/PermissionSetAssignment/{}", assignment.body["id"].as_str().unwrap());
    let own = "SELECT PermissionsViewAllData FROM UserPermissionAccess";
    for (has, next) in [(true, Some(path)), (false, None)] {
        context.log_in(CASEY);
        assert_eq!(first(&context, own).await["PermissionsViewAllData"], has);
        context.log_in(ADMIN);
        if let Some(path) = next {
            assert_eq!(context.delete(&path).await.status, 204);
        }
    }
}
