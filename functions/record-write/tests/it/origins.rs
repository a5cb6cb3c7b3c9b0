//! The origins that a write records for the events about its records.

use http::StatusCode;
use serde_json::json;
use store::{ChangeHint, Origins, Queue, SavedVersion, Source};

use crate::harness::{KEY, REP, TestContext, run};

/// Returns the version of a record in the org.
fn saved(context: &TestContext, object: &str, id: &serde_json::Value) -> SavedVersion {
    let record = context.in_org(object, id);
    let text = |field: &str| record[field].as_str().unwrap().to_owned();
    SavedVersion { by: text("LastModifiedById").parse().unwrap(), at: text("SystemModstamp").parse().unwrap() }
}

#[test]
fn a_write_records_its_origin_as_the_connections_user() {
    run(async {
        let context = TestContext::new().await;
        let origins = context.deps.origins.clone();
        let (_, team) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;
        let id = &team["records"][0]["id"];
        let (record, created) = (id.as_str().unwrap().parse().unwrap(), saved(&context, "Account", id));
        context.pass_a_minute();

        let records = json!([{ KEY: "A-1", "Industry": "Energy" }, { KEY: "A-2" }]);
        let (_, rep) = context.upsert("Account", Some(REP), "k2", records).await;
        let updated = saved(&context, "Account", id);

        assert_eq!((created.by.as_str(), updated.by.as_str()), (context.admin.id.as_str(), context.rep.id.as_str()));
        let by_team = origins.find(context.org, record, created).await.unwrap().expect("the team's write");
        let by_rep = origins.find(context.org, record, updated).await.unwrap().expect("the rep's write");
        assert_eq!((by_team.has_set("Name"), by_team.has_set("Industry")), (true, false));
        assert_eq!((by_rep.has_set("Name"), by_rep.has_set("Industry")), (false, true));
        assert_eq!(
            (json!(by_team.write_id), json!(by_rep.write_id)),
            (team["write_id"].clone(), rep["write_id"].clone())
        );
        assert_eq!(rep["records"][1]["success"], false, "an account has to have a name");
        let just_before =
            SavedVersion { at: created.at.checked_sub(jiff::SignedDuration::from_secs(5)).unwrap(), ..created };
        assert_eq!(origins.find(context.org, record, just_before).await.unwrap(), None);
        let between =
            SavedVersion { at: created.at.checked_add(jiff::SignedDuration::from_secs(5)).unwrap(), ..created };
        assert_eq!(origins.find(context.org, record, between).await.unwrap(), None);
    });
}

#[test]
fn a_write_succeeds_although_its_origin_is_not_recorded() {
    run(async {
        let mut context = TestContext::new().await;
        let missing_table = Origins::new(context.dynamodb(), "no-such-table");
        context.deps.origins = missing_table;

        let (status, response) = context.upsert("Account", None, "k1", json!([{ KEY: "A-1", "Name": "Acme" }])).await;

        assert_eq!((status, &response["records"][0]["success"]), (StatusCode::OK, &json!(true)));
        let (_, ledger) = context.ledger(&response["write_id"]).await;
        assert_eq!(ledger["state"], "finished", "{ledger}");
    });
}

#[test]
fn a_write_hints_at_what_the_org_mirrors() {
    run(async {
        let mut context = TestContext::new().await;
        context.deps.mirrored_objects = vec!["Account".parse().unwrap()];
        context.set(json!({ "objects": ["Contact"] })).await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }]);
        assert_eq!(context.upsert("Account", None, "k1", records).await.0, StatusCode::OK);
        assert_eq!(context.waiting("RecordUpsertQueue").await.0, 0);

        let records = json!([{ KEY: "C-1", "LastName": "Lovelace" }]);
        assert_eq!(context.upsert("Contact", None, "k2", records).await.0, StatusCode::OK);
        assert_eq!(context.waiting("RecordUpsertQueue").await.0, 1);
    });
}

#[test]
fn a_write_queues_a_hint_for_each_saved_record() {
    run(async {
        let mut context = TestContext::new().await;
        let records = json!([{ KEY: "A-1", "Name": "Acme" }, { KEY: "A-2" }, { KEY: "A-3", "Name": "Bolt" }]);
        let (_, response) = context.upsert("account", None, "k1", records).await;
        let mut hinted = Vec::new();
        for body in context.received(&context.queue_url("RecordUpsertQueue"), 2).await {
            let hint: ChangeHint = serde_json::from_str(&body).unwrap();
            assert_eq!((hint.source, hint.org_id), (Source::Write, context.org));
            hinted.push(json!(hint.record.unwrap().record_id));
        }
        hinted.sort_by_key(ToString::to_string);
        assert_eq!(hinted, [response["records"][0]["id"].clone(), response["records"][2]["id"].clone()]);

        context.deps.hints = Queue::new(context.sqs(), "http://127.0.0.1:9/none", context.clock.clone());
        let (status, response) = context.upsert("Account", None, "k2", json!([{ KEY: "A-4", "Name": "Coil" }])).await;
        assert_eq!((status, &response["records"][0]["success"]), (StatusCode::OK, &json!(true)), "it only logs that");
        context.deps.mirrored_objects = Vec::new();
        context.upsert("Account", None, "k3", json!([{ KEY: "A-5", "Name": "Dune" }])).await;
        assert_eq!(context.waiting("RecordUpsertQueue").await.0, 0);
    });
}
