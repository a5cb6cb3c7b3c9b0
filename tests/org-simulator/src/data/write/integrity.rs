//! Rules between the fields of a record, and between a record and others of its kind.
//!
//! Sources: the pages of the objects in the Object Reference, and errors in public reports. The codes of the rules on
//! activities' times, on relations of contacts and on the form of a username are unverified.

use jiff::tz::TimeZone;

use crate::data::write::Purpose;
use crate::model::access::Permission;
use crate::model::actor::Actor;
use crate::model::currencies::CURRENCY;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Value;

const MAX_EVENT_MINUTES: i64 = 14 * 24 * 60;
/// Fields of the own record that a user without administration rights may not change.
const FOR_ADMINS: [&str; 6] = ["IsActive", "ProfileId", "UserRoleId", "Username", "ManagerId", "FederationIdentifier"];

struct Record<'a> {
    org: &'a Org,
    object: &'a Object,
    before: Option<&'a Row>,
    row: &'a Row,
}

impl Record<'_> {
    fn get(&self, field: &str) -> &Value {
        self.object.position(field).map_or(&Value::Null, |at| self.row.get(at))
    }

    fn id(&self, field: &str) -> Option<RecordId> {
        self.get(field).as_id()
    }

    fn differs(&self, field: &str) -> bool {
        let Some(at) = self.object.position(field) else { return false };
        self.before.is_none_or(|before| before.get(at) != self.row.get(at))
    }

    /// Returns whether another live record of the same parent has the same values in these fields.
    fn has_twin(&self, parent: &str, fields: &[&str]) -> bool {
        let Some(of) = self.id(parent) else { return false };
        let others = self.org.rows_below(&self.object.name, parent, of);
        let same =
            |other: &Row| fields.iter().all(|field| self.org.value(&self.object.name, other, field) == self.get(field));
        others.iter().any(|other| other.id() != self.row.id() && same(other))
    }
}

/// Checks a record before it is saved.
pub(super) fn check(
    org: &Org,
    actor: &Actor,
    object: &Object,
    (before, row): (Option<&Row>, &Row),
    purpose: Purpose,
) -> Result<(), ApiError> {
    let record = Record { org, object, before, row };
    if let Some(before) = before.filter(|_| object.has_owner && record.differs("OwnerId")) {
        new_owner(&record, actor, before)?;
    }
    match object.name.as_str() {
        "Task" => about_lead(&record).and_then(|()| once(&record)),
        "Event" => about_lead(&record).and_then(|()| once(&record)).and_then(|()| times(&record)),
        "TaskRelation" => relation(&record, "Task", "TaskId"),
        "EventRelation" => relation(&record, "Event", "EventId"),
        "AccountContactRelation" if purpose != Purpose::Load => {
            unless(record.has_twin("ContactId", &["AccountId"]), "DUPLICATE_VALUE", || {
                "There's already a relationship between this account and contact.".to_owned()
            })
        }
        "CampaignMember" => campaign_member(&record),
        "PricebookEntry" => price(&record),
        "OpportunityLineItem" => line_item(&record),
        "User" => user(&record, actor, purpose),
        _ => Ok(()),
    }
}

/// Checks that the actor may give the record to its new owner, who must be able to read records of the object.
fn new_owner(record: &Record<'_>, actor: &Actor, before: &Row) -> Result<(), ApiError> {
    let org = record.org;
    if !org.may_delete(actor, record.object, before) {
        return Err(ApiError::no_access());
    }
    let owner = record.id("OwnerId").and_then(|owner| org.actor(owner));
    let blind = owner.is_some_and(|owner| !org.has_permission(&owner, Permission::Read, record.object));
    unless(blind, "TRANSFER_REQUIRES_READ", || "The new owner must have read permission.".to_owned())
}

/// Returns an error if the condition is true.
fn unless(wrong: bool, code: &'static str, message: impl FnOnce() -> String) -> Result<(), ApiError> {
    if wrong { Err(ApiError::new(code, message()).no_fields()) } else { Ok(()) }
}

