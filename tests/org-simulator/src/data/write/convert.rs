//! Lead conversion: a lead becomes an account, a contact and optionally an opportunity.

use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Map, Value as Json};

use super::check::Purpose;
use super::person_account::person_type;
use super::{duplicates, rules};
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::{self, PERSON_FIELDS, PERSON_NAME};
use crate::model::store::Row;
use crate::model::value::{Value, plain};
use crate::model::write_options::WriteOptions;

/// Lead field, account field.
const TO_ACCOUNT: [(&str, &str); 14] = [
    ("Company", "Name"),
    ("Phone", "Phone"),
    ("Fax", "Fax"),
    ("Website", "Website"),
    ("Industry", "Industry"),
    ("Rating", "Rating"),
    ("AnnualRevenue", "AnnualRevenue"),
    ("NumberOfEmployees", "NumberOfEmployees"),
    ("LeadSource", "AccountSource"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
];
/// The beginnings of the names of address fields of accounts and contacts.
const ADDRESSES: [&str; 2] = ["Billing", "Mailing"];
/// Lead field, contact field.
const TO_CONTACT: [(&str, &str); 17] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Salutation", "Salutation"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Fax", "Fax"),
    ("LeadSource", "LeadSource"),
    ("Description", "Description"),
    ("HasOptedOutOfEmail", "HasOptedOutOfEmail"),
    ("DoNotCall", "DoNotCall"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
];

/// The request of a lead conversion (`LeadConvert` of the SOAP API).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the call's own flags, one for one")]
pub(crate) struct LeadConvert {
    pub(crate) lead: RecordId,
    pub(crate) status: String,
    /// An existing account; absent for a new one.
    pub(crate) account: Option<RecordId>,
    pub(crate) contact: Option<RecordId>,
    pub(crate) opportunity: Option<RecordId>,
    /// The owner of the new records; the lead's owner when absent.
    pub(crate) owner: Option<RecordId>,
    pub(crate) opportunity_name: Option<String>,
    pub(crate) no_opportunity: bool,
    pub(crate) overwrite_source: bool,
    pub(crate) bypass_account_dedupe: bool,
    pub(crate) bypass_contact_dedupe: bool,
}

impl LeadConvert {
    /// Returns the request that names nothing but the lead and its status.
    pub(crate) fn to_new_records(lead: RecordId, status: &str) -> Self {
        Self {
            lead,
            status: status.to_owned(),
            account: None,
            contact: None,
            opportunity: None,
            owner: None,
            opportunity_name: None,
            no_opportunity: false,
            overwrite_source: false,
            bypass_account_dedupe: false,
            bypass_contact_dedupe: false,
        }
    }
}

/// The records that a lead was converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeadConvertResult {
    pub(crate) account: RecordId,
    pub(crate) contact: Option<RecordId>,
    pub(crate) opportunity: Option<RecordId>,
}

impl Org {
    /// Converts a lead.
    pub(crate) fn convert_lead(&mut self, actor: &Actor, request: &LeadConvert) -> Result<LeadConvertResult, ApiError> {
        let actor = &Actor { write: WriteOptions { converts_lead: true, ..actor.write }, ..*actor };
        let lead = Arc::clone(self.check_lead(actor, request)?);
        let owner = request.owner.or_else(|| lead.get(schema::OWNER).as_id()).unwrap_or(actor.user);
        let careful = |bypass: bool| {
            let write = WriteOptions { allow_duplicates: bypass || actor.write.allow_duplicates, ..actor.write };
            Actor { write, ..*actor }
        };
        let account = match request.account {
            Some(id) => self.fill_empty_fields(actor, ("Account", id), &self.map_fields(&lead, &TO_ACCOUNT))?,
            None if self.lead_json(&lead, "Company").is_null() => {
                return self.convert_to_person(actor, request, &lead, owner);
            }
            None => {
                let mut body = self.map_fields(&lead, &TO_ACCOUNT);
                body.insert("OwnerId".to_owned(), Json::from(owner.as_str()));
                self.create(&careful(request.bypass_account_dedupe), "Account", &body)?
            }
        };
        let contact = match request.contact {
            Some(id) => {
                self.fill_empty_fields(actor, ("Contact", id), &self.map_fields(&lead, &TO_CONTACT))?;
                self.overwrite_source(actor, &lead, id, request.overwrite_source)?
            }
            None => {
                let mut body = self.map_fields(&lead, &TO_CONTACT);
                body.insert("AccountId".to_owned(), Json::from(account.as_str()));
                body.insert("OwnerId".to_owned(), Json::from(owner.as_str()));
                self.create(&careful(request.bypass_contact_dedupe), "Contact", &body)?
            }
        };
        let opportunity = match request.opportunity {
            Some(id) => Some(id),
            None if request.no_opportunity => None,
            None => Some(self.opportunity_of(actor, request, &lead, (account, contact, owner))?),
        };
        let done = LeadConvertResult { account, contact: Some(contact), opportunity };
        self.mark_converted(actor, request, &lead, done)?;
        Ok(done)
    }

