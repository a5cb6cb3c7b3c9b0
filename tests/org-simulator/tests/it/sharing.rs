//! The access to records: organization-wide defaults, the role hierarchy, sharing rules, shares and teams.

use org_simulator::{NewUser, ObjectPermissions, PermissionSet, SharingDefault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, JORDAN, TestContext};

const MANAGER: &str = "manager@larkspur.example";
const VIEWER: &str = "viewer@larkspur.example";
const MODIFIER: &str = "modifier@larkspur.example";

/// A company in which the manager's role is above the reps' role; Casey and Jordan are reps.
struct Company {
    context: TestContext,
}

impl Company {
    async fn new() -> Self {
        let context = TestContext::new().await;
        for username in [MANAGER, VIEWER, MODIFIER] {
            let (last_name, profile) = (username.to_owned(), String::new());
            let (first_name, email) = (String::new(), username.to_owned());
            let user =
                NewUser { username: username.to_owned(), first_name, last_name, email, is_admin: false, profile };
            context.org.add_user(&user).unwrap();
        }
        let grant = |view_all: &[&str], modify_all: &[&str]| PermissionSet {
            view_all: view_all.iter().map(|name| (*name).to_owned()).collect(),
            modify_all: modify_all.iter().map(|name| (*name).to_owned()).collect(),
            ..PermissionSet::default()
        };
        context.org.assign_permission_set(VIEWER, &grant(&["Account", "Lead"], &[])).unwrap();
        context.org.assign_permission_set(MODIFIER, &grant(&[], &["Account", "Lead"])).unwrap();
        let company = Self { context };
        let above = company.create("UserRole", json!({"Name": "Director"})).await;
        let below = company.create("UserRole", json!({"Name": "Rep", "ParentRoleId": above})).await;
        for (username, role) in [(MANAGER, &above), (CASEY, &below), (JORDAN, &below)] {
            let path = format!("sobjects/User/{}", company.id(username));
            assert_eq!(company.context.patch(&path, json!({"UserRoleId": role})).await.status, 204);
        }
        company
    }

    fn id(&self, username: &str) -> String {
        self.context.org.users().into_iter().find(|user| user.username == username).unwrap().id
    }

    fn default(&self, object: &str, default: SharingDefault) {
        self.context.org.set_sharing_default(object, default).unwrap();
    }

    /// Creates a record as the context's user.
    async fn create(&self, object: &str, body: Value) -> String {
        let response = self.context.post(&format!("sobjects/{object}"), body).await;
        assert_eq!(response.status, 201, "{object}: {}", response.body);
        response.body["id"].as_str().unwrap().to_owned()
    }

    fn created_by(&self, username: &str, object: &str, body: Value) -> String {
        self.context.org.create_record(username, object, &crate::support::fields(body)).unwrap()
    }

