//! The permissions that a user needs before a grant is stored.

use org_simulator::{Effect, Fault, ObjectPermissions, PermissionSet};
use runtime::token_broker::RefusalCode;
use store::{ConnectionKind, UserRights};
use token_broker::TeamAccess;

use crate::harness::{TestContext, names};

/// The profile of all users except the admin.
const PROFILE: &str = "Standard User";

fn rep(context: &TestContext) -> String {
    context.org.users()[1].username.clone()
}

fn revoked(context: &TestContext) -> usize {
    context.org.request_log().iter().filter(|request| *request == "POST /services/oauth2/revoke 200").count()
}

#[tokio::test]
async fn the_user_name_of_a_connection_is_stored() {
    let context = TestContext::new().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;

    let connected = context.exchange(consent).await.unwrap();

    assert_eq!(connected.username.as_deref(), Some(context.admin()));
    assert_eq!(context.connection().await.username.as_deref(), Some(context.admin()));
}

#[tokio::test]
async fn missing_permissions_are_named_and_the_grant_is_revoked() {
    let context = TestContext::new().await;
    let no_edit = ObjectPermissions { no_edit: true, ..ObjectPermissions::default() };
    context.org.limit_profile(PROFILE, "Account", &no_edit).unwrap();
    let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
    context.org.limit_profile(PROFILE, "Lead", &hidden).unwrap();
    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::MissingPermissions);
    assert_eq!(refusal.reason, "edit Account, read Lead, create Lead, edit Lead");
    assert_eq!(revoked(&context), 1);
    assert!(context.deps.connections.list(context.org_id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_only_mirrored_needs_read_only() {
    let mut context = TestContext::new().await;
    let only_read = ["User", "RecordType", "Profile", "Lead"];
    context.deps.objects.mirrored.extend(names(&["User", "RecordType", "Profile"]));
    context.deps.objects.written = names(&["Account"]);
    let no_writes = ObjectPermissions { no_create: true, no_edit: true, ..ObjectPermissions::default() };
    for object in only_read {
        context.org.limit_profile("System Administrator", object, &no_writes).unwrap();
    }
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;

    let connected = context.exchange(consent).await.unwrap();

    assert_eq!(connected.limited_objects, []);
}

#[tokio::test]
async fn a_user_who_is_no_admin_cannot_bind_an_org() {
    let context = TestContext::new().await;
    let rep = rep(&context);
    context.grant(&rep, &["ViewAllData"]);

    let consent = context.consent(&rep, ConnectionKind::Team).await;
    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::AdministratorNeeded);
    assert_eq!(revoked(&context), 1);
    assert!(context.deps.connections.list(context.org_id()).await.unwrap().is_empty());
    for admin_permission in ["CustomizeApplication", "ModifyAllData"] {
        let context = TestContext::new().await;
        context.grant(&rep, &["ViewAllData", admin_permission]);
        let consent = context.consent(&rep, ConnectionKind::Team).await;
        context.exchange(consent).await.unwrap_or_else(|refusal| panic!("{admin_permission}: {refusal:?}"));
        assert!(context.connection().await.rights.unwrap().administrator);
    }
}

#[tokio::test]
async fn a_user_who_is_no_admin_reconnects_the_tenants_own_org() {
    let context = TestContext::connected().await;
    context.activate().await;
    context.grant(&rep(&context), &["ViewAllData"]);

    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;
    context.exchange(consent).await.unwrap();

    assert_eq!(context.connection().await.rights, Some(UserRights::default()));
}

#[tokio::test]
async fn a_team_user_who_does_not_see_everything_is_refused() {
    let context = TestContext::connected().await;
    context.activate().await;
    let before = context.refresh_token().await;

    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;
    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::MissingPermissions);
    let grant =
        "View All Data, or View Setup and Configuration with View All Records on Account, Contact, Lead, Opportunity";
    assert_eq!(refusal.reason, grant);
    assert_eq!(context.refresh_token().await, before);
}

