//! What is checked before Salesforce is asked to write.

use http::StatusCode;
use org_simulator::{Effect, Fault, ObjectPermissions};
use serde_json::{Value, json};

use crate::harness::{KEY, REP, TestContext, pipelines, run};

impl TestContext {
    /// Lets requests to a path fail.
    fn fault(&self, path: &str, times: u32, effect: Effect) {
        let path_prefix = format!("/services/data/v66.0/{path}");
        self.simulator.fault(Fault { path_prefix, method: None, times, effect });
    }
}

/// Returns the code of a problem, and the places and codes of its defects.
fn refusal(problem: &Value) -> (String, Vec<String>) {
    let code = problem["type"].as_str().unwrap_or_default().replace("urn:ferry:problem:", "");
    let defects = problem["defects"].as_array().cloned().unwrap_or_default();
    let text = |defect: &Value| {
        let field = defect["field"].as_str().unwrap_or_default();
        format!("{} {field} {}", defect["record"], defect["code"].as_str().unwrap())
    };
    (code, defects.iter().map(text).collect())
}

fn values(object: &str) -> (Value, [&'static str; 2]) {
    match object {
        "Account" => (json!({"Name": "Acme", "Industry": "Energy", "Phone": "1"}), ["Industry", "Phone"]),
        "Contact" => (json!({"LastName": "Doe", "Phone": "1", "Title": "CEO"}), ["Phone", "Title"]),
        "Lead" => (json!({"LastName": "Roe", "Company": "Acme", "Phone": "1", "Title": "CEO"}), ["Phone", "Title"]),
        _ => (
            json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 7, "NextStep": "Call"}),
            ["Amount", "NextStep"],
        ),
    }
}

#[test]
fn a_write_that_the_profile_forbids_is_refused_unsent() {
    run(async {
        let mut context = TestContext::new().await;
        for object in ["Account", "Contact", "Lead", "Opportunity"] {
            let (mut record, hidden) = values(object);
            record[KEY] = json!("K-1");
            let records = json!([record]);
            let readonly = ObjectPermissions { no_create: true, no_edit: true, ..Default::default() };
            let two_hidden =
                ObjectPermissions { hidden_fields: hidden.map(str::to_owned).to_vec(), ..Default::default() };
            let all = ObjectPermissions::default();
            for (profile, user, permissions) in [
                ("admin", None, &all),
                ("all", Some(REP), &all),
                ("hidden", Some(REP), &two_hidden),
                ("readonly", Some(REP), &readonly),
            ] {
                context.permit(object, permissions);
                context.forget();
                let (before, calls) = (context.count_in_org(object), context.simulator.api_calls());
                let (status, response) =
                    context.upsert(object, user, &format!("{object}-{profile}"), records.clone()).await;
                let calls = context.simulator.api_calls() - calls;
                let expected = match profile {
                    "admin" | "all" => {
                        assert_eq!(
                            (status, &response["records"][0]["success"]),
                            (StatusCode::OK, &json!(true)),
                            "{response}"
                        );
                        assert_eq!(calls, 2, "a describe and the upsert");
                        continue;
                    }
                    "hidden" => {
                        let defects = hidden.map(|field| format!("0 {field} field_not_visible")).to_vec();
                        (StatusCode::UNPROCESSABLE_ENTITY, "field_not_visible", defects, "permission set")
                    }
                    _ => {
                        let defects = vec!["0  object_read_only".to_owned()];
                        (StatusCode::FORBIDDEN, "salesforce_forbidden", defects, "grant the connection's user")
                    }
                };
                let (code, defects) = refusal(&response);
                assert_eq!((status, code.as_str(), &defects), (expected.0, expected.1, &expected.2), "{response}");
                assert!(response["next"].as_str().unwrap().contains(expected.3), "{response}");
                assert_eq!((calls, context.count_in_org(object)), (1, before), "only the describe was sent");
            }
        }
    });
}

