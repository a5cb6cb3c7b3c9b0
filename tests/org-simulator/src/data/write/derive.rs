//! Fields that Salesforce computes from others when a record is saved.

mod products;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::model::activity_views::midnight;
use crate::model::org::Org;
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Value;

/// Sets the computed fields of a record; `changed` are the positions that the caller has written.
pub(super) fn derive(org: &Org, object: &Object, before: Option<&Row>, row: &mut Row, changed: &[usize]) {
    let mut record = Record { object, before, row, changed };
    if object.custom() {
        name_by_id(&mut record);
    }
    match object.name.as_str() {
        "User" => user(&mut record),
        "Contact" | "Lead" => person_name(&mut record),
        "Account" if *record.get("IsPersonAccount") == Value::Bool(true) => person_name(&mut record),
        "Opportunity" => opportunity(org, &mut record),
        "Task" => task(org, &mut record),
        "Event" => event(org, &mut record),
        "TaskRelation" | "EventRelation" => relation(org, &mut record),
        "EmailMessageRelation" => email_relation(org, &mut record),
        "CampaignMember" => campaign_member(org, &mut record),
        "PricebookEntry" => products::price(org, &mut record),
        "OpportunityLineItem" => products::line_item(org, &mut record),
        "PermissionSetAssignment" => assignment(org, &mut record),
        "Attachment" => attachment(&mut record),
        "Case" => case(org, &mut record),
        "ContentDocumentLink" => link(&mut record),
        _ => {}
    }
}

/// Gives a custom record without a name its own 15-character id as the name.
fn name_by_id(record: &mut Record<'_>) {
    let is_text = record.object.field("Name").is_some_and(|field| field.auto_number.is_none());
    if is_text && record.get("Name").is_null() {
        let name = record.row.id().map_or(Value::Null, |id| Value::text(id.short()));
        record.set("Name", name);
    }
}

struct Record<'a> {
    object: &'a Object,
    before: Option<&'a Row>,
    row: &'a mut Row,
    changed: &'a [usize],
}

impl Record<'_> {
    fn get(&self, field: &str) -> &Value {
        self.object.position(field).map_or(&Value::Null, |at| self.row.get(at))
    }

    fn set(&mut self, field: &str, value: Value) {
        if let Some(at) = self.object.position(field) {
            self.row.set(at, value);
        }
    }

    fn was_given(&self, field: &str) -> bool {
        self.object.position(field).is_some_and(|at| self.changed.contains(&at))
    }

    /// Returns whether the field is new or differs from its earlier value.
    fn differs(&self, field: &str) -> bool {
        let Some(at) = self.object.position(field) else { return false };
        self.before.is_none_or(|before| before.get(at) != self.row.get(at))
    }
}

fn person_name(record: &mut Record<'_>) {
    let parts = [record.get("FirstName").as_text(), record.get("LastName").as_text()];
    let name = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    record.set("Name", Value::text(name));
}

/// Sets the values that a new user gets: active, of the type Standard, with the nickname from the username.
fn user(record: &mut Record<'_>) {
    person_name(record);
    if record.before.is_some() {
        return;
    }
    record.set("UserType", Value::text("Standard"));
    if !record.was_given("IsActive") {
        record.set("IsActive", Value::Bool(true));
    }
    if record.get("CommunityNickname").is_null() {
        let nickname = record.get("Username").as_text().split('@').next().unwrap_or_default().to_owned();
        record.set("CommunityNickname", Value::text(nickname));
    }
}

fn opportunity(org: &Org, record: &mut Record<'_>) {
    keep_amount_of_products(record);
    if record.differs("StageName") {
        stage(org, record);
        record.set("LastStageChangeDate", Value::Instant(org.stamp()));
    }
    let expected = record.get("Amount").as_number().zip(record.get("Probability").as_number());
    record.set(
        "ExpectedRevenue",
        expected.map_or(Value::Null, |(amount, percent)| Value::Double(amount * percent / 100.0)),
    );
    if let Value::Date(close) = *record.get("CloseDate") {
        let quarter = i64::from((close.month() - 1) / 3 + 1);
        record.set("FiscalQuarter", Value::Int(quarter));
        record.set("FiscalYear", Value::Int(close.year().into()));
        record.set("Fiscal", Value::text(format!("{} {quarter}", close.year())));
    }
}

