//! Duplicate rules of the org, and what a request wants done about them.

use http::StatusCode;
use jiff::SignedDuration;
use org_simulator::{DuplicateAction, DuplicateRule, Effect, Fault, FaultRule, SharingDefault};
use serde_json::{Value, json};

use crate::harness::{KEY, REP, TestContext, run};

const RULE: &str = "Same_Name";

fn same_name(action: DuplicateAction) -> DuplicateRule {
    DuplicateRule {
        name: RULE.to_owned(),
        object: "Account".to_owned(),
        matching_rule: Some("Name_Match".to_owned()),
        fields: vec!["Name".to_owned()],
        on_create: action,
        on_edit: DuplicateAction::Allow,
        ..DuplicateRule::default()
    }
}

/// An org with a rule and an account `Gull`; returns the account's id.
async fn with_gull(action: DuplicateAction) -> (TestContext, String) {
    let context = TestContext::new().await;
    let id = gull(&context, action);
    (context, id)
}

fn gull(context: &TestContext, action: DuplicateAction) -> String {
    let id = context.create(&context.admin, "Account", &json!({"Name": "Gull", "Site": "old"}));
    context.simulator.set_duplicate_rule(&same_name(action)).unwrap();
    id
}

fn record(key: &str, name: &str) -> Value {
    json!({ KEY: key, "Name": name, "Site": "new" })
}

fn batch(duplicates: Option<&str>, all_or_none: bool, records: &[Value]) -> Value {
    let mut body = json!({"external_id_field": KEY, "records": records, "all_or_none": all_or_none});
    if let Some(duplicates) = duplicates {
        body["duplicates"] = json!(duplicates);
    }
    body
}

async fn upsert(context: &TestContext, key: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("/v1/orgs/{}/records/Account?as={REP}", context.org);
    context.post(&path, Some(key), body).await
}

fn graph(duplicates: &str, key: &str, name: &str) -> Value {
    json!({"duplicates": duplicates, "records": [
        {"object": "Contact", "external_id_field": KEY, "fields": {KEY: "C-1", "LastName": "Doe", "Account": {KEY: key}}},
        {"object": "Account", "external_id_field": KEY, "fields": record(key, name)},
    ]})
}

/// The composite and query calls since the last look.
fn written_calls(context: &TestContext) -> usize {
    let calls = context.calls();
    calls.iter().filter(|(path, _)| !path.ends_with("describe")).map(|(_, count)| *count).sum()
}

#[test]
fn a_blocked_record_names_what_is_there() {
    run(async {
        let (context, id) = with_gull(DuplicateAction::Alert).await;
        let before = context.count_in_org("Account");

        let (status, refused) =
            upsert(&context, "k", batch(None, false, &[record("A-1", "Gull"), record("A-2", "Tern")])).await;

        assert_eq!((status, context.count_in_org("Account")), (StatusCode::OK, before + 1), "{refused}");
        let outcome = &refused["records"][0];
        let error = &outcome["errors"][0];
        assert_eq!(
            (&error["code"], &error["existing_ids"]),
            (&json!("DUPLICATES_DETECTED"), &json!([id])),
            "{refused}"
        );
        let expected = json!({"rule": RULE, "allow_save": true, "matches": [
            {"object": "Account", "id": id, "matching_rule": "Name_Match", "confidence": 100.0}
        ]});
        assert_eq!(error["duplicates"], expected);
        assert!(outcome["next"].as_str().unwrap().contains("`duplicates` as `allow`"), "{outcome}");
        assert_eq!(refused["records"][1]["success"], true);
        let (_, refused) = context.graph(Some(REP), "k2", graph("block", "A-3", "Gull")).await;
        assert_eq!(refused["records"][1]["errors"][0]["duplicates"], expected);
        assert_eq!(refused["records"][0]["errors"][0]["code"], "PROCESSING_HALTED");
    });
}

#[test]
fn a_refused_batch_of_all_or_none_names_what_is_there() {
    run(async {
        let (context, id) = with_gull(DuplicateAction::Alert).await;
        let before = context.count_in_org("Account");

        let (_, refused) =
            upsert(&context, "k", batch(None, true, &[record("A-1", "Gull"), record("A-2", "Tern")])).await;

        assert_eq!(context.count_in_org("Account"), before);
        assert_eq!(refused["records"][0]["errors"][0]["existing_ids"], json!([id]), "{refused}");
        assert_eq!(refused["records"][1]["success"], false);
    });
}

