//! The erasure of a person.

use http::StatusCode;
use salesforce::{Record, RecordId};
use serde_json::{Value, json};
use store::{ApplyOutcome, BeginOutcome, Change, OrgTable, Write};

use crate::harness::{CONTACT, CONTACTS, OTHER_CONTACT, TestContext, run};

async fn erase(context: &TestContext, record: &str) -> Value {
    let (status, erasure) = context.request("POST", "/erasures", Some(json!({ "record_id": record }))).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{erasure}");
    assert!(context.work_on(&erasure).await.is_empty());
    context.progress(&erasure).await
}

#[test]
fn a_person_is_erased_from_the_mirror_and_the_ledgers() {
    run(async {
        let context = TestContext::new().await;
        context.fill(context.org).await;
        let other = context.write(context.org, "of-another", OTHER_CONTACT).await;
        context.delivery(context.org, "04l5e0000000002", OTHER_CONTACT).await;
        context.origin(context.org, OTHER_CONTACT, &other).await;
        let hint = |id: &str| json!({ "org_id": context.org, "record": { "object": "Contact", "record_id": id } });
        context.dead_letter("RecordUpsertDeadLetters", &hint(CONTACT)).await;
        context.dead_letter("RecordUpsertDeadLetters", &hint(OTHER_CONTACT)).await;

        let done = erase(&context, CONTACT).await;

        assert_eq!((&done["state"], &done["subject"]), (&json!("finished"), &json!("record")), "{done}");
        let deleted = json!({
            "records": 1, "origins": 1, "deliveries": 1, "writes": 1, "write_order": 0, "cursors": 1, "dead_letters": 1,
        });
        assert_eq!(done["deleted"], deleted);
        assert!(!done.to_string().contains(CONTACT), "{done}");
        let row = context.deps.records.load(context.org, &CONTACTS, CONTACT.parse().unwrap()).await.unwrap().unwrap();
        assert!(row.erased && row.deleted && row.fields.is_empty());
        for (table, rows) in context.rows(context.org).await {
            let expected = match table {
                OrgTable::Records => 3,
                OrgTable::Writes => 2,
                _ => 1,
            };
            assert_eq!(rows, expected, "{table:?}");
        }
        assert!(context.writes().load(context.org, other.write_id).await.unwrap().is_some());
    });
}

#[test]
fn a_write_keeps_the_outcomes_of_its_other_records() {
    run(async {
        let context = TestContext::new().await;
        let request = json!({ "records": 2 });
        let write = context.begin_write(context.org, "of-two", request.clone()).await;
        let outcome = |id: &str| json!({ "id": id, "success": true, "created": true, "errors": [] });
        let both = json!({ "records": [outcome(CONTACT), outcome(OTHER_CONTACT)] });
        context.writes().finish(&write, None, &both, context.clock.now()).await.unwrap();

        let done = erase(&context, CONTACT).await;

        assert_eq!(done["deleted"]["writes"], 1, "{done}");
        let stored = context.writes().load(context.org, write.write_id).await.unwrap().unwrap();
        let left = json!({ "id": null, "success": true, "created": true, "errors": [], "erased": true });
        assert_eq!(stored.response, Some(json!({ "records": [left, outcome(OTHER_CONTACT)] })));
        assert_eq!(erase(&context, CONTACT).await["deleted"]["writes"], 0, "nothing names the person any more");
        let repeated = context.writes().begin(&context.new_write(context.org, "of-two", request)).await.unwrap();
        assert!(matches!(repeated, BeginOutcome::Replay(_)), "{repeated:?}");
    });
}

/// A request names a person by an external id, too.
#[test]
fn an_erasure_removes_the_requests_that_are_kept_for_a_retry() {
    run(async {
        let context = TestContext::new().await;
        let request = json!({ "records": [{ "Email": "ada@example.com" }] });
        let begun = context.begin_write(context.org, "refused", request.clone()).await;
        let failed = Write { retry_request: Some(request), ..begun };
        context.writes().fail(&failed, &json!({ "problem": {} }), context.clock.now()).await.unwrap();
        let stored = async || context.writes().load(context.org, failed.write_id).await.unwrap().unwrap();
        assert!(stored().await.retry_request.is_some());

        erase(&context, CONTACT).await;

        assert_eq!(stored().await.retry_request, None);
        assert_eq!(stored().await.response, Some(json!({ "problem": {} })));
    });
}

#[test]
fn an_unfinished_write_about_a_person_is_kept() {
    run(async {
        let context = TestContext::new().await;
        let request = json!({ "records": [{ "Id": CONTACT }, { "Id": OTHER_CONTACT }] });
        let write = context.begin_write(context.org, "accepted", request).await;

        let done = erase(&context, CONTACT).await;

        assert_eq!(done["deleted"]["writes"], 0, "{done}");
        assert!(context.writes().load(context.org, write.write_id).await.unwrap().is_some());
    });
}

#[test]
fn an_erased_person_does_not_come_back() {
    run(async {
        let context = TestContext::new().await;
        context.mirror(context.org, "Contact", CONTACT).await;
        erase(&context, CONTACT).await;

        for year in [2026, 2040] {
            let fields = json!({ "Name": "Ada", "SystemModstamp": format!("{year}-11-22T09:00:00.000+0000") });
            let id: RecordId = CONTACT.parse().unwrap();
            let record = Record { object: CONTACTS, id, fields: fields.as_object().unwrap().clone() };
            let change = Change::Upsert { record, read_at: context.clock.now() };
            let applied = context.deps.records.apply(context.org, &CONTACTS, change.clone()).await.unwrap();
            assert_eq!(applied, ApplyOutcome::Stale);
            let applied = context.deps.records.apply_all(context.org, &CONTACTS, vec![change]).await;
            assert_eq!(applied.into_iter().next().unwrap().unwrap(), ApplyOutcome::Stale);
        }
        let row = context.deps.records.load(context.org, &CONTACTS, CONTACT.parse().unwrap()).await.unwrap().unwrap();
        assert!(row.erased && row.fields.is_empty());
    });
}

#[test]
fn only_contacts_and_leads_are_erased() {
    run(async {
        let context = TestContext::new().await;
        context.mirror(context.org, "Account", "0015e00000ZkM3hAAF").await;
        for body in [
            json!({ "record_id": "0015e00000ZkM3hAAF" }),
            json!({ "record_id": "x" }),
            json!({}),
            json!({ "record_id": CONTACT, "object": "Contact" }),
        ] {
            let (status, problem) = context.request("POST", "/erasures", Some(body)).await;
            let refused = (StatusCode::BAD_REQUEST, &json!("urn:ferry:problem:invalid_request"));
            assert_eq!((status, &problem["type"]), refused);
        }
        assert_eq!(context.queued().await, 0);
        assert_eq!(erase(&context, "00Q5e000001AbCd").await["deleted"]["records"], 0);
    });
}

#[test]
fn an_unknown_erasure_does_not_exist() {
    run(async {
        let context = TestContext::new().await;
        let path = "/erasures/5f0c2a1e-7f53-4f0e-9a54-0f3f1d0a2b11";
        assert_eq!(context.request("GET", path, None).await.0, StatusCode::NOT_FOUND);
        assert_eq!(context.request("GET", "/erasures/x", None).await.0, StatusCode::BAD_REQUEST);
    });
}