/// Sets the fields that depend on the stage, unless the caller has set them.
fn stage(org: &Org, record: &mut Record<'_>) {
    let name = record.get("StageName").as_text();
    let stage = org.setup_record("OpportunityStage", "ApiName", name);
    let of = |field, otherwise: Value| stage.map_or(otherwise, |row| org.value("OpportunityStage", row, field).clone());
    let closed = of("IsClosed", Value::Bool(false));
    let won = of("IsWon", Value::Bool(false));
    let category = of("ForecastCategory", Value::text("Pipeline"));
    let category_name = of("ForecastCategoryName", Value::text("Pipeline"));
    let probability = of("DefaultProbability", Value::Double(0.0));
    record.set("IsClosed", closed);
    record.set("IsWon", won);
    if !record.was_given("ForecastCategoryName") {
        record.set("ForecastCategory", category);
        record.set("ForecastCategoryName", category_name);
    }
    if !record.was_given("Probability") {
        record.set("Probability", probability);
    }
}

fn task(org: &Org, record: &mut Record<'_>) {
    let closed = record.get("Status").as_text() == "Completed";
    let high = record.get("Priority").as_text() == "High";
    record.set("IsHighPriority", Value::Bool(high));
    if record.differs("Status") {
        record.set("IsClosed", Value::Bool(closed));
        record.set("CompletedDateTime", if closed { Value::Instant(org.stamp()) } else { Value::Null });
    }
    activity_account(org, record);
}

/// Sets the account of an activity: that of the related account or opportunity, or else that of the contact.
fn activity_account(org: &Org, record: &mut Record<'_>) {
    let account_of =
        |object: &str, id| org.store.get(object, id).map(|row| org.value(object, row, "AccountId").clone());
    let what = record.get("WhatId").as_id().and_then(|what| match what.key_prefix() {
        "001" => Some(Value::Id(what)),
        "006" => account_of("Opportunity", what),
        _ => None,
    });
    let who = record.get("WhoId").as_id().filter(|who| who.key_prefix() == "003");
    let account = what.or_else(|| account_of("Contact", who?));
    record.set("AccountId", account.unwrap_or(Value::Null));
}

/// Keeps the amount of an opportunity with products, which is their total: a change of it is ignored.
fn keep_amount_of_products(record: &mut Record<'_>) {
    let amount = record.object.position("Amount").zip(record.before).map(|(at, before)| before.get(at).clone());
    if let Some(amount) = amount.filter(|_| *record.get("HasOpportunityLineItem") == Value::Bool(true)) {
        record.set("Amount", amount);
    }
}

/// Sets the times of an event from those that are given: the end or the duration, and the start or the day.
fn event(org: &Org, record: &mut Record<'_>) {
    activity_account(org, record);
    let all_day = *record.get("IsAllDayEvent") == Value::Bool(true);
    let day = record.get("ActivityDate").clone();
    let given = if record.was_given("ActivityDateTime") { "ActivityDateTime" } else { "StartDateTime" };
    let mut start = record.get(given).clone();
    if let (true, Value::Date(day)) = (all_day && (start.is_null() || record.was_given("ActivityDate")), &day) {
        start = Value::Instant(midnight(*day));
    }
    let Value::Instant(from) = start else { return };
    let minutes = match record.get("DurationInMinutes") {
        Value::Int(minutes) if record.was_given("DurationInMinutes") => Some(*minutes),
        // The event moves: it keeps its duration unless its end is given.
        Value::Int(minutes) if !record.was_given("EndDateTime") => Some(*minutes),
        _ => match record.get("EndDateTime") {
            Value::Instant(end) => Some(end.duration_since(from).as_mins()),
            _ => all_day.then_some(24 * 60),
        },
    };
    record.set("StartDateTime", Value::Instant(from));
    record.set("ActivityDateTime", if all_day { Value::Null } else { Value::Instant(from) });
    record.set("ActivityDate", Value::Date(TimeZone::UTC.to_datetime(from).date()));
    if let Some(minutes) = minutes {
        let end = from.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(from);
        record.set("DurationInMinutes", Value::Int(minutes));
        record.set("EndDateTime", Value::Instant(end));
        record.set("EndDate", Value::Date(TimeZone::UTC.to_datetime(end).date()));
    }
}

