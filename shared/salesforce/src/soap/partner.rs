//! The operations of the partner SOAP API that REST does not have: lead conversion, merge and undelete (SOAP API Developer
//! Guide, `convertLead`, `merge`, `undelete`).
//!
//! A request has the session in its header; a session that Salesforce refuses is replaced as in REST. The elements of a request
//! are in the order of the schema, or Salesforce refuses it.

mod reply;
mod xml;

pub(crate) use reply::{Fault, fault};
pub(crate) use xml::envelope;

use serde_json::Value;

use self::reply::{Outcome, Reply};
use self::xml::Element;
use crate::transport::Request;
use crate::{Client, Error, JsonObject, ObjectName, RecordId, SaveError, SaveOutcome};

/// The maximum number of records that are merged into another one in one request.
pub const MAX_MERGED: usize = 2;

/// Salesforce's decision about one request: its result, or the reasons for which it was refused.
pub type Decision<T> = Result<T, Vec<SaveError>>;

/// A conversion of a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadConversion {
    /// The lead.
    pub lead_id: RecordId,
    /// A status of `LeadStatus` whose `IsConverted` is true.
    pub status: String,
    /// The account that exists; `None` creates one, or a person account if the lead has no company.
    pub account_id: Option<RecordId>,
    /// The contact that exists, of that account; `None` creates one.
    pub contact_id: Option<RecordId>,
    /// `true` if no opportunity is created.
    pub without_opportunity: bool,
    /// The name of the opportunity; `None` names it like the account.
    pub opportunity_name: Option<String>,
    /// The owner of the records that are created; `None` is the lead's owner.
    pub owner_id: Option<RecordId>,
    /// `true` if the lead source of the contact that exists is replaced by that of the lead.
    pub overwrite_lead_source: bool,
    /// `true` if Salesforce sends the owner an e-mail.
    pub send_notification_email: bool,
}

/// The records that a lead was converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvertedLead {
    /// The account.
    pub account_id: RecordId,
    /// The contact; that of a person account has an id of its own.
    pub contact_id: Option<RecordId>,
    /// The opportunity, if one was created.
    pub opportunity_id: Option<RecordId>,
}

/// A merge of records into one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// The object: `Account`, `Case`, `Contact` or `Lead`.
    pub object: ObjectName,
    /// The record that stays.
    pub master_id: RecordId,
    /// The new values of its fields: texts, numbers, booleans and null.
    pub fields: JsonObject,
    /// The 1 or 2 records that are merged into it, and deleted.
    pub merged_ids: Vec<RecordId>,
}

/// The records that a merge changed, beside the one that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedRecords {
    /// The records that were merged into it.
    pub merged_ids: Vec<RecordId>,
    /// The records that referred to one of them, and now refer to the one that stays.
    pub updated_related_ids: Vec<RecordId>,
}

impl Client {
    /// Converts a lead. Not retried after an unknown outcome; a second conversion of a lead is refused.
    ///
    /// # Errors
    ///
    /// Those of the whole request. A refused conversion is a decision.
    pub async fn convert_lead(&self, conversion: &LeadConversion) -> Result<Decision<ConvertedLead>, Error> {
        let reply = self.call_soap("convert the lead", "convertLead", conversion.element()?).await?;
        self.single(&reply, |outcome| {
            let account_id = outcome.id("accountId")?;
            let (contact_id, opportunity_id) = (outcome.id("contactId"), outcome.id("opportunityId"));
            Some(ConvertedLead { account_id, contact_id, opportunity_id })
        })
    }

    /// Merges records. Not retried after an unknown outcome; a second merge of deleted records is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a field whose value is an object or a list; those of the whole request. A refused merge is a
    /// decision.
    pub async fn merge(&self, merge: &Merge) -> Result<Decision<MergedRecords>, Error> {
        let reply = self.call_soap("merge the records", "merge", merge.element()?).await?;
        self.single(&reply, |outcome| {
            let (merged_ids, updated_related_ids) = (outcome.ids("mergedRecordIds"), outcome.ids("updatedRelatedIds"));
            Some(MergedRecords { merged_ids, updated_related_ids })
        })
    }

