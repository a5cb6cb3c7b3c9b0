//! Records without an external id, by their client keys.

use http::StatusCode;
use org_simulator::{Effect, Fault, Features, ObjectPermissions, ValidationRule};
use serde_json::{Value, json};

use crate::harness::{KEY, REP, TestContext, run};

/// The records of a deal with a contact and a campaign, as the rep made them.
struct Deal {
    account: String,
    contact: String,
    other_contact: String,
    deal: String,
    campaign: String,
}

fn deal(context: &TestContext) -> Deal {
    let rep = &context.rep;
    let account = context.create(rep, "Account", &json!({"Name": "Acme"}));
    let contact = |name: &str| context.create(rep, "Contact", &json!({"LastName": name, "AccountId": account}));
    let (first, second) = (contact("Doe"), contact("Roe"));
    let deal = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "AccountId": account});
    let deal = context.create(rep, "Opportunity", &deal);
    let campaign = context.create(&context.admin, "Campaign", &json!({"Name": "Fair", "IsActive": true}));
    Deal { account: account.clone(), contact: first, other_contact: second, deal, campaign }
}

fn define_visits(context: &TestContext) {
    let visits = json!([
        {"name": "Name"}, {"name": "Place__c"},
        {"name": "OwnerId", "type": "reference", "reference_to": ["User"]},
    ]);
    context.simulator.define_object(json!({"name": "Visit__c", "fields": visits})).unwrap();
    let notes = json!([
        {"name": "Name"},
        {"name": "Visit__c", "type": "reference", "reference_to": ["Visit__c"], "master_detail": true, "child_relationship": "Notes"},
    ]);
    context.simulator.define_object(json!({"name": "Visit_Note__c", "fields": notes})).unwrap();
}

/// Adds a rule that only Salesforce knows: it refuses leads of Bolt.
fn forbid_bolt(context: &TestContext) {
    let rule = ValidationRule {
        name: "No_Bolt".to_owned(),
        object: "Lead".to_owned(),
        condition: "Company = 'Bolt'".to_owned(),
        message: "No.".to_owned(),
        field: None,
    };
    context.simulator.set_validation_rule(&rule).unwrap();
}

/// Creates a record as the rep, checks that it is there once, and returns its id.
async fn made(context: &TestContext, object: &str, fields: Value) -> Value {
    let before = context.count_in_org(object);
    let mut record = fields;
    record["client_key"] = json!(format!("{object}-{before}"));
    let (status, made) =
        context.create_records(object, Some(REP), &format!("{object}-{before}"), json!([record])).await;
    assert_eq!((status, &made["owner_choice"]), (StatusCode::OK, &json!("rep")), "{object} {made}");
    let outcome = &made["records"][0];
    assert_eq!((&outcome["success"], &outcome["created"]), (&json!(true), &json!(true)), "{object} {made}");
    assert_eq!(context.count_in_org(object), before + 1, "{object}");
    outcome["id"].clone()
}

#[test]
fn every_object_without_an_external_id_is_created() {
    run(async {
        let context = TestContext::new().await;
        let of = deal(&context);
        define_visits(&context);

        let role = json!({"OpportunityId": of.deal, "ContactId": of.contact, "Role": "Decision Maker"});
        made(&context, "OpportunityContactRole", role).await;
        made(&context, "CampaignMember", json!({"CampaignId": of.campaign, "ContactId": of.contact, "Status": "Sent"}))
            .await;
        let visit = made(&context, "Visit__c", json!({"Name": "Visit", "Place__c": "Bonn"})).await;
        let detail = made(&context, "Visit_Note__c", json!({"Name": "Note", "Visit__c": visit})).await;
        assert_eq!(context.in_org("Visit_Note__c", &detail)["Visit__c"], visit);
        let event = json!({"Subject": "Demo", "WhatId": of.account, "StartDateTime": "2026-12-01T10:00:00Z", "DurationInMinutes": 30});
        made(&context, "Event", event).await;
        made(&context, "Lead", json!({"LastName": "Doe", "Company": "Acme"})).await;
    });
}