/// The same of a record with a client key, and of a graph.
#[test]
fn creates_and_graphs_that_a_profile_forbids_are_unsent() {
    run(async {
        let mut context = TestContext::new().await;
        for object in ["Account", "Contact", "Lead", "Opportunity"] {
            let (fields, hidden) = values(object);
            let mut record = fields.clone();
            record["client_key"] = json!("r");
            let create = (format!("records/{object}"), "", json!({ "records": [record] }));
            let record = json!({"object": object, "client_key": "r", "fields": fields});
            let graph = ("records".to_owned(), "fields.", json!({ "records": [record] }));
            let readonly = ObjectPermissions { no_create: true, no_edit: true, ..Default::default() };
            let two_hidden =
                ObjectPermissions { hidden_fields: hidden.map(str::to_owned).to_vec(), ..Default::default() };
            for (path, place, body) in [&create, &graph] {
                let of_fields = hidden.map(|field| format!("0 {place}{field} field_not_visible")).to_vec();
                let of_object = vec!["0  object_read_only".to_owned()];
                for (permissions, expected) in [
                    (&two_hidden, (StatusCode::UNPROCESSABLE_ENTITY, "field_not_visible", of_fields)),
                    (&readonly, (StatusCode::FORBIDDEN, "salesforce_forbidden", of_object)),
                ] {
                    context.permit(object, permissions);
                    context.forget();
                    let (before, calls) = (context.count_in_org(object), context.simulator.api_calls());
                    let path = format!("/v1/orgs/{}/{path}?as={REP}", context.org);
                    let key = format!("{object}-{place}-{}", expected.1);
                    let (status, problem) = context.post(&path, Some(&key), body.clone()).await;
                    let (code, defects) = refusal(&problem);
                    assert_eq!((status, code.as_str(), defects), expected, "{problem}");
                    let sent = context.simulator.api_calls() - calls;
                    // The describe, and the stages of the record type that a new deal gets.
                    let reads = if object == "Opportunity" { 2 } else { 1 };
                    assert_eq!((sent, context.count_in_org(object)), (reads, before), "only reads were sent");

                    // The same request with the same key works once the permission is granted.
                    context.permit(object, &ObjectPermissions::default());
                    let (status, written) = context.post(&path, Some(&key), body.clone()).await;
                    assert_eq!(
                        (status, &written["records"][0]["success"]),
                        (StatusCode::OK, &json!(true)),
                        "{written}"
                    );
                }
            }
        }
    });
}

#[test]
fn all_defects_of_a_request_are_listed_at_once() {
    run(async {
        let context = TestContext::new().await;
        let records = json!([
            { KEY: "O-1", "Name": "x".repeat(121), "StageName": "Nonsense", "CloseDate": "31.12.2026", "IsWon": true },
            { KEY: "O-2", "Amount": "seven", "AccountId": "003D000000IRFmaIAH", "Nope__c": 1 },
        ]);

        let (status, problem) = context.upsert("Opportunity", Some(REP), "k", records).await;

        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let (code, mut defects) = refusal(&problem);
        defects.sort_unstable();
        let expected = [
            "0 CloseDate wrong_type",
            "0 IsWon field_read_only",
            "0 Name too_long",
            "0 StageName unknown_picklist_value",
            "1 AccountId invalid_reference",
            "1 Amount wrong_type",
            "1 Nope__c field_not_visible",
        ];
        assert_eq!((code.as_str(), defects), ("invalid_records", expected.map(str::to_owned).to_vec()));
        assert!(problem["detail"].as_str().unwrap().contains("records[0].StageName: is no stage"), "{problem}");
        let stage =
            problem["defects"].as_array().unwrap().iter().find(|defect| defect["field"] == "StageName").unwrap();
        assert!(stage["allowed"].as_array().unwrap().contains(&json!("Closed Won")), "{stage}");
        assert_eq!(context.simulator.api_calls(), 1, "only the describe was sent");
    });
}

#[test]
fn a_stage_is_checked_against_the_pipeline_of_the_record_type() {
    run(async {
        let context = TestContext::new().await;
        let deal = |key: &str, stage: &str, record_type: &Value| json!([{ KEY: key, "Name": "Deal", "StageName": stage, "CloseDate": "2026-12-31", "RecordTypeId": record_type }]);
        let record_types = record_types(&context).await;
        let (renewal, other) =
            (&record_types["Renewal"], record_types.iter().find(|(name, _)| *name != "Renewal").unwrap().1);
        let stages = stages_of(&context, renewal).await;
        let only_other = stages_of(&context, other).await.into_iter().find(|stage| !stages.contains(stage)).unwrap();

        let before = context.simulator.api_calls();
        let (status, problem) = context.upsert("Opportunity", Some(REP), "k1", deal("O-1", &only_other, renewal)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["defects"][0]["allowed"], json!(stages), "{problem}");
        assert_eq!(context.simulator.api_calls() - before, 2, "the describe and the picklists");

        let (status, written) = context.upsert("Opportunity", Some(REP), "k2", deal("O-1", &only_other, other)).await;
        assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
        let before = context.simulator.api_calls();
        let (_, written) = context.upsert("Opportunity", Some(REP), "k3", deal("O-2", &only_other, other)).await;
        assert_eq!(written["records"][0]["success"], true, "{written}");
        assert_eq!(context.simulator.api_calls() - before, 1, "both are remembered");
        let unknown = json!("012000000000009AAA");
        let (_, problem) = context.upsert("Opportunity", Some(REP), "k4", deal("O-3", &stages[0], &unknown)).await;
        assert_eq!(refusal(&problem).1, ["0 RecordTypeId record_type_not_available"], "{problem}");
    });
}

