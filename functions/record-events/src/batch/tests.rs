use proptest::prelude::*;
use serde_json::{Value, json};
use store::MirrorRecord;
use store::events::order::{Entry, Publication};

use super::*;

fn row(stage: &str) -> Value {
    let row = MirrorRecord {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        object: "Opportunity".parse().unwrap(),
        record_id: "0065e00000AbCdEAAV".parse().unwrap(),
        fields: json!({"StageName": stage}).as_object().unwrap().clone(),
        system_modstamp: "2026-11-22T10:15:30Z".parse().unwrap(),
        read_at: "2026-11-22T10:16:00Z".parse().unwrap(),
        deleted: false,
        master_record_id: None,
        deletion_reason: None,
        erased: false,
        outdated_since: None,
        carried: store::records::Carried::default(),
    };
    let item: serde_dynamo::Item = serde_dynamo::to_item(row).unwrap();
    serde_json::to_value(item).unwrap()
}

fn tables() -> StreamTables {
    let name = str::to_owned;
    StreamTables {
        records: name("records"),
        connections: name("connections"),
        orgs: name("orgs"),
        writes: name("writes"),
        audits: name("audits"),
        pipelines: name("pipelines"),
        cursors: name("cursors"),
        budgets: name("budgets"),
    }
}

fn change(number: usize, old: Value, new: Value) -> EventRecord {
    change_of("records", number, old, new)
}

fn change_of(table: &str, number: usize, old: Value, new: Value) -> EventRecord {
    serde_json::from_value(json!({
        "eventSourceARN": format!("arn:aws:dynamodb:eu-central-1:123456789012:table/{table}/stream/2026-11-22T10:00:00.000"),
        "awsRegion": "eu-central-1", "eventID": format!("event-{number}"), "eventName": "MODIFY",
        "dynamodb": { "Keys": {}, "OldImage": old, "NewImage": new, "SequenceNumber": number.to_string(), "SizeBytes": 1 },
    }))
    .unwrap()
}

#[test]
fn a_batch_makes_the_events_of_its_changes_in_order() {
    let batch = Batch::parse(
        vec![
            change(1, json!({}), row("Prospecting")),
            change(2, row("Prospecting"), row("Prospecting")),
            change(3, row("Prospecting"), row("Closed Won")),
            change(4, row("Closed Won"), json!({})),
        ],
        &tables(),
    );

    let id = |change: &StreamChange| match change {
        StreamChange::Record(change) => change.change_id.clone(),
        StreamChange::Org(event) => event.id.clone(),
        StreamChange::Pipeline(changed) => changed.change_id.clone(),
        StreamChange::Connection { change_id, .. }
        | StreamChange::Write { change_id, .. }
        | StreamChange::Audit { change_id, .. }
        | StreamChange::Fields { change_id, .. }
        | StreamChange::Budget { change_id, .. } => change_id.clone(),
    };
    let events: Vec<_> = batch.events.iter().map(|(number, change)| (number.clone(), id(change))).collect();
    assert_eq!(events, [("1", "event-1"), ("3", "event-3")].map(|(number, id)| (number.to_owned(), id.to_owned())));
    assert_eq!((batch.silent, batch.unreadable.is_none()), (2, true));
}

#[test]
fn an_unreadable_row_stops_the_stream() {
    let foreign = json!({"org_id": {"S": "not an org id"}});
    let batch = Batch::parse(
        vec![
            change(1, json!({}), row("Prospecting")),
            change(2, json!({}), foreign),
            change(3, row("Prospecting"), row("Closed Won")),
        ],
        &tables(),
    );

    assert_eq!(batch.events.len(), 1);
    assert_eq!(resume_at(&batch, &[true]), Some("2"));
    assert_eq!(resume_at(&batch, &[false]), Some("1"));
}

#[test]
fn a_record_of_an_unknown_table_stops_the_stream() {
    let batch = Batch::parse(
        vec![change(1, json!({}), row("Prospecting")), change_of("others", 2, json!({}), row("Prospecting"))],
        &tables(),
    );

    assert_eq!((batch.events.len(), batch.silent), (1, 0));
    assert!(matches!(batch.unreadable, Some((number, Error::UnknownTable { .. })) if number == "2"));
}