    /// Converts a lead without a company to a person account.
    fn convert_to_person(
        &mut self,
        actor: &Actor,
        request: &LeadConvert,
        lead: &Row,
        owner: RecordId,
    ) -> Result<LeadConvertResult, ApiError> {
        let personal = PERSON_FIELDS.iter().map(|(field, _, twin)| (*field, *twin));
        let personal = personal.chain(PERSON_NAME.iter().map(|name| (*name, *name)));
        let as_contact = self.map_fields(lead, &TO_CONTACT);
        let value = |(field, twin): (&str, &str)| Some((field.to_owned(), as_contact.get(twin)?.clone()));
        let mut body: Map<String, Json> = personal.filter_map(value).collect();
        if let Some(record_type) = person_type(self) {
            body.insert("RecordTypeId".to_owned(), Json::from(record_type.as_str()));
        }
        body.insert("OwnerId".to_owned(), Json::from(owner.as_str()));
        let account = self.create(actor, "Account", &body)?;
        let row = self.store.get("Account", account);
        let contact = row.and_then(|row| self.value("Account", row, "PersonContactId").as_id());
        let opportunity = match (request.opportunity, contact) {
            (None, Some(contact)) if !request.no_opportunity => {
                Some(self.opportunity_of(actor, request, lead, (account, contact, owner))?)
            }
            (given, _) => given,
        };
        let done = LeadConvertResult { account, contact, opportunity };
        self.mark_converted(actor, request, lead, done)?;
        Ok(done)
    }

    /// Returns the lead, after checking it and the records that the conversion names.
    fn check_lead(&self, actor: &Actor, request: &LeadConvert) -> Result<&Arc<Row>, ApiError> {
        let object = self.object_for(actor, "Lead")?;
        let lead = self.find_writeable(actor, &object, request.lead)?;
        self.check_permission(actor, Permission::Edit, &object)?;
        if *self.value("Lead", lead, "IsConverted") == Value::Bool(true) {
            return Err(ApiError::new("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead").no_fields());
        }
        let status = self.setup_record("LeadStatus", "ApiName", &request.status);
        let status = status.or_else(|| self.setup_record("LeadStatus", "MasterLabel", &request.status));
        let converts = status.is_some_and(|row| *self.value("LeadStatus", row, "IsConverted") == Value::Bool(true));
        if !converts {
            let message = format!("invalid convertedStatus: {}", request.status);
            return Err(ApiError::new("INVALID_STATUS", message).no_fields());
        }
        for (name, id) in
            [("Account", request.account), ("Contact", request.contact), ("Opportunity", request.opportunity)]
        {
            let Some(id) = id else { continue };
            let object = self.object_for(actor, name)?;
            self.find_writeable(actor, &object, id).map_err(|error| error.status(400))?;
        }
        self.check_contact(request)?;
        Ok(lead)
    }