fn relation(org: &Org, record: &mut Record<'_>) {
    let Some(to) = record.get("RelationId").as_id() else { return };
    let is_what = !matches!(to.key_prefix(), "003" | "00Q" | "005");
    let invitee = *record.get("IsInvitee") == Value::Bool(true);
    record.set("IsWhat", Value::Bool(is_what));
    record.set("IsParent", Value::Bool(!invitee));
    if !invitee {
        record.set("Status", Value::Null);
    }
    let account = match to.key_prefix() {
        "001" => Value::Id(to),
        "003" => org.store.get("Contact", to).map_or(Value::Null, |row| org.value("Contact", row, "AccountId").clone()),
        _ => Value::Null,
    };
    record.set("AccountId", account);
}

fn email_relation(org: &Org, record: &mut Record<'_>) {
    let Some((object, row)) = record.get("RelationId").as_id().and_then(|id| org.live_record(id)) else { return };
    record.set("RelationObjectType", Value::text(object.name.as_str()));
    if record.get("RelationAddress").is_null() {
        record.set("RelationAddress", org.value(&object.name, row, "Email").clone());
    }
}

/// Copies the name and address of the lead or contact, and the account's or company's name.
fn campaign_member(org: &Org, record: &mut Record<'_>) {
    let (object, company) =
        if record.get("ContactId").is_null() { ("Lead", "Company") } else { ("Contact", "AccountId") };
    let Some(id) = record.get(&format!("{object}Id")).as_id() else { return };
    let Some(row) = org.store.get(object, id) else { return };
    for field in ["Name", "FirstName", "LastName", "Title", "Email", "Phone", "LeadSource"] {
        record.set(field, org.value(object, row, field).clone());
    }
    let company = match org.value(object, row, company) {
        Value::Id(account) => {
            org.store.get("Account", *account).map_or(Value::Null, |row| org.value("Account", row, "Name").clone())
        }
        company => company.clone(),
    };
    record.set("CompanyOrAccount", company);
    record.set("LeadOrContactId", Value::Id(id));
    record.set("LeadOrContactOwnerId", org.value(object, row, "OwnerId").clone());
    record.set("Type", Value::text(object));
    let responded = responded(org, record);
    if responded && record.get("FirstRespondedDate").is_null() {
        record.set("FirstRespondedDate", Value::Date(TimeZone::UTC.to_datetime(org.stamp()).date()));
    }
    record.set("HasResponded", Value::Bool(responded));
}

/// Returns whether the member's status counts as a response to its campaign.
fn responded(org: &Org, record: &Record<'_>) -> bool {
    let object = "CampaignMemberStatus";
    let statuses = record.get("CampaignId").as_id().map(|campaign| org.rows_below(object, "CampaignId", campaign));
    let own = |row: &Row| org.value(object, row, "Label") == record.get("Status");
    let statuses = statuses.unwrap_or_default();
    statuses.iter().any(|row| own(row) && *org.value(object, row, "HasResponded") == Value::Bool(true))
}

/// Names the permission set of the group that is assigned.
fn assignment(org: &Org, record: &mut Record<'_>) {
    if let Some(set) = record.get("PermissionSetGroupId").as_id().and_then(|group| org.set_of_group(group)) {
        record.set("PermissionSetId", Value::Id(set));
    }
}

fn attachment(record: &mut Record<'_>) {
    let length = match record.get("Body") {
        Value::Blob(bytes) => i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        _ => return,
    };
    record.set("BodyLength", Value::Int(length));
}

fn case(org: &Org, record: &mut Record<'_>) {
    if record.differs("Status") {
        let closed = record.get("Status").as_text() == "Closed";
        record.set("IsClosed", Value::Bool(closed));
        record.set("ClosedDate", if closed { Value::Instant(org.stamp()) } else { Value::Null });
    }
}

fn link(record: &mut Record<'_>) {
    for (field, default) in [("ShareType", "V"), ("Visibility", "AllUsers")] {
        if record.get(field).is_null() {
            record.set(field, Value::text(default));
        }
    }
}
