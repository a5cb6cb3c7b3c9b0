//! The permissions of a profile on objects and fields, and the access of a user to a record ([`Org::may_see`]).

mod level;
mod permissions;

use std::sync::Arc;

use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::profiles::ObjectLimits;
use crate::model::schema::{self, Field, Object};
use crate::model::store::Row;

pub(crate) use level::KnownAccess;
use level::Level;
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
        let of_object = match permission {
            Permission::Read => object.name != "ContentNote" || self.features.enhanced_notes,
            Permission::Create => object.access.creates(),
            Permission::Edit => object.access.updates(),
            Permission::Delete => object.access.deletes(),
        };
        // A user may change his or her own record; its fields are checked when it is written.
        let own_record = object.name == "User" && permission == Permission::Edit;
        let for_admins = object.setup && permission != Permission::Read && !own_record;
        if !of_object || for_admins && !actor.is_admin {
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

    /// Returns whether the actor may see the record.
    pub(crate) fn may_see(&self, actor: &Actor, object: &Object, row: &Row) -> bool {
        self.access(actor, object, row) >= Level::Read
    }

    /// Returns whether the actor may change the record, as far as sharing decides it.
    pub(crate) fn may_edit(&self, actor: &Actor, object: &Object, row: &Row) -> bool {
        self.access(actor, object, row) >= Level::Edit
    }

    /// Returns whether the actor may delete the record or give it to another owner, as far as sharing decides it.
    pub(crate) fn may_delete(&self, actor: &Actor, object: &Object, row: &Row) -> bool {
        self.access(actor, object, row) == Level::All
    }

    /// Returns a record that the actor may see, deleted or not.
    pub(crate) fn visible(&self, actor: &Actor, object: &Object, id: RecordId) -> Option<&Arc<Row>> {
        self.store.get(&object.name, id).filter(|row| self.may_see(actor, object, row))
    }

    /// Returns whether the actor owns the note or file, or may see a record that it is linked to.
    pub(crate) fn may_see_document(&self, actor: &Actor, document: &Row) -> bool {
        let Some(id) = document.id() else { return false };
        document.get(schema::OWNER).as_id() == Some(actor.user)
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
        self.rows_below(object, "ContentDocumentId", document)
    }
}