#[test]
fn allow_passes_an_alert_and_says_that_a_block_blocks() {
    run(async {
        let (context, _) = with_gull(DuplicateAction::Alert).await;
        let (_, made) = upsert(&context, "k1", batch(Some("allow"), false, &[record("A-1", "Gull")])).await;
        assert_eq!(made["records"][0]["created"], true, "{made}");
        let (_, made) = context.graph(Some(REP), "k2", graph("allow", "A-2", "Gull")).await;
        assert_eq!(made["records"][1]["created"], true, "{made}");

        context.simulator.set_duplicate_rule(&same_name(DuplicateAction::Block)).unwrap();
        let (_, refused) = upsert(&context, "k3", batch(Some("allow"), false, &[record("A-3", "Gull")])).await;
        let outcome = &refused["records"][0];
        assert_eq!(outcome["errors"][0]["duplicates"]["allow_save"], false, "{refused}");
        assert!(outcome["next"].as_str().unwrap().contains("blocks it: `allow` does not change that"), "{outcome}");
    });
}

#[test]
fn the_only_record_that_is_there_is_adopted() {
    run(async {
        let (context, id) = with_gull(DuplicateAction::Block).await;
        let before = context.count_in_org("Account");
        let owner = context.in_org("Account", &json!(id))["OwnerId"].clone();
        let calls = written_calls(&context);

        let (status, adopted) = upsert(&context, "k1", batch(Some("adopt"), false, &[record("A-1", "Gull")])).await;

        assert_eq!(status, StatusCode::OK);
        let outcome = &adopted["records"][0];
        assert_eq!(
            (&outcome["id"], &outcome["created"], &outcome["adopted"]),
            (&json!(id), &json!(false), &json!(true)),
            "{adopted}"
        );
        // The collection, the record by itself, the external id of the one that is there, its update.
        assert_eq!(written_calls(&context) - calls, 4);
        let account = context.in_org("Account", &json!(id));
        assert_eq!((&account[KEY], &account["Site"], &account["OwnerId"]), (&json!("A-1"), &json!("new"), &owner));
        let (_, again) = upsert(&context, "k2", batch(Some("adopt"), false, &[record("A-1", "Gull")])).await;
        assert_eq!(again["records"][0]["id"], json!(id));
        assert_eq!(again["records"][0].get("adopted"), None, "the upsert finds it by itself: {again}");
        assert_eq!(context.count_in_org("Account"), before);
    });
}

#[test]
fn a_graph_and_a_batch_of_all_or_none_adopt() {
    run(async {
        let (context, id) = with_gull(DuplicateAction::Alert).await;
        let before = context.count_in_org("Account");
        context
            .graph(
                Some(REP),
                "describes",
                json!({"records": [
                    {"object": "Contact", "external_id_field": KEY, "fields": {KEY: "C-9", "LastName": "x"}},
                    {"object": "Account", "external_id_field": KEY, "fields": record("A-9", "Tern")},
                ]}),
            )
            .await;
        let calls = written_calls(&context);

        let (_, adopted) = context.graph(Some(REP), "k1", graph("adopt", "A-1", "Gull")).await;

        // The graph, the external id of the one that is there, the graph.
        assert_eq!(written_calls(&context) - calls, 3);
        assert_eq!(
            (&adopted["records"][1]["id"], &adopted["records"][1]["adopted"]),
            (&json!(id), &json!(true)),
            "{adopted}"
        );
        let contact = context.in_org("Contact", &adopted["records"][0]["id"]);
        assert_eq!(contact["AccountId"], json!(id), "the child of the adopted record");
        let second = context.create(&context.admin, "Account", &json!({"Name": "Auk"}));
        let (_, batch) =
            upsert(&context, "k2", batch(Some("adopt"), true, &[record("A-2", "Auk"), record("A-3", "Puffin")])).await;
        assert_eq!(
            (&batch["records"][0]["id"], &batch["records"][0]["adopted"]),
            (&json!(second), &json!(true)),
            "{batch}"
        );
        assert_eq!((&batch["records"][1]["created"], context.count_in_org("Account")), (&json!(true), before + 3));
    });
}

