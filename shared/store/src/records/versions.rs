//! The versions of rows, without their fields: what an audit compares.

use std::collections::BTreeSet;

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::Deserialize;

use super::{Records, partition, row_key};
use crate::Error;
use crate::table::from_items;

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// The record exists. The time is the `SystemModstamp` of its newest known version, which may be too large for the mirror.
    Live(Timestamp),
    /// A tombstone.
    Deleted,
    /// The record was erased on request, and does not come back.
    Erased,
}

/// A row without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "StoredVersion")]
pub struct RowVersion {
    /// The record's id.
    pub record_id: RecordId,
    /// The row's `SystemModstamp`.
    pub system_modstamp: Timestamp,
    /// The state.
    pub state: RowState,
}

/// A page of rows without their fields, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionPage {
    /// The rows, tombstones among them.
    pub rows: Vec<RowVersion>,
    /// The id after which the next page starts; `None` at the end.
    pub next: Option<RecordId>,
}

#[derive(Deserialize)]
struct StoredVersion {
    record_id: RecordId,
    #[serde(with = "crate::time::millis")]
    system_modstamp: Timestamp,
    deleted: bool,
    #[serde(default)]
    erased: bool,
    #[serde(default, with = "crate::time::millis_option")]
    outdated_since: Option<Timestamp>,
}

impl From<StoredVersion> for RowVersion {
    fn from(stored: StoredVersion) -> Self {
        let StoredVersion { record_id, system_modstamp, deleted, erased, outdated_since } = stored;
        let state = match (erased, deleted) {
            (true, _) => RowState::Erased,
            (false, true) => RowState::Deleted,
            (false, false) => RowState::Live(outdated_since.unwrap_or(system_modstamp)),
        };
        Self { record_id, system_modstamp, state }
    }
}

const ATTRIBUTES: [&str; 5] = ["record_id", "system_modstamp", "deleted", "erased", "outdated_since"];

impl Records {
    /// Returns the versions of up to `limit` rows after the id `after`, in the order of their ids. The read is consistent.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list_versions(
        &self,
        org: OrgId,
        object: &ObjectName,
        after: Option<RecordId>,
        limit: u16,
    ) -> Result<VersionPage, Error> {
        let operation = "list the versions of the records";
        let mut query = self
            .table
            .query_partition(("partition", &partition(org, object)))
            .consistent_read(true)
            .projection_expression(ATTRIBUTES.map(|name| format!("#{name}")).join(", "))
            .limit(i32::from(limit.max(1)))
            .set_exclusive_start_key(after.map(|id| row_key(org, object, id)));
        for name in ATTRIBUTES {
            query = query.expression_attribute_names(format!("#{name}"), name);
        }
        let page = query.send().await.map_err(Error::aws(operation))?;
        let rows: Vec<RowVersion> = from_items(operation, page.items.unwrap_or_default())?;
        let next = page.last_evaluated_key.and_then(|_| rows.last().map(|row| row.record_id));
        Ok(VersionPage { rows, next })
    }

    /// Returns the versions of the rows with these ids, in no order. Ids without a row are left out.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load_versions(
        &self,
        org: OrgId,
        object: &ObjectName,
        ids: &[RecordId],
    ) -> Result<Vec<RowVersion>, Error> {
        let operation = "load the versions of the records";
        let keys = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().map(|id| row_key(org, object, id));
        from_items(operation, self.table.get_many(operation, keys.collect()).await?)
    }
}