fn about_lead(record: &Record<'_>) -> Result<(), ApiError> {
    let lead = record.id("WhoId").is_some_and(|who| who.key_prefix() == "00Q");
    if lead && record.id("WhatId").is_some() {
        let message = "Related To ID: for an activity about a lead, this must be empty";
        return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields(["WhatId"]));
    }
    Ok(())
}

/// Refuses a series of activities, which the simulator does not make.
fn once(record: &Record<'_>) -> Result<(), ApiError> {
    if *record.get("IsRecurrence") == Value::Bool(true) {
        let message = "recurring activities are not supported in this org";
        return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields(["IsRecurrence"]));
    }
    Ok(())
}

fn times(record: &Record<'_>) -> Result<(), ApiError> {
    let start = record.get("StartDateTime");
    let missing: Vec<&str> = [("DurationInMinutes", record.get("DurationInMinutes")), ("ActivityDateTime", start)]
        .into_iter()
        .filter(|(_, value)| value.is_null())
        .map(|(name, _)| name)
        .collect();
    if !missing.is_empty() {
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", message).fields(missing));
    }
    let refused = |message: &str, field: &str| Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields([field]));
    match *record.get("DurationInMinutes") {
        Value::Int(minutes) if minutes < 0 => refused("Event duration cannot be negative", "DurationInMinutes"),
        Value::Int(minutes) if minutes > MAX_EVENT_MINUTES => {
            refused("Event duration can not be longer than 14 days", "DurationInMinutes")
        }
        _ => Ok(()),
    }
}

/// Checks a person or record that is added to an activity: one lead or several contacts, one other record, each once.
fn relation(record: &Record<'_>, activity: &str, reference: &str) -> Result<(), ApiError> {
    let Some((of, to)) = record.id(reference).zip(record.id("RelationId")) else { return Ok(()) };
    let twin = record.has_twin(reference, &["RelationId"]);
    unless(twin, "DUPLICATE_VALUE", || {
        format!("duplicate value found: {reference} and RelationId are already related")
    })?;
    let Some(row) = record.org.store.get(activity, of) else { return Ok(()) };
    let (who, what) =
        (record.org.value(activity, row, "WhoId").as_id(), record.org.value(activity, row, "WhatId").as_id());
    let is_lead = |id: RecordId| id.key_prefix() == "00Q";
    let wrong = match to.key_prefix() {
        "005" => false,
        "003" => who.is_some_and(is_lead),
        "00Q" => who.is_some() || what.is_some(),
        _ => what.is_some() || who.is_some_and(is_lead),
    };
    unless(wrong, "FIELD_INTEGRITY_EXCEPTION", || {
        "an activity is related to one lead, or to contacts and one other record".to_owned()
    })
}

fn campaign_member(record: &Record<'_>) -> Result<(), ApiError> {
    let (contact, lead) = (record.id("ContactId"), record.id("LeadId"));
    unless(contact.is_none() && lead.is_none(), "REQUIRED_FIELD_MISSING", || {
        "Either lead or contact is required".to_owned()
    })?;
    unless(contact.is_some() && lead.is_some(), "FIELD_INTEGRITY_EXCEPTION", || {
        "a campaign member is a lead or a contact, not both".to_owned()
    })?;
    let twin = record.has_twin("CampaignId", &["ContactId", "LeadId"]);
    unless(twin, "DUPLICATE_VALUE", || "Already a campaign member.".to_owned())
}

/// Checks a price: one for each product and price book, and the standard price first.
fn price(record: &Record<'_>) -> Result<(), ApiError> {
    let (org, book) = (record.org, record.id("Pricebook2Id"));
    let twin = record.has_twin("Product2Id", &["Pricebook2Id", CURRENCY]);
    unless(twin, "DUPLICATE_VALUE", || "This price definition already exists in this price book".to_owned())?;
    let is_standard = |book: Option<RecordId>| {
        let row = book.and_then(|book| org.store.get("Pricebook2", book));
        row.is_some_and(|row| *org.value("Pricebook2", row, "IsStandard") == Value::Bool(true))
    };
    let prices = record.id("Product2Id").map(|product| org.rows_below("PricebookEntry", "Product2Id", product));
    let has_standard = prices.iter().flatten().any(|row| {
        let same_currency = org.value("PricebookEntry", row, CURRENCY) == record.get(CURRENCY);
        same_currency && is_standard(org.value("PricebookEntry", row, "Pricebook2Id").as_id())
    });
    unless(!is_standard(book) && !has_standard, "STANDARD_PRICE_NOT_DEFINED", || {
        "Before creating a custom price, create a standard price.".to_owned()
    })
}

