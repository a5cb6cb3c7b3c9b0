//! The lead as Salesforce has it, and the statuses that a converted lead can have.

use runtime::Schema;
use salesforce::soap::partner::ConvertedLead;
use salesforce::{Client, FieldName, ObjectName, Record, RecordId, Soql, soql};
use serde_json::Value;
use writes::Error;

use crate::deleted::{self, State};

pub(super) const LEAD: ObjectName = ObjectName::from_static("Lead");
const LEAD_STATUS: ObjectName = ObjectName::from_static("LeadStatus");
const LABEL: FieldName = FieldName::from_static("MasterLabel");
const IS_CONVERTED: FieldName = FieldName::from_static("IsConverted");

/// The fields of a lead that say what it was converted to.
pub(super) const RESULT: [&str; 4] = ["Status", "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId"];

/// A lead that was converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Converted {
    /// `None` if the connection's user does not see the account.
    pub(super) account_id: Option<RecordId>,
    pub(super) contact_id: Option<RecordId>,
    pub(super) opportunity_id: Option<RecordId>,
    pub(super) status: Option<String>,
}

impl Converted {
    pub(super) fn now(lead: ConvertedLead, status: &str) -> Self {
        let ConvertedLead { account_id, contact_id, opportunity_id } = lead;
        Self { account_id: Some(account_id), contact_id, opportunity_id, status: Some(status.to_owned()) }
    }
}

/// Reads the lead and the converted statuses in one call. Returns what the lead was converted to, if it was, and the statuses,
/// the default one first.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Gone`] for a lead that does not exist; those of the reads.
pub(super) async fn read(
    client: &Client,
    schema: &Schema,
    id: RecordId,
) -> Result<(Option<Converted>, Vec<String>), Error> {
    let mut found = client.query_several(&[lead_query(schema, id), status_query()]).await?.into_iter();
    let (Some(lead), Some(statuses)) = (found.next(), found.next()) else { return Err(Error::NotFound("lead")) };
    let converted = match lead?.records.first() {
        Some(lead) => converted(lead),
        None => return Err(missing(client, id).await?),
    };
    let labels = statuses?.records.into_iter().filter_map(|row| row.text(LABEL.as_str()).map(str::to_owned));
    Ok((converted, labels.collect()))
}

/// Reads what the lead was converted to.
///
/// # Errors
/// Those of [`read`].
pub(super) async fn read_converted(client: &Client, schema: &Schema, id: RecordId) -> Result<Option<Converted>, Error> {
    match client.query(&lead_query(schema, id)).await?.records.first() {
        Some(lead) => Ok(converted(lead)),
        None => Err(missing(client, id).await?),
    }
}

/// Returns the status to set.
///
/// # Errors
/// [`Error::NotAConvertedStatus`], with the valid ones.
pub(super) fn choose_status(requested: Option<&str>, valid: Vec<String>) -> Result<String, Error> {
    let found = match requested {
        None => valid.first(),
        Some(requested) => valid.iter().find(|status| *status == requested),
    };
    found.cloned().ok_or(Error::NotAConvertedStatus { valid })
}

fn lead_query(schema: &Schema, id: RecordId) -> Soql {
    let mut fields = vec![FieldName::ID, IS_CONVERTED];
    fields.extend(schema.visible(&LEAD, &RESULT));
    Soql::select(&fields).from(&LEAD).where_(soql::eq(&FieldName::ID, id.as_str()))
}

/// The default of new leads comes first, which no converted status of a usual org is, and then the order of Setup.
fn status_query() -> Soql {
    let (default, order) = (FieldName::from_static("IsDefault"), FieldName::from_static("SortOrder"));
    let query = Soql::select(&[FieldName::ID, LABEL]).from(&LEAD_STATUS).where_(soql::eq(&IS_CONVERTED, true));
    query.order_by_descending(&default).order_by(&order)
}

fn converted(lead: &Record) -> Option<Converted> {
    lead.fields.get(IS_CONVERTED.as_str()).and_then(Value::as_bool).filter(|converted| *converted)?;
    let id = |field: &str| lead.text(field).and_then(|id| id.parse().ok());
    Some(Converted {
        account_id: id("ConvertedAccountId"),
        contact_id: id("ConvertedContactId"),
        opportunity_id: id("ConvertedOpportunityId"),
        status: lead.text("Status").map(str::to_owned),
    })
}

/// Returns the error of a lead that a query did not find.
async fn missing(client: &Client, id: RecordId) -> Result<Error, salesforce::Error> {
    let states = deleted::states(client, &LEAD, &[id], true).await?;
    Ok(match states.first() {
        Some(State::Deleted { master }) => Error::Gone { what: "lead", merged_into: *master },
        _ => Error::NotFound("lead"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_status_the_default_one_is_set() {
        let valid = || vec!["Closed - Converted".to_owned(), "Won".to_owned()];
        assert_eq!(choose_status(None, valid()).unwrap(), "Closed - Converted");
        assert_eq!(choose_status(Some("Won"), valid()).unwrap(), "Won");
        let refused = choose_status(Some("Open"), valid()).unwrap_err();
        assert!(matches!(refused, Error::NotAConvertedStatus { valid: listed } if listed == valid()));
        assert!(choose_status(None, Vec::new()).is_err());
    }
}
