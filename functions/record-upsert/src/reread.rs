//! Reads changed records again: one call for up to 2,000 records of an object, and one more for those it does not find.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use mirroring::ObjectFields;
use salesforce::{Client, FieldName, MAX_RETRIEVE_IDS, ObjectDescribe, ObjectName, OrgId, RecordId, Soql, soql};
use store::Change;

use crate::allowance::Allowance;
use crate::fate::{Found, missing};
use crate::{Deps, Error};

/// Ids that fit into the URL of one query (shared/salesforce/FACTS.md 4.5).
const MAX_QUERY_IDS: usize = 300;

/// Reads through one connection, within its time and its budget.
pub(crate) struct Reader<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) org: OrgId,
    pub(crate) client: Client,
    pub(crate) allowance: Allowance,
    /// Until when the org may be asked.
    pub(crate) until: Timestamp,
}

/// What was found, in no order.
pub(crate) type AllFound = Vec<(RecordId, Found)>;

impl Reader<'_> {
    /// Adds to `found` what Salesforce says about each of the records. After an error it has those that were known by then.
    pub(crate) async fn reread(
        &self,
        object: &ObjectName,
        fields: &ObjectFields,
        ids: &[RecordId],
        found: &mut AllFound,
    ) -> Result<(), Error> {
        let mut lost = Vec::new();
        for ids in ids.chunks(MAX_RETRIEVE_IDS) {
            let read_at = self.deps.clock.now();
            let records = self.call(self.client.retrieve(object, ids, &fields.selected)).await?;
            for (id, record) in ids.iter().zip(records) {
                match record {
                    Some(record) => found.push((*id, Found::Known(Change::Upsert { record, read_at }))),
                    None => lost.push(*id),
                }
            }
        }
        self.look_for_deleted(object, fields, &lost, found).await
    }

    /// What `queryAll` says about records that were not found: a record is gone only when it says so.
    async fn look_for_deleted(
        &self,
        object: &ObjectName,
        fields: &ObjectFields,
        ids: &[RecordId],
        found: &mut AllFound,
    ) -> Result<(), Error> {
        if fields.deletion_fields.is_empty() {
            found.extend(ids.iter().map(|id| (*id, Found::NotVisible)));
            return Ok(());
        }
        for ids in ids.chunks(MAX_QUERY_IDS) {
            let read_at = self.deps.clock.now();
            let query = Soql::select(&fields.deletion_fields).from(object).where_(soql::in_(&FieldName::ID, ids));
            let mut page = self.call(self.client.query_all(&query)).await?;
            let mut rows = HashMap::new();
            loop {
                rows.extend(page.records.into_iter().map(|row| (row.id, row)));
                let Some(next) = page.next else { break };
                page = self.call(self.client.query_more(&next)).await?;
            }
            found.extend(ids.iter().map(|id| (*id, missing(rows.get(id), read_at))));
        }
        Ok(())
    }

    /// What the org says about the object.
    pub(crate) async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        self.call(self.client.describe(object)).await
    }

    /// Makes a call, if budget and time allow it.
    async fn call<T>(&self, call: impl Future<Output = Result<T, salesforce::Error>>) -> Result<T, Error> {
        let now = self.deps.clock.now();
        if !self.allowance.may_call(self.client.api_usage(), now) {
            return Err(Error::OverBudget);
        }
        let left = Duration::try_from(self.until.duration_since(now)).unwrap_or_default();
        let answer = tokio::time::timeout(left, call).await.map_err(|_| Error::TooSlow)?;
        answer.map_err(Error::Salesforce)
    }
}