    /// Checks that a contact is named only together with its account (SOAP API guide, convertLead; the codes are
    /// unverified).
    fn check_contact(&self, request: &LeadConvert) -> Result<(), ApiError> {
        let Some(contact) = request.contact else { return Ok(()) };
        let Some(account) = request.account else {
            let message = "an account is required to convert a lead into a contact that exists";
            return Err(ApiError::new("REQUIRED_FIELD_MISSING", message).fields(["accountId"]));
        };
        let row = self.store.get("Contact", contact);
        let own = row.and_then(|row| self.value("Contact", row, "AccountId").as_id());
        if own == Some(account) {
            return Ok(());
        }
        let message = "the contact does not belong to the account";
        Err(ApiError::new("INVALID_CROSS_REFERENCE_KEY", message).fields(["contactId"]))
    }

    fn lead_json(&self, lead: &Row, field: &str) -> Json {
        let at = self.schema.object("Lead").and_then(|object| Some((object, object.position(field)?)));
        at.map_or(Json::Null, |(object, at)| object.render_field(lead, at, "66.0"))
    }

    /// Returns the values of a lead for another record.
    fn map_fields(&self, lead: &Row, fields: &[(&str, &str)]) -> Map<String, Json> {
        let values = fields.iter().map(|(from, to)| ((*to).to_owned(), self.lead_json(lead, from)));
        values.filter(|(_, value)| !value.is_null()).collect()
    }

    /// Sets the fields of a record that are empty; the others keep their values. An address is set only as a whole, where the
    /// record has no part of one: a state of another country would be refused (unverified).
    fn fill_empty_fields(
        &mut self,
        actor: &Actor,
        (object, id): (&str, RecordId),
        given: &Map<String, Json>,
    ) -> Result<RecordId, ApiError> {
        let Some(row) = self.store.get(object, id).map(Arc::clone) else { return Ok(id) };
        let is_empty = |name: &str| self.value(object, &row, name).is_null();
        let has_address = |prefix: &str| given.keys().any(|name| name.starts_with(prefix) && !is_empty(name));
        let keeps = |name: &str| ADDRESSES.iter().any(|prefix| name.starts_with(prefix) && has_address(prefix));
        let missing = given.iter().filter(|(name, _)| is_empty(name) && !keeps(name));
        let missing: Map<String, Json> = missing.map(|(name, value)| (name.clone(), value.clone())).collect();
        if !missing.is_empty() {
            self.update(actor, object, id, &missing)?;
        }
        Ok(id)
    }

    /// Implements `overwriteLeadSource`: replaces the lead source of an existing contact.
    fn overwrite_source(
        &mut self,
        actor: &Actor,
        lead: &Row,
        contact: RecordId,
        request: bool,
    ) -> Result<RecordId, ApiError> {
        let source = self.lead_json(lead, "LeadSource");
        if request && !source.is_null() {
            self.update(actor, "Contact", contact, &Map::from_iter([("LeadSource".to_owned(), source)]))?;
        }
        Ok(contact)
    }

    /// Creates the opportunity, in the first open stage, with the contact in the primary role.
    fn opportunity_of(
        &mut self,
        actor: &Actor,
        request: &LeadConvert,
        lead: &Row,
        (account, contact, owner): (RecordId, RecordId, RecordId),
    ) -> Result<RecordId, ApiError> {
        let company = Some(self.lead_json(lead, "Company")).filter(|company| !company.is_null());
        let company = company.unwrap_or_else(|| self.lead_json(lead, "Name"));
        let name = request.opportunity_name.clone().unwrap_or_else(|| plain(&company));
        let today = self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let body = [
            ("Name", Json::from(name)),
            ("AccountId", Json::from(account.as_str())),
            ("ContactId", Json::from(contact.as_str())),
            ("OwnerId", Json::from(owner.as_str())),
            ("StageName", Json::from(self.first_open_stage())),
            ("CloseDate", Json::from(end_of_quarter(today).to_string())),
            ("LeadSource", self.lead_json(lead, "LeadSource")),
        ];
        let body = body.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.create(actor, "Opportunity", &body)
    }

