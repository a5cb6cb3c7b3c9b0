//! Records of several objects in one request, all or none.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, FaultRule, ValidationRule};
use salesforce::{FieldName, ObjectName, Soql, soql};
use serde_json::{Value, json};
use store::{ConnectionId, SavedVersion};

use crate::harness::{KEY, REP, TestContext, run};

const OBJECTS: [&str; 4] = ["Account", "Contact", "Opportunity", "OpportunityContactRole"];

fn fault(effect: Effect) -> Fault {
    Fault { path_prefix: "/services/data/v66.0/composite/graph".to_owned(), method: None, times: 1, effect }
}

fn account(key: &str) -> Value {
    json!({"object": "Account", "external_id_field": KEY, "fields": {KEY: key, "Name": "Acme"}})
}

fn contact(key: &str) -> Value {
    json!({"object": "Contact", "external_id_field": KEY, "fields": {KEY: key, "LastName": "Doe", "Account": {KEY: "A-1"}}})
}

/// An account, its contact, a deal and the contact's role in it, children first.
fn deal() -> Value {
    let opportunity = json!({
        KEY: "O-1", "Name": "Pilot", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Account": {KEY: "A-1"},
    });
    json!({"records": [
        {"object": "OpportunityContactRole", "client_key": "role", "fields": {"Role": "Decision Maker", "Opportunity": {KEY: "O-1"}, "Contact": {KEY: "C-1"}}},
        {"object": "Opportunity", "external_id_field": KEY, "fields": opportunity},
        contact("C-1"),
        account("A-1"),
    ]})
}

/// Adds a rule that only Salesforce knows.
fn forbid(context: &TestContext, object: &str, condition: &str) {
    let rule = ValidationRule {
        name: "No".to_owned(),
        object: object.to_owned(),
        condition: condition.to_owned(),
        message: "No.".to_owned(),
        field: None,
    };
    context.simulator.set_validation_rule(&rule).unwrap();
}

fn upserts() -> Value {
    json!({"records": [contact("C-1"), account("A-1")]})
}

fn counts(context: &TestContext) -> Vec<usize> {
    OBJECTS.iter().map(|object| context.count_in_org(object)).collect()
}

fn added(context: &TestContext, before: &[usize]) -> Vec<usize> {
    counts(context).iter().zip(before).map(|(now, before)| now - before).collect()
}

fn ids(outcome: &Value) -> Vec<Value> {
    outcome["records"].as_array().unwrap().iter().map(|record| record["id"].clone()).collect()
}

#[test]
fn an_account_contact_deal_and_role_cost_one_call() {
    run(async {
        let context = TestContext::new().await;
        let before = counts(&context);
        // The first request describes the objects.
        let (status, first) = context.graph(Some(REP), "k1", deal()).await;
        assert_eq!(status, StatusCode::OK, "{first}");
        assert_eq!(added(&context, &before), [1, 1, 1, 1]);
        let records = &first["records"];
        assert!((0..4).all(|n| records[n]["created"] == true), "{first}");
        let role = context.in_org("OpportunityContactRole", &records[0]["id"]);
        assert_eq!((&role["OpportunityId"], &role["ContactId"]), (&records[1]["id"], &records[2]["id"]));
        for (object, at) in [("Opportunity", 1), ("Contact", 2)] {
            let child = context.in_org(object, &records[at]["id"]);
            assert_eq!((&child["AccountId"], &child["OwnerId"]), (&records[3]["id"], &json!(context.rep.id)));
        }

        // The same request again: the stored outcome, without a call.
        let calls = context.simulator.api_calls();
        assert_eq!(context.graph(Some(REP), "k1", deal()).await, (status, first.clone()));
        assert_eq!(context.simulator.api_calls(), calls);
        // Another request: one call.
        let mut changed = deal();
        changed["records"].as_array_mut().unwrap().remove(0);
        let (_, second) = context.graph(Some(REP), "k2", changed).await;
        assert_eq!(context.simulator.api_calls() - calls, 1);
        assert_eq!(ids(&second), ids(&first)[1..]);
        assert!((0..3).all(|n| second["records"][n]["created"] == false), "{second}");
        assert_eq!(added(&context, &before), [1, 1, 1, 1]);
    });
}

