//! Removing fields that are not mirrored any more. A field that Salesforce hides keeps its last value (`carried.rs`); one that the
//! settings leave out must not.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use salesforce::{ObjectName, OrgId, RecordId};

use super::applying::{STORE_ATTEMPTS, is_seen};
use super::index::Stored;
use super::{Records, partition, row_key};
use crate::table::{Conditional, Expression, from_item, from_items};
use crate::{Error, time};

const OPERATION: &str = "remove fields of the records";
const PARALLEL_WRITES: usize = 16;

/// A page of rows whose fields were compared with the mirrored ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemovedFields {
    /// The rows that had other fields.
    pub rows: u64,
    /// The id after which the next page starts; `None` at the end.
    pub next: Option<RecordId>,
}

impl Records {
    /// Removes the fields that are not mirrored from up to `limit` rows after the id `after`. That is no change of the records, so
    /// the rows keep their versions and their places in the indexes.
    ///
    /// # Errors
    /// Only those of the table. Rows before the failure may have been written.
    pub async fn remove_fields(
        &self,
        org: OrgId,
        object: &ObjectName,
        (after, limit): (Option<RecordId>, u16),
        is_mirrored: impl Fn(&str) -> bool,
    ) -> Result<RemovedFields, Error> {
        let query = self.table.query_partition(("partition", &partition(org, object))).consistent_read(true);
        let start = after.map(|id| row_key(org, object, id));
        let page = query.limit(i32::from(limit.max(1))).set_exclusive_start_key(start).send().await;
        let page = page.map_err(Error::aws(OPERATION))?;
        let stored: Vec<Stored> = from_items(OPERATION, page.items.unwrap_or_default())?;
        let next = page.last_evaluated_key.and_then(|_| stored.last().map(|stored| stored.row.record_id));
        let writes = stored.into_iter().map(|stored| self.remove_fields_of(stored, &is_mirrored));
        let writes: Vec<_> = writes.collect();
        let count = async |rows, removed| Ok(rows + u64::from(removed));
        let rows = stream::iter(writes).buffer_unordered(PARALLEL_WRITES).try_fold(0, count).await?;
        Ok(RemovedFields { rows, next })
    }

    /// Removes the fields from the row as it is stored by then. Returns whether it had any.
    async fn remove_fields_of(&self, stored: Stored, is_mirrored: impl Fn(&str) -> bool) -> Result<bool, Error> {
        let mut known = Some(stored);
        for _ in 0..STORE_ATTEMPTS {
            let Some(Stored { mut row, changed }) = known.clone() else { return Ok(false) };
            if row.fields.keys().all(|name| is_mirrored(name)) {
                return Ok(false);
            }
            let _turn = self.table.turn().await;
            let now = time::to_millis(self.clock.now());
            row.fields.retain(|name, _| is_mirrored(name));
            row.carried.fields.retain(|name, _| is_mirrored(name));
            row.carried.fields_removed_at = Some(now);
            let item = self.item(&row, changed.map_or(now, |key| key.changed_at))?;
            let (when, values) = is_seen(known.as_ref(), &row)?;
            match self.table.put_now(OPERATION, item, Expression { text: &when, values }).await? {
                Conditional::Done(()) => return Ok(true),
                Conditional::Refused(item) => known = item.map(|item| from_item(OPERATION, item)).transpose()?,
            }
        }
        Err(Error::Conflict { operation: OPERATION })
    }
}
