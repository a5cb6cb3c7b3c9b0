//! The values of picklists, and the values of the controlling field that allow them.

use std::collections::BTreeMap;

use salesforce::{FieldDescribe, FieldName, ObjectDescribe, Picklist};
use serde::Serialize;

/// The values that Salesforce returned.
pub(super) enum Picklists<'a> {
    /// Those of the record type.
    OfRecordType(BTreeMap<FieldName, Picklist>),
    /// Those of all record types together, in the describe of the object.
    OfObject(&'a ObjectDescribe),
}

/// A picklist.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct PicklistView {
    /// `true` if Salesforce refuses other values.
    restricted: bool,
    /// The field whose value decides which of the values can be selected.
    #[serde(skip_serializing_if = "Option::is_none")]
    controlled_by: Option<FieldName>,
    values: Vec<ValueView>,
}

/// A value of a picklist.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ValueView {
    value: String,
    label: String,
    default: bool,
    /// The values of the controlling field with which it can be selected; those of a check box are `true` and `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_for: Option<Vec<String>>,
}

impl Picklists<'_> {
    /// Returns the picklist of a field; `None` if it has none.
    pub(super) fn of(&self, field: &FieldDescribe) -> Option<PicklistView> {
        if !["picklist", "multipicklist", "combobox"].contains(&field.field_type.as_str()) {
            return None;
        }
        let values = match self {
            Self::OfRecordType(fields) => of_record_type(field, fields.get(&field.name)?),
            Self::OfObject(describe) => of_object(field, describe),
        };
        Some(PicklistView {
            restricted: field.restricted_picklist,
            controlled_by: field.controller_name.clone(),
            values,
        })
    }
}

fn of_record_type(field: &FieldDescribe, picklist: &Picklist) -> Vec<ValueView> {
    let default = picklist.default_value.as_ref().map(|default| default.value.as_str());
    let name_of = |place: &u32| {
        let named = picklist.controller_values.iter().find(|(_, known)| *known == place);
        named.map(|(name, _)| name.clone())
    };
    let view = |value: &salesforce::PicklistValue| ValueView {
        value: value.value.clone(),
        label: value.label.clone(),
        default: default == Some(value.value.as_str()),
        valid_for: field.controller_name.as_ref().map(|_| value.valid_for.iter().filter_map(name_of).collect()),
    };
    picklist.values.iter().map(view).collect()
}

fn of_object(field: &FieldDescribe, describe: &ObjectDescribe) -> Vec<ValueView> {
    let controller = field.controller_name.as_ref();
    let controllers: Option<Vec<String>> = controller
        .and_then(|name| describe.fields.iter().find(|field| field.name == *name))
        .map(|controller| match controller.field_type.as_str() {
            "boolean" => vec!["false".to_owned(), "true".to_owned()],
            _ => controller.picklist_values.iter().map(|entry| entry.value.clone()).collect(),
        });
    let active = field.picklist_values.iter().filter(|entry| entry.active);
    active
        .map(|entry| ValueView {
            value: entry.value.clone(),
            label: entry.label.clone().unwrap_or_else(|| entry.value.clone()),
            default: entry.default_value,
            valid_for: controllers.as_ref().map(|controllers| {
                let valid = controllers.iter().enumerate().filter(|(place, _)| entry.is_valid_for(*place));
                valid.map(|(_, value)| value.clone()).collect()
            }),
        })
        .collect()
}