    /// Returns what the user may do with the record: r, rw or rwd, or nothing. Every kind of read must agree.
    async fn access(&mut self, username: &str, object: &str, id: &str) -> &'static str {
        self.context.log_in(username);
        let path = format!("sobjects/{object}/{id}");
        let read = self.context.get(&path).await;
        let found = self.context.query(&format!("SELECT Id FROM {object} WHERE Id = '{id}'")).await;
        let counted = self.context.query(&format!("SELECT COUNT() FROM {object} WHERE Id = '{id}'")).await;
        let window = "start=2026-11-22T09:00:00Z&end=2026-11-22T10:01:00Z";
        let updated = self.context.get(&format!("sobjects/{object}/updated/?{window}")).await;
        let many = self.context.get(&format!("composite/sobjects/{object}?ids={id}&fields=Id")).await;
        let seen = [
            read.status == 200,
            found.body["totalSize"] == 1,
            counted.body["totalSize"] == 1,
            updated.body["ids"].as_array().unwrap().contains(&json!(id)),
            many.body[0]["Id"] == json!(id),
        ];
        assert!(seen.iter().all(|one| *one == seen[0]), "{username} {object} {seen:?}");
        if !seen[0] {
            assert_eq!((read.status, read.code()), (404, "NOT_FOUND"));
        }
        let refused = ("INSUFFICIENT_ACCESS_OR_READONLY", 403);
        let written = self.context.patch(&path, json!({"Description": username})).await;
        if written.status != 204 {
            assert_eq!((written.code(), written.status), refused, "{username}");
        }
        let deleted = self.context.delete(&path).await;
        if deleted.status == 204 {
            self.context.org.undelete_record(ADMIN, object, id).unwrap();
        } else {
            assert_eq!((deleted.code(), deleted.status), refused, "{username}");
        }
        self.context.log_in(ADMIN);
        match (seen[0], written.status == 204, deleted.status == 204) {
            (true, true, true) => "rwd",
            (true, true, false) => "rw",
            (true, false, false) => "r",
            (false, false, false) => "",
            other => panic!("{username}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_default_decides_what_others_may_do() {
    use SharingDefault::{FullAccess, Private, ReadOnly, ReadWrite};
    let mut company = Company::new().await;
    for (object, body) in [("Account", json!({"Name": "Casey's"})), ("Lead", json!({"LastName": "x", "Company": "y"}))]
    {
        let id = company.created_by(CASEY, object, body);
        // The owner, the manager above, a peer with the same role, users with View All and Modify All, an administrator.
        let users = [CASEY, MANAGER, JORDAN, VIEWER, MODIFIER, ADMIN];
        for (default, expected) in [
            (Private, ["rwd", "rwd", "", "r", "rwd", "rwd"]),
            (ReadOnly, ["rwd", "rwd", "r", "r", "rwd", "rwd"]),
            (ReadWrite, ["rwd", "rwd", "rw", "rw", "rwd", "rwd"]),
            (FullAccess, ["rwd", "rwd", "rwd", "rwd", "rwd", "rwd"]),
        ] {
            company.default(object, default);
            for (user, expected) in users.into_iter().zip(expected) {
                assert_eq!(company.access(user, object, &id).await, expected, "{object} {default:?} {user}");
            }
        }
    }
}

#[tokio::test]
async fn a_search_and_the_recycle_bin_show_visible_records_only() {
    let company = Company::new().await;
    company.default("Account", SharingDefault::Private);
    let id = company.created_by(CASEY, "Account", json!({"Name": "Zirconium"}));
    company
        .context
        .org
        .delete_record(CASEY, "Account", &company.created_by(CASEY, "Account", json!({"Name": "Gone"})))
        .unwrap();
    let mut context = company.context;
    for (user, sees) in [(CASEY, 1), (MANAGER, 1), (JORDAN, 0)] {
        context.log_in(user);
        let found = context.get("search?q=FIND+{Zirconium}+RETURNING+Account(Id)").await.body["searchRecords"].clone();
        assert_eq!(found.as_array().unwrap().len(), sees, "{user} {id}");
        let window = "start=2026-11-22T09:00:00Z&end=2026-11-22T10:01:00Z";
        let deleted = context.get(&format!("sobjects/Account/deleted/?{window}")).await.body["deletedRecords"].clone();
        assert_eq!(deleted.as_array().unwrap().len(), sees, "{user}");
        let all = context.get("queryAll?q=SELECT+Id+FROM+Account+WHERE+IsDeleted+=+true").await;
        assert_eq!(all.body["totalSize"], sees, "{user}");
    }
}

#[tokio::test]
async fn a_share_grants_its_level_until_the_owner_changes() {
    let mut company = Company::new().await;
    company.default("Account", SharingDefault::Private);
    let id = company.created_by(CASEY, "Account", json!({"Name": "Casey's"}));
    let share = json!({
        "AccountId": id, "UserOrGroupId": company.id(JORDAN), "AccountAccessLevel": "Read", "OpportunityAccessLevel": "Edit",
    });
    company.context.log_in(JORDAN);
    let own = company.context.post("sobjects/AccountShare", share.clone()).await;
    assert_eq!(own.code(), "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "only who may share a record shares it");
    company.context.log_in(CASEY);
    let share = company.create("AccountShare", share).await;
    assert_eq!(company.access(JORDAN, "Account", &id).await, "r");
    company.context.log_in(JORDAN);
    let passed_on = json!({
        "AccountId": id, "UserOrGroupId": company.id(MANAGER), "AccountAccessLevel": "Read", "OpportunityAccessLevel": "None",
    });
    let passed_on = company.context.post("sobjects/AccountShare", passed_on).await;
    assert_eq!(passed_on.code(), "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "a reader does not share a record");
    let opportunity = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": id});
    company.default("Opportunity", SharingDefault::Private);
    let opportunity = company.created_by(CASEY, "Opportunity", opportunity);
    assert_eq!(company.access(JORDAN, "Opportunity", &opportunity).await, "rw", "by the account's share");

    company.context.log_in(CASEY);
    let path = format!("sobjects/AccountShare/{share}");
    assert_eq!(company.context.patch(&path, json!({"AccountAccessLevel": "Edit"})).await.status, 204);
    assert_eq!(company.access(JORDAN, "Account", &id).await, "rw");
    company.context.log_in(JORDAN);
    let given = company.context.patch(&format!("sobjects/Account/{id}"), json!({"OwnerId": company.id(JORDAN)})).await;
    assert_eq!(given.code(), "INSUFFICIENT_ACCESS_OR_READONLY", "an editor does not transfer a record");

    company.context.log_in(CASEY);
    let moved = company.context.patch(&format!("sobjects/Account/{id}"), json!({"OwnerId": company.id(VIEWER)})).await;
    assert_eq!(moved.status, 204, "{}", moved.body);
    assert_eq!(company.access(JORDAN, "Account", &id).await, "");
    // Casey still owns an opportunity of the account, and so reads the account.
    assert_eq!(company.access(CASEY, "Account", &id).await, "r");
}

#[tokio::test]
async fn sharing_rules_share_the_records_of_owners_with_others() {
    let mut company = Company::new().await;
    company.default("Lead", SharingDefault::Private);
    let lead = |name: &str| json!({"LastName": name, "Company": "y"});
    let (casey, manager) =
        (company.created_by(CASEY, "Lead", lead("a")), company.created_by(MANAGER, "Lead", lead("b")));
    let group = company.create("Group", json!({"Name": "Reviewers", "Type": "Regular"})).await;
    company.create("GroupMember", json!({"GroupId": group, "UserOrGroupId": company.id(VIEWER)})).await;
    company.create("GroupMember", json!({"GroupId": group, "UserOrGroupId": company.id(JORDAN)})).await;
    let rule = |owned_by: Value, access: &str| json!({"name": "Reviews", "object": "Lead", "owned_by": owned_by, "shared_with": {"group": "Reviewers"}, "access": access});
    for (owned_by, access, expected) in [
        (json!({"role": "Rep"}), "edit", ["rw", ""]),
        (json!({"role": "Director"}), "read", ["", "r"]),
        (json!({"role_and_subordinates": "Director"}), "read", ["r", "r"]),
        (json!({"group": "Reviewers"}), "read", ["", ""]),
    ] {
        let body = rule(owned_by.clone(), access);
        assert_eq!(company.context.admin(Method::POST, "sharing-rules", Some(body)).await.status, 200);
        for (id, expected) in [&casey, &manager].into_iter().zip(expected) {
            assert_eq!(company.access(JORDAN, "Lead", id).await, expected, "{owned_by}");
        }
    }
    assert_eq!(company.context.admin(Method::DELETE, "rules/Reviews", None).await.status, 200);
    assert_eq!(
        company
            .context
            .admin(Method::POST, "sharing-rules", Some(rule(json!({"role": "Nobody"}), "read")))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn sharing_rules_share_the_records_that_meet_criteria() {
    let mut company = Company::new().await;
    company.default("Lead", SharingDefault::Private);
    let lead =
        |rating: &str, source: &str| json!({"LastName": "x", "Company": "y", "Rating": rating, "LeadSource": source});
    let hot = company.created_by(CASEY, "Lead", lead("Hot", "Web"));
    let other = company.created_by(MANAGER, "Lead", lead("Hot", "Other"));
    let group = company.create("Group", json!({"Name": "Hunters", "Type": "Regular"})).await;
    company.create("GroupMember", json!({"GroupId": group, "UserOrGroupId": company.id(JORDAN)})).await;
    let criteria = |items: Value, with: Value| json!({"name": "Hot", "object": "Lead", "criteria": items, "shared_with": with, "access": "edit"});
    let both = json!([
        {"field": "Rating", "operation": "equals", "value": "hot, Warm"},
        {"field": "LeadSource", "operation": "notEqual", "value": "Other"},
    ]);
    let set =
        async |company: &Company, body: Value| company.context.admin(Method::POST, "sharing-rules", Some(body)).await;
    assert_eq!(set(&company, criteria(both.clone(), json!({"group": "Hunters"}))).await.status, 200);
    assert_eq!(company.access(JORDAN, "Lead", &hot).await, "rw");
    assert_eq!(company.access(JORDAN, "Lead", &other).await, "");
    // The record is shared as long as it meets the criteria.
    company.context.log_in(JORDAN);
    let path = format!("sobjects/Lead/{hot}");
    assert_eq!(company.context.patch(&path, json!({"Rating": "Cold"})).await.status, 204);
    assert_eq!(company.access(JORDAN, "Lead", &hot).await, "");

    // A role instead of a group.
    let sources = json!([{"field": "LeadSource", "operation": "equals", "value": "Other"}]);
    assert_eq!(set(&company, criteria(sources, json!({"role": "Rep"}))).await.status, 200);
    assert_eq!(company.access(JORDAN, "Lead", &other).await, "rw");
    for wrong in [
        criteria(json!([]), json!({"group": "Hunters"})),
        criteria(json!([{"field": "Nope", "operation": "equals"}]), json!({"group": "Hunters"})),
        criteria(json!([{"field": "City", "operation": "lessThan", "value": "x"}]), json!({"group": "Hunters"})),
        criteria(json!([{"field": "AnnualRevenue", "operation": "equals", "value": "x"}]), json!({"group": "Hunters"})),
    ] {
        assert_eq!(set(&company, wrong.clone()).await.status, 400, "{wrong}");
    }
    let mut two = criteria(both, json!({"group": "Hunters"}));
    two["owned_by"] = json!({"role": "Rep"});
    assert_eq!(set(&company, two).await.status, 400, "owners or criteria");
}

#[tokio::test]
async fn team_members_have_the_access_of_their_team() {
    let mut company = Company::new().await;
    for object in ["Account", "Opportunity"] {
        company.default(object, SharingDefault::Private);
    }
    let account = company.created_by(CASEY, "Account", json!({"Name": "x"}));
    let body = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": account});
    let opportunity = company.created_by(CASEY, "Opportunity", body);
    let user = company.id(JORDAN);
    let member = json!({"OpportunityId": opportunity, "UserId": user, "TeamMemberRole": "Sales Rep", "OpportunityAccessLevel": "Edit"});
    let member = company.create("OpportunityTeamMember", member).await;
    assert_eq!(company.access(JORDAN, "Opportunity", &opportunity).await, "rw");
    assert_eq!(company.access(JORDAN, "Account", &account).await, "r", "by the opportunity");
    let path = format!("sobjects/OpportunityTeamMember/{member}");
    company.context.patch(&path, json!({"OpportunityAccessLevel": "Read"})).await;
    assert_eq!(company.access(JORDAN, "Opportunity", &opportunity).await, "r");
    company.context.delete(&path).await;
    assert_eq!(company.access(JORDAN, "Opportunity", &opportunity).await, "");
    let member =
        json!({"AccountId": account, "UserId": user, "AccountAccessLevel": "Edit", "OpportunityAccessLevel": "Read"});
    company.create("AccountTeamMember", member).await;
    assert_eq!(company.access(JORDAN, "Account", &account).await, "rw");
    assert_eq!(company.access(JORDAN, "Opportunity", &opportunity).await, "r");
    let shares =
        company.context.query(&format!("SELECT RowCause FROM AccountShare WHERE AccountId = '{account}'")).await;
    assert_eq!(shares.body["records"][0]["RowCause"], "Team");
}

#[tokio::test]
async fn records_below_another_one_have_its_access() {
    let mut company = Company::new().await;
    for object in ["Account", "Opportunity"] {
        company.default(object, SharingDefault::Private);
    }
    company.default("Contact", SharingDefault::ControlledByParent);
    let account = company.created_by(CASEY, "Account", json!({"Name": "x"}));
    let contact = company.created_by(ADMIN, "Contact", json!({"LastName": "x", "AccountId": account}));
    for (user, expected) in [(CASEY, "rwd"), (MANAGER, "rwd"), (JORDAN, "")] {
        assert_eq!(company.access(user, "Contact", &contact).await, expected, "{user}");
    }
    let body = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-12-01", "ContactId": contact});
    let opportunity = company.created_by(CASEY, "Opportunity", body);
    let roles = format!("SELECT COUNT() FROM OpportunityContactRole WHERE OpportunityId = '{opportunity}'");
    let note = json!({"ParentId": opportunity, "Title": "x"});
    for (user, sees) in [(CASEY, 1), (JORDAN, 0)] {
        company.context.log_in(user);
        assert_eq!(company.context.query(&roles).await.body["totalSize"], sees, "{user}");
        let added = company.context.post("sobjects/Note", note.clone()).await;
        assert_eq!(added.status == 201, sees == 1, "{user}");
    }
    company.default("Opportunity", SharingDefault::ReadOnly);
    company.context.log_in(JORDAN);
    let added = company.context.post("sobjects/Note", note).await;
    assert_eq!(
        (added.status, added.code()),
        (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"),
        "a reader adds nothing"
    );
}

#[tokio::test]
async fn activities_have_the_access_of_their_records() {
    let mut company = Company::new().await;
    company.default("Opportunity", SharingDefault::Private);
    let body = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-12-01"});
    let opportunity = company.created_by(JORDAN, "Opportunity", body);
    let task = company.created_by(ADMIN, "Task", json!({"Subject": "x", "WhatId": opportunity}));
    let lone = company.created_by(ADMIN, "Task", json!({"Subject": "y"}));
    for (default, expected) in
        [(SharingDefault::Private, ["r", "", "", ""]), (SharingDefault::ControlledByParent, ["rwd", "", "", ""])]
    {
        company.default("Task", default);
        let checks = [(JORDAN, &task), (CASEY, &task), (JORDAN, &lone), (CASEY, &lone)];
        for ((user, id), expected) in checks.into_iter().zip(expected) {
            assert_eq!(company.access(user, "Task", id).await, expected, "{default:?} {user}");
        }
    }
}

#[tokio::test]
async fn a_profile_grants_all_records_of_an_object() {
    let mut company = Company::new().await;
    company.default("Account", SharingDefault::Private);
    let id = company.created_by(ADMIN, "Account", json!({"Name": "x"}));
    for (view_all, modify_all, expected) in [(false, false, ""), (true, false, "r"), (false, true, "rwd")] {
        let permissions = ObjectPermissions { view_all, modify_all, ..ObjectPermissions::default() };
        company.context.org.limit_profile("Standard User", "Account", &permissions).unwrap();
        assert_eq!(company.access(JORDAN, "Account", &id).await, expected);
    }
    // What the profile forbids, Modify All Records does not permit.
    let permissions = ObjectPermissions { modify_all: true, no_delete: true, ..ObjectPermissions::default() };
    company.context.org.limit_profile("Standard User", "Account", &permissions).unwrap();
    assert_eq!(company.access(JORDAN, "Account", &id).await, "rw");
}

#[tokio::test]
async fn sharing_is_listed_and_saved_with_the_org() {
    let company = Company::new().await;
    let set = json!({"sharing": {"Lead": "private", "Contact": "controlled_by_parent"}});
    assert_eq!(company.context.admin(Method::POST, "settings", Some(set)).await.status, 200);
    let of =
        |name: &str| format!("SELECT InternalSharingModel FROM EntityDefinition WHERE QualifiedApiName = '{name}'");
    for (name, model) in [("Lead", "Private"), ("Contact", "ControlledByParent"), ("Account", "FullAccess")] {
        let found = company.context.query(&of(name)).await;
        assert_eq!(found.body["records"][0]["InternalSharingModel"], model, "{name}");
    }
    for refused in
        [json!({"OpportunityLineItem": "private"}), json!({"Account": "controlled_by_parent"}), json!({"Lead": "x"})]
    {
        let response = company.context.admin(Method::POST, "settings", Some(json!({"sharing": refused}))).await;
        assert!((400..500).contains(&response.status), "{refused}");
    }
    assert_eq!(company.context.admin(Method::GET, "org", None).await.body["sharing"]["defaults"]["Lead"], "private");
}
