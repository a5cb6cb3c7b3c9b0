//! Reads changed records again: one call for up to 2,000 records of an object, and one more for those it does not find.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use salesforce::{
    Client, Clock, FieldName, MAX_RETRIEVE_IDS, ObjectDescribe, ObjectName, Record, RecordId, Soql, soql,
};
use store::Change;

use crate::fate::{Found, missing};
use crate::fields::Fields;

/// Ids that fit into the URL of one query (shared/salesforce/FACTS.md 4.5).
const MAX_QUERY_IDS: usize = 300;

const ID: FieldName = FieldName::from_static("Id");

/// Reads through one connection, and counts its calls.
pub(crate) struct Reader<'a> {
    pub(crate) client: Client,
    pub(crate) clock: &'a Clock,
    pub(crate) calls: AtomicU64,
}

impl Reader<'_> {
    /// What Salesforce says about each of the records, in the order asked.
    pub(crate) async fn reread(
        &self,
        object: &ObjectName,
        fields: &Fields,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, Found)>, salesforce::Error> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MAX_RETRIEVE_IDS) {
            let read_at = self.clock.now();
            self.count();
            let records = self.client.retrieve(object, ids, &fields.readable).await?;
            found.extend(ids.iter().zip(records).map(|(id, record)| (*id, record, read_at)));
        }
        let lost: Vec<RecordId> = found.iter().filter(|(_, record, _)| record.is_none()).map(|(id, ..)| *id).collect();
        let mut deleted = self.look_for_deleted(object, fields, &lost).await?;
        let judge = |(id, record, read_at): (RecordId, Option<Record>, _)| match record {
            Some(record) => (id, Found::Known(Change::Upsert { record, read_at })),
            None => (id, deleted.remove(&id).unwrap_or(Found::NotVisible)),
        };
        Ok(found.into_iter().map(judge).collect())
    }

    /// What `queryAll` says about records that were not found: a record is gone only when it says so.
    async fn look_for_deleted(
        &self,
        object: &ObjectName,
        fields: &Fields,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, Found>, salesforce::Error> {
        let mut found = HashMap::new();
        if fields.of_the_deleted.is_empty() {
            return Ok(found);
        }
        for ids in ids.chunks(MAX_QUERY_IDS) {
            let read_at = self.clock.now();
            let query = Soql::select(&fields.of_the_deleted).from(object).where_(soql::in_(&ID, ids));
            self.count();
            let mut page = self.client.query_all(&query).await?;
            loop {
                found.extend(page.records.iter().map(|row| (row.id, missing(Some(row), read_at))));
                let Some(next) = page.next else { break };
                self.count();
                page = self.client.query_more(&next).await?;
            }
        }
        Ok(found)
    }

    /// What the org says about the object.
    pub(crate) async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, salesforce::Error> {
        self.count();
        self.client.describe(object).await
    }

    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}