#[test]
fn an_activity_has_several_people() {
    run(async {
        let context = TestContext::new().await;
        let of = deal(&context);
        let people = json!([of.contact, of.other_contact]);

        let task = made(&context, "Task", json!({"Subject": "Call", "WhatId": of.deal, "TaskWhoIds": people})).await;
        let event = json!({"Subject": "Demo", "StartDateTime": "2026-12-01T10:00:00Z", "DurationInMinutes": 30, "EventWhoIds": people});
        made(&context, "Event", event).await;

        assert_eq!(
            context.in_org("Task", &task)["WhoId"],
            json!(of.contact),
            "the first is the person of the activity"
        );
        let body = json!({"external_id_field": "Id", "records": [{"Id": task, "TaskWhoIds": [of.other_contact]}]});
        let path = format!("/v1/orgs/{}/records/Task?as={REP}", context.org);
        let (status, changed) = context.post(&path, Some("u"), body).await;
        assert_eq!((status, &changed["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{changed}");
        assert_eq!(context.in_org("Task", &task)["WhoId"], json!(of.other_contact));
    });
}

#[test]
fn a_person_account_is_created_by_its_record_type() {
    run(async {
        let context = TestContext::with_features(Features { person_accounts: true, ..Features::default() }).await;
        let record_type = context.only("RecordType", "DeveloperName", "PersonAccount").await;

        let id = made(&context, "Account", json!({"RecordTypeId": record_type, "FirstName": "Ada", "LastName": "Doe"}))
            .await;

        let account = context.in_org("Account", &id);
        assert_eq!((&account["IsPersonAccount"], &account["LastName"]), (&json!(true), &json!("Doe")), "{account:?}");
    });
}

/// Of a warm function: the rep's record costs its creation, and the team's record for a rep too.
#[test]
fn a_created_record_costs_one_call() {
    run(async {
        let context = TestContext::new().await;
        let record = |key: &str| json!([{"client_key": key, "Subject": "Call"}]);
        context.create_records("Task", Some(REP), "k0", record("t-0")).await;
        let calls = context.simulator.api_calls();
        context.create_records("Task", Some(REP), "k1", record("t-1")).await;
        assert_eq!(context.simulator.api_calls(), calls + 1, "the describe is remembered");

        context.kill(&context.reps().connection_id());
        context.create_records("Task", Some(REP), "k2", record("t-2")).await;
        let calls = context.simulator.api_calls();
        context.create_records("Task", Some(REP), "k3", record("t-3")).await;
        assert_eq!(context.simulator.api_calls(), calls + 1, "the user and the describe are remembered");
    });
}

#[test]
fn two_hundred_records_are_created_in_one_call() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Task");
        let task = |number: usize| json!({"client_key": format!("t-{number}"), "Subject": format!("Call {number}")});
        let calls = context.simulator.api_calls();

        let (status, made) = context.create_records("Task", Some(REP), "k", (0..200).map(task).collect()).await;

        assert_eq!((status, made["records"].as_array().unwrap().len()), (StatusCode::OK, 200));
        assert_eq!(
            (context.count_in_org("Task"), context.simulator.api_calls()),
            (before + 200, calls + 2),
            "a describe, the creation"
        );
    });
}

#[test]
fn the_team_creates_for_a_rep_who_owns_where_the_object_has_owners() {
    run(async {
        let context = TestContext::new().await;
        let of = deal(&context);
        define_visits(&context);
        context.kill(&context.reps().connection_id());
        let create = async |object: &str, mut fields: Value| {
            fields["client_key"] = json!("k");
            let (status, made) = context.create_records(object, Some(REP), object, json!([fields])).await;
            assert_eq!((status, &made["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")), "{made}");
            context.in_org(object, &made["records"][0]["id"])
        };

        assert_eq!(create("Task", json!({"Subject": "Call"})).await["OwnerId"], context.rep.id);
        let named = json!({"Name": "Visit", "OwnerId": context.admin.id});
        assert_eq!(create("Visit__c", named).await["OwnerId"], context.admin.id, "a named owner stays");
        let role = create("OpportunityContactRole", json!({"OpportunityId": of.deal, "ContactId": of.contact})).await;
        assert!(!role.contains_key("OwnerId"), "{role:?}");
    });
}

