//! What a user may do with objects and fields, by profile. Records are the business of [`Org::may_see`].

mod permissions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{Field, Object};

pub use permissions::ObjectPermissions;

/// One thing to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Read,
    Create,
    Edit,
    Delete,
}

/// What a profile may not do with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectLimits {
    /// Not even to be told that the object exists.
    pub(crate) hidden: bool,
    pub(crate) no_create: bool,
    pub(crate) no_edit: bool,
    pub(crate) no_delete: bool,
    /// Field-level security: names, in lower case, of fields that are as good as absent.
    pub(crate) hidden_fields: BTreeSet<String>,
    /// Fields that can be read and not written, in lower case.
    pub(crate) locked_fields: BTreeSet<String>,
    /// Record types that cannot be chosen for a record.
    pub(crate) hidden_record_types: BTreeSet<RecordId>,
}

/// The limits of every profile that has some, by profile and object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Profiles(BTreeMap<RecordId, BTreeMap<String, ObjectLimits>>);

impl Profiles {
    /// The limits of a profile for an object, to be changed.
    pub(crate) fn limits_mut(&mut self, profile: RecordId, object: &str) -> &mut ObjectLimits {
        self.0.entry(profile).or_default().entry(object.to_owned()).or_default()
    }

    fn limits(&self, profile: RecordId, object: &str) -> Option<&ObjectLimits> {
        self.0.get(&profile)?.get(object)
    }
}

impl Org {
    /// The object of that name, as far as the actor can tell.
    pub(crate) fn object_for(&self, actor: &Actor, name: &str) -> Result<Arc<Object>, ApiError> {
        self.object(name).ok().filter(|o| self.may(actor, Deed::Read, o)).ok_or_else(|| ApiError::invalid_type(name))
    }

    /// Refuses what the actor's profile does not allow with records of the object.
    pub(crate) fn permit(&self, actor: &Actor, deed: Deed, object: &Object) -> Result<(), ApiError> {
        if self.may(actor, deed, object) {
            return Ok(());
        }
        let refused = |verb: &str| {
            ApiError::new(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                format!("entity type cannot be {verb}: {}", object.label),
            )
            .no_fields()
        };
        Err(match deed {
            Deed::Read => ApiError::invalid_type(&object.name),
            Deed::Create => refused("inserted"),
            Deed::Edit => refused("updated"),
            Deed::Delete => ApiError::no_access(),
        })
    }

    /// Whether the actor's profile allows the deed on records of the object.
    pub(crate) fn may(&self, actor: &Actor, deed: Deed, object: &Object) -> bool {
        if object.name == "ContentNote" && !self.features.enhanced_notes {
            return false;
        }
        self.profiles.limits(actor.profile, &object.name).is_none_or(|limits| {
            !limits.hidden
                && match deed {
                    Deed::Read => true,
                    Deed::Create => !limits.no_create,
                    Deed::Edit => !limits.no_edit,
                    Deed::Delete => !limits.no_delete,
                }
        })
    }

    /// Whether the field exists as far as the actor can tell.
    pub(crate) fn may_read_field(&self, actor: &Actor, object: &Object, field: &Field) -> bool {
        let limits = self.profiles.limits(actor.profile, &object.name);
        limits.is_none_or(|limits| !limits.hidden_fields.contains(&field.name.to_ascii_lowercase()))
    }

    /// Whether the actor may set the field, as far as the profile is concerned.
    pub(crate) fn may_edit_field(&self, actor: &Actor, object: &Object, field: &Field) -> bool {
        let limits = self.profiles.limits(actor.profile, &object.name);
        let locked = |limits: &ObjectLimits| limits.locked_fields.contains(&field.name.to_ascii_lowercase());
        self.may_read_field(actor, object, field) && !limits.is_some_and(locked)
    }

    /// Whether the actor may choose the record type for a record.
    pub(crate) fn may_use_record_type(&self, actor: &Actor, object: &Object, record_type: RecordId) -> bool {
        let limits = self.profiles.limits(actor.profile, &object.name);
        limits.is_none_or(|limits| !limits.hidden_record_types.contains(&record_type))
    }
}

/// Makes an object private or public.
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
