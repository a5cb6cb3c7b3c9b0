//! Deletes records into the recycle bin, with their dependent records, and undeletes them.

use std::sync::Arc;

use super::recycle_bin::not_in_bin;
use crate::data::notes::may_change;
use crate::model::access::Permission;
use crate::model::activity_views::is_activity_view;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, Field, Object};
use crate::model::value::Value;

/// Records that are deleted with their parent: parent object, child object, child's reference.
const CASCADES: [(&str, &str, &str); 71] = [
    ("Account", "Contact", "AccountId"),
    ("Account", "Opportunity", "AccountId"),
    ("Account", "AccountContactRelation", "AccountId"),
    ("Account", "AccountShare", "AccountId"),
    ("Account", "AccountTeamMember", "AccountId"),
    ("Account", "ActivityHistory", "AccountId"),
    ("Account", "Attachment", "ParentId"),
    ("Account", "ContentDocumentLink", "LinkedEntityId"),
    ("Account", "Event", "WhatId"),
    ("Account", "Note", "ParentId"),
    ("Account", "OpenActivity", "AccountId"),
    ("Account", "Task", "WhatId"),
    ("Campaign", "CampaignMember", "CampaignId"),
    ("Campaign", "CampaignMemberStatus", "CampaignId"),
    ("Campaign", "Attachment", "ParentId"),
    ("Campaign", "Event", "WhatId"),
    ("Campaign", "Task", "WhatId"),
    ("Case", "ActivityHistory", "WhatId"),
    ("Case", "Attachment", "ParentId"),
    ("Case", "ContentDocumentLink", "LinkedEntityId"),
    ("Case", "CaseShare", "CaseId"),
    ("Case", "EmailMessage", "ParentId"),
    ("Case", "Event", "WhatId"),
    ("Case", "OpenActivity", "WhatId"),
    ("Case", "Task", "WhatId"),
    ("Contact", "AccountContactRelation", "ContactId"),
    ("Contact", "ActivityHistory", "WhoId"),
    ("Contact", "Attachment", "ParentId"),
    ("Contact", "ContentDocumentLink", "LinkedEntityId"),
    ("Contact", "CampaignMember", "ContactId"),
    ("Contact", "ContactShare", "ContactId"),
    ("Contact", "EmailMessageRelation", "RelationId"),
    ("Contact", "Event", "WhoId"),
    ("Contact", "EventRelation", "RelationId"),
    ("Contact", "Note", "ParentId"),
    ("Contact", "OpenActivity", "WhoId"),
    ("Contact", "OpportunityContactRole", "ContactId"),
    ("Contact", "Task", "WhoId"),
    ("Contact", "TaskRelation", "RelationId"),
    ("ContentDocument", "ContentDocumentLink", "ContentDocumentId"),
    ("ContentDocument", "ContentVersion", "ContentDocumentId"),
    ("EmailMessage", "EmailMessageRelation", "EmailMessageId"),
    ("Event", "EventRelation", "EventId"),
    ("Group", "GroupMember", "GroupId"),
    ("Lead", "ActivityHistory", "WhoId"),
    ("Lead", "Attachment", "ParentId"),
    ("Lead", "ContentDocumentLink", "LinkedEntityId"),
    ("Lead", "CampaignMember", "LeadId"),
    ("Lead", "EmailMessageRelation", "RelationId"),
    ("Lead", "Event", "WhoId"),
    ("Lead", "EventRelation", "RelationId"),
    ("Lead", "LeadShare", "LeadId"),
    ("Lead", "LeadHistory", "LeadId"),
    ("Lead", "Note", "ParentId"),
    ("Lead", "OpenActivity", "WhoId"),
    ("Lead", "Task", "WhoId"),
    ("Lead", "TaskRelation", "RelationId"),
    ("Opportunity", "ActivityHistory", "WhatId"),
    ("Opportunity", "Attachment", "ParentId"),
    ("Opportunity", "ContentDocumentLink", "LinkedEntityId"),
    ("Opportunity", "Event", "WhatId"),
    ("Opportunity", "Note", "ParentId"),
    ("Opportunity", "OpenActivity", "WhatId"),
    ("Opportunity", "OpportunityContactRole", "OpportunityId"),
    ("Opportunity", "OpportunityFieldHistory", "OpportunityId"),
    ("Opportunity", "OpportunityHistory", "OpportunityId"),
    ("Opportunity", "OpportunityLineItem", "OpportunityId"),
    ("Opportunity", "OpportunityShare", "OpportunityId"),
    ("Opportunity", "OpportunityTeamMember", "OpportunityId"),
    ("Opportunity", "Task", "WhatId"),
    ("Task", "TaskRelation", "TaskId"),
];

/// Records that prevent the deletion of their parent: parent object, child object, child's reference, name in the
/// message.
const RESTRICTIONS: [(&str, &str, &str, &str); 2] =
    [("Account", "Case", "AccountId", "cases"), ("Contact", "Case", "ContactId", "cases")];

/// Returns whether records of `child` are deleted with the record that their field refers to.
pub(crate) fn is_deleted_with(parent: &str, child: &str, field: &str) -> bool {
    CASCADES.contains(&(parent, child, field))
}