#[test]
fn a_row_that_expired_or_was_erased_makes_no_event() {
    let mut expired = change(1, row("Prospecting"), json!({}));
    expired.user_identity =
        serde_json::from_value(json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" })).unwrap();
    let deleted = change(2, row("Prospecting"), json!({}));
    let mut marker = row("Prospecting");
    marker["deleted"] = json!({"BOOL": true});
    marker["fields"] = json!({"S": "{}"});
    let deletion = change(3, row("Prospecting"), marker.clone());
    marker["erased"] = json!({"BOOL": true});
    let erased = change(4, row("Prospecting"), marker);

    let batch = Batch::parse(vec![expired, deleted, deletion, erased], &tables());

    assert_eq!((batch.events.len(), batch.silent), (1, 3), "{batch:?}");
    assert_eq!(batch.events[0].0, "3");
}

#[test]
fn a_table_is_found_by_its_stream_not_by_attributes() {
    let mut new = row("Prospecting");
    for attribute in ["connection_id", "claimed_at", "license_management_org"] {
        new[attribute] = json!({"S": "00D5e000000KQ2eEAG"});
    }

    let batch = Batch::parse(vec![change(1, json!({}), new)], &tables());

    assert!(matches!(batch.events.as_slice(), [(_, StreamChange::Record(_))]), "{batch:?}");
}

#[test]
fn a_claim_that_appears_and_expires_is_silent() {
    let claim = json!({
        "org_id": {"S": "00D5e000000KQ2eEAG"}, "state": {"S": "claimed"}, "environment": {"S": "production"},
        "claimed_at": {"S": "2026-11-22T10:00:00.000Z"}, "updated_at": {"S": "2026-11-22T10:00:00.000Z"},
        "expires_at": {"N": "1797934530"}, "revision": {"N": "1"},
    });

    let records = vec![change_of("orgs", 1, json!({}), claim.clone()), change_of("orgs", 2, claim, json!({}))];
    let batch = Batch::parse(records, &tables());

    assert_eq!((batch.events.len(), batch.silent, batch.unreadable.is_none()), (0, 2, true));
}

#[test]
fn the_response_names_the_first_unpublished_record() {
    let report = BatchReport { resume_at: Some("7".to_owned()), ..BatchReport::default() };
    assert_eq!(serde_json::to_value(report).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
    assert_eq!(serde_json::to_value(BatchReport::default()).unwrap(), json!({"batchItemFailures": []}));
}

/// A change of one of a few records, from its version `n` to the next.
fn version(place: usize, record: usize, n: usize) -> EventRecord {
    let of = |stage: usize| {
        let mut row = row(&stage.to_string());
        row["record_id"] = json!({"S": format!("0065e00000AbCd{record}AAF")});
        row
    };
    change(place, of(n), of(n + 1))
}

/// The bus as a test scripts it: an entry is published, or refused, or published although the response is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Refused,
    ResponseLost,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![6 => Just(Fault::None), 1 => Just(Fault::Refused), 1 => Just(Fault::ResponseLost)]
}

/// Runs one invocation. Returns the number of records after which the stream goes on.
fn invoke(records: &[EventRecord], faults: &mut impl Iterator<Item = Fault>, bus: &mut Vec<BusEvent>) -> usize {
    let batch = Batch::parse(records.to_vec(), &tables());
    assert!(batch.unreadable.is_none());
    let events: Vec<_> = batch
        .events
        .iter()
        .map(|(_, change)| match change {
            StreamChange::Record(change) => {
                crate::change::event(change, &"acme".parse().unwrap(), None, crate::change::EventValues::Names)
            }
            other => panic!("{other:?} is not a record"),
        })
        .collect();
    let entries: Vec<_> = events.iter().map(|event| Entry { key: &event.partitionkey, bytes: 1_000 }).collect();
    let mut publication = Publication::plan(&entries);
    let mut published = Vec::new();
    while let Some(call) = publication.next_call() {
        let faults: Vec<_> = call.clone().map(|_| faults.next().unwrap_or(Fault::None)).collect();
        let taken = call.clone().zip(&faults).filter(|(_, fault)| **fault != Fault::Refused);
        bus.extend(taken.map(|(place, _)| events[place].clone()));
        let results: Vec<_> = faults.iter().map(|fault| *fault == Fault::None).collect();
        publication.record_results(call, &results);
        published.extend(results);
    }
    let first = records.first().and_then(|record| record.change.sequence_number.clone()).unwrap();
    let first: usize = first.parse().unwrap();
    published.resize(events.len(), false);
    resume_at(&batch, &published).map_or(records.len(), |at| at.parse::<usize>().unwrap() - first)
}

proptest! {
    #[test]
    fn refused_events_are_retried_in_order(
        of_records in prop::collection::vec(1..5_usize, 1..60),
        faults in prop::collection::vec(fault(), 0..120),
        batch_size in 1..40_usize,
    ) {
        let mut versions = [0; 5];
        let mut records = Vec::new();
        for (place, record) in of_records.iter().enumerate() {
            records.push(version(place, *record, versions[*record]));
            versions[*record] += 1;
        }
        let (mut faults, mut bus, mut at) = (faults.into_iter(), Vec::new(), 0);
        while at < records.len() {
            let end = records.len().min(at + batch_size);
            at += invoke(&records[at..end], &mut faults, &mut bus);
        }
        for record in 1..5 {
            let key = format!("00D5e000000KQ2eEAG/Opportunity/0065e00000AbCd{record}AAF");
            let mut published: Vec<&str> = Vec::new();
            for event in bus.iter().filter(|event| event.partitionkey == key) {
                if !published.contains(&event.id.as_str()) {
                    published.push(&event.id);
                }
            }
            let of_record = of_records.iter().enumerate().filter(|(_, of)| **of == record);
            let expected: Vec<_> = of_record.map(|(place, _)| format!("event-{place}")).collect();
            prop_assert_eq!(published, expected);
        }
    }
}

#[test]
fn an_unreadable_record_is_isolated_by_failing_its_batch() {
    let unreadable = || change(2, json!({}), json!({ "org_id": { "S": "not an org" } }));

    let first = Batch::parse(vec![unreadable(), change(3, json!({}), row("Prospecting"))], &tables());
    assert!(matches!(first.isolate(), Err(Error::Unreadable(_))));

    for before in [row("Prospecting"), json!({})] {
        let later = Batch::parse(vec![change(1, json!({}), before), unreadable()], &tables()).isolate().unwrap();
        assert_eq!(resume_at(&later, &vec![true; later.events.len()]), Some("2"), "the next batch begins with it");
    }
    assert!(Batch::parse(Vec::new(), &tables()).isolate().is_ok());
}

#[test]
fn connections_that_ended_or_are_blocked_are_counted_once_published() {
    let changed = |kind| {
        let row = json!({
            "org_id": "00D5e000000KQ2eEAG", "connection_id": "team", "kind": "team", "tenant": "acme",
            "user_id": "0055e000001mKpCAAU", "app": "v1", "login_url": "https://login.salesforce.com",
            "instance_url": "https://acme.my.salesforce.com", "state": "active", "token_version": "2".repeat(32),
            "created_at": "2026-11-01T00:00:00.000Z", "connected_at": "2026-11-01T00:00:00.000Z",
            "updated_at": "2026-11-22T10:00:00.000Z",
        });
        let connection = Box::new(serde_json::from_value(row).unwrap());
        ("1".to_owned(), StreamChange::Connection { connection, kind, change_id: "event-1".to_owned() })
    };
    let (ended, blocked) = (connection::Kind::ReauthRequired, connection::Kind::Blocked);
    let kinds = [ended, blocked, connection::Kind::Disconnected, connection::Kind::Unblocked, ended];
    let batch = Batch { events: kinds.map(changed).into(), ..Batch::default() };
    let counted = |published: &[bool]| [ended, blocked].map(|kind| batch.connections(kind, published));

    assert_eq!(counted(&[true; 5]), [2, 1]);
    assert_eq!(counted(&[true, false, true, true, false]), [1, 0], "a change that is retried is counted later");
}

#[test]
fn a_record_that_was_read_for_a_former_tenant_is_not_published() {
    let read_at: Timestamp = "2026-11-22T10:16:00Z".parse().unwrap();
    for (since, events) in [(None, 1), (Some(read_at), 1), (Some(read_at + jiff::SignedDuration::from_millis(1)), 0)] {
        let mut batch = Batch::parse(vec![change(1, json!({}), row("Prospecting"))], &tables());
        let owner = Owner { tenant: "globex".parse().unwrap(), since };

        batch.drop_records_without_tenant(&HashMap::from([("00D5e000000KQ2eEAG".parse().unwrap(), owner)]));

        assert_eq!((batch.events.len(), batch.silent), (events, 1 - events as u64), "{since:?}");
    }
}
