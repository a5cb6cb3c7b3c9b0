//! Recognizes the records that a request created whose response was lost, among those that the connection's user created since.
//! Pure functions.
//!
//! Salesforce has no mark for a record, so its values decide. A record of the org is taken for a requested one if
//!
//! - every reference that was sent is equal,
//! - every value that identifies it is: its name or subject, its dates,
//! - and of the other values at least half are, rounded down: a trigger, a flow or a person may have changed some.
//!
//! Of several that are, the one with the most equal values is taken, and each only once. Values are compared as Salesforce
//! keeps them: texts without the white space around them and without regard to case, numbers by value, times as instants. A
//! value that the connection's user may not read is left out. If the object has a natural key, that alone decides.

use std::collections::BTreeSet;

use jiff::civil::Date;
use salesforce::external_id::order_key;
use salesforce::{Decimal, FieldDescribe, FieldName, JsonObject, ObjectDescribe, ObjectName, RecordId, datetime};
use serde_json::Value;

use crate::batch::find_field;
use crate::origins;

/// Natural keys: the fields of which Salesforce, or the way in which the object is used, has one record.
const NATURAL_KEYS: [(&str, &[&str]); 2] = [
    ("CampaignMember", &["CampaignId", "ContactId", "LeadId"]),
    ("OpportunityContactRole", &["OpportunityId", "ContactId", "Role"]),
];
/// Fields that identify a record, beside the one that the describe names and all dates.
const IDENTIFYING: [&str; 2] = ["LastName", "Subject"];
/// The maximum number of compared fields, so that the query for them fits into a URL.
const MAX_COMPARED: usize = 100;

/// The weight of a field in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A reference to another record.
    Reference,
    /// A value that identifies the record.
    Identifying,
    /// Another value.
    Other,
}

/// The comparison of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// Record ids, in 15 or 18 characters.
    Id,
    /// External ids of a related record.
    ExternalId,
    /// Numbers, which Salesforce rounds to this number of digits after the decimal point.
    Number {
        /// The digits after the decimal point.
        scale: u32,
    },
    Boolean,
    Date,
    DateTime,
    /// Several values of a picklist, separated by semicolons, in any order.
    Values,
    Text,
}

/// A field that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The name under which records of the request have it.
    name: String,
    /// The field, or the path to that of the related record.
    path: FieldName,
    weight: Weight,
    comparison: Comparison,
}

/// Returns the fields that are compared: those that a record of the request sets and the user can read. With `paths`, a
/// related record that is named by its external id is compared by that.
#[must_use]
pub fn compared(object: &ObjectName, describe: &ObjectDescribe, records: &[&JsonObject], paths: bool) -> Vec<Compared> {
    let natural = NATURAL_KEYS.iter().find(|(name, _)| object.as_str().eq_ignore_ascii_case(name));
    let mut fields: Vec<Compared> = Vec::new();
    for (name, value) in records.iter().flat_map(|record| record.iter()) {
        if value.is_null() || fields.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
            continue;
        }
        let found = match value {
            Value::Object(reference) => paths.then(|| related(describe, name, reference)).flatten(),
            _ => describe.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name)).map(of_field),
        };
        let of_key = |field: &Compared| {
            let lookup = if value.is_object() { origins::lookup(name) } else { field.name.clone() };
            natural.is_none_or(|(_, key)| key.iter().any(|part| part.eq_ignore_ascii_case(&lookup)))
        };
        fields.extend(found.map(|field| Compared { name: name.clone(), ..field }).filter(of_key));
    }
    fields.sort_by_key(|field| field.weight);
    fields.truncate(MAX_COMPARED);
    fields
}

fn of_field(field: &FieldDescribe) -> Compared {
    let comparison = match field.field_type.as_str() {
        "id" | "reference" => Comparison::Id,
        "double" | "int" | "long" | "currency" | "percent" => Comparison::Number { scale: field.scale },
        "boolean" => Comparison::Boolean,
        "date" => Comparison::Date,
        "datetime" => Comparison::DateTime,
        "multipicklist" => Comparison::Values,
        _ => Comparison::Text,
    };
    let identifies = field.name_field
        || IDENTIFYING.contains(&field.name.as_str())
        || matches!(comparison, Comparison::Date | Comparison::DateTime);
    let weight = match comparison {
        Comparison::Id => Weight::Reference,
        _ if identifies => Weight::Identifying,
        _ => Weight::Other,
    };
    Compared { name: field.name.to_string(), path: field.name.clone(), weight, comparison }
}

/// Returns the comparison of a related record by its external id. A relationship to several objects has no such path.
fn related(describe: &ObjectDescribe, name: &str, reference: &JsonObject) -> Option<Compared> {
    let of = |field: &&FieldDescribe| {
        field.relationship_name.as_ref().is_some_and(|relationship| relationship.eq_ignore_ascii_case(name))
    };
    let field = describe.fields.iter().find(of).filter(|field| field.reference_to.len() == 1)?;
    let (key, _) = key_of(reference)?;
    let path = format!("{}.{key}", field.relationship_name.as_ref()?).parse().ok()?;
    let (weight, comparison) = (Weight::Reference, Comparison::ExternalId);
    Some(Compared { name: name.to_owned(), path, weight, comparison })
}

