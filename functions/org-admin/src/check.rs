//! Decides which settings an org accepts, and what has to be read again after a change. Pure.

use std::collections::BTreeSet;

use runtime::Schema;
use runtime::problem::{Defect, DefectCode};
use salesforce::soql::Filter;
use salesforce::{FieldName, ObjectName};
use store::OrgSettings;

/// The most objects of an org.
const MAX_OBJECTS: usize = 100;

/// The most fields of an object: as many as the custom fields that an object can have in Salesforce.
const MAX_FIELDS: usize = 800;

/// The most bytes of the settings as JSON. A version is one item of a table, which has at most 400 KB.
const MAX_BYTES: usize = 200 * 1_024;

/// Returns the objects that the settings name, each once.
#[must_use]
pub fn named_objects(settings: &OrgSettings) -> Vec<ObjectName> {
    let listed = settings.objects.iter().flatten();
    let named: BTreeSet<&ObjectName> = listed.chain(settings.fields.keys()).chain(settings.filters.keys()).collect();
    named.into_iter().take(MAX_OBJECTS + 1).cloned().collect()
}

/// Returns the objects whose fields the filters name through a relationship.
#[must_use]
pub fn referenced_objects(settings: &OrgSettings, schema: &Schema) -> BTreeSet<ObjectName> {
    let mut objects = BTreeSet::new();
    for (object, filter) in &settings.filters {
        for (relationship, _) in filter.fields().into_iter().filter_map(path) {
            objects.extend(targets(schema, object, relationship).unwrap_or_default().iter().cloned());
        }
    }
    objects
}

/// Returns the settings with the names of the objects as Salesforce spells them: rows of the mirror are stored under these.
#[must_use]
pub fn spelled(settings: OrgSettings, schema: &Schema) -> OrgSettings {
    let spelled = |object: ObjectName| match schema.object(&object) {
        Some(describe) => describe.summary.name.clone(),
        None => object,
    };
    OrgSettings {
        objects: settings.objects.map(|objects| objects.into_iter().map(spelled).collect()),
        fields: settings.fields.into_iter().map(|(object, fields)| (spelled(object), fields)).collect(),
        filters: settings.filters.into_iter().map(|(object, filter)| (spelled(object), filter)).collect(),
        ..settings
    }
}

/// Returns every defect of the settings, where `deployed` are the mirrored objects of the deployment.
#[must_use]
pub fn check(settings: &OrgSettings, deployed: &[ObjectName], schema: &Schema) -> Vec<Defect> {
    if serde_json::to_string(settings).map_or(0, |json| json.len()) > MAX_BYTES {
        return vec![Defect::whole("the settings have more than 200 KB")];
    }
    let mut defects = Vec::new();
    let objects = settings.mirrored_objects(deployed);
    if let Some(listed) = &settings.objects {
        if listed.len() > MAX_OBJECTS {
            return vec![Defect::field("objects", "at most 100 objects can be mirrored")];
        }
        for (position, object) in listed.iter().enumerate() {
            let place = format!("objects[{position}]");
            if listed.iter().take(position).any(|earlier| earlier == object) {
                defects.push(Defect::field(place, "the object is listed twice"));
            } else {
                defects.extend(defect_of_object(schema, object, place));
            }
        }
    }
    for (object, fields) in &settings.fields {
        let place = format!("fields.{object}");
        if !objects.contains(object) {
            defects.push(Defect::field(place, "the object is not mirrored"));
            continue;
        }
        if fields.is_empty() {
            defects.push(Defect::field(
                place.clone(),
                "at least one field is needed; leave the object out for all of its fields",
            ));
        }
        if fields.len() > MAX_FIELDS {
            defects.push(Defect::field(place, "at most 800 fields of an object can be listed"));
            continue;
        }
        if schema.object(object).is_none() {
            defects.extend(hidden_object(object, place));
            continue;
        }
        defects.extend((0..fields.len()).filter_map(|position| defect_of_field(schema, object, fields, position)));
    }
    for (object, filter) in &settings.filters {
        let place = format!("filters.{object}");
        if !objects.contains(object) {
            defects.push(Defect::field(place, "the object is not mirrored"));
        } else if schema.object(object).is_none() {
            defects.extend(hidden_object(object, place));
        } else {
            defects.extend(defects_of_filter(schema, object, filter, &place));
        }
    }
    defects
}

