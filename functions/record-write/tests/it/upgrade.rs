//! Queued writes that version 0.1.0 stored (`tests/fixtures/stored/0.1.0`) are read.

use record_write::RecordWrite;
use serde_json::Value;
use writes::WriteRequest;

const WRITES: &str = include_str!("../../../../tests/fixtures/stored/0.1.0/writes.json");

#[test]
fn a_queued_upsert_is_read() {
    let rows: Vec<Value> = serde_json::from_str(WRITES).unwrap();
    let queued = rows.iter().filter(|row| row["kind"]["S"] == "records" && row["state"]["S"] == "queued");
    let requests: Vec<WriteRequest<RecordWrite>> =
        queued.map(|row| serde_json::from_str(row["request"]["S"].as_str().unwrap()).unwrap()).collect();

    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.platform_user.as_ref().unwrap().as_str(), "rep-1");
    let RecordWrite::Upsert(upsert) = &request.operation else { panic!("{request:?}") };
    assert_eq!(upsert.object.as_str(), "Account");
    assert_eq!(upsert.batch.records[0]["Name"], "Kestrel Instruments");
}

#[test]
fn numbers_of_any_size_are_stored_and_read() {
    let text = r#"{"platform_user":null,"object":"Account","batch":{"external_id_field":"K__c","all_or_none":false,"records":[
        {"K__c":"1","A__c":18446744073709551616,"B__c":-9223372036854775809,"C__c":1.10,"D__c":1e400}]}}"#;
    let request: WriteRequest<RecordWrite> = serde_json::from_str(text).unwrap();
    let stored = serde_json::to_value(&request).unwrap().to_string();
    for number in ["18446744073709551616", "-9223372036854775809", "1.10", "1e+400"] {
        assert!(stored.contains(number), "{number} {stored}");
    }
    assert_eq!(serde_json::from_str::<WriteRequest<RecordWrite>>(&stored).unwrap(), request);
}
