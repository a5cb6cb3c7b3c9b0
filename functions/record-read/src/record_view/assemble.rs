//! The assembly of a view from the record and the rows of its parts.

use std::collections::BTreeMap;

use runtime::Schema;
use salesforce::{Decimal, InstanceUrl, JsonObject, ObjectName, RecordId};
use serde::Serialize;
use serde_json::{Map, Number, Value, json};
use store::Pipeline;

use super::interactions::{Fetched, Position, merge, tasks_of_emails, time_field};
use super::kind::{ACCOUNT_VIEW, CONTACT_VIEW, EMAIL, Kind, LEAD_VIEW, List, OPPORTUNITY_VIEW, Part, Reference, TASK};
use super::plan::{ListRows, MAX_PRODUCTS, Unavailable};
use super::request::ViewRequest;
use super::stage;
use crate::views::{Freshness, OwnerView, RecordView, Source};

/// A view: the record with its parts as further members.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    #[serde(flatten)]
    pub(super) record: RecordView,
    #[serde(flatten)]
    pub(super) parts: BTreeMap<&'static str, Value>,
    /// The state of the mirror's copy of the object, of a record from the mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) freshness: Option<Freshness>,
}

/// The inputs of a view besides its rows.
pub(super) struct Context<'a> {
    pub(super) kind: &'a Kind,
    pub(super) request: &'a ViewRequest,
    pub(super) schema: &'a Schema,
    pub(super) instance: Option<&'a InstanceUrl>,
    pub(super) pipelines: &'a [Pipeline],
    /// The reason for which the names of the record's references have not been read, if they have not.
    pub(super) unread: Option<Unavailable>,
}

/// Rows of lists of one source.
pub(super) struct Rows {
    pub(super) source: Source,
    /// The state of the mirror's copy, of rows from the mirror.
    pub(super) freshness: Option<Freshness>,
    pub(super) lists: Vec<ListRows>,
}

