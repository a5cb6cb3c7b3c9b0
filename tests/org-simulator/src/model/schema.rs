//! The objects of an org and their fields.

mod compound;
mod features;
pub(crate) mod field;
mod infer;
mod object;
mod query_flags;
mod standard;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use features::{PERSON_FIELDS, PERSON_NAME};
pub(crate) use field::{Dependency, Field, FieldKind, PicklistValue};
pub(crate) use infer::{infer_field, relationship_of};
pub(crate) use object::{
    Access, CREATED_BY, CREATED_DATE, ChildRelationship, ID, IS_DELETED, MODIFIED_BY, MODIFIED_DATE, MODSTAMP, OWNER,
    Object,
};
pub(crate) use query_flags::QueryFlags;

/// All objects of an org.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    objects: HashMap<String, Arc<Object>>,
    /// Object names, in the order in which they were added.
    order: Vec<String>,
    by_prefix: HashMap<String, String>,
    custom_objects: usize,
    revision: u64,
    /// Records of custom objects have a currency too.
    multi_currency: bool,
}

impl Schema {
    /// Returns a number that grows with every change of the schema.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn insert(&mut self, object: Object) {
        self.revision += 1;
        let key = object.name.to_ascii_lowercase();
        if !self.objects.contains_key(&key) {
            self.order.push(object.name.clone());
        }
        // `ContentNote` has the key prefix of `ContentDocument`, to which the prefix belongs.
        if !object.key_prefix.is_empty() {
            self.by_prefix.entry(object.key_prefix.clone()).or_insert_with(|| object.name.clone());
        }
        self.objects.insert(key, Arc::new(object));
    }

    /// Returns an object by its name, without regard to case.
    pub(crate) fn object(&self, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(&name.to_ascii_lowercase())
    }

    fn remove(&mut self, name: &str) {
        self.objects.remove(&name.to_ascii_lowercase());
        self.order.retain(|known| known != name);
        self.revision += 1;
    }

    /// Returns the object whose records have that key prefix.
    /// Returns whether a path of relationships and a field, from `own`, passes through that field of `object`.
    pub(crate) fn passes(&self, own: &Object, path: &[String], object: &str, field: &str) -> bool {
        let mut at = Some(own);
        for name in path {
            let Some(here) = at else { return false };
            let position = here.position(name).or_else(|| here.relationship(name));
            let Some(known) = position.and_then(|position| here.fields.get(position)) else { return false };
            if here.name == object && known.name == field {
                return true;
            }
            at = known.reference_to.first().and_then(|to| self.object(to)).map(|object| &**object);
        }
        false
    }

    pub(crate) fn by_prefix(&self, key_prefix: &str) -> Option<&Arc<Object>> {
        self.object(self.by_prefix.get(key_prefix)?)
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.order.iter().filter_map(|name| self.object(name))
    }

    /// Adds or replaces a field of an object; returns `false` when the object does not exist.
    pub(crate) fn add_field(&mut self, object: &str, field: Field) -> bool {
        let Some(object) = self.objects.get_mut(&object.to_ascii_lowercase()) else { return false };
        Arc::make_mut(object).add(field);
        self.revision += 1;
        true
    }

    /// Removes a field of an object; its place in the rows stays empty.
    pub(crate) fn remove_field(&mut self, object: &str, field: &str) {
        if let Some(object) = self.objects.get_mut(&object.to_ascii_lowercase()) {
            Arc::make_mut(object).remove(field);
            self.revision += 1;
        }
    }

    /// Notes that clients see the schema differently, because permissions on fields have changed.
    pub(crate) fn touch(&mut self) {
        self.revision += 1;
    }

    /// Hides a field of an object from clients.
    pub(crate) fn hide_field(&mut self, object: &str, field: &str) {
        if let Some(object) = self.objects.get_mut(&object.to_ascii_lowercase()) {
            Arc::make_mut(object).hide(field);
            self.revision += 1;
        }
    }

    /// Adds a custom object with a `Name` and the next free key prefix; an existing object is not changed.
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
        object.add(Field {
            length: 80,
            name_field: true,
            id_lookup: true,
            defaulted_on_create: true,
            ..Field::new("Name", FieldKind::String)
        });
        if self.multi_currency {
            object.add(field::currency());
        }
        object.allow_queues();
        self.insert(object);
    }

    /// Returns the objects that differ from those of a new org.
    pub(crate) fn additions(&self) -> Vec<Object> {
        let standard = Self::standard();
        let is_added = |object: &&Arc<Object>| standard.object(&object.name) != Some(*object);
        self.objects().filter(is_added).map(|object| Object::clone(object)).collect()
    }

    /// Restores saved objects.
    pub(crate) fn restore(&mut self, saved: Vec<Object>) {
        for mut object in saved {
            let name = |(at, field): (usize, &Field)| (field.name.to_ascii_lowercase(), at);
            object.positions = object.fields.iter().enumerate().filter(|(_, field)| !field.absent).map(name).collect();
            self.insert(object);
        }
        self.custom_objects = self.objects().filter(|object| object.custom()).count();
    }

    /// Returns the references of all objects that may point to `parent`.
    pub(crate) fn children_of(&self, parent: &str) -> Vec<ChildRelationship<'_>> {
        let points = |field: &Field| {
            field.kind == FieldKind::Reference && field.reference_to.iter().any(|to| to.eq_ignore_ascii_case(parent))
        };
        let any = |field: &Field| {
            field.kind == FieldKind::Reference && field.reference_to.is_empty() && field.child_relationship.is_some()
        };
        self.objects()
            .flat_map(|object| object.fields.iter().enumerate().map(move |(at, field)| (object, at, field)))
            .filter(|(_, _, field)| !field.absent && (points(field) || any(field)))
            .filter(|(object, at, field)| !is_superseded(object, *at, field, parent))
            .map(|(object, field, f)| ChildRelationship { object, field, name: f.child_relationship.as_deref() })
            .collect()
    }
}

/// Returns whether the object has another reference with the same child relationship, which points to `parent` alone: the
/// activities of an account are those with its `AccountId`, not only those with its `WhatId`.
fn is_superseded(object: &Object, at: usize, field: &Field, parent: &str) -> bool {
    let same = |(other, known): (usize, &Field)| {
        other != at
            && known.child_relationship.is_some()
            && known.child_relationship == field.child_relationship
            && known.reference_to == [parent]
    };
    field.reference_to.len() > 1 && object.fields.iter().enumerate().any(same)
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
    fn the_packages_field_is_on_the_four_objects() {
        let schema = Schema::standard();
        for object in ["Account", "Contact", "Lead", "Opportunity"] {
            let field = schema.object(object).unwrap().field("Ferry_External_Id__c").unwrap();
            assert!(field.external_id && field.unique, "{object}");
        }
    }
}