/// Returns the external-id field and its value of a related record.
fn key_of(reference: &JsonObject) -> Option<(&String, &Value)> {
    reference.iter().find(|(key, _)| *key != "attributes")
}

impl Compared {
    /// Returns the field, or the path, that a query selects.
    #[must_use]
    pub fn path(&self) -> &FieldName {
        &self.path
    }

    /// Returns the record id that each of the records refers to by this field; `None` if one of them refers to none by its id.
    #[must_use]
    pub fn referred(&self, records: &[&JsonObject]) -> Option<BTreeSet<RecordId>> {
        let id = |record: &&JsonObject| find_field(record, &self.name)?.as_str()?.trim().parse().ok();
        records.iter().map(id).collect::<Option<_>>().filter(|_| self.comparison == Comparison::Id)
    }

    fn stored<'a>(&self, row: &'a JsonObject) -> Option<&'a Value> {
        let mut parts = self.path.as_str().split('.');
        let first = find_field(row, parts.next()?)?;
        parts.try_fold(first, |value, part| find_field(value.as_object()?, part))
    }

    fn is_equal(&self, sent: &Value, stored: &Value) -> bool {
        let sent = sent.as_object().and_then(key_of).map_or(sent, |(_, value)| value);
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        };
        let (Some(sent_text), Some(stored_text)) = (text(sent), text(stored)) else {
            // An empty text is stored as null.
            return stored.is_null() && text(sent).is_some_and(|text| text.is_empty());
        };
        let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let same = match self.comparison {
            Comparison::Id => {
                let id = |text: &str| text.parse::<RecordId>().ok();
                id(&sent_text).map(|sent| Some(sent) == id(&stored_text))
            }
            Comparison::ExternalId => Some(order_key(sent) == order_key(stored)),
            Comparison::Number { scale } => {
                let number = |text: &str| text.parse::<Decimal>().ok();
                let both = number(&sent_text).zip(number(&stored_text));
                both.map(|(sent, stored)| stored.is_same(&sent) || stored.is_same(&sent.rounded(scale)))
            }
            Comparison::Date => {
                let date = |text: &str| text.get(..10).unwrap_or(text).parse::<Date>().ok();
                date(&sent_text).map(|sent| Some(sent) == date(&stored_text))
            }
            Comparison::DateTime => {
                // Salesforce keeps whole seconds.
                let seconds = |text: &str| datetime::parse(text).ok().map(|time| time.as_second());
                seconds(&sent_text).map(|sent| Some(sent) == seconds(&stored_text))
            }
            Comparison::Values => {
                let values = |text: &str| text.split(';').map(folded).collect::<BTreeSet<_>>();
                Some(values(&sent_text) == values(&stored_text))
            }
            Comparison::Boolean | Comparison::Text => None,
        };
        same.unwrap_or_else(|| folded(&sent_text) == folded(&stored_text))
    }
}

/// Returns the number of equal values of a requested record and one of the org; `None` if they are not the same.
#[must_use]
pub fn equal_values(fields: &[Compared], sent: &JsonObject, row: &JsonObject) -> Option<usize> {
    let (mut equal, mut all, mut others, mut equal_others) = (0, 0, 0, 0);
    for field in fields {
        let Some(value) = find_field(sent, &field.name).filter(|value| !value.is_null()) else { continue };
        let is_equal = field.is_equal(value, field.stored(row).unwrap_or(&Value::Null));
        match field.weight {
            Weight::Reference | Weight::Identifying if !is_equal => return None,
            Weight::Reference | Weight::Identifying => {}
            Weight::Other => (others, equal_others) = (others + 1, equal_others + usize::from(is_equal)),
        }
        all += 1;
        equal += usize::from(is_equal);
    }
    (equal_others >= others / 2 && (equal > 0 || all == 0)).then_some(equal)
}

/// Assigns rows to records, each row to one at most. `candidates` are, for each record, the rows that may be it, each with the
/// number of its equal values. As many records as possible get a row, and each prefers the one with the most equal values.
#[must_use]
pub fn assign(candidates: &[Vec<(usize, usize)>]) -> Vec<Option<usize>> {
    let preferred: Vec<Vec<usize>> = candidates
        .iter()
        .map(|candidates| {
            let mut sorted = candidates.clone();
            sorted.sort_by_key(|(row, equal)| (std::cmp::Reverse(*equal), *row));
            sorted.into_iter().map(|(row, _)| row).collect()
        })
        .collect();
    let best = |record: &usize| candidates.get(*record).and_then(|rows| rows.iter().map(|(_, equal)| *equal).max());
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|record| std::cmp::Reverse(best(record)));
    let mut assigned = vec![None; candidates.len()];
    for record in order {
        augment(record, &preferred, &mut assigned, &mut BTreeSet::new());
    }
    assigned
}

/// Gives a record a row, if need be one whose record can have another one (an augmenting path). Returns whether it has one.
fn augment(
    record: usize,
    preferred: &[Vec<usize>],
    assigned: &mut [Option<usize>],
    tried: &mut BTreeSet<usize>,
) -> bool {
    for row in preferred.get(record).into_iter().flatten() {
        if !tried.insert(*row) {
            continue;
        }
        let holder = assigned.iter().position(|held| *held == Some(*row));
        if holder.is_none_or(|holder| augment(holder, preferred, assigned, tried)) {
            if let Some(mine) = assigned.get_mut(record) {
                *mine = Some(*row);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