#[tokio::test]
async fn view_all_records_on_each_object_is_enough() {
    let mut context = TestContext::connected().await;
    context.activate().await;
    context.deps.objects.mirrored.extend(names(&["User", "RecordType"]));
    let view_all = ["Account", "Contact", "Lead"].map(str::to_owned).to_vec();
    let granted = PermissionSet { view_all, ..PermissionSet::default() };
    context.org.assign_permission_set(&rep(&context), &granted).unwrap();
    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;
    assert!(context.exchange(consent).await.unwrap_err().reason.ends_with("View All Records on Opportunity"));

    let granted = PermissionSet { view_all: vec!["Opportunity".to_owned()], ..PermissionSet::default() };
    context.org.assign_permission_set(&rep(&context), &granted).unwrap();
    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;
    assert_eq!(context.exchange(consent).await.unwrap().limited_objects, []);

    // Without View Setup and Configuration, the permissions on objects cannot be read.
    let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
    context.org.limit_profile(PROFILE, "ObjectPermissions", &hidden).unwrap();
    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;
    assert_eq!(context.exchange(consent).await.unwrap_err().code, RefusalCode::MissingPermissions);
}

#[tokio::test]
async fn limited_access_is_stored_and_returned_where_it_is_allowed() {
    let mut context = TestContext::connected().await;
    context.activate().await;
    context.deps.team_access = TeamAccess::Limited;
    let granted = PermissionSet { view_all: vec!["Account".to_owned()], ..PermissionSet::default() };
    context.org.assign_permission_set(&rep(&context), &granted).unwrap();

    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;
    let connected = context.exchange(consent).await.unwrap();

    assert_eq!(connected.limited_objects, names(&["Contact", "Lead", "Opportunity"]));
    assert_eq!(context.connection().await.rights.unwrap().limited_objects, connected.limited_objects);
}

#[tokio::test]
async fn unavailable_rights_leave_no_connection() {
    let context = TestContext::new().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;
    let path_prefix = "/services/data/v66.0/query".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(context.deps.connections.list(context.org_id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_reconnect_leaves_the_old_grant_unchanged() {
    let context = TestContext::connected().await;
    let (row, token) = (context.connection().await, context.refresh_token().await);
    context.org.set_user_api_enabled(&rep(&context), false).unwrap();
    let consent = context.consent(&rep(&context), ConnectionKind::Team).await;

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::MissingPermissions, "use the API"));
    assert_eq!((context.connection().await, context.refresh_token().await), (row, token));
    assert!(context.is_accepted(&context.token(None).await.unwrap()).await);
}

#[tokio::test]
async fn a_personal_connection_needs_only_api_access() {
    let context = TestContext::connected().await;
    context.activate().await;
    let hidden = ObjectPermissions { hidden: true, ..ObjectPermissions::default() };
    context.org.limit_profile(PROFILE, "Lead", &hidden).unwrap();
    let personal = || ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };

    let consent = context.consent(&rep(&context), personal()).await;
    context.exchange(consent).await.unwrap();

    let consent = context.consent(&rep(&context), personal()).await;
    context.org.set_user_api_enabled(&rep(&context), false).unwrap();
    assert_eq!(context.exchange(consent).await.unwrap_err().code, RefusalCode::MissingPermissions);
}

#[tokio::test]
async fn an_unavailable_org_leaves_no_connection() {
    let context = TestContext::new().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;
    let path_prefix = "/services/data/".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(context.deps.connections.list(context.org_id()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_user_name_does_not_prevent_a_connection() {
    let context = TestContext::new().await;
    let consent = context.consent(context.admin(), ConnectionKind::Team).await;
    let path_prefix = "/services/oauth2/userinfo".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    assert_eq!(context.exchange(consent).await.unwrap().username, None);
}

#[tokio::test]
async fn unavailable_signing_keys_leave_no_connection() {
    let context = TestContext::new().await;
    let mut consent = context.consent(context.admin(), ConnectionKind::Team).await;
    consent.nonce = Some("a-nonce".into());
    let path_prefix = "/id/keys".to_owned();
    context.org.fault(Fault { path_prefix, method: None, times: 20, effect: Effect::Unavailable });

    let refusal = context.exchange(consent).await.unwrap_err();

    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert_eq!(revoked(&context), 1);
    assert!(context.deps.connections.list(context.org_id()).await.unwrap().is_empty());
}
