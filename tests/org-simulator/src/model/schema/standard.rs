//! Parses the lists of standard objects in the folder `standard`.
//!
//! - `values NAME first | second*`: a set of picklist values, of which the one with `*` is the default.
//! - `object NAME PREFIX "Label" "Plural"`: an object; the prefix is `-` if its records have no ids of their own. Words
//!   after it: `owner`, `queues` (may own the records), `fixedowner` (never changed), `recordtypes`, `nobin` (without
//!   `IsDeleted`), `unchanged` (without the fields of the last change), `virtual` (computed for each query),
//!   `setup` (administrators write it), and `readonly`, `noupdate`, `nodelete`, `updateonly` or `deleteonly`.
//! - `  FIELD kind(length)`: a field. Words after it: `required`, `readonly`, `createonly`, `updateonly`, `defaulted`,
//!   `nillable`, `name`, `idlookup`, `external`, `unique`, `restricted`, `indexed`, `auto={0000}`, `to=Object,Object`,
//!   `rel=Name`, `children=Name`, `values=Set`, `shows=Parent.Field` for the value of a parent, and
//!   `flags=filterable,sortable` where they differ from those of the type.

use std::collections::HashMap;

use super::query_flags::QueryFlags;
use super::{Field, FieldKind, PicklistValue, Schema};
use crate::model::computed::{Computed, Formula};
use crate::model::schema::{Access, Object};
use crate::model::value::Value;

const SOURCE: &str = concat!(
    include_str!("standard/crm.txt"),
    "\n",
    include_str!("standard/activities.txt"),
    "\n",
    include_str!("standard/products.txt"),
    "\n",
    include_str!("standard/people.txt"),
);

const LAST_CHANGE: [&str; 3] = ["LastModifiedDate", "LastModifiedById", "SystemModstamp"];

type ValueSets = HashMap<&'static str, Vec<PicklistValue>>;

impl Schema {
    /// The standard objects, with the external-id field that Ferry's package adds.
    pub(crate) fn standard() -> Self {
        schema()
    }
}

/// Returns the schema that the lists describe.
fn schema() -> Schema {
    let mut schema = Schema::default();
    let mut sets = ValueSets::new();
    let mut current: Option<Object> = None;
    for line in SOURCE.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        if let Some(rest) = line.strip_prefix("values ") {
            let (name, values) = rest.split_once(' ').unwrap_or((rest, ""));
            sets.insert(name, values.split(" | ").map(picklist_value).collect());
        } else if let Some(rest) = line.strip_prefix("object ") {
            schema.extend(current.replace(object(rest)));
        } else if let Some(object) = &mut current {
            object.add(field(line.trim(), &sets));
        }
    }
    schema.extend(current);
    schema
}

impl Schema {
    fn extend(&mut self, object: Option<Object>) {
        if let Some(object) = object {
            self.insert(object);
        }
    }
}

fn picklist_value(text: &str) -> PicklistValue {
    let value = text.trim();
    PicklistValue::new(value.trim_end_matches('*'), value.ends_with('*'))
}

fn object(line: &'static str) -> Object {
    let mut quoted = line.split('"');
    let mut head = quoted.next().unwrap_or_default().split_whitespace();
    let (name, prefix) = (head.next().unwrap_or_default(), head.next().unwrap_or_default());
    let label = quoted.next().unwrap_or_default();
    let plural = quoted.nth(1).unwrap_or_default();
    let words: Vec<&str> = quoted.next().unwrap_or_default().split_whitespace().collect();
    let mut object = Object::new(name, prefix.trim_matches('-'), words.contains(&"owner"));
    label.clone_into(&mut object.label);
    plural.clone_into(&mut object.label_plural);
    object.setup = words.contains(&"setup");
    for word in &words {
        match *word {
            "readonly" => object.access = Access::ReadOnly,
            "noupdate" => object.access = Access::NoUpdate,
            "nodelete" => object.access = Access::NoDelete,
            "updateonly" => object.access = Access::UpdateOnly,
            "deleteonly" => object.access = Access::DeleteOnly,
            _ => {}
        }
    }
    if words.contains(&"fixedowner")
        && let Some(owner) = object.field("OwnerId").cloned()
    {
        object.add(Field { updateable: false, ..owner });
    }
    if words.contains(&"queues") {
        object.allow_queues();
    }
    if words.contains(&"nobin") {
        object.hide("IsDeleted");
    }
    if words.contains(&"unchanged") || words.contains(&"virtual") {
        LAST_CHANGE.into_iter().for_each(|field| object.hide(field));
    }
    if words.contains(&"virtual") {
        ["IsDeleted", "CreatedDate", "CreatedById"].into_iter().for_each(|field| object.hide(field));
        object.is_virtual = true;
    }
    if words.contains(&"recordtypes") {
        object.add(Field {
            reference_to: vec!["RecordType".to_owned()],
            relationship: Some("RecordType".to_owned()),
            ..Field::new("RecordTypeId", FieldKind::Reference)
        });
    }
    object
}

