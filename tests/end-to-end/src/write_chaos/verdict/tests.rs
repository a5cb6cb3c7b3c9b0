use serde_json::json;

use super::super::plan::Request;
use super::*;

fn sent(key: &str, content: Content, values: &[(usize, u64)]) -> Sent {
    Sent {
        request: Request { key: key.to_owned(), is_twin: false, content },
        values: values.to_vec(),
        write_id: format!("id of {key}"),
        was_queued: true,
        repeated: 0,
        status: 202,
        answer: Value::Null,
    }
}

fn record_write(key: &str, values: &[(usize, u64)]) -> Sent {
    sent(key, Content::Records(values.iter().map(|(record, _)| *record).collect()), values)
}

fn note_write(key: &str) -> Sent {
    sent(key, Content::Note { text: 1, link: "001".to_owned() }, &[])
}

fn succeeded(sent: &Sent) -> Ended<'_> {
    let rows: Vec<Value> = sent.values.iter().map(|_| json!({ "success": true })).collect();
    Ended { sent, view: json!({ "state": "finished", "records": rows }) }
}

fn accounts(rows: &[(usize, u64)]) -> BTreeMap<String, Vec<(String, u64)>> {
    let mut accounts: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for (record, value) in rows {
        accounts.entry(external_id(*record)).or_default().push((format!("001{record}"), *value));
    }
    accounts
}

#[test]
fn a_write_that_is_still_queued_is_lost() {
    let write = record_write("a", &[(0, 1)]);
    let ended = Ended { sent: &write, view: json!({ "state": "queued" }) };
    assert!(check_state(&ended).unwrap().starts_with("lost: a is still"));
    assert_eq!(check_state(&succeeded(&write)), None);
}

#[test]
fn a_refused_row_and_a_problem_are_failures() {
    let write = record_write("a", &[(0, 1)]);
    for view in [
        json!({ "state": "finished", "records": [{ "success": false, "errors": [{ "code": "UNABLE_TO_LOCK_ROW" }] }] }),
        json!({ "state": "finished", "problem": { "type": "urn:ferry:problem:salesforce_rejected" } }),
        json!({ "state": "failed", "problem": { "type": "urn:ferry:problem:salesforce_rejected" } }),
    ] {
        assert!(check_state(&Ended { sent: &write, view }).unwrap().starts_with("failed: "));
    }
}

#[test]
fn a_record_must_have_the_value_of_the_last_write() {
    let (first, second) = (record_write("a", &[(0, 1)]), record_write("b", &[(0, 2)]));
    let ended = [succeeded(&first), succeeded(&second)];
    assert_eq!(check_records(&accounts(&[(0, 2)]), &ended), [""; 0]);
    assert_eq!(check_records(&accounts(&[(0, 1)]), &ended), ["overtaken: write-chaos-0 is 1, the last write set 2"]);
    assert_eq!(check_records(&accounts(&[]), &ended), ["lost: write-chaos-0 is not in the org"]);
    let doubled = check_records(&accounts(&[(0, 2), (0, 2)]), &ended);
    assert_eq!(doubled, ["doubled: 2 records are write-chaos-0"]);
}

#[test]
fn a_record_without_a_write_is_untold() {
    let unknown = check_records(&accounts(&[(3, 1)]), &[]);
    assert_eq!(unknown, ["untold: write-chaos-3 is in the org, and no write of it succeeded"]);
}

#[test]
fn there_is_one_note_for_each_write() {
    let (first, second) = (note_write("a"), note_write("b"));
    let ended = |one: &str, other: &str| {
        let view = |id: &str| json!({ "state": "finished", "note_id": id });
        vec![Ended { sent: &first, view: view(one) }, Ended { sent: &second, view: view(other) }]
    };
    let notes = |ids: &[&str]| BTreeMap::from([(title(1), ids.iter().map(|id| (*id).to_owned()).collect())]);
    assert_eq!(check_notes(&notes(&["069a", "069b"]), &ended("069a", "069b")), [""; 0]);
    assert!(check_notes(&notes(&["069a"]), &ended("069a", "069a"))[1].contains("have one note 069a"));
    assert!(check_notes(&notes(&["1", "2", "3"]), &ended("1", "2"))[0].starts_with("doubled: 3 notes"));
}

#[test]
fn the_end_of_a_queued_write_is_told_once() {
    let write = record_write("a", &[(0, 1)]);
    let ended = [succeeded(&write)];
    let event = |kind: &str| json!({ "type": kind, "data": { "write_id": "id of a" } });
    assert_eq!(check_events(&ended, &[event("write.succeeded"), event("write.succeeded")]), [""; 0]);
    assert!(check_events(&ended, &[])[0].starts_with("untold: no event"));
    assert_eq!(check_events(&ended, &[event("write.failed")]).len(), 1);
    assert_eq!(check_events(&ended, &[event("write.succeeded"), event("write.failed")]).len(), 1);
}
