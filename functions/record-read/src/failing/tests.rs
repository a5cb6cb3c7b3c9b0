use proptest::prelude::*;
use serde_json::{Value, json};
use store::Source;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_342_530 + seconds).unwrap()
}

fn account(n: usize) -> RecordRef {
    let record_id = format!("0015e0000{n:06}").parse().unwrap();
    RecordRef { object: "Account".parse().unwrap(), record_id }
}

fn delivery(n: usize, outcome: DeliveryOutcome) -> Delivery {
    Delivery {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        delivery_id: format!("04l5e0000{n:06}").parse().unwrap(),
        source: Source::OutboundMessage,
        record: Some(account(n)),
        received_at: at(i64::try_from(n).unwrap()),
        settled_at: at(100),
        outcome,
    }
}

fn write(state: &str, response: &Value, reason: Option<&str>) -> Write {
    let obstacle = json!({ "waiting_for": "salesforce", "reason": reason });
    let write = json!({
        "org_id": "00D5e000000KQ2eEAG", "write_id": "8d8ac610-566d-4ef0-9c22-186b2a5ed793", "kind": "records",
        "object": "Account", "state": state, "answer": response.to_string(), "request_digest": "", "attempt": 1,
        "deadline": "2026-11-22T10:00:00.000Z", "created_at": "2026-11-22T10:00:00.000Z",
        "updated_at": "2026-11-22T10:00:00.000Z", "obstacle": obstacle,
    });
    serde_json::from_value(write).unwrap()
}

/// Returns the reason of each failure of a write, the record's id, and whether it was given up.
fn failures_of(state: &str, response: &Value, reason: Option<&str>) -> Vec<(String, Option<String>, bool)> {
    let failures = written::failing(&write(state, response, reason)).into_iter().map(|failing| {
        let Subject::Write(_, record) = failing.subject else { panic!("a write") };
        (failing.reason, record.map(|record| record.record_id.to_string()), failing.given_up)
    });
    failures.collect()
}

#[test]
fn a_write_fails_as_a_whole_or_by_its_records() {
    let failed = |reason: &str, id: Option<&str>, given_up| (reason.to_owned(), id.map(str::to_owned), given_up);
    let records = json!({ "records": [
        { "success": true, "id": "001000000000001AAA", "errors": [] },
        { "success": false, "id": "001000000000002AAA", "errors": [{ "code": "UNABLE_TO_LOCK_ROW" }, { "code": "OTHER" }] },
        { "success": false, "id": null, "errors": [{ "code": "DUPLICATE_VALUE" }] },
    ] });
    let of_records = |given_up| {
        vec![
            failed("UNABLE_TO_LOCK_ROW", Some("001000000000002AAA"), given_up),
            failed("DUPLICATE_VALUE", None, given_up),
        ]
    };
    assert_eq!(failures_of("finished", &records, None), of_records(true));
    assert_eq!(failures_of("queued", &records, None), of_records(false));
    let problem = json!({ "problem": { "code": "salesforce_rejected" } });
    assert_eq!(failures_of("failed", &problem, None), [failed("salesforce_rejected", None, true)]);
    assert_eq!(failures_of("finished", &problem, None), [failed("salesforce_rejected", None, true)]);
    let waits = failures_of("queued", &json!({}), Some("salesforce_unavailable"));
    assert_eq!(waits, [failed("salesforce_unavailable", None, false)]);
    for state in ["queued", "in_progress", "finished"] {
        assert_eq!(failures_of(state, &json!({}), None), [], "{state}");
    }
}

#[test]
fn each_outcome_fails_or_is_settled() {
    use DeliveryOutcome::{Applied, Deferred, Failed, LeftToRefresh, ObjectRefresh};
    let reason = || "over_budget".to_owned();
    for (outcome, given_up) in [
        (Deferred { reason: reason() }, Some(false)),
        (LeftToRefresh { reason: reason() }, Some(false)),
        (Failed { reason: reason() }, Some(true)),
        (Applied, None),
        (ObjectRefresh, None),
    ] {
        let failing = Failing::of_delivery(&delivery(1, outcome));
        assert_eq!(failing.map(|failing| failing.given_up), given_up);
    }
}

#[test]
fn the_backlog_counts_what_is_deferred_and_queued() {
    let deferred = |n| delivery(n, DeliveryOutcome::Deferred { reason: "over_budget".to_owned() });
    let failed = delivery(1, DeliveryOutcome::Failed { reason: "too_large".to_owned() });
    let writes = [write("queued", &json!({}), None), write("failed", &json!({}), None)];
    let backlog = BacklogView::new(&[deferred(7), deferred(5), failed], &writes, &[]);
    assert_eq!(backlog.changes, Waiting { count: 2, oldest_at: Some(at(5)) });
    assert_eq!(backlog.writes, Waiting { count: 1, oldest_at: Some("2026-11-22T10:00:00Z".parse().unwrap()) });
}

fn items() -> impl Strategy<Value = Vec<Failing>> {
    let reason = prop::sample::select(vec!["over_budget", "INVALID_FIELD", "reconnect_required", "no_such_code"]);
    let work = prop::sample::select(vec![FailedWork::Sync, FailedWork::Write]);
    let item = (work, reason, 0..60_usize, any::<bool>()).prop_map(|(work, reason, n, given_up)| Failing {
        work,
        reason: reason.to_owned(),
        at: Some(at(i64::try_from(n).unwrap())),
        given_up,
        subject: Subject::Record(Some(account(n))),
    });
    prop::collection::vec(item, 0..200)
}

proptest! {
    #[test]
    fn groups_have_every_failure_once(items in items()) {
        let groups = grouped(items.clone());
        let count = |of: fn(&Group) -> usize| groups.iter().map(of).sum::<usize>();
        prop_assert_eq!(count(|group| group.count), items.len());
        prop_assert_eq!(count(|group| group.given_up), items.iter().filter(|item| item.given_up).count());
        prop_assert!(groups.is_sorted_by(|one, next| one.count >= next.count));
        for group in &groups {
            let own = items.iter().filter(|item| (item.work, &item.reason) == (group.work, &group.reason));
            let ats: BTreeSet<_> = own.filter_map(|item| item.at).collect();
            prop_assert_eq!(group.latest_at, ats.last().copied());
            let named: BTreeSet<_> = group.records.iter().map(|record| record.id).collect();
            prop_assert_eq!(named.len(), group.records.len(), "a record is named once");
            prop_assert_eq!(named.len(), ats.len().min(NAMED));
        }
    }
}