fn field(line: &'static str, sets: &ValueSets) -> Field {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let mut field = sized(name, words.next().unwrap_or("string"));
    let words: Vec<&str> = words.collect();
    for word in &words {
        match word.split_once('=') {
            Some((key, value)) => named(&mut field, key, value, sets),
            None => flag(&mut field, word),
        }
    }
    if words.contains(&"nillable") {
        field.nillable = true;
    }
    if let Some(default) = field.picklist.iter().find(|p| p.is_default) {
        field.default = Value::text(default.value.as_str());
    }
    field
}

fn sized(name: &str, kind: &str) -> Field {
    let (kind, size) = kind.trim_end_matches(')').split_once('(').unwrap_or((kind, ""));
    let mut field = Field::new(name, FieldKind::from_name(kind).unwrap_or(FieldKind::String));
    let mut sizes = size.split(',').filter_map(|n| n.parse().ok());
    match (field.kind.is_number(), sizes.next()) {
        (true, Some(precision)) => (field.precision, field.scale) = (precision, sizes.next().unwrap_or_default()),
        (false, Some(length)) => field.length = length,
        (_, None) => {}
    }
    field
}

fn named(field: &mut Field, key: &str, value: &str, sets: &ValueSets) {
    match key {
        "to" => field.reference_to = value.split(',').map(str::to_owned).collect(),
        "auto" => field.auto_number = Some(value.to_owned()),
        "rel" => field.relationship = Some(value.to_owned()),
        "children" => field.child_relationship = Some(value.to_owned()),
        "shows" => field.computed = Some(Box::new(Computed::Formula(Formula::parent(value)))),
        "flags" => field.query_flags = QueryFlags::named(value),
        "values" => field.picklist = sets.get(value).cloned().unwrap_or_default(),
        _ => {}
    }
}

fn flag(field: &mut Field, word: &str) {
    match word {
        "required" => field.nillable = false,
        "readonly" => (field.createable, field.updateable) = (false, false),
        "createonly" => field.updateable = false,
        "updateonly" => field.createable = false,
        "defaulted" => (field.nillable, field.defaulted_on_create) = (false, true),
        "name" => field.name_field = true,
        "idlookup" => field.id_lookup = true,
        "external" => (field.external_id, field.id_lookup) = (true, true),
        "unique" => field.unique = true,
        "indexed" => field.indexed_reference = true,
        "restricted" => field.restricted = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_list_is_known() {
        let known = [
            "required",
            "readonly",
            "createonly",
            "updateonly",
            "defaulted",
            "nillable",
            "name",
            "idlookup",
            "external",
            "unique",
            "restricted",
            "indexed",
        ];
        let lines = SOURCE.lines().filter(|line| line.starts_with("  ") && !line.starts_with("  #"));
        for line in lines {
            let mut words = line.split_whitespace().skip(1);
            let kind = words.next().unwrap();
            let kind = kind.split_once('(').map_or(kind, |(kind, _)| kind);
            assert!(FieldKind::from_name(kind).is_some(), "{line}");
            assert!(words.all(|w| known.contains(&w) || w.contains('=')), "{line}");
        }
    }

    #[test]
    fn every_named_value_set_exists() {
        for line in SOURCE.lines() {
            if let Some((_, set)) = line.split_once("values=") {
                let set = set.split_whitespace().next().unwrap();
                assert!(SOURCE.contains(&format!("values {set} ")), "{line}");
            }
        }
    }

    #[test]
    fn an_opportunity_needs_a_name_a_stage_and_a_close_date() {
        let schema = schema();
        let required: Vec<_> = schema
            .object("Opportunity")
            .unwrap()
            .fields
            .iter()
            .filter(|f| f.required())
            .map(|f| f.name.as_str())
            .collect();
        assert_eq!(required, ["Name", "StageName", "CloseDate"]);
    }
}
