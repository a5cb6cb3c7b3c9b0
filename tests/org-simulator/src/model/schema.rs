//! What objects there are, and which fields they have.

mod compound;
mod describe;
mod features;
mod field;
mod infer;
mod standard;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use describe::{RecordTypeInfo, describe_global, describe_object, object_summary};
pub(crate) use features::{PERSON_FIELDS, PERSON_NAME};
pub(crate) use field::{Dependency, Field, FieldKind, PicklistValue};
pub(crate) use infer::{infer_field, relationship_of};

use field::label_of;

/// Positions of the fields that every object has; [`OWNER`] only where the object has owners.
pub(crate) const ID: usize = 0;
pub(crate) const IS_DELETED: usize = 1;
pub(crate) const CREATED_DATE: usize = 2;
pub(crate) const CREATED_BY: usize = 3;
pub(crate) const MODIFIED_DATE: usize = 4;
pub(crate) const MODIFIED_BY: usize = 5;
pub(crate) const MODSTAMP: usize = 6;
pub(crate) const OWNER: usize = 7;

/// What a client may do with records of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// Read: setup objects and objects that others maintain.
    ReadOnly,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) label_plural: String,
    pub(crate) key_prefix: String,
    pub(crate) access: Access,
    pub(crate) has_owner: bool,
    pub(crate) fields: Vec<Field>,
    #[serde(skip)]
    positions: HashMap<String, usize>,
}

impl Object {
    /// An object with the fields every object has.
    pub(crate) fn new(name: &str, key_prefix: &str, has_owner: bool) -> Self {
        let mut object = Self {
            name: name.to_owned(),
            label: label_of(name),
            label_plural: label_of(name) + "s",
            key_prefix: key_prefix.to_owned(),
            access: Access::Full,
            has_owner,
            fields: Vec::new(),
            positions: HashMap::new(),
        };
        for field in system_fields(has_owner) {
            object.add(field);
        }
        object
    }

    pub(crate) fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Adds a field, or replaces the one of that name.
    pub(crate) fn add(&mut self, field: Field) {
        let key = field.name.to_ascii_lowercase();
        if let Some(&at) = self.positions.get(&key) {
            self.fields[at] = field;
        } else {
            self.positions.insert(key, self.fields.len());
            self.fields.push(field);
        }
    }

    /// Position of a field, whatever the case of its name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied().or_else(|| self.positions.get(&name.to_ascii_lowercase()).copied())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(self.position(name)?)
    }

    /// The reference field behind a relationship name such as `Account` or `Broker__r`.
    pub(crate) fn relationship(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.relationship.as_deref().is_some_and(|r| r.eq_ignore_ascii_case(name)))
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

/// A relationship seen from the referenced object.
pub(crate) struct ChildRelationship<'a> {
    pub(crate) object: &'a Arc<Object>,
    pub(crate) field: usize,
    pub(crate) name: Option<&'a str>,
}

/// All objects of the org.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    objects: HashMap<String, Arc<Object>>,
    /// Canonical names, in the order they were added.
    order: Vec<String>,
    by_prefix: HashMap<String, String>,
    custom_objects: usize,
    revision: u64,
    /// Custom objects have a currency too.
    multi_currency: bool,
}

impl Schema {
    /// The standard objects, with the external-id field that Ferry's package adds.
    pub(crate) fn standard() -> Self {
        standard::schema()
    }

