//! Short views of records, for lists of candidates and of results.

use salesforce::{FieldName, JsonObject, ObjectName, Record, RecordId};
use serde::Serialize;
use serde_json::Value;

use crate::schema::Schema;

pub(crate) const ACCOUNT: ObjectName = ObjectName::from_static("Account");
pub(crate) const CONTACT: ObjectName = ObjectName::from_static("Contact");
pub(crate) const LEAD: ObjectName = ObjectName::from_static("Lead");

const ACCOUNT_NAME: FieldName = FieldName::from_static("Account.Name");
const OWNER_NAME: FieldName = FieldName::from_static("Owner.Name");

/// A record with the fields by which a person recognizes it.
#[derive(Debug, Serialize)]
pub(crate) struct RecordSummary {
    object: ObjectName,
    label: String,
    id: RecordId,
    name: Option<String>,
    url: Option<String>,
    owner: Option<Owner>,
    fields: JsonObject,
}

/// The owner of a record. The name is null if it is hidden.
#[derive(Debug, Serialize)]
struct Owner {
    id: RecordId,
    name: Option<String>,
}

/// Returns the fields of a summary, and paths to parents, as far as the user can access them.
pub(crate) fn summary_fields(schema: &Schema, object: &ObjectName) -> Vec<FieldName> {
    let of_object: &[&str] = match object.as_str() {
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
    /// Builds the summary of a record that was read with [`summary_fields`] of the same schema. `base` is the URL of the org.
    pub(crate) fn new(schema: &Schema, record: Record, base: Option<&str>) -> Self {
        let label = schema.object(&record.object).map(|object| object.summary.label.clone());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = name_field(schema, &record.object).and_then(|field| text(record.fields.get(field.as_str())?));
        let Record { object, id, mut fields } = record;
        let owner_id = fields.remove("OwnerId").and_then(|id| id.as_str()?.parse().ok());
        let owner_name = fields.remove("Owner").and_then(|owner| text(&owner["Name"]));
        fields.remove("Id");
        Self {
            label: label.unwrap_or_else(|| object.to_string()),
            url: base.map(|base| record_url(base, &object, &id)),
            owner: owner_id.map(|id| Owner { id, name: owner_name }),
            object,
            id,
            name,
            fields,
        }
    }
}

/// Returns the URL of a record's page in Lightning Experience: `base` is `https://acme.my.salesforce.com`, and Lightning's host
/// is `acme.lightning.force.com` (Salesforce Help, My Domain URL formats).
fn record_url(base: &str, object: &ObjectName, id: &RecordId) -> String {
    let base = base.trim_end_matches('/').replace(".my.salesforce.com", ".lightning.force.com");
    format!("{base}/lightning/r/{object}/{id}/view")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_its_page_in_lightning() {
        let id = "001D000000IRFma".parse().unwrap();
        for (base, url) in [
            (
                "https://acme.my.salesforce.com",
                "https://acme.lightning.force.com/lightning/r/Account/001D000000IRFmaIAH/view",
            ),
            (
                "https://acme--dev.sandbox.my.salesforce.com",
                "https://acme--dev.sandbox.lightning.force.com/lightning/r/Account/001D000000IRFmaIAH/view",
            ),
            ("http://127.0.0.1:8590/", "http://127.0.0.1:8590/lightning/r/Account/001D000000IRFmaIAH/view"),
        ] {
            assert_eq!(record_url(base, &ACCOUNT, &id), url);
        }
    }
}