/// Returns whether records of `child` prevent the deletion of the record that their field refers to.
pub(crate) fn restricts_delete(parent: &str, child: &str, field: &str) -> bool {
    RESTRICTIONS.iter().any(|(a, b, c, _)| (*a, *b, *c) == (parent, child, field))
}

impl Org {
    /// Moves a record, with its dependent records, to the recycle bin.
    pub(crate) fn delete(&mut self, actor: &Actor, object: &str, id: RecordId) -> Result<(), ApiError> {
        // The document of a note is deleted as that note.
        let is_note = object == "ContentDocument" && self.store.get("ContentNote", id).is_some();
        let object = self.object_for(actor, if is_note { "ContentNote" } else { object })?;
        let row = self.find_writeable(actor, &object, id)?;
        self.check_permission(actor, Permission::Delete, &object)?;
        if !self.may_delete(actor, &object, row) {
            return Err(ApiError::no_access());
        }
        if matches!(object.name.as_str(), "ContentNote" | "ContentDocument") {
            may_change(actor, row)?;
        }
        self.check_unreferenced(&object, id)?;
        self.set_deleted(actor, &object, (id, None), true);
        Ok(())
    }

    /// Rejects the deletion of a record that other records require.
    fn check_unreferenced(&self, object: &Object, id: RecordId) -> Result<(), ApiError> {
        for (_, child, reference, plural) in RESTRICTIONS.iter().filter(|(parent, ..)| *parent == object.name) {
            let Some(child) = self.schema.object(child) else { continue };
            let Some((at, name)) = child.position(reference).zip(child.name_field()) else { continue };
            let rows = self.store.table(&child.name).into_iter().flat_map(|table| table.rows());
            let held = rows.filter(|row| !row.is_deleted() && row.get(at).as_id() == Some(id));
            let names: Vec<&str> = held.map(|row| row.get(name).as_text()).collect();
            if !names.is_empty() {
                let own = self.store.get(&object.name, id).zip(object.name_field());
                let own = own.map_or("", |(row, at)| row.get(at).as_text());
                // The message ends in a line break (seen in a client's recorded error).
                let message = format!(
                    "Your attempt to delete {own} could not be completed because it is associated with the following {plural}.: {}\n",
                    names.join(", ")
                );
                return Err(ApiError::new("DELETE_FAILED", message).no_fields());
            }
        }
        Ok(())
    }

    /// Restores a record, with the records deleted with it, from the recycle bin.
    pub(crate) fn undelete(&mut self, actor: &Actor, object: &str, id: RecordId) -> Result<(), ApiError> {
        let object = self.object_for(actor, object)?;
        if !self.visible(actor, &object, id).is_some_and(|row| row.is_deleted()) {
            return Err(not_in_bin(id));
        }
        self.set_deleted(actor, &object, (id, None), false);
        Ok(())
    }

    /// Marks a record and its dependent records as deleted (with a parent or alone), or as not deleted.
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
        self.after_delete(actor, object, id);
        if deleted {
            self.bin.add(id, with);
        }
        for (child, ids) in self.dependents(object, id, deleted) {
            for below in ids {
                self.set_deleted(actor, &child, (below, Some(id)), deleted);
            }
        }
    }

    /// Returns the records that are deleted or restored with `id`, by object.
    fn dependents(&self, object: &Object, id: RecordId, deleting: bool) -> Vec<(Arc<Object>, Vec<RecordId>)> {
        let mut found = Vec::new();
        for (_, child, reference) in CASCADES.iter().filter(|(parent, _, _)| *parent == object.name) {
            let Some(child) = self.schema.object(child) else { continue };
            let Some(at) = child.position(reference) else { continue };
            if deleting && child.fields.get(at).is_some_and(Field::indexed) {
                let theirs = self.rows_below(&child.name, reference, id);
                found.push((Arc::clone(child), theirs.iter().filter_map(|row| row.id()).collect()));
                continue;
            }
            if is_activity_view(&child.name) {
                continue; // Their rows follow the tasks and events.
            }
            let rows = self.store.table(&child.name).into_iter().flat_map(|table| table.rows());
            let theirs = rows.filter(|row| row.is_deleted() != deleting && row.get(at).as_id() == Some(id));
            let theirs =
                theirs.filter(|row| deleting || row.id().is_some_and(|child| self.bin.was_deleted_with(child, id)));
            found.push((Arc::clone(child), theirs.filter_map(|row| row.id()).collect()));
        }
        for child in self.schema.children_of(&object.name) {
            if !child.object.fields.get(child.field).is_some_and(|field| field.master_detail) {
                continue;
            }
            let rows = self.store.table(&child.object.name).into_iter().flat_map(|table| table.rows());
            let theirs = rows.filter(|row| row.is_deleted() != deleting && row.get(child.field).as_id() == Some(id));
            let theirs =
                theirs.filter(|row| deleting || row.id().is_some_and(|below| self.bin.was_deleted_with(below, id)));
            found.push((Arc::clone(child.object), theirs.filter_map(|row| row.id()).collect()));
        }
        // A note and its document are two objects for the same record.
        for twin in ["ContentNote", "ContentDocument"] {
            if id.key_prefix() == "069" && object.name != twin {
                found.extend(self.schema.object(twin).map(|o| (Arc::clone(o), vec![id])));
            }
        }
        found
    }
}
