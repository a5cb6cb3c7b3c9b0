//! The values of picklists: of the record type where it is known, and otherwise of the object.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use salesforce::{FieldDescribe, FieldName, ObjectDescribe, ObjectName, Picklist, RecordId};
use serde_json::Value;
use store::{Pipeline, Stage};
use writes::{Defect, DefectCode};

use super::fields::is_empty;
use super::{Action, Described, find, record_type};
use crate::batch::find_field;

/// The picklist values of a record type, by field.
pub(crate) type OfRecordType = BTreeMap<FieldName, Picklist>;

/// The picklist values of record types that are known, and the pipelines that Ferry has read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picklists {
    of_types: HashMap<(ObjectName, RecordId), Arc<OfRecordType>>,
    pipelines: Arc<Vec<Pipeline>>,
}

/// A value that may be selected.
struct Choice<'a> {
    value: &'a str,
    label: Option<&'a str>,
    /// `false` if the value of the controlling field in the record does not allow it.
    is_allowed: bool,
}

impl<'a> Choice<'a> {
    fn of_stage(stage: &'a Stage) -> Self {
        Self { value: &stage.api_name, label: Some(&stage.label), is_allowed: true }
    }
}

/// Returns the record type whose values the check of the record needs; `None` if it sets no picklist that is checked, or all
/// record types have the same values.
pub(super) fn needed(described: Described<'_>) -> Option<RecordId> {
    let sets = |(name, value): (&String, &Value)| {
        !is_empty(value) && find(described.describe, name).is_some_and(|field| is_checked(described.describe, field))
    };
    let is_needed = record_type::has_several(described) && described.row.fields.iter().any(sets);
    record_type::of(described).filter(|_| is_needed)
}

/// Returns whether other values than the listed ones are refused.
fn is_checked(describe: &ObjectDescribe, field: &FieldDescribe) -> bool {
    let is_picklist = ["picklist", "multipicklist"].contains(&field.field_type.as_str());
    is_picklist && (field.restricted_picklist || is_stage(describe, field))
}

/// Returns whether the check of the record needs the org's pipelines: if it sets the stage of an opportunity, or is a new one.
pub(super) fn needs_pipelines(described: Described<'_>) -> bool {
    let Described { row, describe } = described;
    let sets_stage =
        || row.fields.keys().any(|name| find(describe, name).is_some_and(|field| is_stage(describe, field)));
    describe.summary.name.as_str() == "Opportunity" && (row.action == Action::Create || sets_stage())
}

/// Returns whether the field is the stage of an opportunity. Salesforce accepts any text there; a stage outside of the pipeline
/// would have no probability and no forecast category.
pub(super) fn is_stage(describe: &ObjectDescribe, field: &FieldDescribe) -> bool {
    describe.summary.name.as_str() == "Opportunity" && field.name.as_str() == "StageName"
}

impl Picklists {
    /// Adds the values of a record type.
    pub(crate) fn insert(&mut self, object: ObjectName, record_type: RecordId, values: Arc<OfRecordType>) {
        self.of_types.insert((object, record_type), values);
    }

    /// Adds the org's pipelines.
    pub(crate) fn set_pipelines(&mut self, pipelines: Arc<Vec<Pipeline>>) {
        self.pipelines = pipelines;
    }

    /// Returns the stages of the record's pipeline that can be chosen, the default first; none if they are not known.
    pub(super) fn stages(&self, described: Described<'_>) -> impl Iterator<Item = &Stage> {
        let active =
            self.pipeline(described).into_iter().flat_map(|pipeline| &pipeline.stages).filter(|stage| stage.is_active);
        let (default, other): (Vec<_>, Vec<_>) = active.partition(|stage| stage.is_default);
        default.into_iter().chain(other)
    }

    /// Returns the stored pipeline of the record; `None` if its record type or the pipeline is not known, or the pipeline is not
    /// up to date.
    fn pipeline(&self, described: Described<'_>) -> Option<&Pipeline> {
        let id = record_type::of(described)?;
        let is_it = |pipeline: &&Pipeline| pipeline.record_type_id == id && pipeline.stale_reason.is_none();
        self.pipelines.iter().find(is_it)
    }