#[test]
fn a_graph_has_hints_and_origins_of_each_object() {
    run(async {
        let context = TestContext::new().await;

        let (_, written) = context.graph(Some(REP), "k", deal()).await;

        // The test's mirror has no roles.
        assert_eq!(context.waiting("RecordUpsertQueue").await.0, 3);
        for (object, at) in [("OpportunityContactRole", 0), ("Opportunity", 1), ("Contact", 2), ("Account", 3)] {
            let id = &written["records"][at]["id"];
            let record = context.in_org(object, id);
            let text = |field: &str| record[field].as_str().unwrap().to_owned();
            let saved = SavedVersion {
                by: text("LastModifiedById").parse().unwrap(),
                at: text("SystemModstamp").parse().unwrap(),
            };
            let id = id.as_str().unwrap().parse().unwrap();
            let origin = context.deps.origins.find(context.org, id, saved).await.unwrap();
            assert!(
                origin.is_some_and(|origin| at == 3 || origin.has_set(if at == 0 { "ContactId" } else { "AccountId" }))
            );
        }
    });
}

#[test]
fn a_refused_record_is_named_and_the_others_rolled_back() {
    run(async {
        let context = TestContext::new().await;
        let before = counts(&context);
        forbid(&context, "Opportunity", "Name = 'Pilot'");

        let (status, refused) = context.graph(Some(REP), "k", deal()).await;

        assert_eq!((status, added(&context, &before)), (StatusCode::OK, vec![0, 0, 0, 0]), "{refused}");
        let records = &refused["records"];
        assert_eq!(records[1]["errors"][0]["code"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
        for other in [0, 2, 3] {
            assert_eq!(records[other]["errors"][0]["code"], "PROCESSING_HALTED", "{refused}");
            assert!(records[other]["next"].as_str().unwrap().starts_with("Nothing of the request was written"));
        }
    });
}

#[test]
fn a_parent_that_is_not_in_the_request_is_found_by_salesforce() {
    run(async {
        let context = TestContext::new().await;
        let (_, made) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        let (_, written) = context.graph(None, "k2", json!({"records": [contact("C-1")]})).await;

        let contact = context.in_org("Contact", &written["records"][0]["id"]);
        assert_eq!(contact["AccountId"], made["records"][0]["id"]);
        let (_, refused) = context.graph(None, "k3", json!({"records": [
            {"object": "Contact", "external_id_field": KEY, "fields": {KEY: "C-2", "LastName": "x", "Account": {KEY: "A-9"}}}
        ]})).await;
        assert_eq!(refused["records"][0]["errors"][0]["code"], "INVALID_FIELD", "{refused}");
    });
}

#[test]
fn references_that_lead_nowhere_are_refused_before_the_call() {
    run(async {
        let context = TestContext::new().await;
        let fields = json!({"Opportunity": {KEY: "O-1"}, "Contact": {"client_key": "x"}});
        let role = json!({"object": "OpportunityContactRole", "client_key": "r", "fields": fields});
        let (status, problem) = context.graph(None, "k", json!({"records": [role]})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(problem["detail"], "records[0].fields.Contact: names no client_key of this request");
        let (status, problem) =
            context.graph(None, "k2", json!({"records": [{"object": "User", "client_key": "u", "fields": {}}]})).await;
        assert_eq!(
            (status, &problem["type"]),
            (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:object_not_writable"))
        );
        let (status, problem) = context.graph(None, "k3", json!({"records": [{"object": "Account"}]})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(context.calls().get("composite/graph"), None, "{:?}", context.calls());
    });
}

#[test]
fn the_team_names_the_rep_as_the_owner_of_new_records_only() {
    run(async {
        let context = TestContext::new().await;
        let (_, made) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let mapping = store::UserMapping {
            org_id: context.org,
            platform_user: "rep-7".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            user_id: context.rep.id.parse().unwrap(),
            mapped_at: context.clock.now(),
        };
        context.deps.ledger.user_mappings.store(&mapping).await.unwrap();

        let (status, written) = context.graph(Some("rep-7"), "k2", deal()).await;

        assert_eq!((status, &written["owner_choice"]), (StatusCode::OK, &json!("team_with_owner")), "{written}");
        assert_eq!(written["records"][3]["id"], made["records"][0]["id"]);
        let owner = |object: &str, at: usize| context.in_org(object, &written["records"][at]["id"])["OwnerId"].clone();
        assert_eq!(owner("Account", 3), context.admin.id, "an existing record keeps its owner");
        assert_eq!((owner("Contact", 2), owner("Opportunity", 1)), (json!(context.rep.id), json!(context.rep.id)));
    });
}

#[test]
fn a_row_lock_is_waited_for_as_a_whole() {
    run(async {
        let context = TestContext::new().await;
        let (_, made) = context.graph(Some(REP), "k1", upserts()).await;
        let account = made["records"][1]["id"].as_str().unwrap();
        let before = counts(&context);
        context.simulator.lock_record(account).unwrap();

        let (status, queued) = context.graph(Some(REP), "k2", deal()).await;

        assert_eq!((status, added(&context, &before)), (StatusCode::ACCEPTED, vec![0, 0, 0, 0]), "{queued}");
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "queued", "the lock has not ended");
        context.simulator.unlock_record(account).unwrap();
        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "finished");
        assert_eq!(added(&context, &before), [0, 0, 1, 1]);
    });
}

/// Makes a write, whatever happens to its requests: each record is there once, and there is one outcome.
async fn ends_with_each_record_once(context: &TestContext, key: &str, request: &Value, what: &str) {
    let before = &counts(context);
    let (mut status, mut outcome) = context.graph(Some(REP), key, request.clone()).await;
    for _ in 0..40 {
        if status != StatusCode::ACCEPTED {
            break;
        }
        context.pass(SignedDuration::from_mins(2));
        context.resume(&outcome["write_id"]).await;
        (status, outcome) = context.graph(Some(REP), key, request.clone()).await;
    }
    assert_eq!(status, StatusCode::OK, "{what}: {outcome}");
    let records = outcome["records"].as_array().unwrap();
    assert!(records.iter().all(|record| record["success"] == true), "{what}: {outcome}");
    // What was sent may take effect late.
    context.pass(SignedDuration::from_mins(12));
    let expected: Vec<usize> = OBJECTS
        .iter()
        .map(|object| {
            request["records"].as_array().unwrap().iter().filter(|record| record["object"] == *object).count()
        })
        .collect();
    assert_eq!(added(context, before), expected, "{what}");
    for (record, outcome) in request["records"].as_array().unwrap().iter().zip(records) {
        context.in_org(record["object"].as_str().unwrap(), &outcome["id"]);
    }
    let stored = context.graph(Some(REP), key, request.clone()).await;
    assert_eq!(stored, (status, outcome.clone()), "{what}");
}

fn effects() -> Vec<Effect> {
    let error = |status: u16, code: &str| Effect::Error { status, code: code.to_owned(), message: "down".to_owned() };
    vec![
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::Unavailable,
        error(503, "SERVER_UNAVAILABLE"),
        Effect::ErrorAfter { status: 503, code: "UNKNOWN_EXCEPTION".to_owned(), message: "x".to_owned() },
        Effect::CommitLate { delay_s: 20 },
        Effect::CommitLate { delay_s: 570 },
    ]
}

/// Returns the request with other external ids.
fn renamed(request: &Value, name: &str) -> Value {
    let mut text = request.to_string();
    for key in ["A-1", "C-1", "O-1"] {
        text = text.replace(key, &format!("{key}-{name}"));
    }
    text.parse().unwrap()
}

#[test]
fn a_fault_at_each_request_leaves_each_record_once() {
    run(async {
        for (name, request) in [("upserts", upserts()), ("with a creation", deal())] {
            for effect in effects() {
                let context = TestContext::new().await;
                // Faults at the first request of the write, at the second, and so on, until there is no such request.
                for nth in 0.. {
                    // The describes are not remembered for so long.
                    context.pass(SignedDuration::from_mins(15));
                    let anywhere = Fault { path_prefix: "/services/data".to_owned(), ..fault(effect.clone()) };
                    context.simulator.fault(FaultRule { skip: nth, ..FaultRule::from(anywhere) });
                    let (key, request) = (nth.to_string(), renamed(&request, &nth.to_string()));
                    ends_with_each_record_once(&context, &key, &request, &format!("{name}, {effect:?} at {nth}")).await;
                    let is_spent = context.simulator.faults()[0].used > 0;
                    context.simulator.clear_faults();
                    if !is_spent {
                        assert!(nth >= 2, "{name}, {effect:?}: {nth} requests");
                        break;
                    }
                }
            }
        }
    });
}

#[test]
fn a_creation_whose_response_was_lost_is_found_at_once() {
    run(async {
        let context = TestContext::new().await;
        let before = counts(&context);
        context.simulator.fault(fault(Effect::ResetAfter));

        let (status, written) = context.graph(Some(REP), "k", deal()).await;

        assert_eq!((status, added(&context, &before)), (StatusCode::OK, vec![1, 1, 1, 1]), "{written}");
        assert_eq!(written["records"][0]["created"], true);
        assert_eq!(written["records"][1]["created"], Value::Null, "it is not known");
    });
}

#[test]
fn a_killed_function_makes_each_record_once() {
    run(async {
        let context = TestContext::killable().await;
        let before = counts(&context);
        context.simulator.fault(fault(Effect::Unavailable));
        let (status, queued) = context.graph(Some(REP), "k", deal()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{queued}");
        let mut kills = 0;
        while !context.killed_at(kills, context.resume(&queued["write_id"])).await {
            context.pass(SignedDuration::from_mins(12));
            kills += 1;
        }
        assert!(kills >= 8, "killed {kills} times");
        for _ in 0..20 {
            context.pass(SignedDuration::from_mins(2));
            context.resume(&queued["write_id"]).await;
        }
        assert_eq!(context.state(&queued["write_id"]).await, "finished");
        assert_eq!(added(&context, &before), [1, 1, 1, 1]);
    });
}

/// Two requests for equal records are two records each, although the response to the second is lost.
#[test]
fn equal_new_records_of_one_request_are_both_made() {
    run(async {
        let context = TestContext::new().await;
        let task = |key: &str| json!({"object": "Task", "client_key": key, "fields": {"Subject": "Call", "What": {"attributes": {"type": "Account"}, KEY: "A-1"}}});
        let request = json!({"records": [task("1"), task("2"), account("A-1")]});
        let before = context.count_in_org("Task");
        context.simulator.fault(fault(Effect::ResetAfter));

        let (status, written) = context.graph(Some(REP), "k", request).await;

        assert_eq!((status, context.count_in_org("Task") - before), (StatusCode::OK, 2), "{written}");
        assert_ne!(written["records"][0]["id"], written["records"][1]["id"]);
    });
}

#[test]
fn a_graph_that_is_only_partly_there_is_not_made_again() {
    run(async {
        let context = TestContext::new().await;
        let task = |key: &str| json!({"object": "Task", "client_key": key, "fields": {"Subject": key}});
        context.simulator.fault(fault(Effect::ResetAfter));
        context.simulator.fault(Fault {
            path_prefix: "/services/data/v66.0/query".to_owned(),
            times: 9,
            ..fault(Effect::Unavailable)
        });
        let before = context.count_in_org("Task");
        let (status, queued) = context.graph(Some(REP), "k", json!({"records": [task("Call"), task("Mail")]})).await;
        assert_eq!((status, context.count_in_org("Task") - before), (StatusCode::ACCEPTED, 2));
        context.simulator.clear_faults();
        let team = context.deps.ledger.salesforce.client(context.org, &ConnectionId::team());
        let (task, subject) = (ObjectName::from_static("Task"), FieldName::from_static("Subject"));
        let mail = Soql::select(&[FieldName::ID]).from(&task).where_(soql::eq(&subject, "Mail"));
        let found = team.query(&mail).await.unwrap().records[0].id;
        context.update("Task", found.as_str(), &json!({"Subject": "Answered"}));

        assert!(context.resume(&queued["write_id"]).await);
        assert_eq!(context.state(&queued["write_id"]).await, "queued", "the request may still take effect");
        context.pass(SignedDuration::from_mins(12));
        assert!(context.resume(&queued["write_id"]).await);

        let (_, write) = context.ledger(&queued["write_id"]).await;
        assert_eq!((&write["state"], context.count_in_org("Task") - before), (&json!("finished"), 2), "{write}");
        assert_eq!(write["records"][0]["success"], true);
        assert_eq!(write["records"][1]["errors"][0]["code"], "NOT_FOUND_AGAIN");
    });
}

#[test]
fn a_validation_rule_refuses_the_whole_graph() {
    run(async {
        let context = TestContext::new().await;
        forbid(&context, "Account", "Name = 'Acme'");
        let (_, refused) = context.graph(Some(REP), "k", upserts()).await;
        assert_eq!(refused["records"][1]["errors"][0]["code"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
        assert_eq!(refused["records"][1]["retryable"], false);
    });
}
