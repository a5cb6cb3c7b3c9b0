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
    };
    let item: serde_dynamo::Item = serde_dynamo::to_item(row).unwrap();
    serde_json::to_value(item).unwrap()
}

fn change(number: usize, old: Value, new: Value) -> EventRecord {
    serde_json::from_value(json!({
        "awsRegion": "eu-central-1", "eventID": format!("event-{number}"), "eventName": "MODIFY",
        "dynamodb": { "Keys": {}, "OldImage": old, "NewImage": new, "SequenceNumber": number.to_string(), "SizeBytes": 1 },
    }))
    .unwrap()
}

#[test]
fn a_batch_makes_the_events_of_its_changes_in_order() {
    let batch = Batch::read(vec![
        change(1, json!({}), row("Prospecting")),
        change(2, row("Prospecting"), row("Prospecting")),
        change(3, row("Prospecting"), row("Closed Won")),
        change(4, row("Closed Won"), json!({})),
    ]);

    let id = |told: &Told| match told {
        Told::Record(change) => change.change_id.clone(),
        Told::Org(event) => event.id.clone(),
        Told::Connection { change_id, .. } => change_id.clone(),
    };
    let events: Vec<_> = batch.events.iter().map(|(number, told)| (number.clone(), id(told))).collect();
    assert_eq!(events, [("1", "event-1"), ("3", "event-3")].map(|(number, id)| (number.to_owned(), id.to_owned())));
    assert_eq!((batch.silent, batch.unreadable.is_none()), (2, true));
}

#[test]
fn an_unreadable_row_stops_the_stream_where_it_stands() {
    let foreign = json!({"org_id": {"S": "no org"}});
    let batch = Batch::read(vec![
        change(1, json!({}), row("Prospecting")),
        change(2, json!({}), foreign),
        change(3, row("Prospecting"), row("Closed Won")),
    ]);

    assert_eq!(batch.events.len(), 1);
    assert_eq!(resume_at(&batch, &[true]), Some("2"));
    assert_eq!(resume_at(&batch, &[false]), Some("1"));
}

#[test]
fn the_answer_names_the_first_record_that_did_not_get_through() {
    let answer = Answer { resume_at: Some("7".to_owned()), ..Answer::default() };
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
    assert_eq!(serde_json::to_value(Answer::default()).unwrap(), json!({"batchItemFailures": []}));
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

/// The bus as a test scripts it: each entry is taken, or refused, or taken although the answer says otherwise (as when the
/// answer to a call is lost).
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Refused,
    AnswerLost,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![6 => Just(Fault::None), 1 => Just(Fault::Refused), 1 => Just(Fault::AnswerLost)]
}

/// One invocation with the records from `from` on: what is on the bus after it, and where the stream goes on.
fn invoke(records: &[EventRecord], faults: &mut impl Iterator<Item = Fault>, bus: &mut Vec<BusEvent>) -> usize {
    let batch = Batch::read(records.to_vec());
    assert!(batch.unreadable.is_none());
    let events: Vec<_> = batch
        .events
        .iter()
        .map(|(_, told)| match told {
            Told::Record(change) => crate::change::event(change, None, crate::change::EventValues::Names),
            other => panic!("{other:?} is no record"),
        })
        .collect();
    let entries: Vec<_> = events.iter().map(|event| Entry { key: &event.partitionkey, bytes: 1_000 }).collect();
    let mut publication = Publication::plan(&entries);
    let mut published = Vec::new();
    while let Some(call) = publication.next_call() {
        let faults: Vec<_> = call.clone().map(|_| faults.next().unwrap_or(Fault::None)).collect();
        let taken = call.clone().zip(&faults).filter(|(_, fault)| **fault != Fault::Refused);
        bus.extend(taken.map(|(place, _)| events[place].clone()));
        let answers: Vec<_> = faults.iter().map(|fault| *fault == Fault::None).collect();
        publication.record_results(call, &answers);
        published.extend(answers);
    }
    let first = records.first().and_then(|record| record.change.sequence_number.clone()).unwrap();
    let first: usize = first.parse().unwrap();
    published.resize(events.len(), false);
    resume_at(&batch, &published).map_or(records.len(), |at| at.parse::<usize>().unwrap() - first)
}

proptest! {
    #[test]
    fn whatever_the_bus_refuses_no_event_is_lost_and_none_is_there_before_an_earlier_one_of_its_record(
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
            let mut told: Vec<&str> = Vec::new();
            for event in bus.iter().filter(|event| event.partitionkey == key) {
                if !told.contains(&event.id.as_str()) {
                    told.push(&event.id);
                }
            }
            let of_record = of_records.iter().enumerate().filter(|(_, of)| **of == record);
            let wanted: Vec<_> = of_record.map(|(place, _)| format!("event-{place}")).collect();
            prop_assert_eq!(told, wanted);
        }
    }
}
