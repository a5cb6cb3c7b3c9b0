//! The names of change events, and the fields that they have.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object};

/// The standard objects that have change events; custom objects all have them.
const OBJECTS: [&str; 19] = [
    "Account",
    "Asset",
    "Campaign",
    "CampaignMember",
    "CampaignMemberStatus",
    "Case",
    "Contact",
    "EmailMessage",
    "Event",
    "EventRelation",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "Pricebook2",
    "Product2",
    "Task",
    "TaskRelation",
    "User",
];

/// Fields that are no part of the record, or that are derived from other records.
const LEFT_OUT: [&str; 7] =
    ["Id", "IsDeleted", "LastActivityDate", "LastReferencedDate", "LastViewedDate", "PhotoUrl", "SystemModstamp"];

/// Returns the name of an object's change event: `AccountChangeEvent`, `Line__ChangeEvent`; `None` if it has none.
pub(crate) fn event_name(object: &str) -> Option<String> {
    match object.strip_suffix("__c") {
        Some(stem) => Some(format!("{stem}__ChangeEvent")),
        None => OBJECTS.contains(&object).then(|| format!("{object}ChangeEvent")),
    }
}

/// Returns the object of the change event with that name, without regard to case.
pub(crate) fn object_of_event<'a>(org: &'a Org, event: &str) -> Option<&'a Arc<Object>> {
    let stem = event.len().checked_sub("ChangeEvent".len()).and_then(|at| event.split_at_checked(at));
    let (stem, _) = stem.filter(|(_, end)| end.eq_ignore_ascii_case("ChangeEvent"))?;
    let object = match stem.strip_suffix("__") {
        Some(stem) => org.schema.object(&format!("{stem}__c")),
        None => org.schema.object(stem),
    };
    object.filter(|object| event_name(&object.name).is_some())
}

/// Returns the stored fields that a change event has, with their positions.
pub(super) fn captured(object: &Object) -> impl Iterator<Item = (usize, &Field)> {
    object.fields.iter().enumerate().filter(|(_, field)| is_captured(object, field))
}

fn is_captured(object: &Object, field: &Field) -> bool {
    let is_compound = field.kind.is_compound() || is_compound_name(object, field);
    let is_stored = field.computed.is_none() && field.kind != FieldKind::Base64;
    is_stored && !is_compound && !field.absent && !LEFT_OUT.contains(&field.name.as_str())
}

/// Returns whether the field is a person's name, which combines first and last name. That of an account is a text.
fn is_compound_name(object: &Object, field: &Field) -> bool {
    field.name == "Name" && object.name != "Account" && object.field("LastName").is_some()
}

/// Returns the fields that a change event shows, compound fields with their name only, in the order of the object.
pub(crate) fn shown(object: &Object) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (_, field) in captured(object) {
        let compound = object.part_of_compound(field).and_then(|(compound, _)| object.field(compound));
        let field = compound.unwrap_or(field);
        if !fields.iter().any(|known| known.name == field.name) {
            fields.push(field.clone());
        }
    }
    fields
}

/// Returns the id of the schema of an object's change event: 22 characters, which change with the object's fields.
pub(super) fn schema_id(object: &Object) -> String {
    let mut hash = Sha256::new().chain_update(&object.name);
    for (_, field) in captured(object) {
        hash.update(format!("\n{} {}", field.name, field.kind.name()));
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..16])
}
