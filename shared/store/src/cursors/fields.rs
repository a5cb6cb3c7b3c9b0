//! The mirrored fields of each object as the team's connection last saw them, and what changed since the time before.
//!
//! Salesforce tells the connection only of the fields that it may see, so a field that was removed looks like one that was
//! hidden.

use std::collections::BTreeMap;

use jiff::Timestamp;
use salesforce::{FieldName, ObjectName, OrgId};
use serde::{Deserialize, Serialize};

use super::{CursorName, Cursors, ScanKey, row_key};
use crate::Error;
use crate::table::{Expression, KeyRange, text, to_item};
use crate::time;

/// The beginning of the names of the rows.
pub const PREFIX: &str = "fields/";

/// The types of an object's fields.
pub type FieldTypes = BTreeMap<FieldName, String>;

/// The mirrored fields of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFields {
    /// The org.
    pub org_id: OrgId,
    /// `fields/` and the object.
    cursor_name: CursorName,
    /// The object.
    pub object: ObjectName,
    /// The types of the fields that the connection sees.
    pub visible: FieldTypes,
    /// The fields that it saw before, and sees no more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hidden: BTreeMap<FieldName, HiddenField>,
    /// The key of the object's scans.
    #[serde(default, skip_serializing_if = "ScanKey::is_default")]
    pub scanned_by: ScanKey,
    /// The last change; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<FieldChanges>,
    /// The time of the describe that this was compared with.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

/// A field that the connection sees no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenField {
    /// Its type when it was seen last.
    #[serde(rename = "type")]
    pub field_type: String,
    /// The time of the first describe without it.
    #[serde(with = "crate::time::millis")]
    pub since: Timestamp,
}

/// The difference between two describes of an object. No field is in two of the lists, except that one that is visible again may
/// have another type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChanges {
    /// Fields that the connection had never seen.
    #[serde(default)]
    pub added: Vec<FieldName>,
    /// Fields that were hidden or removed.
    #[serde(default)]
    pub hidden: Vec<FieldName>,
    /// Fields that are visible again.
    #[serde(default)]
    pub shown: Vec<FieldName>,
    /// Fields that have another type.
    #[serde(default)]
    pub retyped: Vec<RetypedField>,
}

/// A field that has another type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetypedField {
    /// The field.
    pub field: FieldName,
    /// The type before.
    pub from: String,
    /// The type since.
    pub to: String,
}

impl FieldChanges {
    /// Returns whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether the mirror lacks values: of fields that are new to it, and of those that Salesforce has converted.
    #[must_use]
    pub fn need_backfill(&self) -> bool {
        !(self.added.is_empty() && self.shown.is_empty() && self.retyped.is_empty())
    }
}

impl SeenFields {
    /// Returns the fields of an object that was not described before. That is no change.
    #[must_use]
    pub fn first(org_id: OrgId, object: &ObjectName, visible: FieldTypes, now: Timestamp) -> Self {
        let (cursor_name, object) = (name(object), object.clone());
        let updated_at = time::to_millis(now);
        let (hidden, scanned_by) = (BTreeMap::new(), ScanKey::default());
        Self { org_id, cursor_name, object, visible, hidden, scanned_by, last_change: None, updated_at }
    }

    /// Returns the same with another key of the object's scans. That is no change of the fields.
    #[must_use]
    pub fn scanned_by(self, scanned_by: ScanKey) -> Self {
        Self { scanned_by, ..self }
    }

    /// Compares the fields with those of a later describe; `None` if nothing differs.
    #[must_use]
    pub fn after(&self, visible: FieldTypes, now: Timestamp) -> Option<Self> {
        let now = time::to_millis(now);
        let (mut changes, mut hidden) = (FieldChanges::default(), self.hidden.clone());
        for (field, to) in &visible {
            let was_hidden = hidden.remove(field).map(|hidden| hidden.field_type);
            if was_hidden.is_some() {
                changes.shown.push(field.clone());
            }
            match was_hidden.or_else(|| self.visible.get(field).cloned()) {
                None => changes.added.push(field.clone()),
                Some(from) if from != *to => {
                    changes.retyped.push(RetypedField { field: field.clone(), from, to: to.clone() });
                }
                Some(_) => {}
            }
        }
        for (field, field_type) in self.visible.iter().filter(|(field, _)| !visible.contains_key(*field)) {
            changes.hidden.push(field.clone());
            hidden.insert(field.clone(), HiddenField { field_type: field_type.clone(), since: now });
        }
        let is_change = !changes.is_empty();
        is_change.then(|| Self { visible, hidden, last_change: Some(changes), updated_at: now, ..self.clone() })
    }
}

