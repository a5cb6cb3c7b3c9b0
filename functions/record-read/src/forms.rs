//! The form of a new record: the fields of the page of a record type in their order, what Salesforce and the page require, and
//! which values may be selected.
//!
//! At most three calls: the describe, unless it is remembered, the page layout, and the picklists of the record type. The
//! decisions are pure: [`record_types`] and [`fields`].

mod fields;
mod picklists;
mod record_types;

use salesforce::{FieldName, Layout, ObjectDescribe, ObjectName};
use serde::{Deserialize, Serialize};
use store::PlatformUser;

use crate::live::LiveReader;
use crate::views::Source;
use crate::{Deps, Error};
use fields::{Fields, FormField};
use picklists::Picklists;
use record_types::{RecordTypeView, choose, offered};

/// The query parameters of a form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FormQuery {
    /// The id or the developer name of a record type; without it, the user's default.
    pub(crate) record_type: Option<String>,
    /// The acting user.
    #[serde(rename = "as")]
    pub(crate) user: Option<PlatformUser>,
}

/// The form of a new record.
#[derive(Debug, Serialize)]
pub(crate) struct FormView {
    object: ObjectName,
    label: String,
    custom: bool,
    source: Source,
    may_create: bool,
    may_update: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    record_type: RecordTypeView,
    record_types: Vec<RecordTypeView>,
    layout: LayoutSource,
    picklists: PicklistSource,
    sections: Vec<SectionView>,
    other_fields: Vec<FormField>,
    required: Vec<FieldName>,
    external_ids: Vec<ExternalIdView>,
}

/// The source of the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum LayoutSource {
    /// The page layout of the record type.
    Page,
    /// The object has no page: the fields are in the order of the describe.
    None,
}

/// The source of the picklist values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum PicklistSource {
    /// The values of the record type.
    RecordType,
    /// The values of all record types together, because the UI API does not support the object.
    Object,
}

/// A section of the page.
#[derive(Debug, Serialize)]
struct SectionView {
    heading: Option<String>,
    fields: Vec<FormField>,
}

/// A field by which records can be upserted.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ExternalIdView {
    name: FieldName,
    label: String,
    field_type: String,
    unique: bool,
}

/// The remedy for a user who may not create records of the object.
const GRANT_CREATE: &str = "Ask an administrator of the org to grant the user the object permission Create.";

/// Builds the form of a new record of the object for a connection's user.
pub(crate) async fn form(
    deps: &Deps,
    org: &store::Org,
    object: &ObjectName,
    query: FormQuery,
) -> Result<FormView, Error> {
    let source = if query.user.is_some() { Source::Salesforce } else { Source::Team };
    let reader = LiveReader::open(deps, org, query.user.as_ref()).await?;
    let schema = reader.schema(std::slice::from_ref(object)).await?;
    let describe = schema.object(object).ok_or_else(|| Error::ObjectHidden(object.clone()))?;
    let record_type = choose(&describe.record_type_infos, query.record_type.as_deref())?;
    let (layout, values) = reader.page(object, &record_type.record_type_id).await?;
    let picklists = match values {
        Some(values) => Picklists::OfRecordType(values),
        None => Picklists::OfObject(describe),
    };
    Ok(build(org.org_id.as_str(), describe, layout.as_ref(), &picklists, (source, RecordTypeView::from(record_type))))
}

/// Builds the form of what Salesforce returned.
fn build(
    org: &str,
    describe: &ObjectDescribe,
    layout: Option<&Layout>,
    picklists: &Picklists<'_>,
    (source, record_type): (Source, RecordTypeView),
) -> FormView {
    let mut fields = Fields::new(org, describe, picklists);
    let sections: Vec<SectionView> = layout
        .into_iter()
        .flat_map(|layout| &layout.sections)
        .map(|section| SectionView { heading: section.heading.clone(), fields: fields.of_section(section) })
        .filter(|section| !section.fields.is_empty())
        .collect();
    let other_fields = fields.others();
    let may_create = describe.summary.createable;
    let shown = sections.iter().flat_map(|section| &section.fields).chain(&other_fields);
    let required = shown.flat_map(FormField::required_names).collect();
    FormView {
        object: describe.summary.name.clone(),
        label: describe.summary.label.clone(),
        custom: describe.summary.custom,
        source,
        may_create,
        may_update: describe.summary.updateable,
        next: (!may_create).then_some(GRANT_CREATE),
        record_type,
        record_types: offered(&describe.record_type_infos).map(RecordTypeView::from).collect(),
        layout: if layout.is_some() { LayoutSource::Page } else { LayoutSource::None },
        picklists: match picklists {
            Picklists::OfRecordType(_) => PicklistSource::RecordType,
            Picklists::OfObject(_) => PicklistSource::Object,
        },
        sections,
        other_fields,
        required,
        external_ids: external_ids(describe),
    }
}

/// Returns the external ids that the user may set.
fn external_ids(describe: &ObjectDescribe) -> Vec<ExternalIdView> {
    let keys = describe.fields.iter().filter(|field| field.external_id && field.createable);
    keys.map(|field| ExternalIdView {
        name: field.name.clone(),
        label: field.label.clone(),
        field_type: field.field_type.clone(),
        unique: field.unique,
    })
    .collect()
}

#[cfg(test)]
mod tests;