fn line_item(record: &Record<'_>) -> Result<(), ApiError> {
    let org = record.org;
    let missing = if record.get("PricebookEntryId").is_null() {
        Some("PricebookEntryId")
    } else {
        record.get("UnitPrice").is_null().then_some("UnitPrice")
    };
    if let Some(missing) = missing {
        let message = format!("Required fields are missing: [{missing}]");
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", message).fields([missing]));
    }
    let entry = record.id("PricebookEntryId").and_then(|id| org.store.get("PricebookEntry", id));
    let of_entry = |field| entry.map_or(Value::Null, |row| org.value("PricebookEntry", row, field).clone());
    let opportunity = record.id("OpportunityId").and_then(|id| org.store.get("Opportunity", id));
    let book = opportunity.map_or(&Value::Null, |row| org.value("Opportunity", row, "Pricebook2Id"));
    let other = !book.is_null() && of_entry("Pricebook2Id") != *book;
    let inactive = record.before.is_none() && of_entry("IsActive") != Value::Bool(true);
    if other || inactive {
        let message = "field integrity exception: PricebookEntryId (pricebook entry is in a different pricebook than the \
                       one assigned to the opportunity, or is inactive)";
        return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields(["PricebookEntryId"]));
    }
    let currency = opportunity.map_or(&Value::Null, |row| org.value("Opportunity", row, CURRENCY));
    if of_entry(CURRENCY) != *currency || record.get(CURRENCY) != currency {
        let message = "field integrity exception: PricebookEntryId (pricebook entry currency code does not match opportunity \
                       currency code)";
        return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).fields(["PricebookEntryId"]));
    }
    Ok(())
}

fn user(record: &Record<'_>, actor: &Actor, purpose: Purpose) -> Result<(), ApiError> {
    if purpose != Purpose::Load && !actor.is_admin {
        if record.row.id() != Some(actor.user) {
            return Err(ApiError::no_access());
        }
        let refused: Vec<String> =
            FOR_ADMINS.into_iter().filter(|field| record.differs(field)).map(str::to_owned).collect();
        if !refused.is_empty() {
            return Err(ApiError::not_writeable(refused));
        }
    }
    let username = record.get("Username").as_text();
    let (name, domain) = username.split_once('@').unwrap_or_default();
    if name.is_empty() || !domain.contains('.') {
        let message = "Username: The username must be in the form of an email address (for example, john@acme.com).";
        return Err(ApiError::new("INVALID_EMAIL_ADDRESS", message).fields(["Username"]));
    }
    let known = record.org.user_named(username).filter(|known| Some(*known) != record.row.id());
    if record.differs("Username") && known.is_some() {
        let message = "Duplicate Username. Another user has already selected this username.";
        return Err(ApiError::new("DUPLICATE_USERNAME", message).fields(["Username"]));
    }
    let zone = record.get("TimeZoneSidKey").as_text();
    if record.differs("TimeZoneSidKey") && !zone.is_empty() && TimeZone::get(zone).is_err() {
        let message = format!("Time Zone: bad value for restricted picklist field: {zone}");
        return Err(ApiError::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).fields(["TimeZoneSidKey"]));
    }
    let own = record.row.id() == Some(actor.user) && record.before.is_some();
    let deactivated = record.differs("IsActive") && *record.get("IsActive") == Value::Bool(false);
    unless(own && deactivated, "FIELD_INTEGRITY_EXCEPTION", || "You cannot deactivate your own user record.".to_owned())
}