impl Cursors {
    /// Returns the fields of an object, or `None` before its first describe.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn seen_fields(&self, org: OrgId, object: &ObjectName) -> Result<Option<SeenFields>, Error> {
        self.table.get("load the fields of the object", row_key(org, &name(object))).await
    }

    /// Returns the fields of every object of the org.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn all_seen_fields(&self, org: OrgId) -> Result<Vec<SeenFields>, Error> {
        let last = format!("{PREFIX}~");
        let range = KeyRange { attribute: "cursor_name", first: PREFIX, last: &last };
        self.table.query_range("list the fields of the objects", ("org_id", org.as_str()), range).await
    }

    /// Stores the fields of an object in place of those that were `known`. If another writer was first, its row stays: the next
    /// describe is compared with it.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn store_fields(&self, known: Option<&SeenFields>, fields: &SeenFields) -> Result<(), Error> {
        let operation = "store the fields of the object";
        let when = match known {
            None => Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() },
            Some(known) => Expression {
                text: "#updated_at = :updated_at",
                values: vec![(":updated_at", text(time::format(known.updated_at)))],
            },
        };
        self.table.put(operation, to_item(operation, fields)?, when).await.map(drop)
    }
}

fn name(object: &ObjectName) -> CursorName {
    CursorName(format!("{PREFIX}{object}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn types(fields: &[(&str, &str)]) -> FieldTypes {
        fields.iter().map(|(field, of)| (field.parse().unwrap(), (*of).to_owned())).collect()
    }

    fn names(fields: &[&str]) -> Vec<FieldName> {
        fields.iter().map(|field| field.parse().unwrap()).collect()
    }

    fn first(visible: FieldTypes) -> SeenFields {
        SeenFields::first("00D5e000000KQ2eEAG".parse().unwrap(), &ObjectName::from_static("Account"), visible, at(0))
    }

    #[test]
    fn a_difference_says_what_happened_to_each_field() {
        let before = first(types(&[("Id", "id"), ("Phone", "phone"), ("Score__c", "string")]));
        let hidden = before.after(types(&[("Id", "id"), ("Score__c", "double"), ("New__c", "string")]), at(1)).unwrap();
        let changes = hidden.last_change.clone().unwrap();
        let retyped =
            RetypedField { field: "Score__c".parse().unwrap(), from: "string".to_owned(), to: "double".to_owned() };
        let expected = FieldChanges {
            added: names(&["New__c"]),
            hidden: names(&["Phone"]),
            shown: Vec::new(),
            retyped: vec![retyped],
        };
        assert_eq!(changes, expected);
        assert_eq!(hidden.hidden[&names(&["Phone"])[0]], HiddenField { field_type: "phone".to_owned(), since: at(1) });

        let types = types(&[("Id", "id"), ("Score__c", "double"), ("New__c", "string"), ("Phone", "string")]);
        let shown = hidden.after(types, at(2)).unwrap();
        let changes = shown.last_change.clone().unwrap();
        assert_eq!((changes.shown, changes.retyped.len(), changes.added.len()), (names(&["Phone"]), 1, 0));
        assert!(shown.hidden.is_empty());
    }

    #[test]
    fn only_what_the_mirror_lacks_is_backfilled() {
        let needs = |changes: FieldChanges| changes.need_backfill();
        assert!(!needs(FieldChanges { hidden: names(&["Phone"]), ..FieldChanges::default() }));
        assert!(needs(FieldChanges { added: names(&["Phone"]), ..FieldChanges::default() }));
        assert!(needs(FieldChanges { shown: names(&["Phone"]), ..FieldChanges::default() }));
        let retyped = RetypedField { field: "Id".parse().unwrap(), from: String::new(), to: String::new() };
        assert!(needs(FieldChanges { retyped: vec![retyped], ..FieldChanges::default() }));
    }

    fn described() -> impl Strategy<Value = FieldTypes> {
        let fields = prop::collection::btree_map(0..6_usize, 0..3_usize, 0..6);
        fields.prop_map(|fields| {
            let name = |(field, of): (usize, usize)| (format!("F{field}__c").parse().unwrap(), format!("type {of}"));
            fields.into_iter().map(name).collect()
        })
    }

    proptest! {
        /// Whatever is seen one time after another, a field is lost by none of the differences and told by each once.
        #[test]
        fn every_field_ever_seen_is_visible_or_hidden(describes in prop::collection::vec(described(), 1..8)) {
            let mut fields = first(describes[0].clone());
            let mut ever: std::collections::BTreeSet<FieldName> = describes[0].keys().cloned().collect();
            for (minute, visible) in (1..).zip(&describes[1..]) {
                let Some(next) = fields.after(visible.clone(), at(minute)) else {
                    prop_assert_eq!(&fields.visible, visible);
                    continue;
                };
                let changes = next.last_change.clone().unwrap();
                let new = |field: &FieldName| !fields.visible.contains_key(field);
                for field in visible.keys() {
                    prop_assert_eq!(changes.added.contains(field), !ever.contains(field));
                    prop_assert_eq!(changes.shown.contains(field), new(field) && ever.contains(field));
                }
                prop_assert!(changes.hidden.iter().all(|field| !visible.contains_key(field)));
                ever.extend(visible.keys().cloned());
                let known: std::collections::BTreeSet<FieldName> =
                    next.visible.keys().chain(next.hidden.keys()).cloned().collect();
                prop_assert_eq!(&known, &ever);
                prop_assert_eq!(known.len(), next.visible.len() + next.hidden.len());
                prop_assert_eq!(next.after(visible.clone(), at(minute + 1)), None);
                fields = next;
            }
        }
    }
}
