//! The fields of a form, on the page and beside it.

use std::collections::HashSet;

use salesforce::{FieldDescribe, FieldName, LayoutComponent, LayoutItem, LayoutSection, ObjectDescribe, ObjectName};
use serde::Serialize;
use serde_json::Value;

use super::picklists::{PicklistView, Picklists};

/// The objects that are compared with what is known of a person.
const PERSONS_AND_COMPANIES: [&str; 3] = ["Account", "Contact", "Lead"];

/// A field of a form.
#[derive(Debug, Serialize)]
pub(super) struct FormField {
    name: FieldName,
    label: String,
    field_type: String,
    /// The maximum number of characters.
    #[serde(skip_serializing_if = "is_zero")]
    length: u32,
    /// The number of digits of a number, those after the decimal point included.
    #[serde(skip_serializing_if = "is_zero")]
    digits: u32,
    /// The number of digits after the decimal point.
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<u32>,
    /// The reason for which a new record needs a value; `None` if it needs none.
    required: Option<Requirement>,
    readable: bool,
    createable: bool,
    updateable: bool,
    unique: bool,
    external_id: bool,
    /// `true` if Salesforce sets a value in a new record without one.
    defaulted_on_create: bool,
    default_value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_value_formula: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picklist: Option<PicklistView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<ReferenceView>,
    /// The parts of a compound field, which are set in its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<FormField>,
}

/// The reason for which a field needs a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Requirement {
    /// Salesforce refuses a record without it.
    Object,
    /// The page is not saved without it. The API accepts a record without it.
    Layout,
}

/// The targets of a reference.
#[derive(Debug, Serialize)]
struct ReferenceView {
    /// The name under which a record can name the target by an external id instead of an id: `Account` for `AccountId`.
    relationship_name: Option<String>,
    /// `true` if the record belongs to the target, which has to exist, and is deleted with it.
    master_detail: bool,
    targets: Vec<TargetView>,
}

/// A target object, and the routes that find its records.
#[derive(Debug, Serialize)]
struct TargetView {
    object: ObjectName,
    look_up: Vec<String>,
}

/// Builds the fields of a form, each once.
pub(super) struct Fields<'a> {
    org: &'a str,
    describe: &'a ObjectDescribe,
    picklists: &'a Picklists<'a>,
    /// The fields on the page so far, and the compound fields of their parts.
    shown: HashSet<&'a FieldName>,
}