#[test]
fn a_stage_is_checked_against_the_stored_pipeline_if_need_be() {
    run(async {
        let context = TestContext::new().await;
        let renewal = &record_types(&context).await["Renewal"];
        let stage = |name: &str, is_active: bool| {
            json!({
                "api_name": name, "label": name, "sort_order": 1, "probability": 10.0, "is_closed": false, "is_won": false,
                "forecast_category": "Pipeline", "is_active": is_active,
            })
        };
        let pipeline = serde_json::from_value(json!({
            "record_type_id": renewal, "developer_name": "Renewal", "name": "Renewal", "is_active": true,
            "is_default": false, "stages": [stage("Qualification", true), stage("Former", false)],
        }))
        .unwrap();
        pipelines(&context).replace(context.org, &[pipeline], context.clock.now()).await.unwrap();
        let refused = Effect::Error { status: 400, code: "INVALID_INPUT".to_owned(), message: "no".to_owned() };
        let path_prefix = "/services/data/v66.0/ui-api".to_owned();
        context.simulator.fault(Fault { path_prefix, method: None, times: 100, effect: refused });
        let upsert = async |stage: &str| {
            let deal = json!([{ KEY: "O-1", "Name": "Deal", "StageName": stage, "CloseDate": "2026-12-31", "RecordTypeId": renewal }]);
            context.upsert("Opportunity", Some(REP), &format!("write-{stage}"), deal).await
        };

        let (status, problem) = upsert("Prospecting").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["defects"][0]["allowed"], json!(["Qualification", "Former"]), "{problem}");
        for stage in ["Qualification", "Former"] {
            let (status, written) = upsert(stage).await;
            assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
        }
    });
}

async fn client(context: &TestContext) -> salesforce::Client {
    context.deps.ledger.salesforce.client(context.org, &context.reps().connection_id())
}

async fn record_types(context: &TestContext) -> std::collections::BTreeMap<String, Value> {
    let object = "Opportunity".parse().unwrap();
    let describe = client(context).await.describe(&object).await.unwrap();
    let types = describe.record_type_infos.into_iter().filter(|info| !info.master);
    types.map(|info| (info.developer_name.unwrap(), json!(info.record_type_id))).collect()
}

async fn stages_of(context: &TestContext, record_type: &Value) -> Vec<String> {
    let (object, id) = ("Opportunity".parse().unwrap(), record_type.as_str().unwrap().parse().unwrap());
    let picklists = client(context).await.fetch_picklist_values(&object, &id).await.unwrap();
    let stage = &picklists[&"StageName".parse().unwrap()];
    stage.values.iter().map(|value| value.value.clone()).collect()
}

