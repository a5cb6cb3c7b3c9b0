use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const SOURCE: &str = "aws.partner/salesforce.com/00D5e000000KQ2eEAG/0YL5e000000CaRkGAK";

fn header(change_type: &str, record_ids: &Value) -> Value {
    json!({
        "entityName": "Opportunity", "recordIds": record_ids, "changeType": change_type,
        "changeOrigin": "com/salesforce/api/rest/66.0;client=Astro", "commitNumber": 1_234_567_890_u64,
        "transactionKey": "000f07d5-d33e-8607-991e-ad2c1fda0750", "sequenceNumber": 1,
        "commitTimestamp": 1_732_262_800_000_u64, "commitUser": "0055e000001mKpCAAU",
        "nulledFields": [], "diffFields": [], "changedFields": ["StageName", "LastModifiedDate"],
    })
}

fn envelope(source: &str, detail: &Value) -> String {
    json!({
        "version": "0", "id": "5c42b99e-e005-43b3-c744-07990c50d2cc", "detail-type": "OpportunityChangeEvent",
        "source": source, "account": "123456789012", "time": "2026-11-22T10:00:00Z", "region": "us-east-1",
        "resources": [], "detail": detail,
    })
    .to_string()
}

fn relayed(header: &Value) -> String {
    let payload = json!({ "ChangeEventHeader": header, "StageName": "Closed Won" });
    envelope(SOURCE, &json!({ "payload": payload, "schemaId": "WsFvMM5T4XghRnIzNnyzBw", "id": "7a" }))
}

#[test]
fn a_change_event_is_parsed() {
    let event = parse(&relayed(&header("UPDATE", &json!(["0065e00000AbCdEAAV"])))).unwrap();

    let expected = ChangeEvent {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        object: "Opportunity".parse().unwrap(),
        records: vec!["0065e00000AbCdEAAV".parse().unwrap()],
        is_incomplete: false,
        delivery: "000f07d5-d33e-8607-991e-ad2c1fda0750.1".to_owned(),
    };
    assert_eq!(event, expected);
}

#[test]
fn the_header_is_also_found_where_appflow_has_it() {
    let header = header("UPDATE", &json!(["0065e00000AbCdEAAV"]));
    let flat = envelope(SOURCE, &json!({ "ChangeEventHeader": header, "Region__c": "America" }));
    assert_eq!(parse(&flat), parse(&relayed(&header)));
}

#[test]
fn gap_events_and_unknown_change_types_list_records() {
    for kind in ["CREATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "SPLIT"] {
        let event = parse(&relayed(&header(kind, &json!(["0065e00000AbCdE", "0065e00000AbCdF"])))).unwrap();
        assert_eq!((event.records.len(), event.is_incomplete), (2, false), "{kind}");
    }
    let mut without_kind = header("UPDATE", &json!(["0065e00000AbCdE"]));
    without_kind["changeType"] = Value::Null;
    assert_eq!(parse(&relayed(&without_kind)).unwrap().records.len(), 1);
}

#[test]
fn an_event_without_valid_ids_is_incomplete() {
    for ids in [json!([]), json!(["000000000000000AAA"]), json!(["006*"]), json!([""])] {
        let event = parse(&relayed(&header("GAP_OVERFLOW", &ids))).unwrap();
        assert_eq!((event.records, event.is_incomplete), (Vec::new(), true), "{ids}");
        assert!(parse(&relayed(&header("GAP_UPDATE", &ids))).unwrap().is_incomplete, "{ids}");
    }
    let some = parse(&relayed(&header("GAP_UPDATE", &json!(["0065e00000AbCdE", "006*"])))).unwrap();
    assert_eq!((some.records.len(), some.is_incomplete), (1, true));
    let overflow = parse(&relayed(&header("GAP_OVERFLOW", &json!(["0065e00000AbCdE"])))).unwrap();
    assert_eq!((overflow.records.len(), overflow.is_incomplete), (1, true));
}

#[test]
fn custom_objects_are_parsed() {
    let mut custom = header("CREATE", &json!(["a015e00000AbCdEAAV"]));
    custom["entityName"] = json!("acme__Order_Line__c");
    assert_eq!(parse(&relayed(&custom)).unwrap().object.as_str(), "acme__Order_Line__c");
}

