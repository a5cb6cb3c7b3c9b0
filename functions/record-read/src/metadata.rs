//! The JSON views of objects and fields.

use mirroring::OrgMirror;
use salesforce::{FieldDescribe, ObjectDescribe, ObjectSummary, RecordTypeInfo};
use serde::Serialize;

/// An object in the list of objects.
#[derive(Debug, Serialize)]
pub(crate) struct ObjectView {
    #[serde(flatten)]
    summary: ObjectSummary,
    /// `true` if its records are in the mirror.
    mirrored: bool,
}

/// An object with its fields and record types.
#[derive(Debug, Serialize)]
pub(crate) struct DescribeView {
    #[serde(flatten)]
    object: ObjectView,
    searchable: bool,
    fields: Vec<FieldView>,
    record_type_infos: Vec<RecordTypeInfo>,
}

/// A field.
#[derive(Debug, Serialize)]
struct FieldView {
    #[serde(flatten)]
    field: FieldDescribe,
    /// `true` if Salesforce refuses a new record of the connection's user without a value.
    required_on_create: bool,
}

impl ObjectView {
    /// Builds the view.
    pub(crate) fn new(summary: ObjectSummary, org_mirror: &OrgMirror) -> Self {
        Self { mirrored: org_mirror.has(&summary.name), summary }
    }
}

impl DescribeView {
    /// Builds the view.
    pub(crate) fn new(describe: ObjectDescribe, org_mirror: &OrgMirror) -> Self {
        let field = |field: FieldDescribe| FieldView { required_on_create: field.is_required_on_create(), field };
        Self {
            object: ObjectView::new(describe.summary, org_mirror),
            searchable: describe.searchable,
            fields: describe.fields.into_iter().map(field).collect(),
            record_type_infos: describe.record_type_infos,
        }
    }
}