impl Context<'_> {
    /// Assembles the view. `head` has the record's own fields and the names of its references.
    pub(super) fn assemble(&self, record: RecordView, head: &JsonObject, sources: &[Rows]) -> View {
        let record = record.with_owner(OwnerView::of(head)).with_page(self.instance);
        let record = match self.schema.object(&self.kind.object) {
            Some(describe) => record.described(describe),
            None => record,
        };
        let mut parts = self.own_members(head);
        for part in &self.request.parts {
            let value = match part {
                Part::Parent | Part::Account | Part::Converted if self.unread.is_some() => self.unread_part(),
                Part::Parent | Part::Account => self.reference(*part, head),
                Part::Converted => self.converted(head),
                Part::Stage => stage::stage(head, self.pipelines),
                Part::Interactions => self.interactions(sources),
                Part::Products => self.products(head, sources),
                _ => self.list(*part, sources),
            };
            parts.insert(part.name(), value);
        }
        View { record, parts, freshness: None }
    }

    /// Returns the members that every request gets.
    fn own_members(&self, head: &JsonObject) -> BTreeMap<&'static str, Value> {
        let mut members = BTreeMap::new();
        let object = &self.kind.object;
        if *object == ACCOUNT_VIEW.object || *object == CONTACT_VIEW.object {
            // The field is absent in orgs without person accounts.
            let is_person = head.get("IsPersonAccount").and_then(Value::as_bool).unwrap_or_default();
            members.insert("is_person_account", is_person.into());
        }
        if *object == OPPORTUNITY_VIEW.object {
            let amount = head.get("Amount").filter(|amount| !amount.is_null());
            let amount = amount.map(|amount| json!({"value": amount, "currency": head.get("CurrencyIsoCode")}));
            members.insert("amount", amount.into());
        }
        if *object == LEAD_VIEW.object {
            let is_converted = head.get("IsConverted").and_then(Value::as_bool).unwrap_or_default();
            members.insert("is_converted", is_converted.into());
        }
        members
    }

    /// Returns a part that is missing because the record's own query failed.
    fn unread_part(&self) -> Value {
        let object = &self.kind.object;
        let unavailable = self.unread.iter().map(|reason| missing_object(object, reason));
        json!({"unavailable": unavailable.collect::<Vec<_>>()})
    }

    fn reference(&self, part: Part, head: &JsonObject) -> Value {
        let mut references = self.kind.references.iter().filter(|reference| reference.part == part);
        references.next().map_or(Value::Null, |reference| self.referenced(reference, head))
    }

    /// Returns the record that a field refers to; null if the field is empty.
    fn referenced(&self, reference: &Reference, head: &JsonObject) -> Value {
        let is_described = self.schema.object(&self.kind.object).is_some();
        let is_visible = || {
            let field = self.schema.field(&self.kind.object, reference.field);
            field.is_some() && self.schema.object(&reference.object).is_some()
        };
        if is_described && !is_visible() {
            let is_unanswered = self.schema.is_unanswered(&reference.object);
            let reason = if is_unanswered { Unavailable::NotAnswered } else { Unavailable::Hidden };
            return json!({"unavailable": [missing_object(&reference.object, &reason)]});
        }
        let id = head.get(reference.field).and_then(Value::as_str).and_then(|id| id.parse().ok());
        let Some(id) = id else { return Value::Null };
        let fields = head.get(relationship(reference.field)).and_then(Value::as_object).cloned().unwrap_or_default();
        self.row(&reference.object, id, fields, Map::new())
    }

    fn converted(&self, head: &JsonObject) -> Value {
        let references = self.kind.references.iter().filter(|reference| reference.part == Part::Converted);
        if head.get("IsConverted").and_then(Value::as_bool) != Some(true) {
            return Value::Null;
        }
        let mut members: Map<String, Value> =
            references.map(|reference| (reference.member.to_owned(), self.referenced(reference, head))).collect();
        members.insert("date".to_owned(), head.get("ConvertedDate").cloned().unwrap_or_default());
        members.into()
    }

    fn list(&self, part: Part, sources: &[Rows]) -> Value {
        let mut records = Vec::new();
        let mut more = false;
        let unavailable = self.each_list(part, sources, |list, rows, has_more| {
            more |= has_more || rows.len() > self.limit();
            records.extend(rows.iter().take(self.limit()).filter_map(|row| self.shown(list, row)));
        });
        part_of(json!({"records": records, "more": more}), part, sources, unavailable)
    }

    /// Adds the prices of an opportunity's products up.
    fn products(&self, head: &JsonObject, sources: &[Rows]) -> Value {
        let (mut count, mut total, mut more) = (0_usize, None, false);
        let unavailable = self.each_list(Part::Products, sources, |_, rows, has_more| {
            more = has_more || rows.len() > MAX_PRODUCTS as usize;
            count = rows.len();
            total = sum(rows.iter().map(|row| row.get("TotalPrice")));
        });
        let total = total.filter(|_| !more);
        let currency = head.get("CurrencyIsoCode");
        let products = json!({"count": count, "total": total, "currency": currency, "more": more});
        part_of(products, Part::Products, sources, unavailable)
    }

    fn interactions(&self, sources: &[Rows]) -> Value {
        let mut lists: Vec<(&ObjectName, Fetched<(JsonObject, Value)>)> = Vec::new();
        let unavailable = self.each_list(Part::Interactions, sources, |list, rows, has_more| {
            let positioned = |row: &JsonObject| {
                let time = row.get(time_field(&list.object).as_str()).and_then(Value::as_str);
                Some(Position::of(&list.object, time, id_in(row, "Id")?))
            };
            let last = rows.get(self.limit()).or_else(|| rows.last().filter(|_| has_more));
            let more_after = last.and_then(positioned);
            let shown = |row: &JsonObject| {
                let position = positioned(row)?;
                let mut shown = self.shown(list, row)?;
                shown["at"] = position.at().map(store::time::format).into();
                Some((position, (row.clone(), shown)))
            };
            lists.push((&list.object, Fetched { rows: rows.iter().filter_map(shown).collect(), more_after }));
        });
        let emails = lists.iter().filter(|(object, _)| **object == EMAIL);
        let emails = emails.flat_map(|(_, fetched)| &fetched.rows).filter_map(|(_, (row, _))| row.get("ActivityId"));
        let of_emails = tasks_of_emails(emails);
        for (_, fetched) in lists.iter_mut().filter(|(object, _)| **object == TASK) {
            fetched.rows.retain(|(_, (row, _))| id_in(row, "Id").is_none_or(|id| !of_emails.contains(&id)));
        }
        let fetched = lists.into_iter().map(|(_, fetched)| fetched).collect();
        let (rows, next) = merge(fetched, self.limit());
        let records: Vec<Value> = rows.into_iter().map(|(_, (_, shown))| shown).collect();
        // The rows of a failed query may belong to this page: it has to be read again.
        let next = if self.has_failed(Part::Interactions, sources) { self.request.after } else { next };
        let next = next.map(|next| next.to_string());
        part_of(json!({"records": records, "next": next}), Part::Interactions, sources, unavailable)
    }

    /// Returns the record that the part shows for a row: the row, or the record behind it.
    fn shown(&self, list: &List, row: &JsonObject) -> Option<Value> {
        let Some(behind) = &list.behind else {
            let mut fields = row.clone();
            let id = id_in(&fields, "Id")?;
            fields.remove("Id");
            return Some(self.row(&list.object, id, fields, Map::new()));
        };
        let id = id_in(row, behind.field)?;
        let fields = row.get(relationship(behind.field)).and_then(Value::as_object).cloned().unwrap_or_default();
        let member = |(field, member): &(&str, &str)| Some(((*member).to_owned(), row.get(*field)?.clone()));
        Some(self.row(&behind.object, id, fields, behind.members.iter().filter_map(member).collect()))
    }

    /// Returns a record of a part. Rows of a history have no page.
    fn row(&self, object: &ObjectName, id: RecordId, mut fields: JsonObject, mut members: Map<String, Value>) -> Value {
        let owner = OwnerView::of(&fields);
        fields.remove("Owner");
        let has_page = !object.as_str().ends_with("History");
        let url = self.instance.filter(|_| has_page).map(|instance| instance.record_page(object, &id));
        members.insert("object".to_owned(), object.as_str().into());
        members.insert("label".to_owned(), self.schema.object(object).map(|found| found.summary.label.clone()).into());
        members.insert("id".to_owned(), id.as_str().into());
        members.insert("url".to_owned(), url.into());
        members.insert("owner".to_owned(), json!(owner));
        members.insert("fields".to_owned(), fields.into());
        members.into()
    }

    fn limit(&self) -> usize {
        usize::from(self.request.limit)
    }

    /// Calls `found` with the rows of each list of the part, and whether the list has more than these. Returns the lists whose rows are missing, with the reasons.
    fn each_list<'a>(
        &self,
        part: Part,
        sources: &'a [Rows],
        mut found: impl FnMut(&'static List, &'a [JsonObject], bool),
    ) -> Vec<Value> {
        let mut unavailable = Vec::new();
        for ListRows { list, rows, more } in sources.iter().flat_map(|source| &source.lists) {
            match rows {
                _ if list.part != part => {}
                Ok(rows) => found(list, rows, *more),
                Err(reason) => unavailable.push(self.missing(list, reason)),
            }
        }
        unavailable
    }

    /// Returns whether rows of the part are missing that another request may return.
    fn has_failed(&self, part: Part, sources: &[Rows]) -> bool {
        let mut lists = sources.iter().flat_map(|source| &source.lists).filter(|list| list.list.part == part);
        lists.any(|list| list.rows.as_ref().is_err_and(|reason| *reason != Unavailable::Hidden))
    }

    fn missing(&self, list: &List, reason: &Unavailable) -> Value {
        let behind = list.behind.as_ref().map(|behind| &behind.object);
        let is_hidden = |object: &&ObjectName| self.schema.object(object).is_none();
        let object = match reason {
            Unavailable::Hidden if !is_hidden(&&list.object) => behind.filter(is_hidden).unwrap_or(&list.object),
            _ => &list.object,
        };
        missing_object(object, reason)
    }
}