    /// Grows with every change.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn insert(&mut self, object: Object) {
        self.revision += 1;
        let key = object.name.to_ascii_lowercase();
        if !self.objects.contains_key(&key) {
            self.order.push(object.name.clone());
        }
        // A note is a document seen otherwise: the prefix they share stays with the document.
        self.by_prefix.entry(object.key_prefix.clone()).or_insert_with(|| object.name.clone());
        self.objects.insert(key, Arc::new(object));
    }

    /// An object by its name, whatever its case.
    pub(crate) fn object(&self, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(&name.to_ascii_lowercase())
    }

    fn remove(&mut self, name: &str) {
        self.objects.remove(&name.to_ascii_lowercase());
        self.order.retain(|known| known != name);
        self.revision += 1;
    }

    /// The object whose records have that key prefix.
    pub(crate) fn by_prefix(&self, key_prefix: &str) -> Option<&Arc<Object>> {
        self.object(self.by_prefix.get(key_prefix)?)
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.order.iter().filter_map(|name| self.object(name))
    }

    /// Adds or replaces a field of a known object.
    pub(crate) fn add_field(&mut self, object: &str, field: Field) -> bool {
        let Some(object) = self.objects.get_mut(&object.to_ascii_lowercase()) else { return false };
        Arc::make_mut(object).add(field);
        self.revision += 1;
        true
    }

    /// Makes a custom object with a `Name` and the next free key prefix; known objects stay as they are.
    pub(crate) fn add_custom_object(&mut self, name: &str) {
        if self.object(name).is_some() {
            return;
        }
        let n = self.custom_objects;
        self.custom_objects += 1;
        let digit = |n: usize| {
            char::from_digit(u32::try_from(n % 36).unwrap_or_default(), 36).unwrap_or('0').to_ascii_uppercase()
        };
        let mut object = Object::new(name, &format!("a{}{}", digit(n / 36), digit(n)), true);
        object.add(Field { length: 80, name_field: true, id_lookup: false, ..Field::new("Name", FieldKind::String) });
        if self.multi_currency {
            object.add(features::currency());
        }
        self.insert(object);
    }

    /// The objects that are not as every org has them.
    pub(crate) fn additions(&self) -> Vec<Object> {
        let standard = Self::standard();
        let is_added = |object: &&Arc<Object>| standard.object(&object.name) != Some(*object);
        self.objects().filter(is_added).map(|object| Object::clone(object)).collect()
    }

    /// Puts back objects that were saved.
    pub(crate) fn restore(&mut self, saved: Vec<Object>) {
        for mut object in saved {
            let name = |(at, field): (usize, &Field)| (field.name.to_ascii_lowercase(), at);
            object.positions = object.fields.iter().enumerate().map(name).collect();
            self.insert(object);
        }
        self.custom_objects = self.objects().filter(|object| object.custom()).count();
    }

    /// The references of all objects that may point to `parent`.
    pub(crate) fn children_of(&self, parent: &str) -> Vec<ChildRelationship<'_>> {
        let points = |field: &Field| {
            field.kind == FieldKind::Reference && field.reference_to.iter().any(|to| to.eq_ignore_ascii_case(parent))
        };
        let any = |field: &Field| {
            field.kind == FieldKind::Reference && field.reference_to.is_empty() && field.child_relationship.is_some()
        };
        self.objects()
            .flat_map(|object| object.fields.iter().enumerate().map(move |(at, field)| (object, at, field)))
            .filter(|(_, _, field)| points(field) || any(field))
            .map(|(object, field, f)| ChildRelationship { object, field, name: f.child_relationship.as_deref() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let schema = Schema::standard();
        let account = schema.object("ACCOUNT").unwrap();
        assert_eq!(account.field("systemmodstamp").unwrap().name, "SystemModstamp");
        assert_eq!(account.position("SystemModstamp"), Some(MODSTAMP));
        assert_eq!(account.position("OwnerId"), Some(OWNER));
    }

    #[test]
    fn custom_objects_get_prefixes_of_their_own() {
        let mut schema = Schema::standard();
        schema.add_custom_object("Broker__c");
        schema.add_custom_object("Property__c");
        schema.add_custom_object("Broker__c");
        assert_eq!(schema.object("Broker__c").unwrap().key_prefix, "a00");
        assert_eq!(schema.by_prefix("a01").unwrap().name, "Property__c");
    }

    #[test]
    fn the_package_field_is_on_the_four_objects() {
        let schema = Schema::standard();
        for object in ["Account", "Contact", "Lead", "Opportunity"] {
            let field = schema.object(object).unwrap().field("Ferry_External_Id__c").unwrap();
            assert!(field.external_id && field.unique, "{object}");
        }
    }
}