    /// Restores records from the recycle bin, each with the records that were deleted with it. The outcomes are in the order of
    /// `ids`; one that is not in the recycle bin is refused.
    ///
    /// # Errors
    ///
    /// Those of the whole request. A record that was not restored is an outcome.
    pub async fn undelete(&self, ids: &[RecordId]) -> Result<Vec<SaveOutcome>, Error> {
        let mut element = Element::new("undelete");
        for id in ids {
            element.id("ids", Some(*id));
        }
        let reply = self.call_soap("restore the records", "undelete", element).await?;
        let saved = |outcome: &Outcome| {
            let (id, success, errors) = (outcome.id("id"), outcome.success(), outcome.errors.clone());
            SaveOutcome { id, success, created: false, errors }
        };
        let outcomes: Vec<SaveOutcome> = reply.outcomes.iter().map(saved).collect();
        if outcomes.len() == ids.len() { Ok(outcomes) } else { Err(self.unreadable(&reply)) }
    }

    /// Sends the operation, and notes the usage of the API that the response reports.
    async fn call_soap(&self, operation: &'static str, name: &'static str, element: Element) -> Result<Reply, Error> {
        let request = Request::soap(operation, self.soap_path(), element.finish()?);
        let response = self.send(&request).await?;
        let reply = Reply::parse(operation, name, &response.body).inspect_err(|_| self.mark_lost_write())?;
        if let Some(usage) = reply.usage {
            self.observe_usage(usage);
        }
        Ok(reply)
    }

    /// Returns the decision about the only item of a request.
    fn single<T>(&self, reply: &Reply, read: impl FnOnce(&Outcome) -> Option<T>) -> Result<Decision<T>, Error> {
        match reply.outcomes.as_slice() {
            [outcome] if outcome.success() => read(outcome).map(Ok).ok_or_else(|| self.unreadable(reply)),
            [outcome] => Ok(Err(outcome.errors.clone())),
            _ => Err(self.unreadable(reply)),
        }
    }

    /// Returns the error of a response that does not say what the request did.
    fn unreadable(&self, reply: &Reply) -> Error {
        self.mark_lost_write();
        Error::InvalidResponse { operation: reply.operation, what: "not one result per item" }
    }
}

impl LeadConversion {
    fn element(&self) -> Result<Element, Error> {
        let mut request = Element::new("leadConverts");
        request.id("accountId", self.account_id);
        request.flag("bypassAccountDedupeCheck", false);
        request.flag("bypassContactDedupeCheck", false);
        request.id("contactId", self.contact_id);
        request.text("convertedStatus", &self.status);
        request.flag("doNotCreateOpportunity", self.without_opportunity);
        request.id("leadId", Some(self.lead_id));
        if let Some(name) = &self.opportunity_name {
            request.text("opportunityName", name);
        }
        request.flag("overwriteLeadSource", self.overwrite_lead_source);
        request.id("ownerId", self.owner_id);
        request.flag("sendNotificationEmail", self.send_notification_email);
        request.within("convertLead")
    }
}

impl Merge {
    fn element(&self) -> Result<Element, Error> {
        let mut master = Element::new("masterRecord");
        master.text("sobject:type", self.object.as_str());
        for (name, _) in self.fields.iter().filter(|(_, value)| value.is_null()) {
            master.text("sobject:fieldsToNull", name);
        }
        master.id("sobject:Id", Some(self.master_id));
        for (name, value) in &self.fields {
            let name = format!("sobject:{name}");
            match value {
                Value::Null => {}
                Value::String(text) => master.text(&name, text),
                Value::Bool(_) | Value::Number(_) => master.text(&name, &value.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    return Err(Error::Invalid {
                        what: "field of a merge",
                        reason: "has an object or a list as its value",
                    });
                }
            }
        }
        let mut request = Element::new("request");
        request.child(master)?;
        for id in &self.merged_ids {
            request.id("recordToMergeIds", Some(*id));
        }
        request.within("merge")
    }
}

#[cfg(test)]
mod tests;