    /// Returns the inactive stages that an existing opportunity may hold and keep: of its pipeline, or of all if its record type
    /// is not known.
    fn inactive_stages(&self, described: Described<'_>) -> impl Iterator<Item = Choice<'_>> {
        let id = record_type::of(described);
        let may_exist = described.row.action != Action::Create;
        let of_record = move |pipeline: &&Pipeline| may_exist && id.is_none_or(|id| pipeline.record_type_id == id);
        let stages = self.pipelines.iter().filter(of_record).flat_map(|pipeline| &pipeline.stages);
        stages.filter(|stage| !stage.is_active).map(Choice::of_stage)
    }

    /// Returns the defect of a value that cannot be selected.
    pub(super) fn check(&self, described: Described<'_>, field: &FieldDescribe, value: &Value) -> Option<Defect> {
        let describe = described.describe;
        if !is_checked(describe, field) {
            return None;
        }
        let of_type = record_type::of(described).and_then(|id| self.of_types.get(&(describe.summary.name.clone(), id)));
        let is_stage = is_stage(describe, field);
        let stored = self.pipeline(described).filter(|_| is_stage && record_type::has_several(described));
        let mut choices = match (of_type.and_then(|fields| fields.get(&field.name)), stored) {
            (Some(picklist), _) => of_record_type(described, field, picklist),
            (None, Some(_)) => self.stages(described).map(Choice::of_stage).chain(kept(described, field)).collect(),
            (None, None) => of_object(described, field),
        };
        if is_stage && !choices.is_empty() {
            choices.extend(self.inactive_stages(described));
        }
        if choices.is_empty() {
            return None;
        }
        let text = match value {
            Value::String(text) => text.clone(),
            // Salesforce reads the text of a plain value.
            value => value.to_string(),
        };
        let parts = if field.field_type == "multipicklist" { text.split(';').collect() } else { vec![text.as_str()] };
        let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
        parts.filter_map(|part| defect(described, field, &choices, part)).next()
    }
}

fn defect(described: Described<'_>, field: &FieldDescribe, choices: &[Choice<'_>], value: &str) -> Option<Defect> {
    let is_stage = is_stage(described.describe, field);
    let is_meant = |choice: &&Choice<'_>| {
        choice.value.eq_ignore_ascii_case(value)
            || choice.value.to_lowercase() == value.to_lowercase()
            // Salesforce takes labels in some versions.
            || !is_stage && choice.label.is_some_and(|label| label.to_lowercase() == value.to_lowercase())
    };
    let (code, detail) = match choices.iter().find(is_meant) {
        Some(choice) if choice.is_allowed => return None,
        Some(_) => {
            let controller = field.controller_name.as_ref().map(FieldName::as_str).unwrap_or_default();
            let detail = format!("is not available with this value of {controller}: set one of the allowed values");
            (DefectCode::UnknownDependentValue, detail)
        }
        None if is_stage => {
            let detail = "is no stage of the pipeline of the record type: set one of the allowed values";
            (DefectCode::UnknownPicklistValue, detail.to_owned())
        }
        None => {
            let detail = "is no value of the restricted picklist: set one of the allowed values, or have an administrator of the org add the value";
            (DefectCode::UnknownPicklistValue, detail.to_owned())
        }
    };
    let allowed = choices.iter().filter(|choice| choice.is_allowed).map(|choice| choice.value.to_owned());
    Some(Defect::whole(detail).code(code).allowed(allowed))
}

/// Returns the value of the controlling field in the record, if it is set there.
fn controlling_value(described: Described<'_>, field: &FieldDescribe) -> Option<String> {
    match find_field(described.row.fields, field.controller_name.as_ref()?.as_str())? {
        Value::String(value) if !value.is_empty() => Some(value.trim().to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn of_record_type<'a>(described: Described<'a>, field: &'a FieldDescribe, picklist: &'a Picklist) -> Vec<Choice<'a>> {
    let controlling = controlling_value(described, field);
    let place = controlling.and_then(|value| {
        picklist.controller_values.iter().find(|(known, _)| known.eq_ignore_ascii_case(&value)).map(|(_, place)| *place)
    });
    let selectable = picklist.values.iter().map(|value| Choice {
        value: &value.value,
        label: Some(&value.label),
        is_allowed: place.is_none_or(|place| value.valid_for.contains(&place)),
    });
    selectable.chain(kept(described, field)).collect()
}

fn of_object<'a>(described: Described<'a>, field: &'a FieldDescribe) -> Vec<Choice<'a>> {
    let controller = field.controller_name.as_ref().and_then(|name| find(described.describe, name.as_str()));
    let place = controlling_value(described, field).zip(controller).and_then(|(value, controller)| {
        match controller.field_type.as_str() {
            "boolean" => Some(usize::from(value.eq_ignore_ascii_case("true"))),
            _ => controller.picklist_values.iter().position(|entry| entry.value.eq_ignore_ascii_case(&value)),
        }
    });
    let active = field.picklist_values.iter().filter(|entry| entry.active);
    let selectable = active.map(|entry| Choice {
        value: &entry.value,
        label: entry.label.as_deref(),
        is_allowed: entry.valid_for.is_none() || place.is_none_or(|place| entry.is_valid_for(place)),
    });
    selectable.chain(kept(described, field)).collect()
}

/// Returns the inactive values, which an existing record may hold and keep.
fn kept<'a>(described: Described<'a>, field: &'a FieldDescribe) -> impl Iterator<Item = Choice<'a>> {
    let inactive = field.picklist_values.iter().filter(|entry| !entry.active);
    let may_exist = described.row.action != Action::Create;
    inactive.filter(move |_| may_exist).map(|entry| Choice {
        value: &entry.value,
        label: entry.label.as_deref(),
        is_allowed: true,
    })
}