#[test]
fn only_a_source_of_event_relay_is_accepted() {
    let header = header("UPDATE", &json!(["0065e00000AbCdE"]));
    for source in [
        "ferry",
        "aws.partner/appflow/salesforce.com/364228160620/CustomSF-Source-Final",
        "aws.partner/salesforce.com/00D5e000000KQ2eEAG",
        "aws.partner/salesforce.com/00D5e000000KQ2eEAG/",
        "aws.partner/salesforce.com/0065e00000AbCdEAAV/0YL5e000000CaRkGAK",
        "x-aws.partner/salesforce.com/00D5e000000KQ2eEAG/0YL5e000000CaRkGAK",
    ] {
        let event = envelope(source, &json!({ "payload": { "ChangeEventHeader": header } }));
        assert_eq!(parse(&event), Err(ParseError::Source), "{source}");
    }
    assert_eq!(org_from_source("aws.partner/salesforce.com/00D5e000000KQ2e/0YL5e000000CaRk"), org_from_source(SOURCE));
}

#[test]
fn other_events_and_malformed_headers_are_rejected() {
    assert_eq!(parse("<not json>"), Err(ParseError::Shape));
    assert_eq!(parse(&envelope(SOURCE, &json!({ "payload": { "Order__c": "1" } }))), Err(ParseError::Shape));
    for (part, wrong) in [
        ("entityName", json!("no object")),
        ("entityName", json!("")),
        ("transactionKey", json!("")),
        ("transactionKey", json!("two words")),
        ("transactionKey", json!("x".repeat(129))),
    ] {
        let mut header = header("UPDATE", &json!(["0065e00000AbCdE"]));
        header[part] = wrong;
        assert_eq!(parse(&relayed(&header)), Err(ParseError::Header(part)), "{part}");
    }
}

#[test]
fn without_a_transaction_key_the_event_id_is_used() {
    let mut gap = header("GAP_UPDATE", &json!(["0065e00000AbCdE"]));
    gap["transactionKey"] = Value::Null;
    assert_eq!(parse(&relayed(&gap)).unwrap().delivery, "5c42b99e-e005-43b3-c744-07990c50d2cc.1");
}

#[test]
fn too_many_records_make_an_event_incomplete() {
    let ids: Vec<String> = (0..=MAX_RECORDS).map(|n| format!("0065e{n:010}")).collect();
    let event = parse(&relayed(&header("UPDATE", &json!(ids)))).unwrap();
    assert_eq!((event.records.len(), event.is_incomplete), (0, true));
    let event = parse(&relayed(&header("UPDATE", &json!(ids[1..])))).unwrap();
    assert_eq!((event.records.len(), event.is_incomplete), (MAX_RECORDS, false));
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..9_u8).prop_map(|n| format!("0065e00000AbCd{n}")),
        1 => "[0-9A-Za-z*]{0,19}",
        1 => Just("000000000000000AAA".to_owned()),
    ]
}

/// Any JSON of small depth.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![
            Just("ChangeEventHeader".to_owned()),
            Just("payload".to_owned()),
            Just("recordIds".to_owned()),
            Just("entityName".to_owned()),
            "[a-z]{1,5}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

proptest! {
    #[test]
    fn every_id_is_listed_or_the_event_is_incomplete(ids in prop::collection::vec(id(), 0..30)) {
        let event = parse(&relayed(&header("UPDATE", &json!(ids)))).unwrap();
        let missing = |id: &String| id.parse().map_or(true, |id: RecordId| !event.records.contains(&id));
        prop_assert_eq!(event.is_incomplete, ids.is_empty() || ids.iter().any(missing));
        prop_assert!(event.records.is_sorted_by(|one, other| one < other), "each once");
    }

    #[test]
    fn no_payload_panics_or_changes_the_org(detail in any_json()) {
        if let Ok(event) = parse(&envelope(SOURCE, &detail)) {
            prop_assert_eq!(event.org_id.as_str(), "00D5e000000KQ2eEAG");
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        prop_assert!(parse(&text).is_err());
    }
}
