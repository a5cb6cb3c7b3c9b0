//! The sharing settings of an org: the organization-wide defaults and the sharing rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::criteria::FilterItem;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;

/// The organization-wide default of an object: the access of a user to a record that is not shared with him or her.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingDefault {
    /// No access.
    Private,
    /// Public Read Only.
    ReadOnly,
    /// Public Read/Write: only the owner, and users above in the role hierarchy, delete the record.
    ReadWrite,
    /// Public Full Access, the default of an object of a new org: everybody also deletes the record.
    #[default]
    FullAccess,
    /// The access to the record's account, or for tasks and events to the related record.
    ControlledByParent,
}

impl SharingDefault {
    /// Returns the name in `EntityDefinition.InternalSharingModel`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Private => "Private",
            Self::ReadOnly => "Read",
            Self::ReadWrite => "ReadWrite",
            Self::FullAccess => "FullAccess",
            Self::ControlledByParent => "ControlledByParent",
        }
    }
}

/// A set of users, as a sharing rule names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Members {
    /// The users with a role, by the role's name.
    Role(String),
    /// The users with a role, and those with a role below it.
    RoleAndSubordinates(String),
    /// The members of a public group or a queue, by its name.
    Group(String),
}

/// The access that a sharing rule grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedAccess {
    /// Read Only.
    Read,
    /// Read/Write.
    Edit,
}

/// A sharing rule: of the records of some owners, or of those that meet criteria.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharingRule {
    /// Name of the rule, unique in the org.
    pub name: String,
    /// The object whose records it shares.
    pub object: String,
    /// The owners of the records, of an owner-based rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<Members>,
    /// The criteria that the records meet, all of them, of a criteria-based rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<FilterItem>,
    /// The users with whom they are shared.
    pub shared_with: Members,
    /// The access of those users.
    pub access: SharedAccess,
}

impl SharingRule {
    /// Returns whether a record of the rule's object meets its criteria.
    pub(crate) fn is_met(&self, object: &Object, row: &Row) -> bool {
        let meets = |item: &FilterItem| {
            let at = object.position(&item.field);
            at.and_then(|at| Some(item.is_met(object.fields.get(at)?, row.get(at)))).unwrap_or_default()
        };
        self.criteria.iter().all(meets)
    }
}

/// The sharing settings of an org.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sharing {
    pub(crate) defaults: BTreeMap<String, SharingDefault>,
    pub(crate) rules: Vec<SharingRule>,
}

impl Sharing {
    pub(crate) fn default_of(&self, object: &str) -> SharingDefault {
        self.defaults.get(object).copied().unwrap_or_default()
    }
}

/// Objects whose records can have the access of a related record.
const WITH_PARENT: [&str; 3] = ["Contact", "Event", "Task"];

impl Org {
    /// Sets the organization-wide default of an object with owners.
    pub(crate) fn set_sharing_default(&mut self, object: &str, default: SharingDefault) -> Result<(), Error> {
        let object = self.shared_object(object)?;
        if default == SharingDefault::ControlledByParent && !WITH_PARENT.contains(&object.as_str()) {
            return Err(Error::Unknown { what: "object controlled by a parent", name: object });
        }
        self.sharing.defaults.insert(object, default);
        self.list_entities();
        Ok(())
    }

    /// Sets a sharing rule, replacing one with the same name.
    pub(crate) fn set_sharing_rule(&mut self, rule: &SharingRule) -> Result<(), Error> {
        let object = self.shared_object(&rule.object)?;
        let invalid = |reason: String| Error::Invalid { what: "sharing rule", reason };
        if rule.owned_by.is_some() != rule.criteria.is_empty() {
            return Err(invalid("a rule has owners (owned_by) or criteria".to_owned()));
        }
        if let Some(owners) = &rule.owned_by {
            self.group_of(owners)?;
        }
        let known = self.object(&object)?;
        for item in &rule.criteria {
            item.check(&known).map_err(invalid)?;
            if known.field(&item.field).is_some_and(|field| field.computed.is_some()) {
                return Err(invalid(format!("{} is computed, and no criterion", item.field)));
            }
        }
        self.group_of(&rule.shared_with)?;
        self.remove_sharing_rule(&rule.name);
        self.sharing.rules.push(SharingRule { object, ..rule.clone() });
        Ok(())
    }

    /// Removes a sharing rule; returns whether there was one.
    pub(crate) fn remove_sharing_rule(&mut self, name: &str) -> bool {
        let before = self.sharing.rules.len();
        self.sharing.rules.retain(|known| known.name != name);
        self.sharing.rules.len() < before
    }

    fn shared_object(&self, name: &str) -> Result<String, Error> {
        let object = self.object(name)?;
        let shared = |object: &Object| object.has_owner && !object.setup && object.described_prefix().is_some();
        if shared(&object) {
            Ok(object.name.clone())
        } else {
            Err(Error::Unknown { what: "object with owners", name: object.name.clone() })
        }
    }

    /// Returns the id of the group that stands for the members.
    pub(crate) fn group_of(&self, members: &Members) -> Result<RecordId, Error> {
        let role_group = |role: &str, kind: &str| {
            let role = self.setup_record("UserRole", "Name", role)?.id()?;
            let groups = self.rows_below("Group", "RelatedId", role);
            groups.iter().find(|row| self.value("Group", row, "Type").as_text() == kind)?.id()
        };
        let (found, what, name) = match members {
            Members::Role(name) => (role_group(name, "Role"), "role", name),
            Members::RoleAndSubordinates(name) => (role_group(name, "RoleAndSubordinates"), "role", name),
            Members::Group(name) => (self.setup_record("Group", "Name", name).and_then(|row| row.id()), "group", name),
        };
        found.ok_or_else(|| Error::Unknown { what, name: name.clone() })
    }
}
