//! Acting for a rep: who is known, and who is no longer acted for.

use http::StatusCode;
use org_simulator::{NewUser, ObjectPermissions, User};
use serde_json::{Value, json};
use store::owner_policy::OwnerPolicy;

use crate::harness::{KEY, REP, TestContext, run};

fn account(key: &str) -> Value {
    json!([{ KEY: key, "Name": "Acme" }])
}

fn add_user(context: &TestContext, username: &str, email: &str) -> User {
    let user = NewUser {
        username: username.to_owned(),
        email: email.to_owned(),
        first_name: String::new(),
        last_name: "Rep".to_owned(),
        is_admin: false,
        profile: String::new(),
    };
    context.simulator.add_user(&user).unwrap()
}

/// Returns the code of a problem and its detail.
fn refusal((status, problem): &(StatusCode, Value)) -> (u16, &str, &str) {
    let code = problem["type"].as_str().unwrap().trim_start_matches("urn:ferry:problem:");
    (status.as_u16(), code, problem["detail"].as_str().unwrap())
}

#[test]
fn a_write_for_an_unknown_rep_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Account");

        let refused = context.upsert("Account", Some("rep-9"), "k", account("A-1")).await;

        let (status, code, detail) = refusal(&refused);
        assert_eq!((status, code), (409, "connect_required"));
        assert!(detail.contains("the rep never connected"), "{detail}");
        assert!(refused.1["next"].as_str().unwrap().contains("Federation ID"), "{}", refused.1);
        assert_eq!(context.count_in_org("Account"), before);
        // The result is remembered, so that repeated requests cost no calls.
        let calls = context.simulator.api_calls();
        context.upsert("Account", Some("rep-9"), "k", account("A-1")).await;
        assert_eq!(context.simulator.api_calls(), calls);
    });
}

#[test]
fn a_rep_found_in_the_org_owns_the_new_records() {
    run(async {
        let context = TestContext::new().await;
        let federated = add_user(&context, "robin@acme.example", "robin@acme.example");
        context.simulator.set_federation_id(&federated.username, "rep-9").unwrap();
        let by_email = add_user(&context, "kim@acme.example.sales", "kim@acme.example");

        for (rep, user, key) in [
            ("rep-9", &federated, "k1"),
            ("ROBIN@acme.example", &federated, "k2"),
            ("Kim@Acme.example", &by_email, "k3"),
        ] {
            let (status, written) = context.upsert("Account", Some(rep), key, account(key)).await;
            assert_eq!((status, &written["connection"]), (StatusCode::OK, &json!("team")), "{written}");
            assert_eq!(
                (&written["owner_choice"], &written["owner_reason"]),
                (&json!("team_with_owner"), &json!("rep_not_connected"))
            );
            assert!(written["next"].as_str().unwrap().contains("POST /v1/connect-links"), "{written}");
            assert_eq!(context.in_org("Account", &written["records"][0]["id"])["OwnerId"], user.id, "{rep}");
        }
    });
}

#[test]
fn a_rep_is_found_by_email_if_the_federation_id_is_hidden() {
    run(async {
        let context = TestContext::new().await;
        let rep = add_user(&context, "kim@acme.example.sales", "kim@acme.example");
        let hidden = ObjectPermissions {
            hidden_fields: vec!["FederationIdentifier".to_owned()],
            ..ObjectPermissions::default()
        };
        context.simulator.limit_profile("System Administrator", "User", &hidden).unwrap();

        let (status, written) = context.upsert("Account", Some("kim@acme.example"), "k", account("A-1")).await;

        assert_eq!(status, StatusCode::OK, "{written}");
        assert_eq!(context.in_org("Account", &written["records"][0]["id"])["OwnerId"], rep.id);
    });
}

#[test]
fn an_email_of_several_users_is_not_a_match() {
    run(async {
        let context = TestContext::new().await;
        add_user(&context, "a@acme.example", "sales@acme.example");
        let second = add_user(&context, "b@acme.example", "sales@acme.example");

        let refused = context.upsert("Account", Some("sales@acme.example"), "k", account("A-1")).await;
        let (status, code, detail) = refusal(&refused);
        assert_eq!((status, code), (409, "connect_required"));
        assert!(detail.contains("several active Salesforce users"), "{detail}");

        context.simulator.set_user_active(&second.username, false).unwrap();
        context.pass_a_minute();
        let (status, _) = context.upsert("Account", Some("sales@acme.example"), "k", account("A-1")).await;
        assert_eq!(status, StatusCode::OK, "the only active user is a match, and the same key is used again");
    });
}

#[test]
fn a_disconnected_rep_is_not_acted_for() {
    run(async {
        for policy in [OwnerPolicy::RepThenTeam, OwnerPolicy::TeamOnly, OwnerPolicy::RepOnly] {
            let context = TestContext::with(policy).await;
            context.disconnect(&context.reps().connection_id()).await;
            // The rep could be found in the org, too.
            context.simulator.set_federation_id(&context.rep.username, REP).unwrap();
            let before = context.count_in_org("Account");

            let refused = context.upsert("Account", Some(REP), "k", account("A-1")).await;

            let (status, code, detail) = refusal(&refused);
            assert_eq!((status, code), (409, "connect_required"));
            assert!(detail.contains("was disconnected"), "{detail}");
            assert_eq!((context.count_in_org("Account"), context.simulator.api_calls()), (before, 0));
            context.connect(context.reps()).await;
            assert_eq!(context.upsert("Account", Some(REP), "k", account("A-1")).await.0, StatusCode::OK);
        }
    });
}