    fn first_open_stage(&self) -> String {
        let rows = self.store.table("OpportunityStage").into_iter().flat_map(|table| table.rows());
        let get = |row: &Row, field: &str| self.value("OpportunityStage", row, field).clone();
        let open = rows.filter(|row| get(row, "IsClosed") != Value::Bool(true));
        let first = open.min_by(|a, b| {
            let order = |row: &Row| get(row, "SortOrder").as_number().unwrap_or(f64::MAX);
            order(a).total_cmp(&order(b))
        });
        first.map(|row| get(row, "ApiName").as_text().to_owned()).unwrap_or_default()
    }

    /// Marks the lead as converted and moves its activities to the contact.
    fn mark_converted(
        &mut self,
        actor: &Actor,
        request: &LeadConvert,
        lead: &Row,
        done: LeadConvertResult,
    ) -> Result<(), ApiError> {
        let object = self.object("Lead")?;
        let mut row = lead.clone();
        let today = self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let or_null = |id: Option<RecordId>| id.map_or(Value::Null, Value::Id);
        let fields = [
            ("Status", Value::text(request.status.as_str())),
            ("IsConverted", Value::Bool(true)),
            ("ConvertedDate", Value::Date(today)),
            ("ConvertedAccountId", Value::Id(done.account)),
            ("ConvertedContactId", or_null(done.contact)),
            ("ConvertedOpportunityId", or_null(done.opportunity)),
        ];
        let mut changed = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let Some(at) = object.position(name) else { continue };
            row.set(at, value);
            changed.push(at);
        }
        self.stamp_changed(&mut row, actor.user);
        self.store.put(&object, request.lead, row);
        self.track(actor, "Lead", request.lead, Some(lead));
        self.track_event(actor, &object, request.lead, "leadConverted");
        rules::check_valid(self, &object, request.lead)?;
        duplicates::check(self, actor, &object, request.lead, (Purpose::Update, &changed))?;
        self.notify(actor, "Lead", request.lead);
        self.move_tasks(actor, request.lead, done)
    }

    /// Moves tasks from the lead to the contact and, if there is one, the opportunity.
    fn move_tasks(&mut self, actor: &Actor, lead: RecordId, done: LeadConvertResult) -> Result<(), ApiError> {
        let task = self.object("Task")?;
        let Some((who, what)) = task.position("WhoId").zip(task.position("WhatId")) else { return Ok(()) };
        let rows = self.store.table("Task").into_iter().flat_map(|table| table.rows());
        let theirs: Vec<_> = rows.filter(|row| row.get(who).as_id() == Some(lead)).map(Arc::clone).collect();
        for before in theirs {
            let Some(id) = before.id() else { continue };
            let mut row = (*before).clone();
            row.set(who, done.contact.map_or(Value::Null, Value::Id));
            row.set(what, Value::Id(done.opportunity.unwrap_or(done.account)));
            super::derive::derive(self, &task, None, &mut row, &[]);
            self.stamp_changed(&mut row, actor.user);
            self.store.put(&task, id, row);
            self.after_write(actor, "Task", id, Some(&before))?;
        }
        Ok(())
    }
}

/// Returns the last day of the quarter, the close date of a converted lead's opportunity.
fn end_of_quarter(today: Date) -> Date {
    let last_month = (today.month() - 1) / 3 * 3 + 3;
    let first = Date::new(today.year(), last_month, 1).unwrap_or(today);
    first.checked_add(1.month()).and_then(|next| next.checked_sub(1.day())).unwrap_or(today)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_quarter_ends_on_its_last_day() {
        assert_eq!(end_of_quarter(date(2026, 11, 22)), date(2026, 12, 31));
        assert_eq!(end_of_quarter(date(2026, 2, 1)), date(2026, 3, 31));
        assert_eq!(end_of_quarter(date(2026, 6, 30)), date(2026, 6, 30));
    }
}