#[test]
fn what_cannot_be_adopted_is_refused_with_the_reason() {
    run(async {
        let (context, first) = with_gull(DuplicateAction::Alert).await;
        let reason =
            |response: &Value| response["records"][0]["errors"][1]["message"].as_str().unwrap_or_default().to_owned();
        context.update("Account", &first, &json!({ KEY: "OTHER" }));

        let (_, other) = upsert(&context, "k1", batch(Some("adopt"), false, &[record("A-1", "Gull")])).await;
        assert_eq!(reason(&other), "the record that is there has another external id", "{other}");
        assert_eq!(other["records"][0]["errors"][1]["code"], "NOT_ADOPTED");
        assert_eq!(other["records"][0]["errors"][0]["existing_ids"], json!([first]));
        let (_, of_graph) = context.graph(Some(REP), "k2", graph("adopt", "A-1", "Gull")).await;
        assert_eq!(of_graph["records"][1]["errors"][1]["code"], "NOT_ADOPTED", "{of_graph}");

        context.update("Account", &first, &json!({ KEY: null }));
        context.create(&context.admin, "Account", &json!({"Name": "Auk"}));
        let twice = batch(Some("adopt"), false, &[record("A-1", "Auk"), record("A-2", "Auk")]);
        let (_, twice) = upsert(&context, "k3", twice).await;
        assert_eq!(twice["records"][0]["adopted"], true, "{twice}");
        assert_eq!(
            twice["records"][1]["errors"][1]["message"],
            "another record of the request is the one that is there"
        );

        context.simulator.remove_rule(RULE).unwrap();
        context.create(&context.admin, "Account", &json!({"Name": "Gull"}));
        context.simulator.set_duplicate_rule(&same_name(DuplicateAction::Alert)).unwrap();
        let (_, several) = upsert(&context, "k4", batch(Some("adopt"), false, &[record("A-3", "Gull")])).await;
        assert_eq!(reason(&several), "several records of the object are there", "{several}");
    });
}

#[test]
fn a_record_that_the_user_does_not_see_is_not_adopted() {
    run(async {
        let (context, id) = with_gull(DuplicateAction::Alert).await;
        context.simulator.set_sharing_default("Account", SharingDefault::Private).unwrap();

        let (_, refused) = upsert(&context, "k", batch(Some("adopt"), false, &[record("A-1", "Gull")])).await;

        let message = "the connection's user does not see the record that is there";
        assert_eq!(refused["records"][0]["errors"][1]["message"], message, "{refused}");
        assert_eq!(context.in_org("Account", &json!(id))[KEY], Value::Null);
    });
}

#[test]
fn adopt_needs_an_external_id() {
    run(async {
        let context = TestContext::new().await;
        let body = json!({"external_id_field": "Id", "duplicates": "adopt", "records": [{"Id": "001000000000001AAA"}]});
        let (status, problem) = upsert(&context, "k", body).await;
        assert_eq!(
            (status, &problem["detail"]),
            (
                StatusCode::BAD_REQUEST,
                &json!("duplicates: `adopt` needs an external id, which the record that is there gets")
            )
        );
    });
}

/// Adopts a record, whatever happens to the requests: it has the external id, and there is no other.
async fn adopts_once(context: &TestContext, key: &str, id: &str, body: &Value, what: &str) {
    let before = context.count_in_org("Account");
    let send = async || match body.get("external_id_field") {
        None => context.graph(Some(REP), key, body.clone()).await,
        Some(_) => upsert(context, key, body.clone()).await,
    };
    let (mut status, mut outcome) = send().await;
    for _ in 0..40 {
        if status != StatusCode::ACCEPTED {
            break;
        }
        context.pass(SignedDuration::from_mins(2));
        context.resume(&outcome["write_id"]).await;
        (status, outcome) = send().await;
    }
    context.pass(SignedDuration::from_mins(12));
    assert_eq!(status, StatusCode::OK, "{what}: {outcome}");
    let record = outcome["records"].as_array().unwrap().iter().find(|record| record["id"] == json!(id));
    let record = record.unwrap_or_else(|| panic!("{what}: {outcome}"));
    assert!(record["success"] == true && record["created"] != true, "{what}: {outcome}");
    // After a lost response it may not be known that this write adopted the record.
    assert!(record["adopted"] == true || record.get("adopted") == Some(&Value::Null), "{what}: {outcome}");
    let account = context.in_org("Account", &json!(id));
    assert_eq!((&account[KEY], &account["Site"]), (&json!(format!("A-{key}")), &json!("new")), "{what}");
    assert_eq!(context.count_in_org("Account"), before, "{what}");
}

