//! An object: its fields and the access to its records.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::schema::field::{Field, FieldKind, label_of};

/// Positions of the fields that every object has; [`OWNER`] only where the object has owners.
pub(crate) const ID: usize = 0;

pub(crate) const IS_DELETED: usize = 1;

pub(crate) const CREATED_DATE: usize = 2;

pub(crate) const CREATED_BY: usize = 3;

pub(crate) const MODIFIED_DATE: usize = 4;

pub(crate) const MODIFIED_BY: usize = 5;

pub(crate) const MODSTAMP: usize = 6;

pub(crate) const OWNER: usize = 7;

/// The access of clients to the records of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Access {
    /// Read and write.
    Full,
    /// Read only: setup objects, and objects whose records Salesforce maintains.
    ReadOnly,
    /// Create and delete, such as the members of a group.
    NoUpdate,
    /// Create and change, such as users.
    NoDelete,
    /// Change only.
    UpdateOnly,
    /// Delete only, such as the documents of files, which are created with their versions.
    DeleteOnly,
}

impl Access {
    pub(crate) fn creates(self) -> bool {
        matches!(self, Self::Full | Self::NoUpdate | Self::NoDelete)
    }

    pub(crate) fn updates(self) -> bool {
        matches!(self, Self::Full | Self::NoDelete | Self::UpdateOnly)
    }

    pub(crate) fn deletes(self) -> bool {
        matches!(self, Self::Full | Self::NoUpdate | Self::DeleteOnly)
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) label_plural: String,
    pub(crate) key_prefix: String,
    pub(crate) access: Access,
    /// Only administrators create, change and delete the records.
    #[serde(default)]
    pub(crate) setup: bool,
    /// The records are computed for each query and not stored.
    #[serde(default)]
    pub(crate) is_virtual: bool,
    pub(crate) has_owner: bool,
    pub(crate) fields: Vec<Field>,
    #[serde(skip)]
    pub(crate) positions: HashMap<String, usize>,
}

impl Object {
    /// Returns an object with the system fields.
    pub(crate) fn new(name: &str, key_prefix: &str, has_owner: bool) -> Self {
        let mut object = Self {
            name: name.to_owned(),
            label: label_of(name),
            label_plural: label_of(name) + "s",
            key_prefix: key_prefix.to_owned(),
            access: Access::Full,
            setup: false,
            is_virtual: false,
            has_owner,
            fields: Vec::new(),
            positions: HashMap::new(),
        };
        for field in system_fields(has_owner) {
            object.add(field);
        }
        object
    }

    /// Returns the key prefix; `None` if the records have no ids of their own.
    pub(crate) fn described_prefix(&self) -> Option<&str> {
        Some(self.key_prefix.as_str()).filter(|prefix| !prefix.is_empty())
    }

    pub(crate) fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Adds a field, or replaces the one with that name.
    pub(crate) fn add(&mut self, field: Field) {
        let key = field.name.to_ascii_lowercase();
        if let Some(&at) = self.positions.get(&key) {
            self.fields[at] = field;
        } else {
            self.positions.insert(key, self.fields.len());
            self.fields.push(field);
        }
    }

    /// Lets queues own records.
    pub(super) fn allow_queues(&mut self) {
        if let Some(owner) = self.has_owner.then(|| self.fields.get_mut(OWNER)).flatten() {
            owner.reference_to = vec!["Group".to_owned(), "User".to_owned()];
        }
    }

    /// Removes a field for clients; its place in the rows stays empty.
    pub(crate) fn hide(&mut self, name: &str) {
        if let Some(at) = self.positions.remove(&name.to_ascii_lowercase()) {
            self.fields[at].absent = true;
        }
    }

    /// Forgets the definition of a field; its place in the rows is not used again.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(at) = self.positions.remove(&name.to_ascii_lowercase()) {
            let nothing = Field { absent: true, ..Field::new("", FieldKind::String).read_only() };
            self.fields[at] = nothing;
        }
    }

    /// Returns the position of a field, by name without regard to case.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied().or_else(|| self.positions.get(&name.to_ascii_lowercase()).copied())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(self.position(name)?)
    }

    /// Returns the position of the reference field with a relationship name such as `Account` or `Broker__r`.
    pub(crate) fn relationship(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.relationship.as_deref().is_some_and(|r| r.eq_ignore_ascii_case(name)))
    }

    /// Returns the values of a field that controls dependent picklists, in their order.
    pub(crate) fn controlling_values(&self, name: &str) -> Vec<&str> {
        match self.field(name) {
            None => Vec::new(),
            Some(field) if field.kind == FieldKind::Boolean => vec!["false", "true"],
            Some(field) => field.picklist.iter().map(|known| known.value.as_str()).collect(),
        }
    }

    pub(crate) fn name_field(&self) -> Option<usize> {
        self.fields.iter().position(|f| f.name_field)
    }
}

fn system_fields(has_owner: bool) -> Vec<Field> {
    let system =
        |name: &str, kind| Field { nillable: false, defaulted_on_create: true, ..Field::new(name, kind).read_only() };
    let user = |name: &str, relationship: &str| Field {
        reference_to: vec!["User".to_owned()],
        relationship: Some(relationship.to_owned()),
        ..system(name, FieldKind::Reference)
    };
    let mut fields = vec![
        Field { id_lookup: true, ..system("Id", FieldKind::Id) },
        Field { label: "Deleted".to_owned(), ..system("IsDeleted", FieldKind::Boolean) },
        system("CreatedDate", FieldKind::DateTime),
        user("CreatedById", "CreatedBy"),
        system("LastModifiedDate", FieldKind::DateTime),
        user("LastModifiedById", "LastModifiedBy"),
        system("SystemModstamp", FieldKind::DateTime),
    ];
    if has_owner {
        fields.push(Field { createable: true, updateable: true, ..user("OwnerId", "Owner") });
    }
    fields
}

/// A child relationship: a reference, seen from the referenced object.
pub(crate) struct ChildRelationship<'a> {
    pub(crate) object: &'a Arc<Object>,
    pub(crate) field: usize,
    pub(crate) name: Option<&'a str>,
}