#[test]
fn a_known_client_key_creates_and_changes_nothing() {
    run(async {
        let context = TestContext::new().await;
        let task = |subject: &str| json!([{"client_key": "t-1", "Subject": subject}]);
        let (_, first) = context.create_records("Task", None, "k1", task("Call")).await;
        let id = &first["records"][0]["id"];
        let calls = context.simulator.api_calls();

        let (status, second) = context.create_records("Task", None, "k2", task("Mail")).await;

        let outcome = &second["records"][0];
        assert_eq!((status, &outcome["id"]), (StatusCode::OK, id), "{second}");
        assert_eq!((&outcome["success"], &outcome["created"]), (&json!(true), &json!(false)));
        assert_eq!(context.simulator.api_calls(), calls);
        assert_eq!(context.in_org("Task", id)["Subject"], "Call");
        assert_eq!(context.create_records("Task", None, "k1", task("Call")).await.1, first, "the first outcome stays");
        let mixed = json!([{"client_key": "t-1", "Subject": "Call"}, {"client_key": "t-2", "Subject": "Call"}]);
        let (_, mixed) = context.create_records("Task", None, "k3", mixed).await;
        assert_eq!((&mixed["records"][0]["id"], &mixed["records"][0]["created"]), (id, &json!(false)));
        assert_eq!(mixed["records"][1]["created"], true, "{mixed}");
        assert_ne!(&mixed["records"][1]["id"], id);
    });
}

#[test]
fn a_client_key_of_a_former_tenant_is_not_known() {
    run(async {
        let context = TestContext::new().await;
        let task = json!([{"client_key": "t-1", "Subject": "Call"}]);
        let (_, first) = context.create_records("Task", None, "k1", task.clone()).await;
        context.orgs.close(context.org, context.clock.now()).await.unwrap();
        for tenant in ["globex", "acme"] {
            context.pass_a_minute();
            context.orgs.transfer(context.org, &tenant.parse().unwrap(), context.clock.now()).await.unwrap();
        }
        context.activate(context.org).await;

        let (status, second) = context.create_records("Task", None, "k2", task).await;

        assert_eq!((status, &second["records"][0]["created"]), (StatusCode::OK, &json!(true)), "{second}");
        assert_ne!(first["records"][0]["id"], second["records"][0]["id"]);
    });
}

