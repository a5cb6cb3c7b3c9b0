//! Loads sObject trees: records with reference ids, and plans with the order of the files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::Error;
use crate::data::crm_data::load::{Load, file_name, read_json, sorted_entries};
use crate::model::schema::infer_field;

/// Loads a folder: the files of its plans, then the files that no plan names.
pub(super) fn load_folder(load: &mut Load<'_>, dir: &Path) -> Result<(), Error> {
    let mut plans = Vec::new();
    let mut files: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for path in sorted_entries(dir)?.iter().filter(|path| path.extension().is_some_and(|e| e == "json")) {
        match read_json(path)? {
            Json::Array(steps) => plans.extend(steps),
            mut tree => drop(files.insert(file_name(path), records_of(&mut tree))),
        }
    }
    let all: Vec<&Json> = files.values().flatten().collect();
    extend_schema(load, &all);
    load.references.clear();
    for step in &plans {
        let object = step.get("sobject").and_then(Json::as_str).unwrap_or("?");
        for name in step.get("files").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            match files.remove(name) {
                Some(records) => create_all(load, records),
                None => load.refused(object, &format!("the plan names {name}, which is not there")),
            }
        }
    }
    files.into_values().for_each(|records| create_all(load, records));
    create_deferred(load);
    Ok(())
}

fn records_of(tree: &mut Json) -> Vec<Json> {
    match tree.get_mut("records").map(Json::take) {
        Some(Json::Array(records)) => records,
        _ => Vec::new(),
    }
}

/// Loads records that do not come from files. Missing objects and fields are added to the schema.
pub(super) fn load_records(load: &mut Load<'_>, records: Vec<Json>) {
    extend_schema(load, &records.iter().collect::<Vec<_>>());
    let types = load.org.store.table("RecordType").into_iter().flat_map(|table| table.rows());
    let named = types.filter_map(|row| {
        let name = load.org.value("RecordType", row, "DeveloperName").as_text();
        Some((format!("RecordType.{name}"), row.id()?.to_string()))
    });
    load.references = named.collect();
    create_all(load, records);
    create_deferred(load);
}

/// Creates the deferred records, in passes, until a pass creates none.
fn create_deferred(load: &mut Load<'_>) {
    loop {
        let waiting = std::mem::take(&mut load.deferred);
        let before = waiting.len();
        create_all(load, waiting);
        if load.deferred.len() == before {
            break;
        }
    }
    for record in std::mem::take(&mut load.deferred) {
        load.refused(attribute(&record, "type"), "it refers to a record that was not loaded");
    }
}

fn attribute<'a>(record: &'a Json, name: &str) -> &'a str {
    record.get("attributes").and_then(|a| a.get(name)).and_then(Json::as_str).unwrap_or_default()
}

/// Adds the custom objects and custom fields that the records use and that the schema does not have.
fn extend_schema(load: &mut Load<'_>, records: &[&Json]) {
    let types: HashMap<&str, &str> =
        records.iter().map(|r| (attribute(r, "referenceId"), attribute(r, "type"))).collect();
    let mut missing: BTreeSet<(&str, &str)> = BTreeSet::new();
    for record in records {
        let object = attribute(record, "type");
        if object.ends_with("__c") {
            load.org.schema.add_custom_object(object);
        }
        let Some(known) = load.org.schema.object(object) else { continue };
        let fields = record.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        missing.extend(
            fields.filter(|name| is_custom_field(name) && known.field(name).is_none()).map(|name| (object, name)),
        );
    }
    for (object, name) in missing {
        let of_object = records.iter().filter(|record| attribute(record, "type") == object);
        let values: Vec<&Json> = of_object.filter_map(|record| record.get(name)).collect();
        let target = values.iter().find_map(|value| types.get(value.as_str()?.strip_prefix('@')?)).copied();
        load.org.schema.add_field(object, infer_field(name, &values, target));
    }
}

fn is_custom_field(name: &str) -> bool {
    name.ends_with("__c") || name.ends_with("__s")
}

fn create_all(load: &mut Load<'_>, records: Vec<Json>) {
    for record in records {
        match fields_of(load, &record) {
            Some(fields) => create(load, &record, fields),
            None => load.deferred.push(record),
        }
    }
}

/// Returns the fields of a record with its references resolved; `None` when a referenced record is not loaded yet.
fn fields_of(load: &Load<'_>, record: &Json) -> Option<Map<String, Json>> {
    let mut fields = record.as_object().cloned().unwrap_or_default();
    fields.shift_remove("attributes");
    for value in fields.values_mut() {
        if let Some(name) = value.as_str().and_then(|text| text.strip_prefix('@')) {
            *value = Json::from(load.references.get(name)?.as_str());
        }
    }
    Some(fields)
}

fn create(load: &mut Load<'_>, record: &Json, mut fields: Map<String, Json>) {
    let (object, reference) = (attribute(record, "type"), attribute(record, "referenceId"));
    let children = nested(&mut fields);
    let Some(id) = load.create(object, &fields) else { return };
    if !reference.is_empty() {
        load.references.insert(reference.to_owned(), id.clone());
    }
    for (relationship, mut tree) in children {
        create_children(load, object, &id, (&relationship, records_of(&mut tree)));
    }
}

/// Removes the lists of children from a record's fields and returns them.
fn nested(fields: &mut Map<String, Json>) -> Vec<(String, Json)> {
    let names: Vec<String> =
        fields.iter().filter(|(_, value)| value.get("records").is_some()).map(|(name, _)| name.clone()).collect();
    names.into_iter().filter_map(|name| fields.shift_remove(&name).map(|value| (name, value))).collect()
}

fn create_children(load: &mut Load<'_>, parent: &str, id: &str, (relationship, records): (&str, Vec<Json>)) {
    let children = load.org.schema.children_of(parent);
    let child = children.iter().find(|child| child.name.is_some_and(|name| name.eq_ignore_ascii_case(relationship)));
    let Some(reference) = child.and_then(|child| child.object.fields.get(child.field)).map(|field| field.name.clone())
    else {
        load.refused(parent, &format!("no child relationship {relationship}"));
        return;
    };
    let with_parent = |mut record: Json| {
        if let Some(fields) = record.as_object_mut() {
            fields.insert(reference.clone(), Json::from(id));
        }
        record
    };
    create_all(load, records.into_iter().map(with_parent).collect());
}