fn missing_object(object: &ObjectName, reason: &Unavailable) -> Value {
    match reason {
        Unavailable::Refused(code) => json!({"object": object, "reason": reason.reason(), "code": code}),
        _ => json!({"object": object, "reason": reason.reason()}),
    }
}

/// Returns the exact sum, with a decimal point as Salesforce writes amounts; `None` if one of the values is not a number.
fn sum<'a>(prices: impl Iterator<Item = Option<&'a Value>>) -> Option<Number> {
    let mut total: Decimal = "0".parse().ok()?;
    for price in prices {
        total = total.checked_add(&price?.as_number()?.to_string().parse().ok()?)?;
    }
    let point = if total.scale() == 0 { ".0" } else { "" };
    format!("{total}{point}").parse().ok()
}

/// Adds the source of the part's rows, and what is missing of it.
fn part_of(mut part: Value, name: Part, sources: &[Rows], unavailable: Vec<Value>) -> Value {
    let has_part = |source: &&Rows| source.lists.iter().any(|list| list.list.part == name);
    if let Some(source) = sources.iter().find(has_part) {
        part["source"] = json!(source.source);
        if let Some(freshness) = source.freshness {
            part["freshness"] = json!(freshness);
        }
    }
    if !unavailable.is_empty() {
        part["unavailable"] = unavailable.into();
    }
    part
}

/// Returns the relationship of a standard reference: `Account` of `AccountId`.
pub(super) fn relationship(reference: &'static str) -> &'static str {
    reference.strip_suffix("Id").unwrap_or(reference)
}

fn id_in(row: &JsonObject, field: &str) -> Option<RecordId> {
    row.get(field)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
