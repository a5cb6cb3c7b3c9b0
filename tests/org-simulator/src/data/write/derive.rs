//! Fields that Salesforce computes from others when a record is saved.

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
        "Contact" | "Lead" | "User" => person_name(&mut record),
        "Account" if *record.get("IsPersonAccount") == Value::Bool(true) => person_name(&mut record),
        "Opportunity" => opportunity(org, &mut record),
        "Task" => task(org, &mut record),
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

fn opportunity(org: &Org, record: &mut Record<'_>) {
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
    let account = record.get("WhatId").as_id().and_then(|what| match what.key_prefix() {
        "001" => Some(what),
        "006" => org.store.get("Opportunity", what).and_then(|row| org.value("Opportunity", row, "AccountId").as_id()),
        _ => None,
    });
    record.set("AccountId", account.map_or(Value::Null, Value::Id));
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