impl FormField {
    /// Returns the names of the fields that need a value: this one, or its parts.
    pub(super) fn required_names(&self) -> impl Iterator<Item = FieldName> {
        let all = std::iter::once(self).chain(&self.parts);
        all.filter(|field| field.required.is_some()).map(|field| field.name.clone())
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(org: &'a str, describe: &'a ObjectDescribe, picklists: &'a Picklists<'a>) -> Self {
        Self { org, describe, picklists, shown: HashSet::new() }
    }

    /// Returns the fields of a section that the user can access, in the order of the page.
    pub(super) fn of_section(&mut self, section: &LayoutSection) -> Vec<FormField> {
        let mut fields = Vec::new();
        for item in section.items() {
            for component in item.fields() {
                fields.extend(self.of_component(item, component));
            }
        }
        fields
    }

    fn of_component(&mut self, item: &LayoutItem, component: &LayoutComponent) -> Option<FormField> {
        let field = self.find(component.name())?;
        let parts: Vec<&FieldDescribe> = component.parts().filter_map(|part| self.find(part)).collect();
        let is_new = self.shown.insert(&field.name);
        self.shown.extend(parts.iter().map(|part| &part.name));
        // A field with parts is set through them. Of a name the page requires the last name, of an address it does not say.
        let by_page = |part: &FieldDescribe| item.required && (parts.is_empty() || part.name.as_str() == "LastName");
        let label = item.label.as_deref().filter(|label| !label.is_empty() && item.fields().count() == 1);
        let mut view = self.view(field, by_page(field), label);
        if !parts.is_empty() {
            view.required = None;
        }
        view.parts = parts.iter().map(|part| self.view(part, by_page(part), None)).collect();
        is_new.then_some(view)
    }

    /// Returns the fields that are not on the page and that the user may set: those of an object without a page, external ids,
    /// and others that only programs fill. The record type is chosen before.
    pub(super) fn others(&mut self) -> Vec<FormField> {
        let describe = self.describe;
        let is_part_of = |whole: &FieldName, part: &&FieldDescribe| {
            part.compound_field_name.as_deref() == Some(whole.as_str()) && part.name != *whole && part.createable
        };
        let mut fields = Vec::new();
        for field in &describe.fields {
            let parts: Vec<_> = describe.fields.iter().filter(|part| is_part_of(&field.name, part)).collect();
            let is_set = field.createable || !parts.is_empty();
            if !is_set || field.name.as_str() == "RecordTypeId" || self.shown.contains(&field.name) {
                continue;
            }
            let whole = field.compound_field_name.as_deref().and_then(|whole| self.find(whole));
            if whole.is_some_and(|whole| whole.name != field.name) {
                continue;
            }
            let parts = parts.into_iter().filter(|part| !self.shown.contains(&part.name));
            let parts: Vec<FormField> = parts.map(|part| self.view(part, false, None)).collect();
            if field.createable || !parts.is_empty() {
                fields.push(FormField { parts, ..self.view(field, false, None) });
            }
        }
        fields
    }

    fn find(&self, name: &str) -> Option<&'a FieldDescribe> {
        self.describe.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name))
    }

    fn view(&self, field: &FieldDescribe, by_page: bool, label: Option<&str>) -> FormField {
        let is_number = ["int", "double", "currency", "percent"].contains(&field.field_type.as_str());
        FormField {
            name: field.name.clone(),
            label: label.unwrap_or(&field.label).to_owned(),
            field_type: field.field_type.clone(),
            length: field.length,
            digits: field.precision.max(field.digits),
            scale: is_number.then_some(field.scale),
            required: requirement(field, by_page),
            readable: true,
            createable: field.createable,
            updateable: field.updateable,
            unique: field.unique,
            external_id: field.external_id,
            defaulted_on_create: field.defaulted_on_create,
            default_value: field.default_value.clone(),
            default_value_formula: field.default_value_formula.clone(),
            picklist: self.picklists.of(field),
            reference: (!field.reference_to.is_empty()).then(|| self.reference(field)),
            parts: Vec::new(),
        }
    }

    fn reference(&self, field: &FieldDescribe) -> ReferenceView {
        let target = |object: &ObjectName| TargetView { object: object.clone(), look_up: look_up(self.org, object) };
        ReferenceView {
            relationship_name: field.relationship_name.clone(),
            master_detail: field.relationship_order.is_some(),
            targets: field.reference_to.iter().map(target).collect(),
        }
    }
}

/// Returns who requires a value in a new record. What Salesforce fills by itself, and a check box, needs none.
fn requirement(field: &FieldDescribe, by_page: bool) -> Option<Requirement> {
    let is_left_empty = field.createable && !field.defaulted_on_create && field.field_type != "boolean";
    match (field.is_required_on_create(), by_page && is_left_empty) {
        (true, _) => Some(Requirement::Object),
        (false, true) => Some(Requirement::Layout),
        (false, false) => None,
    }
}

/// Returns the requests that find records of the object: its list, search, and for people and companies what fits a person.
fn look_up(org: &str, object: &ObjectName) -> Vec<String> {
    let path = |rest: &str| format!("/v1/orgs/{org}/{rest}");
    if object.as_str() == "User" {
        return vec![format!("GET {}", path("users"))];
    }
    let mut requests = vec![
        format!("GET {}", path(&format!("records/{object}"))),
        format!("GET {}", path(&format!("search?objects={object}"))),
    ];
    if PERSONS_AND_COMPANIES.contains(&object.as_str()) {
        requests.push(format!("POST {}", path("matches")));
    }
    requests
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
