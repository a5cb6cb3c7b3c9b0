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
    let RecordWrite::Upsert(upsert) = &request.operation else { panic!("not an upsert") };
    assert_eq!(upsert.object.as_str(), "Account");
    assert_eq!(upsert.batch.records[0]["Name"], "Kestrel Instruments");
}
