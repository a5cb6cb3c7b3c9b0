//! Reads changed records: one call for up to 2,000 records of an object, and one more for those that it does not find.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mirroring::{Filtered, ObjectFields, Retrieved};
use runtime::Chain;
use salesforce::{Client, FieldName, MAX_RETRIEVE_IDS, ObjectDescribe, ObjectName, OrgId, RecordId, Soql, soql};
use store::{Allowance, Change, Lane, Made, OrgSettings};
use tracing::warn;

use crate::disposition::{self, Found};
use crate::{Deps, Error};

/// The number of ids that fit into the URL of one query (shared/salesforce/FACTS.md 4.5).
const MAX_QUERY_IDS: usize = 300;

/// Reads through one connection, within its time and budget.
pub(crate) struct Reader<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) org: OrgId,
    pub(crate) client: Client,
    /// The records of which one of Ferry's own writes sent a hint.
    pub(crate) written: BTreeSet<RecordId>,
    pub(crate) allowance: Allowance,
    /// The settings of the org.
    pub(crate) settings: Arc<OrgSettings>,
    /// The time at which the calls must end.
    pub(crate) until: Timestamp,
}

/// The records that were read, in any order.
pub(crate) type AllFound = Vec<(RecordId, Found)>;

impl Reader<'_> {
    /// Reads the records and adds each to `found`, which after an error holds those that were read before it.
    pub(crate) async fn reread(
        &self,
        object: &ObjectName,
        fields: &ObjectFields,
        ids: &[RecordId],
        found: &mut AllFound,
    ) -> Result<(), Error> {
        let (mut missing, mut records) = (Vec::new(), Vec::new());
        for ids in ids.chunks(MAX_RETRIEVE_IDS) {
            let read_at = self.deps.clock.now();
            let cache = &self.deps.fields;
            let retrieved = cache.retrieve(&self.client, (self.org, object), ids, &fields.selected);
            let retrieved = self.call(retrieved).await.inspect_err(|error| {
                if matches!(error, Error::TooSlow) {
                    cache.halve_rows(self.org, object);
                }
            })?;
            for (id, retrieved) in ids.iter().zip(retrieved) {
                match retrieved {
                    Retrieved::Record(record) => records.push(Change::Upsert { record, read_at }),
                    Retrieved::Missing => missing.push(*id),
                    Retrieved::Changing => found.push((*id, Found::Changing)),
                    Retrieved::Unreadable(error) => {
                        warn!(org.id = %self.org, sf.object = %object, record.id = %id, "{}", Chain(&error));
                        found.push((*id, Found::Unreadable));
                    }
                }
            }
            self.filter(object, std::mem::take(&mut records), found).await?;
        }
        self.query_missing(object, fields, &missing, found).await
    }

    /// Adds the records to `found`. Of those that the filter of the org's settings excludes, the mirror's rows become tombstones.
    async fn filter(&self, object: &ObjectName, records: Vec<Change>, found: &mut AllFound) -> Result<(), Error> {
        let filter = self.settings.filter(object);
        let filtered = match filter {
            None => Filtered { kept: records, excluded: Vec::new() },
            filter => self.call(mirroring::filter(&self.client, object, filter, records)).await?,
        };
        let ids: Vec<RecordId> = filtered.excluded.iter().map(|tombstone| tombstone.record_id).collect();
        let live = self.deps.records.live_among(self.org, object, filtered.excluded).await.map_err(Error::Mirror)?;
        let of_others = ids.into_iter().filter(|id| !live.iter().any(|tombstone| tombstone.record_id == *id));
        found.extend(of_others.map(|id| (id, Found::NotVisible)));
        let known = filtered.kept.into_iter().chain(live.into_iter().map(Change::Tombstone));
        found.extend(known.map(|change| (change.record_id(), Found::Known(change))));
        Ok(())
    }

    /// Queries the records that were not found, deleted ones included: only `queryAll` proves a deletion.
    async fn query_missing(
        &self,
        object: &ObjectName,
        fields: &ObjectFields,
        ids: &[RecordId],
        found: &mut AllFound,
    ) -> Result<(), Error> {
        if !fields.queryable {
            found.extend(ids.iter().map(|id| (*id, Found::NotVisible)));
            return Ok(());
        }
        let selected = match fields.deletion_fields.as_slice() {
            [] => &[FieldName::ID],
            deletion_fields => deletion_fields,
        };
        for ids in ids.chunks(MAX_QUERY_IDS) {
            let read_at = self.deps.clock.now();
            let query = Soql::select(selected).from(object).where_(soql::in_(&FieldName::ID, ids));
            let mut page = self.call(self.client.query_all(&query)).await?;
            let mut rows = HashMap::new();
            loop {
                rows.extend(page.records.into_iter().map(|row| (row.id, row)));
                let Some(next) = page.next else { break };
                page = self.call(self.client.query_more(&next)).await?;
            }
            found.extend(ids.iter().map(|id| (*id, disposition::missing(rows.get(id), read_at))));
        }
        Ok(())
    }

    /// Describes the object.
    pub(crate) async fn describe(&self, object: &ObjectName) -> Result<ObjectDescribe, Error> {
        self.call(self.client.find_object(object)).await?.ok_or(Error::Hidden)
    }

    /// Makes the call if budget and time allow it.
    async fn call<T>(&self, call: impl Future<Output = Result<T, salesforce::Error>>) -> Result<T, Error> {
        let now = self.deps.clock.now();
        let made = Made { reported: self.client.api_usage(), calls: self.client.api_calls() };
        if !self.allowance.may_call(Lane::Webhook, made, now) {
            return Err(Error::OverBudget);
        }
        let left = Duration::try_from(self.until.duration_since(now)).unwrap_or_default();
        let response = tokio::time::timeout(left, call).await.map_err(|_| Error::TooSlow)?;
        response.map_err(Error::Salesforce)
    }
}