#[test]
fn a_fault_at_each_request_adopts_the_record_once() {
    run(async {
        type Body = fn(&str, &str) -> Value;
        let bodies: [(&str, Body); 3] = [
            ("each by itself", |key, name| batch(Some("adopt"), false, &[record(key, name)])),
            ("all or none", |key, name| batch(Some("adopt"), true, &[record(key, name)])),
            ("graph", |key, name| graph("adopt", key, name)),
        ];
        let effects = [
            Effect::ResetBefore,
            Effect::ResetAfter,
            Effect::Unavailable,
            Effect::ErrorAfter { status: 503, code: "UNKNOWN_EXCEPTION".to_owned(), message: "x".to_owned() },
            Effect::CommitLate { delay_s: 20 },
        ];
        for (name, body) in bodies {
            for effect in &effects {
                let context = TestContext::new().await;
                context.simulator.set_duplicate_rule(&same_name(DuplicateAction::Alert)).unwrap();
                for nth in 0.. {
                    // The describes are not remembered for so long.
                    context.pass(SignedDuration::from_mins(15));
                    let account = format!("Gull {nth}");
                    let id = context.create(&context.admin, "Account", &json!({"Name": account}));
                    let fault = Fault {
                        path_prefix: "/services/data".to_owned(),
                        method: None,
                        times: 1,
                        effect: effect.clone(),
                    };
                    context.simulator.fault(FaultRule { skip: nth, ..FaultRule::from(fault) });
                    let body = body(&format!("A-{nth}"), &account);
                    let what = format!("{name}, {effect:?} at {nth}");
                    adopts_once(&context, &nth.to_string(), &id, &body, &what).await;
                    let is_spent = context.simulator.faults()[0].used > 0;
                    context.simulator.clear_faults();
                    if !is_spent {
                        assert!(nth >= 3, "{what}");
                        break;
                    }
                }
            }
        }
    });
}

#[test]
fn a_function_killed_at_each_point_adopts_the_record_once() {
    run(async {
        let context = TestContext::killable().await;
        let id = gull(&context, DuplicateAction::Alert);
        let before = context.count_in_org("Account");
        let body = batch(Some("adopt"), false, &[record("A-1", "Gull")]);
        let mut kills = 0;
        while !context.killed_at(kills, upsert(&context, "k", body.clone())).await {
            context.pass_a_minute();
            kills += 1;
        }
        assert!(kills >= 8, "killed {kills} times");
        let (status, outcome) = upsert(&context, "k", body).await;
        assert_eq!((status, &outcome["records"][0]["id"]), (StatusCode::OK, &json!(id)), "{outcome}");
        assert_eq!(
            (context.count_in_org("Account"), &context.in_org("Account", &json!(id))[KEY]),
            (before, &json!("A-1"))
        );
    });
}

#[test]
fn a_creation_passes_an_alert_only_if_it_says_so() {
    run(async {
        let (context, _) = with_gull(DuplicateAction::Alert).await;
        let path = format!("/v1/orgs/{}/records/Account?as={REP}", context.org);
        let body = |key: &str, duplicates: &str| json!({"duplicates": duplicates, "records": [{"client_key": key, "Name": "Gull"}]});
        let (_, blocked) = context.post(&path, Some("1"), body("a", "block")).await;
        assert_eq!(blocked["records"][0]["errors"][0]["code"], "DUPLICATES_DETECTED", "{blocked}");
        let (status, allowed) = context.post(&path, Some("2"), body("b", "allow")).await;
        assert_eq!((status, &allowed["records"][0]["created"]), (StatusCode::OK, &json!(true)), "{allowed}");
        let (status, _) = context.post(&path, Some("3"), body("c", "adopt")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    });
}
