//! Short views of records, for lists of candidates and of results.

use runtime::Schema;
use salesforce::{FieldName, InstanceUrl, JsonObject, ObjectName, Record, RecordId};
use serde::Serialize;

use crate::views::OwnerView;

pub(crate) const ACCOUNT: ObjectName = ObjectName::from_static("Account");
pub(crate) const CONTACT: ObjectName = ObjectName::from_static("Contact");
pub(crate) const LEAD: ObjectName = ObjectName::from_static("Lead");
pub(crate) const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

/// Set on an account that is a person, and on the person's contact.
pub(crate) const IS_PERSON: FieldName = FieldName::from_static("IsPersonAccount");

const ACCOUNT_NAME: FieldName = FieldName::from_static("Account.Name");
const OWNER_NAME: FieldName = FieldName::from_static("Owner.Name");

/// A record with the fields by which a person recognizes it.
#[derive(Debug, Serialize)]
pub(crate) struct RecordSummary {
    object: ObjectName,
    label: String,
    id: RecordId,
    name: Option<String>,
    url: String,
    owner: Option<OwnerView>,
    fields: JsonObject,
}

/// Returns whether these are the fields of the contact of a person account, which is no contact of its own.
pub(crate) fn is_contact_of_person(object: &ObjectName, fields: &JsonObject) -> bool {
    object.as_str().eq_ignore_ascii_case(CONTACT.as_str()) && fields.get(IS_PERSON.as_str()) == Some(&true.into())
}

/// Returns the fields of a summary, and paths to parents, as far as the user can access them.
pub(crate) fn summary_fields(schema: &Schema, object: &ObjectName) -> Vec<FieldName> {
    // The name as the schema spells it: a request may write it in any case.
    let spelled = schema.object(object).map_or(object.as_str(), |object| object.summary.name.as_str());
    let of_object: &[&str] = match spelled {
        "Account" => &["Website", "Phone", "Industry", "BillingCity", "PersonEmail", "IsPersonAccount"],
        "Contact" => &["Email", "Phone", "MobilePhone", "Title", "AccountId"],
        "Lead" => &["Email", "Phone", "MobilePhone", "Title", "Company", "Status"],
        "Opportunity" => &["StageName", "Amount", "CloseDate", "IsClosed", "AccountId"],
        _ => &[],
    };
    let mut fields = vec![FieldName::ID];
    fields.extend(name_field(schema, object));
    fields.extend(schema.visible(object, of_object));
    if schema.field(object, "AccountId").is_some() && schema.field(&ACCOUNT, "Name").is_some() {
        fields.push(ACCOUNT_NAME);
    }
    if let Some(owner) = schema.field(object, "OwnerId") {
        fields.push(owner.name.clone());
        fields.extend((owner.relationship_name.as_deref() == Some("Owner")).then_some(OWNER_NAME));
    }
    fields
}

/// Returns the field that names the records of an object, if the user can access it.
fn name_field(schema: &Schema, object: &ObjectName) -> Option<FieldName> {
    schema.object(object)?.fields.iter().find(|field| field.name_field).map(|field| field.name.clone())
}

impl RecordSummary {
    /// Builds the summary of a record of this org that was read with [`summary_fields`] of the same schema.
    pub(crate) fn new(schema: &Schema, record: Record, instance: &InstanceUrl) -> Self {
        let label = schema.object(&record.object).map(|object| object.summary.label.clone());
        let name = name_field(schema, &record.object).and_then(|field| record.text(field.as_str()).map(str::to_owned));
        let Record { object, id, mut fields } = record;
        let owner = OwnerView::of(&fields);
        fields.retain(|field, _| !["Id", "OwnerId", "Owner"].contains(&field.as_str()));
        Self {
            label: label.unwrap_or_else(|| object.to_string()),
            url: instance.record_page(&object, &id),
            owner,
            object,
            id,
            name,
            fields,
        }
    }
}