#[test]
fn an_ended_connection_that_is_disconnected_is_not_acted_for() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());
        let (status, _) = context.upsert("Account", Some(REP), "k1", account("A-1")).await;
        assert_eq!(status, StatusCode::OK, "the team writes for a rep whose grant ended");

        context.disconnect(&context.reps().connection_id()).await;

        let refused = context.upsert("Account", Some(REP), "k2", account("A-2")).await;
        assert_eq!(refusal(&refused).1, "connect_required");
    });
}

#[test]
fn an_inactive_rep_never_owns() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());
        context.simulator.set_user_active(&context.rep.username, false).unwrap();
        let before = context.count_in_org("Account");

        let refused = context.upsert("Account", Some(REP), "k", account("A-1")).await;

        assert_eq!(refusal(&refused), (409, "user_inactive", "the rep's Salesforce user is inactive"));
        assert!(!refused.1["next"].as_str().unwrap().contains("link"), "{}", refused.1);
        assert_eq!(context.count_in_org("Account"), before);
        context.simulator.set_user_active(&context.rep.username, true).unwrap();
        context.pass_a_minute();
        let (status, written) = context.upsert("Account", Some(REP), "k", account("A-1")).await;
        assert_eq!(status, StatusCode::OK, "{written}");
        assert_eq!(context.in_org("Account", &written["records"][0]["id"])["OwnerId"], context.rep.id);
    });
}

#[test]
fn a_rep_deactivated_after_the_look_up_does_not_own() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());
        let (status, _) = context.upsert("Account", Some(REP), "k1", account("A-1")).await;
        assert_eq!(status, StatusCode::OK);
        context.simulator.set_user_active(&context.rep.username, false).unwrap();

        let refused = context.upsert("Account", Some(REP), "k2", account("A-2")).await;
        assert_eq!(refusal(&refused).1, "user_inactive");

        // With a record that exists beside it, the outcome of each record is kept, and the user is looked up again.
        context.simulator.set_user_active(&context.rep.username, true).unwrap();
        context.pass_a_minute();
        context.upsert("Account", Some(REP), "k3", account("A-3")).await;
        context.simulator.set_user_active(&context.rep.username, false).unwrap();
        let records = json!([{ KEY: "A-3", "Name": "Renamed" }, { KEY: "A-4", "Name": "New" }]);
        let (status, mixed) = context.upsert("Account", Some(REP), "k4", records).await;
        assert_eq!((status, &mixed["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{mixed}");
        assert_eq!(mixed["records"][1]["errors"][0]["code"], "INACTIVE_OWNER_OR_USER");
        let refused = context.upsert("Account", Some(REP), "k5", account("A-5")).await;
        assert_eq!(refusal(&refused).1, "user_inactive");
    });
}

/// Both the function and the broker hold a session that Salesforce has ended: neither of the two is the end of the grant, which
/// the broker learns only when it refreshes.
#[test]
fn the_first_write_after_revocation_falls_back() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.upsert("Account", Some(REP), "k1", account("A-1")).await;
        assert_eq!(first["owner_choice"], "rep");
        context.revoke_reps_grant_after_a_refresh();

        let (status, written) = context.upsert("Account", Some(REP), "k2", account("A-2")).await;

        assert_eq!((status, &written["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")), "{written}");
        assert_eq!(written["owner_reason"], "rep_must_reconnect");
        assert_eq!(context.in_org("Account", &written["records"][0]["id"])["OwnerId"], context.rep.id);
    });
}

#[test]
fn an_existing_number_keeps_its_owner_however_it_is_written() {
    run(async {
        let context = TestContext::new().await;
        let fields = json!([
            { "name": "Number__c", "type": "double", "external_id": true, "unique": true },
            { "name": "OwnerId", "type": "reference", "reference_to": ["User"] },
        ]);
        context.simulator.define_object(json!({ "name": "Invoice__c", "fields": fields })).unwrap();
        let path = |rep: &str| format!("/v1/orgs/{}/records/Invoice__c{rep}", context.org);
        let body = |number: Value| json!({ "external_id_field": "Number__c", "records": [{ "Number__c": number }] });
        let (_, first) = context.post(&path(""), Some("k"), body(json!(7))).await;
        let id = first["records"][0]["id"].clone();
        let owner = context.in_org("Invoice__c", &id)["OwnerId"].clone();
        context.kill(&context.reps().connection_id());

        for (key, number) in [("k1", json!(7)), ("k2", json!(7.0)), ("k3", json!("7")), ("k4", json!("7.0"))] {
            let (status, written) = context.post(&path("?as=rep-1"), Some(key), body(number.clone())).await;
            assert_eq!((status, &written["records"][0]["id"]), (StatusCode::OK, &id), "{number} {written}");
            assert_eq!(context.in_org("Invoice__c", &id)["OwnerId"], owner, "{number}");
        }
        let (_, new) = context.post(&path("?as=rep-1"), Some("k5"), body(json!(77.5))).await;
        assert_eq!(context.in_org("Invoice__c", &new["records"][0]["id"])["OwnerId"], context.rep.id, "{new}");
    });
}

#[test]
fn a_record_named_by_its_short_id_keeps_its_owner() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.upsert("Account", None, "k1", account("A-1")).await;
        let id = first["records"][0]["id"].as_str().unwrap().to_owned();
        context.kill(&context.reps().connection_id());

        let path = format!("/v1/orgs/{}/records/Account?as={REP}", context.org);
        let body = json!({ "external_id_field": "Id", "records": [{ "Id": &id[..15], "Name": "Renamed" }] });
        let (status, written) = context.post(&path, Some("k2"), body).await;

        assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
        let account = context.in_org("Account", &json!(id));
        assert_eq!((&account["Name"], &account["OwnerId"]), (&json!("Renamed"), &json!(context.admin.id)));
    });
}
