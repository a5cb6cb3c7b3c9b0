//! The users of an org, and the Salesforce users of the platform's users.

use http::StatusCode;
use org_simulator::{NewUser, ObjectPermissions, User};
use runtime::Schemas;
use salesforce::ObjectName;
use serde_json::{Value, json};
use store::{CursorName, UserMapping};

use crate::harness::{REP, TestContext, run};

impl TestContext {
    /// Mirrors the users of the org.
    async fn mirror_users(&mut self) {
        self.deps.mirrored_objects.push(ObjectName::from_static("User"));
        for User { id, name, username, email, is_active, .. } in self.simulator.users() {
            let fields = json!({
                "Name": name, "Username": username, "Email": email, "IsActive": is_active,
                "SystemModstamp": "2026-11-22T10:00:00.000+0000",
            });
            self.mirror("User", &id, fields).await;
        }
    }

    /// Maps a platform user to a Salesforce user.
    async fn map(&self, tenant: &str, platform_user: &str, user: &User) {
        let mapping = UserMapping {
            org_id: self.org,
            platform_user: platform_user.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            user_id: user.id.parse().unwrap(),
            mapped_at: self.clock.now(),
        };
        self.deps.user_mappings.store(&mapping).await.unwrap();
    }

    fn add_user(&self, username: &str, email: &str) -> User {
        let (last_name, email) = ("New".to_owned(), email.to_owned());
        let user = NewUser {
            username: username.to_owned(),
            first_name: String::new(),
            last_name,
            email,
            is_admin: false,
            profile: String::new(),
        };
        self.simulator.add_user(&user).unwrap()
    }

    /// Returns the Salesforce user of a platform user.
    async fn identity(&self, platform_user: &str) -> Value {
        let (status, identity) = self.get(&format!("/users/{platform_user}")).await;
        assert_eq!(status, StatusCode::OK, "{identity}");
        identity
    }
}

