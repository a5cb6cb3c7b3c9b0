//! Erased records.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId, RecordId};
use serde_json::Map;

use super::{Carried, MirrorRecord, Records};
use crate::Error;
use crate::table::{Expression, Place, Rows};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The version of an erased row: later than every version of Salesforce. 9999-01-01T00:00:00Z.
const ERASED_AT: Timestamp = Timestamp::constant(253_370_764_800, 0);

impl Records {
    /// Replaces the record's row by an erased one: a tombstone that no version replaces, so that neither a refresh nor a
    /// hint brings the record back. It has no fields and does not expire. Returns whether the mirror had the record.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn erase(&self, org: OrgId, object: &ObjectName, id: RecordId) -> Result<bool, Error> {
        let operation = "erase the record";
        let row = MirrorRecord {
            org_id: org,
            object: object.clone(),
            record_id: id,
            fields: Map::new(),
            system_modstamp: ERASED_AT,
            read_at: ERASED_AT,
            deleted: true,
            master_record_id: None,
            deletion_reason: None,
            erased: true,
            outdated_since: None,
            carried: Carried::default(),
        };
        let known = self.load(org, object, id).await?;
        let always = "attribute_not_exists(#record_id) OR attribute_exists(#record_id)";
        self.table
            .put(operation, self.item(&row, self.clock.now())?, Expression { text: always, values: Vec::new() })
            .await?;
        Ok(known.is_some_and(|known| !known.erased))
    }
}

/// Returns the rows of an org, of every object. Only a scan finds them all: the rows of an object that is no longer
/// mirrored are in a partition that nothing else names.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    let place = Place::with_prefix("begins_with(#partition, :org)", org);
    Rows { keys: &["partition", "record_id"], place }
}
