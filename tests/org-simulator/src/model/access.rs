//! The permissions of a profile on objects and fields, and the access of a user to a record ([`Org::may_see`]).

mod permissions;

use std::sync::Arc;

use crate::Error;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::profiles::ObjectLimits;
use crate::model::rights;
use crate::model::schema::{self, Field, Object};
use crate::model::store::Row;
use crate::model::value::Value;

pub use permissions::ObjectPermissions;

/// A permission on the records of an object, as a profile grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Read,
    Create,
    Edit,
    Delete,
}

impl Org {
    /// Returns the object of that name; `INVALID_TYPE` when it does not exist or the actor's profile hides it.
    pub(crate) fn object_for(&self, actor: &Actor, name: &str) -> Result<Arc<Object>, ApiError> {
        self.object(name)
            .ok()
            .filter(|o| self.has_permission(actor, Permission::Read, o))
            .ok_or_else(|| ApiError::invalid_type(name))
    }

    /// Returns the error that Salesforce reports when the actor's profile does not grant the permission.
    pub(crate) fn check_permission(
        &self,
        actor: &Actor,
        permission: Permission,
        object: &Object,
    ) -> Result<(), ApiError> {
        if self.has_permission(actor, permission, object) {
            return Ok(());
        }
        let refused = |verb: &str| {
            ApiError::new(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                format!("entity type cannot be {verb}: {}", object.label),
            )
            .no_fields()
        };
        Err(match permission {
            Permission::Read => ApiError::invalid_type(&object.name),
            Permission::Create => refused("inserted"),
            Permission::Edit => refused("updated"),
            Permission::Delete => ApiError::no_access(),
        })
    }

    /// Returns whether the actor's profile grants the permission on records of the object.
    pub(crate) fn has_permission(&self, actor: &Actor, permission: Permission, object: &Object) -> bool {
        if object.name == "ContentNote" && !self.features.enhanced_notes {
            return false;
        }
        // A version is deleted with its document only.
        if object.name == "ContentVersion" && permission == Permission::Delete {
            return false;
        }
        self.profiles.limits(actor.profile, &object.name).is_none_or(|limits| {
            !limits.hidden
                && match permission {
                    Permission::Read => true,
                    Permission::Create => !limits.no_create,
                    Permission::Edit => !limits.no_edit,
                    Permission::Delete => !limits.no_delete,
                }
        })
    }

    /// Returns whether field-level security lets the actor read the field.
    pub(crate) fn may_read_field(&self, actor: &Actor, object: &Object, field: &Field) -> bool {
        let limits = self.profiles.limits(actor.profile, &object.name);
        !field.absent && limits.is_none_or(|limits| !limits.hidden_fields.contains(&field.name.to_ascii_lowercase()))
    }

    /// Returns whether field-level security lets the actor read and write the field.
    pub(crate) fn may_edit_field(&self, actor: &Actor, object: &Object, field: &Field) -> bool {
        let limits = self.profiles.limits(actor.profile, &object.name);
        let locked = |limits: &ObjectLimits| limits.locked_fields.contains(&field.name.to_ascii_lowercase());
        self.may_read_field(actor, object, field) && !limits.is_some_and(locked)
    }

    /// Returns whether the actor's profile may assign the record type to a record.
    pub(crate) fn may_use_record_type(&self, actor: &Actor, object: &Object, record_type: RecordId) -> bool {
        let limits = self.profiles.limits(actor.profile, &object.name);
        limits.is_none_or(|limits| !limits.hidden_record_types.contains(&record_type))
    }

    /// Returns whether the actor may see the record: admins see all, others the records of public objects, their own, and
    /// those of objects of which they may view all records.
    pub(crate) fn may_see(&self, actor: &Actor, object: &Object, row: &Row) -> bool {
        if object.name == "ContentNote" {
            return self.may_see_note(actor, row);
        }
        if object.name == "UserPermissionAccess" {
            return rights::is_of(row, actor.user);
        }
        actor.is_admin
            || !self.private.contains(&object.name)
            || row.get(schema::OWNER).as_id() == Some(actor.user)
            || self.views_all(actor, object)
    }

    /// Returns a record that the actor may see, deleted or not.
    pub(crate) fn visible(&self, actor: &Actor, object: &Object, id: RecordId) -> Option<&Arc<Row>> {
        self.store.get(&object.name, id).filter(|row| self.may_see(actor, object, row))
    }

    /// Returns whether the actor owns the note or may see a record that it is linked to.
    pub(crate) fn may_see_note(&self, actor: &Actor, note: &Row) -> bool {
        let Some(id) = note.id() else { return false };
        note.get(schema::OWNER).as_id() == Some(actor.user)
            || self.links_of(id).iter().any(|entity| self.may_see_entity(actor, *entity))
    }

    fn may_see_entity(&self, actor: &Actor, entity: RecordId) -> bool {
        match self.live_record(entity) {
            Some((object, _)) if object.name == "User" => entity == actor.user,
            Some((object, row)) => self.may_see(actor, object, row),
            None => false,
        }
    }

    /// Returns the ids of the records that a document is linked to.
    pub(crate) fn links_of(&self, document: RecordId) -> Vec<RecordId> {
        let rows = self.rows_of("ContentDocumentLink", document);
        rows.iter().filter_map(|row| self.value("ContentDocumentLink", row, "LinkedEntityId").as_id()).collect()
    }

    /// Returns the live rows of `object` (links or versions) that belong to a document.
    pub(crate) fn rows_of(&self, object: &str, document: RecordId) -> Vec<Arc<Row>> {
        let of = self.schema.object(object).and_then(|object| object.position("ContentDocumentId"));
        let Some((table, of)) = self.store.table(object).zip(of) else { return Vec::new() };
        table.find(of, &Value::Id(document)).iter().filter_map(|id| table.get(*id)).map(Arc::clone).collect()
    }
}

/// Sets an object's sharing to private (`true`) or public. The object must have owners.
pub(crate) fn set_private(org: &mut Org, object: &str, private: bool) -> Result<(), Error> {
    let object = org.object(object)?;
    if !object.has_owner {
        return Err(Error::Unknown { what: "object with owners", name: object.name.clone() });
    }
    if private {
        org.private.insert(object.name.clone())
    } else {
        org.private.remove(&object.name)
    };
    Ok(())
}