fn ids(page: &Value) -> Vec<&str> {
    page["users"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect()
}

#[test]
fn users_come_from_the_mirror_with_the_platforms_users() {
    run(async {
        let mut context = TestContext::new().await;
        context.mirror_users().await;
        context.map("acme", "rep-7", &context.admin).await;
        context.map("globex", "rep-8", &context.admin).await;
        let calls = context.simulator.api_calls();

        let (status, page) = context.get("/users").await;

        assert_eq!((status, context.simulator.api_calls()), (StatusCode::OK, calls), "{page}");
        assert_eq!((&page["source"], &page["freshness"]["complete"]), (&json!("mirror"), &json!(false)));
        let scan = CursorName::backfill(&ObjectName::from_static("User"));
        context.deps.cursors.finish(context.org, &scan, context.clock.now()).await.unwrap();
        let (_, copied) = context.get("/users").await;
        assert_eq!((&copied["freshness"]["complete"], &copied["users"]), (&json!(true), &page["users"]));
        let users = page["users"].as_array().unwrap();
        assert_eq!(users.len(), context.simulator.users().len());
        let people = |user: &User| users.iter().find(|row| row["id"] == user.id).unwrap()["platform_users"].clone();
        let connected = json!([{"platform_user": REP, "known_by": "connection", "connection": "active"}]);
        assert_eq!(people(&context.rep), connected);
        let mapped = json!([{"platform_user": "rep-7", "known_by": "mapping", "connection": null}]);
        assert_eq!(people(&context.admin), mapped, "another tenant's mapping is not shown");
    });
}

#[test]
fn users_that_are_not_mirrored_are_read_through_the_team() {
    run(async {
        let context = TestContext::new().await;
        let inactive = context.add_user("gone@acme.example", "");
        context.simulator.set_user_active(&inactive.username, false).unwrap();

        let (_, all) = context.get("/users").await;
        let (_, active) = context.get("/users?active=true").await;
        let (_, others) = context.get("/users?active=false").await;
        let (_, first) = context.get("/users?limit=1").await;
        let before = context.simulator.api_calls();
        let (_, second) = context.get(&format!("/users?limit=1&after={}", first["next"].as_str().unwrap())).await;

        assert_eq!(context.simulator.api_calls() - before, 1);
        assert_eq!(all["source"], "team");
        assert!(all.get("freshness").is_none());
        assert_eq!(ids(&others), [inactive.id.as_str()]);
        assert_eq!(ids(&active).len() + 1, ids(&all).len());
        assert_eq!([ids(&first), ids(&second)].concat(), ids(&all)[..2]);
        assert!(all["users"][0]["profile_id"].is_string());
    });
}

#[test]
fn a_rep_sees_users_with_the_reps_own_rights() {
    run(async {
        let mut context = TestContext::new().await;
        context.mirror_users().await;
        context.map("acme", "rep-7", &context.admin).await;
        let hidden = ObjectPermissions { hidden_fields: vec!["Email".to_owned()], ..Default::default() };
        context.simulator.limit_profile("Standard User", "User", &hidden).unwrap();

        let (status, page) = context.get_with_token_of(REP, "ferry/read", "/users").await;

        assert_eq!((status, &page["source"]), (StatusCode::OK, &json!("salesforce")), "{page}");
        let users = page["users"].as_array().unwrap();
        assert!(users.iter().all(|user| user["email"].is_null() && user["username"].is_string()));
        let people: Vec<&Value> = users.iter().flat_map(|user| user["platform_users"].as_array().unwrap()).collect();
        assert_eq!(people.len(), 1, "only the caller's own: {people:?}");
        let (status, _) = context.get_with_token_of(REP, "ferry/read ferry/admin", "/users/rep-7").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let (status, own) = context.get_with_token_of(REP, "ferry/read", &format!("/users/{REP}")).await;
        assert_eq!((status, &own["user"]["email"]), (StatusCode::OK, &Value::Null), "{own}");

        let hidden = ObjectPermissions { hidden: true, ..Default::default() };
        context.simulator.limit_profile("Standard User", "User", &hidden).unwrap();
        context.deps.schemas = Schemas::default();
        assert_eq!(context.get_as(REP, "/users").await.0, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_mapping_outweighs_a_connection_and_that_a_look_up() {
    run(async {
        let context = TestContext::new().await;
        let known = |identity: &Value| (identity["known_by"].clone(), identity["user"]["id"].clone());
        let by_email = context.add_user("someone@acme.example", "rep-9@platform.example");
        let expected = |by: &str, user: &User| (json!(by), json!(user.id));

        let found = context.identity("REP-9@platform.example").await;
        assert_eq!(known(&found), expected("look_up", &by_email));
        assert_eq!((&found["matched_by"], &found["state"]), (&json!("email"), &json!("active")));
        context.simulator.set_federation_id(&context.admin.username, "rep-10").unwrap();
        let found = context.identity("rep-10").await;
        assert_eq!(
            (known(&found), &found["matched_by"]),
            (expected("look_up", &context.admin), &json!("federation_id"))
        );

        let connected = context.identity(REP).await;
        assert_eq!(known(&connected), expected("connection", &context.rep));
        assert_eq!((&connected["connection"], &connected["matched_by"]), (&json!("active"), &Value::Null));
        context.map("globex", REP, &by_email).await;
        assert_eq!(known(&context.identity(REP).await), expected("connection", &context.rep));
        context.map("acme", REP, &by_email).await;
        assert_eq!(known(&context.identity(REP).await), expected("mapping", &by_email));
    });
}

#[test]
fn a_user_who_cannot_own_records_has_a_remedy() {
    run(async {
        let context = TestContext::new().await;
        let twice = ["one@acme.example", "two@acme.example"].map(|name| context.add_user(name, "shared@acme.example"));
        let ambiguous = context.identity("shared@acme.example").await;
        assert_eq!((&ambiguous["state"], &ambiguous["user"]), (&json!("ambiguous"), &Value::Null));
        context.simulator.set_user_active(&twice[0].username, false).unwrap();
        context.map("acme", "rep-3", &twice[0]).await;

        let inactive = context.identity("rep-3").await;
        let unknown = context.identity("nobody").await;

        assert_eq!((&inactive["state"], &inactive["user"]["id"]), (&json!("inactive"), &json!(twice[0].id)));
        assert_eq!((&unknown["state"], &unknown["known_by"]), (&json!("not_found"), &json!("look_up")));
        for identity in [ambiguous, inactive, unknown] {
            assert!(!identity["next"].as_str().unwrap().is_empty(), "{identity}");
        }
    });
}