fn defect_of_object(schema: &Schema, object: &ObjectName, place: String) -> Option<Defect> {
    let Some(describe) = schema.object(object) else { return hidden_object(object, place) };
    if !describe.summary.queryable || schema.field(object, FieldName::SYSTEM_MODSTAMP.as_str()).is_none() {
        return Some(Defect::field(place, format!("{object} cannot be mirrored: its changes cannot be queried")));
    }
    None
}

fn hidden_object(object: &ObjectName, place: String) -> Option<Defect> {
    let detail = format!("the object {object} does not exist, or is hidden from the team connection's user");
    Some(Defect::field(place, detail).code(DefectCode::ObjectNotVisible))
}

fn defect_of_field(schema: &Schema, object: &ObjectName, fields: &[FieldName], position: usize) -> Option<Defect> {
    let field = fields.get(position)?;
    let place = format!("fields.{object}[{position}]");
    let same = |other: &FieldName| other.as_str().eq_ignore_ascii_case(field.as_str());
    if fields.iter().take(position).any(same) {
        return Some(Defect::field(place, "the field is listed twice"));
    }
    if field.as_str().contains('.') {
        return Some(Defect::field(place, "only fields of the object itself are mirrored"));
    }
    schema.field(object, field.as_str()).is_none().then(|| hidden_field(object, field, place))
}

fn hidden_field(object: &ObjectName, field: &FieldName, place: String) -> Defect {
    let detail = format!("{object} has no field {field}, or it is hidden from the team connection's user");
    Defect::field(place, detail).code(DefectCode::FieldNotVisible)
}

fn defects_of_filter(schema: &Schema, object: &ObjectName, filter: &Filter, place: &str) -> Vec<Defect> {
    let mut defects = Vec::new();
    for field in filter.fields() {
        let found = match path(field) {
            None => schema.field(object, field.as_str()),
            Some((relationship, name)) => targets(schema, object, relationship)
                .unwrap_or_default()
                .iter()
                .find_map(|target| schema.field(target, name)),
        };
        match found {
            None => defects.push(hidden_field(object, field, place.to_owned())),
            Some(described) if !described.filterable => {
                defects.push(Defect::field(place, format!("the field {field} cannot be used in a condition")));
            }
            Some(_) => {}
        }
    }
    defects
}

/// Returns the relationship and the field of a path.
fn path(field: &FieldName) -> Option<(&str, &str)> {
    field.as_str().split_once('.')
}

/// Returns the objects that a relationship references.
fn targets<'a>(schema: &'a Schema, object: &ObjectName, relationship: &str) -> Option<&'a [ObjectName]> {
    let fields = &schema.object(object)?.fields;
    let of = |name: &Option<String>| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship));
    fields.iter().find(|field| of(&field.relationship_name)).map(|field| field.reference_to.as_slice())
}

/// Returns the objects of which the mirror has to change: those whose records have to be read again, because the mirror has them
/// with other fields, or has not all of them; and those that are left out, whose rows are removed.
#[must_use]
pub fn to_refresh(before: &OrgSettings, after: &OrgSettings, deployed: &[ObjectName]) -> Vec<ObjectName> {
    let mirrored = before.mirrored_objects(deployed);
    let is_new = |object: &&ObjectName| {
        !mirrored.contains(object)
            || before.fields.get(*object) != after.fields.get(*object)
            || before.filter(object) != after.filter(object)
    };
    let mirrored_then = after.mirrored_objects(deployed);
    let left_out = mirrored.iter().filter(|object| !mirrored_then.contains(object));
    mirrored_then.iter().filter(is_new).chain(left_out).cloned().collect()
}

#[cfg(test)]
mod tests;