#[test]
fn a_refused_record_can_be_corrected_under_its_client_key() {
    run(async {
        let context = TestContext::new().await;
        forbid_bolt(&context);
        let leads = |company: &str| json!([{"client_key": "l-1", "LastName": "Doe", "Company": company}, {"client_key": "l-2", "LastName": "Roe", "Company": "Acme"}]);
        let (status, first) = context.create_records("Lead", None, "k1", leads("Bolt")).await;
        assert_eq!((status, &first["records"][0]["success"]), (StatusCode::OK, &json!(false)), "{first}");
        assert_eq!(first["records"][0]["errors"][0]["code"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");

        let (_, second) = context.create_records("Lead", None, "k2", leads("Acme")).await;

        assert_eq!((&second["records"][0]["created"], &second["records"][1]["created"]), (&json!(true), &json!(false)));
        assert_eq!(second["records"][1]["id"], first["records"][1]["id"]);
    });
}

#[test]
fn with_all_or_none_one_refusal_creates_nothing() {
    run(async {
        let context = TestContext::new().await;
        let before = context.count_in_org("Lead");
        forbid_bolt(&context);
        let lead = |key: &str, company: &str| json!({"client_key": key, "LastName": "Doe", "Company": company});
        let body = |company: &str| json!({"all_or_none": true, "records": [lead("l-1", "Acme"), lead("l-2", company)]});
        let path = format!("/v1/orgs/{}/records/Lead", context.org);

        let (status, refused) = context.post(&path, Some("k1"), body("Bolt")).await;
        assert_eq!((status, &refused["records"][0]["success"]), (StatusCode::OK, &json!(false)), "{refused}");
        assert_eq!(context.count_in_org("Lead"), before);
        let (_, made) = context.post(&path, Some("k2"), body("Acme")).await;
        assert_eq!((&made["records"][0]["created"], &made["records"][1]["created"]), (&json!(true), &json!(true)));
    });
}

#[test]
fn a_hidden_object_or_field_is_named() {
    run(async {
        let context = TestContext::new().await;
        let hide = |permissions: &ObjectPermissions| {
            context.simulator.limit_profile("Standard User", "Task", permissions).unwrap();
        };
        let create = async |key: &str| {
            let task = json!([{"client_key": key, "Subject": "Call", "Description": "x"}]);
            context.create_records("Task", Some(REP), key, task).await
        };
        // A field that was hidden since the describe is in the outcome of the record, or Salesforce refuses the whole request.
        create("t-0").await;
        hide(&ObjectPermissions { hidden_fields: vec!["Description".to_owned()], ..ObjectPermissions::default() });
        let (status, refused) = create("t-1").await;
        let error = &refused["records"][0]["errors"][0];
        assert_eq!((status, &error["code"]), (StatusCode::OK, &json!("INVALID_FIELD")), "{refused}");
        let effect = Effect::Error { status: 400, code: "INVALID_FIELD".to_owned(), message: "no".to_owned() };
        let path_prefix = "/services/data/v66.0/composite/sobjects".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 1, effect });
        let (status, problem) = create("t-2").await;
        assert_eq!(problem["type"], "urn:ferry:problem:field_not_visible", "{status} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("Description"), "{problem}");

        // The same request works once the field is granted.
        hide(&ObjectPermissions::default());
        let (status, made) = create("t-2").await;
        assert_eq!((status, &made["records"][0]["created"]), (StatusCode::OK, &json!(true)), "{made}");
    });
}

#[test]
fn an_inactive_owner_is_refused() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());
        let task = |key: &str| json!([{"client_key": key, "Subject": "Call"}]);
        context.create_records("Task", Some(REP), "k1", task("t-1")).await;
        context.simulator.set_user_active(&context.rep.username, false).unwrap();

        let (status, problem) = context.create_records("Task", Some(REP), "k2", task("t-2")).await;

        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::CONFLICT, &json!("urn:ferry:problem:user_inactive")),
            "{problem}"
        );
    });
}

#[test]
fn a_body_without_keys_is_refused() {
    run(async {
        let context = TestContext::new().await;
        let (status, problem) = context.create_records("Task", None, "k", json!([{"Subject": "Call"}])).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("records[0].client_key"), "{problem}");
        assert_eq!(context.simulator.api_calls(), 0);
    });
}

#[test]
fn an_upsert_by_id_only_updates() {
    run(async {
        let context = TestContext::new().await;
        let account = context.create(&context.admin, "Account", &json!({"Name": "Acme"}));
        let gone = context.create(&context.admin, "Account", &json!({"Name": "Gone"}));
        context.delete("Account", &gone);
        let before = context.count_in_org("Account");
        let missing = format!("{}AAA", &account[..15]).replace(&account[8..15], "0000000");
        let missing = missing[..15].to_owned();
        let records = json!([
            {"Id": account, "Name": "New", KEY: "A-1"}, {"Id": gone, "Name": "New"}, {"Id": missing, "Name": "New"},
        ]);
        let path = format!("/v1/orgs/{}/records/Account", context.org);

        let (status, written) =
            context.post(&path, Some("k"), json!({"external_id_field": "Id", "records": records})).await;

        let outcome = |index: usize| &written["records"][index];
        assert_eq!(
            (status, &outcome(0)["success"], &outcome(0)["created"]),
            (StatusCode::OK, &json!(true), &json!(false)),
            "{written}"
        );
        assert_eq!(context.in_org("Account", &json!(account))["Name"], "New");
        for index in [1, 2] {
            assert_eq!((&outcome(index)["success"], &outcome(index)["id"]), (&json!(false), &Value::Null), "{written}");
            assert!(
                !outcome(index)["errors"][0]["code"].as_str().unwrap().is_empty() && outcome(index)["next"].is_string()
            );
        }
        assert_eq!(context.count_in_org("Account"), before);
    });
}
