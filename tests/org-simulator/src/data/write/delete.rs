//! The recycle bin: into it, with what belongs to a record, and out of it again.

use std::sync::Arc;

use super::recycle_bin::not_in_bin;
use crate::data::notes::may_change;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Object};
use crate::model::value::Value;

/// Records that go when their parent goes: parent object, child object, child's reference.
const CASCADES: [(&str, &str, &str); 6] = [
    ("Account", "Contact", "AccountId"),
    ("Account", "Opportunity", "AccountId"),
    ("Opportunity", "OpportunityContactRole", "OpportunityId"),
    ("Contact", "OpportunityContactRole", "ContactId"),
    ("ContentDocument", "ContentDocumentLink", "ContentDocumentId"),
    ("ContentDocument", "ContentVersion", "ContentDocumentId"),
];

/// Records that keep their parent from being deleted: parent object, child object, child's reference, what the message calls them.
const RESTRICTIONS: [(&str, &str, &str, &str); 2] =
    [("Account", "Case", "AccountId", "cases"), ("Contact", "Case", "ContactId", "cases")];

/// Whether records of `child` go when the record goes to which their field refers.
pub(crate) fn goes_with(parent: &str, child: &str, field: &str) -> bool {
    CASCADES.contains(&(parent, child, field))
}

/// Whether records of `child` keep the record from being deleted to which their field refers.
pub(crate) fn keeps(parent: &str, child: &str, field: &str) -> bool {
    RESTRICTIONS.iter().any(|(a, b, c, _)| (*a, *b, *c) == (parent, child, field))
}

impl Org {
    /// Moves a record, and what belongs to it, to the recycle bin.
    pub(crate) fn delete(&mut self, actor: &Actor, object: &str, id: RecordId) -> Result<(), ApiError> {
        // Every document is a note, and goes by a note's rules.
        let is_note = object == "ContentDocument" && self.schema.object("ContentNote").is_some();
        let object = self.object_for(actor, if is_note { "ContentNote" } else { object })?;
        let row = self.writeable(actor, &object, id)?;
        self.permit(actor, Permission::Delete, &object)?;
        if object.name == "ContentNote" {
            may_change(actor, row)?;
        }
        self.unreferenced(&object, id)?;
        self.set_deleted(actor, &object, (id, None), true);
        Ok(())
    }

    /// Refuses to delete a record that others need.
    fn unreferenced(&self, object: &Object, id: RecordId) -> Result<(), ApiError> {
        for (_, child, reference, plural) in RESTRICTIONS.iter().filter(|(parent, ..)| *parent == object.name) {
            let Some(child) = self.schema.object(child) else { continue };
            let Some((at, name)) = child.position(reference).zip(child.name_field()) else { continue };
            let rows = self.store.table(&child.name).into_iter().flat_map(|table| table.rows());
            let held = rows.filter(|row| !row.is_deleted() && row.get(at).as_id() == Some(id));
            let names: Vec<&str> = held.map(|row| row.get(name).as_text()).collect();
            if !names.is_empty() {
                let own = self.store.get(&object.name, id).zip(object.name_field());
                let own = own.map_or("", |(row, at)| row.get(at).as_text());
                // With the line break at the end (seen in a client's recorded error).
                let message = format!(
                    "Your attempt to delete {own} could not be completed because it is associated with the following {plural}.: {}\n",
                    names.join(", ")
                );
                return Err(ApiError::new("DELETE_FAILED", message).no_fields());
            }
        }
        Ok(())
    }

    /// Takes a record, and what went with it, out of the recycle bin.
    pub(crate) fn undelete(&mut self, actor: &Actor, object: &str, id: RecordId) -> Result<(), ApiError> {
        let object = self.object_for(actor, object)?;
        if !self.visible(actor, &object, id).is_some_and(|row| row.is_deleted()) {
            return Err(not_in_bin(id));
        }
        self.set_deleted(actor, &object, (id, None), false);
        Ok(())
    }

    /// Marks a record as deleted, with its parent or by itself, or as no longer deleted; and what belongs to it.
    pub(super) fn set_deleted(
        &mut self,
        actor: &Actor,
        object: &Arc<Object>,
        (id, with): (RecordId, Option<RecordId>),
        deleted: bool,
    ) {
        let Some(row) = self.store.get(&object.name, id).filter(|row| row.is_deleted() != deleted) else { return };
        let mut row = (**row).clone();
        row.set(schema::IS_DELETED, Value::Bool(deleted));
        if let Some(at) = object.position("MasterRecordId") {
            row.set(at, Value::Null);
        }
        self.stamp_changed(&mut row, actor.user);
        self.store.put(object, id, row);
        if deleted {
            self.bin.add(id, with);
        }
        for (child, ids) in self.dependents(object, id, deleted) {
            for below in ids {
                self.set_deleted(actor, &child, (below, Some(id)), deleted);
            }
        }
    }

    /// Records that share the fate of `id`, by object.
    fn dependents(&self, object: &Object, id: RecordId, deleting: bool) -> Vec<(Arc<Object>, Vec<RecordId>)> {
        let mut found = Vec::new();
        for (_, child, reference) in CASCADES.iter().filter(|(parent, _, _)| *parent == object.name) {
            let Some(child) = self.schema.object(child) else { continue };
            let Some(at) = child.position(reference) else { continue };
            let rows = self.store.table(&child.name).into_iter().flat_map(|table| table.rows());
            let theirs = rows.filter(|row| row.is_deleted() != deleting && row.get(at).as_id() == Some(id));
            let theirs = theirs.filter(|row| deleting || row.id().is_some_and(|child| self.bin.went_with(child, id)));
            found.push((Arc::clone(child), theirs.filter_map(|row| row.id()).collect()));
        }
        // A note and its document are one thing under two names.
        for twin in ["ContentNote", "ContentDocument"] {
            if id.key_prefix() == "069" && object.name != twin {
                found.extend(self.schema.object(twin).map(|o| (Arc::clone(o), vec![id])));
            }
        }
        found
    }
}
