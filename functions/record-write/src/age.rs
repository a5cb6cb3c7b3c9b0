//! The age of records: which of them existed before a write was requested.

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::{Client, FieldName, ObjectName, Record, RecordId, Soql, datetime, soql};
use store::Write;

/// The maximum by which Salesforce's clock may be behind ours.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// The time at which a record was created.
pub(crate) const CREATED_DATE: FieldName = FieldName::from_static("CreatedDate");

/// Returns the time from which a record may be one that the write created.
pub(crate) fn requested(write: &Write) -> Timestamp {
    write.created_at - CLOCK_SKEW
}

/// Returns whether a record existed before the write was requested.
pub(crate) fn is_older(record: &Record, write: &Write) -> bool {
    let created = record.text(CREATED_DATE.as_str()).and_then(|text| datetime::parse(text).ok());
    created.is_some_and(|created| created < requested(write))
}

/// Returns those of the records that existed before the write was requested. After a failed query that is none.
pub(crate) async fn older_than_write(
    client: &Client,
    write: &Write,
    object: &ObjectName,
    records: &[RecordId],
) -> Vec<RecordId> {
    let ids: Vec<soql::Literal> = records.iter().map(soql::Literal::from).collect();
    let query = Soql::select(&[FieldName::ID, CREATED_DATE]).from(object).where_(soql::in_(&FieldName::ID, ids));
    match client.query(&query).await {
        Ok(page) => page.records.iter().filter(|record| is_older(record, write)).map(|record| record.id).collect(),
        Err(error) => {
            tracing::warn!(org.id = %write.org_id, write.id = %write.write_id, error = %Chain(&error),
                "could not find out which records existed before the write");
            Vec::new()
        }
    }
}
