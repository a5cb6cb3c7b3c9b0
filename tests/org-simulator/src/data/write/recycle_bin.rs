//! The recycle bin: purges old records and redirects references.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, FieldKind, Object};
use crate::model::value::Value;

/// The time for which a deleted record can be restored.
const KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);
const HOUR: i64 = 3_600;
/// References that belong to the record itself and are not redirected in a merge.
const OWN_REFERENCES: [&str; 2] = ["MasterRecordId", "PersonContactId"];

impl Org {
    /// Purges the records that have been in the recycle bin for 15 days; runs at most once an hour.
    pub(crate) fn purge_old(&mut self) {
        let now = self.clock.now();
        let hour = now.as_second().div_euclid(HOUR);
        if std::mem::replace(&mut self.bin.looked, hour) == hour {
            return;
        }
        let Ok(limit) = now.checked_sub(KEPT) else { return };
        let objects: Vec<Arc<Object>> = self.schema.objects().cloned().collect();
        for object in objects {
            let rows = self.store.table(&object.name).into_iter().flat_map(|table| table.rows());
            let old = rows.filter(|row| row.is_deleted());
            let old = old.filter(|row| row.get(schema::MODSTAMP).as_instant().is_some_and(|at| at < limit));
            let old: Vec<RecordId> = old.filter_map(|row| row.id()).collect();
            // A record deleted with another one is as old and is purged by its own date.
            for id in old {
                self.store.purge(&object, id);
                self.bin.deleted_with.remove(&id);
            }
        }
    }

    /// Deletes a record permanently, with the records that were deleted with it.
    fn purge(&mut self, object: &Arc<Object>, id: RecordId) {
        let below: Vec<RecordId> =
            self.bin.deleted_with.iter().filter(|(_, parent)| **parent == id).map(|(child, _)| *child).collect();
        self.store.purge(object, id);
        self.bin.deleted_with.remove(&id);
        for child in below {
            let object = self.schema.by_prefix(child.key_prefix()).cloned();
            let Some(object) = object else { continue };
            if self.store.get(&object.name, child).is_some_and(|row| row.is_deleted()) {
                self.purge(&object, child);
            }
        }
    }

    /// Deletes a record of the recycle bin permanently (`emptyRecycleBin` of the SOAP API).
    pub(crate) fn empty_from_bin(&mut self, actor: &Actor, id: RecordId) -> Result<(), ApiError> {
        let object = self.schema.by_prefix(id.key_prefix()).cloned();
        let object = object.ok_or_else(|| ApiError::new("MALFORMED_ID", format!("bad id {id}")).no_fields())?;
        if !self.visible(actor, &object, id).is_some_and(|row| row.is_deleted()) {
            return Err(not_in_bin(id));
        }
        self.purge(&object, id);
        Ok(())
    }

    /// Replaces every reference to `from`, in live and deleted records, by one to `to`; returns the changed live
    /// records.
    pub(super) fn redirect(&mut self, actor: &Actor, from: RecordId, to: RecordId) -> Vec<RecordId> {
        let mut changed = Vec::new();
        let objects: Vec<Arc<Object>> = self.schema.objects().cloned().collect();
        for object in objects {
            let references = object.fields.iter().enumerate();
            let references: Vec<usize> = references
                .filter(|(_, f)| f.kind == FieldKind::Reference && !OWN_REFERENCES.contains(&f.name.as_str()))
                .map(|(at, _)| at)
                .collect();
            let rows = self.store.table(&object.name).into_iter().flat_map(|table| table.rows());
            let theirs = rows.filter(|row| references.iter().any(|at| row.get(*at).as_id() == Some(from)));
            let theirs: Vec<_> = theirs.filter_map(|row| Some((row.id()?, Arc::clone(row)))).collect();
            for (id, row) in theirs {
                let mut row = (*row).clone();
                for at in
                    references.iter().filter(|at| row.get(**at).as_id() == Some(from)).copied().collect::<Vec<_>>()
                {
                    row.set(at, Value::Id(to));
                }
                let live = !row.is_deleted();
                if live {
                    self.stamp_changed(&mut row, actor.user);
                    changed.push(id);
                }
                self.store.put(&object, id, row);
                if live {
                    self.notify(actor, &object.name, id);
                }
            }
        }
        changed
    }
}

pub(super) fn not_in_bin(id: RecordId) -> ApiError {
    ApiError::new("UNDELETE_FAILED", format!("Entity is not in the recycle bin: {id}")).no_fields()
}