/// A refusal is never based on what was remembered, so a change in the org counts at once.
#[test]
fn a_refusal_is_based_on_a_fresh_describe() {
    run(async {
        let context = TestContext::new().await;
        let hidden = ObjectPermissions { hidden_fields: vec!["Phone".to_owned()], ..Default::default() };
        context.permit("Account", &hidden);
        let records = json!([{ KEY: "A-1", "Name": "Acme", "Phone": "1" }]);
        let (status, problem) = context.upsert("Account", Some(REP), "k", records.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");

        context.permit("Account", &ObjectPermissions::default());
        let before = context.simulator.api_calls();
        let (status, written) = context.upsert("Account", Some(REP), "k", records.clone()).await;
        assert_eq!(status, StatusCode::OK, "{written}");
        assert_eq!(context.simulator.api_calls() - before, 2, "it was described once more");

        // A describe that allows too much leaves the refusal to Salesforce, and the reason is found afterwards.
        context.permit("Account", &hidden);
        let (status, problem) = context.upsert("Account", Some(REP), "k2", records).await;
        assert_eq!((status, refusal(&problem).0.as_str()), (StatusCode::OK, ""), "{problem}");
        assert_eq!(problem["records"][0]["success"], false, "{problem}");
    });
}

#[test]
fn what_cannot_be_described_is_sent_unchecked() {
    run(async {
        let context = TestContext::new().await;
        context.fault("sobjects/Account/describe", 10, Effect::Unavailable);
        let record = |key: &str| json!([{ KEY: key, "Name": "Acme", "Industry": "Energy" }]);

        let (status, written) = context.upsert("Account", Some(REP), "k", record("A-1")).await;
        assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");

        context.simulator.clear_faults();
        context.fault("ui-api", 10, Effect::Unavailable);
        let record_type = record_types(&context).await["Renewal"].clone();
        let deal = json!([{ KEY: "O-1", "Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-31", "RecordTypeId": record_type }]);
        let (status, written) = context.upsert("Opportunity", Some(REP), "k2", deal).await;
        assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
    });
}

/// The check takes at most a part of the invocation: a slow describe must not keep the records from being sent.
#[test]
fn a_slow_describe_does_not_keep_a_write_from_being_sent() {
    run(async {
        let context = TestContext::new().await;
        context.fault("sobjects/Account/describe", 10, Effect::DelayBefore { delay_ms: 60_000 });
        let record = json!([{ KEY: "A-1", "Name": "Acme" }]);
        let (status, written) = context.upsert("Account", Some(REP), "k", record).await;

        assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
    });
}

#[test]
fn an_accepted_write_that_is_refused_ends_as_failed() {
    run(async {
        let mut context = TestContext::new().await;
        context.fault("composite", 100, Effect::Unavailable);
        let records = json!([{ KEY: "A-1", "Name": "Acme", "Phone": "1" }]);
        let (status, queued) = context.upsert("Account", Some(REP), "k", records.clone()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{queued}");
        context.simulator.clear_faults();
        let hidden = ObjectPermissions { hidden_fields: vec!["Phone".to_owned()], ..Default::default() };
        context.permit("Account", &hidden);
        context.forget();

        assert!(context.resume(&queued["write_id"]).await);

        let (_, ledger) = context.ledger(&queued["write_id"]).await;
        assert_eq!(ledger["state"], "failed", "{ledger}");
        assert_eq!(refusal(&ledger["problem"]).1, ["0 Phone field_not_visible"], "{ledger}");
        assert!(ledger["problem"]["next"].as_str().unwrap().ends_with("only with a new Idempotency-Key."), "{ledger}");
        let (status, problem) = context.upsert("Account", Some(REP), "k", records).await;
        assert_eq!((status, &problem["defects"]), (StatusCode::UNPROCESSABLE_ENTITY, &ledger["problem"]["defects"]));
    });
}

/// What only a new record needs is known on the team's route, which asks which records exist.
#[test]
fn the_team_refuses_a_new_record_without_its_required_fields() {
    run(async {
        let context = TestContext::new().await;
        context.kill(&context.reps().connection_id());
        let (_, made) = context.upsert("Contact", None, "k0", json!([{ KEY: "C-1", "LastName": "Doe" }])).await;
        assert_eq!(made["records"][0]["success"], true);

        let records = json!([{ KEY: "C-1", "FirstName": "Jo" }, { KEY: "C-2", "FirstName": "Jo" }]);
        let (_, problem) = context.upsert("Contact", Some(REP), "k1", records).await;

        assert_eq!(
            refusal(&problem),
            ("invalid_records".to_owned(), vec!["1 LastName required".to_owned()]),
            "{problem}"
        );
        let (status, updated) =
            context.upsert("Contact", Some(REP), "k2", json!([{ KEY: "C-1", "FirstName": "Jo" }])).await;
        assert_eq!((status, &updated["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{updated}");
    });
}

#[test]
fn a_parent_is_checked_if_its_object_is_known() {
    run(async {
        let context = TestContext::new().await;
        let contact = |key: &str, of: &str| json!([{ KEY: key, "LastName": "Doe", "Account": { of: "A-1" } }]);
        context.upsert("Account", Some(REP), "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        let before = context.simulator.api_calls();
        let (status, written) = context.upsert("Contact", Some(REP), "k2", contact("C-1", KEY)).await;
        assert_eq!((status, &written["records"][0]["success"]), (StatusCode::OK, &json!(true)), "{written}");
        assert_eq!(context.simulator.api_calls() - before, 2);
        let (_, problem) = context.upsert("Contact", Some(REP), "k3", contact("C-2", "Nope__c")).await;
        assert_eq!(refusal(&problem).1, ["0 Account invalid_reference"], "{problem}");
    });
}

/// A contact role needs its contact, which the same request may create.
#[test]
fn a_required_parent_may_be_created_by_the_request() {
    run(async {
        let context = TestContext::new().await;
        let deal = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"});
        let deal = context.create(&context.rep, "Opportunity", &deal);
        let role = |parent: Value| json!({"object": "OpportunityContactRole", "client_key": "r", "fields": parent});
        let contact = json!({"object": "Contact", "client_key": "c", "fields": {"LastName": "Doe"}});
        let of_contact = json!({"OpportunityId": deal, "Contact": {"client_key": "c"}});

        let (status, written) = context.graph(Some(REP), "k1", json!({ "records": [contact, role(of_contact)] })).await;
        assert_eq!((status, &written["records"][1]["success"]), (StatusCode::OK, &json!(true)), "{written}");
        let without = json!({ "records": [role(json!({"OpportunityId": deal}))] });
        let (_, problem) = context.graph(Some(REP), "k2", without).await;
        assert_eq!(refusal(&problem).1, ["0 fields.ContactId required"], "{problem}");
    });
}
