//! Finds the records that an earlier request of a graph may have created, by what they say.
//!
//! A record without an external id is recognized by its natural key: the records that it names, and its name or subject. Without
//! any of these, by all texts that a query can compare. A record of the same natural key that somebody else created in the same
//! minutes may be taken for it; those of the connection's user come first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use runtime::Schema;
use salesforce::graph::Save;
use salesforce::soql::{self, Condition, Literal};
use salesforce::{Client, Decimal, FieldName, ObjectName, Record, RecordId, Soql};
use serde_json::Value;

use super::plan::{Plan, Planned, lookup};
use crate::age::CREATED_DATE;
use crate::batch::find_field;
use crate::ownership::chunks_of;

const CREATED_BY: FieldName = FieldName::from_static("CreatedById");
/// Fields that name a record to people.
const NAMES: [&str; 4] = ["Name", "Subject", "FirstName", "LastName"];
/// References that do not tell records apart.
const NO_IDENTITY: [&str; 2] = ["OwnerId", "RecordTypeId"];

/// A search for created records.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) client: &'a Client,
    pub(crate) schema: &'a Schema,
    /// The Salesforce user of the connection.
    pub(crate) user: RecordId,
    /// The time of the request, by the clock of Salesforce at the earliest.
    pub(crate) since: Timestamp,
}

/// Returns the record of each node that creates one, by the position in the request; nodes whose record is not there are missing. No
/// record is returned for two nodes. `known` has the records that are identified otherwise.
///
/// # Errors
/// Those of the queries.
pub(crate) async fn find_created(
    search: Search<'_>,
    plan: &Plan,
    known: &BTreeMap<usize, RecordId>,
) -> Result<BTreeMap<usize, RecordId>, salesforce::Error> {
    let mut found = BTreeMap::new();
    let mut left: Vec<&Planned> = plan.0.iter().filter(|planned| planned.node.save == Save::Create).collect();
    loop {
        // A record whose parent was not found was not created by the same graph.
        let id_of = |index: &usize| known.get(index).or_else(|| found.get(index)).copied();
        let ready = |planned: &&Planned| planned.parents.iter().all(|(_, parent)| id_of(parent).is_some());
        let (now, later): (Vec<&Planned>, Vec<&Planned>) = left.into_iter().partition(ready);
        if now.is_empty() {
            return Ok(found);
        }
        let wanted: Vec<Wanted> = now.into_iter().map(|planned| Wanted::new(planned, search.schema, id_of)).collect();
        found.extend(search.level(&wanted).await?);
        left = later;
    }
}

impl Search<'_> {
    /// Finds records none of which names another one of them.
    async fn level(self, wanted: &[Wanted]) -> Result<Vec<(usize, RecordId)>, salesforce::Error> {
        let mut found = Vec::new();
        let objects: BTreeSet<&ObjectName> = wanted.iter().map(|wanted| &wanted.object).collect();
        for object in objects {
            let wanted: Vec<&Wanted> = wanted.iter().filter(|wanted| wanted.object == *object).collect();
            let mut records = Vec::new();
            for query in self.queries(object, &wanted) {
                let mut page = self.client.query(&query).await?;
                records.append(&mut page.records);
                while let Some(next) = page.next {
                    page = self.client.query_more(&next).await?;
                    records.append(&mut page.records);
                }
            }
            found.extend(assigned(&wanted, records, self.user));
        }
        Ok(found)
    }

    fn queries(self, object: &ObjectName, wanted: &[&Wanted]) -> Vec<Soql> {
        let mut fields = vec![FieldName::ID, CREATED_DATE, CREATED_BY];
        for (field, _) in wanted.iter().flat_map(|wanted| &wanted.key) {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        let conditions: Vec<Condition> = wanted.iter().filter_map(|wanted| wanted.condition()).collect();
        let is_broad = conditions.len() < wanted.len();
        let chunks = if is_broad {
            vec![None]
        } else {
            chunks_of(conditions).into_iter().map(|chunk| chunk.into_iter().reduce(Condition::or)).collect()
        };
        let query = |condition: Option<Condition>| {
            let query = Soql::select(&fields).from(object).where_(soql::ge(&CREATED_DATE, self.since));
            match condition {
                Some(condition) => query.where_(condition),
                None => query,
            }
        };
        chunks.into_iter().map(query).collect()
    }
}

/// A record to find.
struct Wanted {
    index: usize,
    object: ObjectName,
    /// The fields or paths that identify it, with their values.
    key: Vec<(FieldName, Value)>,
}

impl Wanted {
    fn new(planned: &Planned, schema: &Schema, id_of: impl Fn(&usize) -> Option<RecordId>) -> Self {
        let object = &planned.node.object;
        let is_parent = |name: &str| planned.parents.iter().any(|(lookup, _)| lookup.as_str() == name);
        let own = planned.node.fields.iter().filter(|(name, _)| !is_parent(name));
        let mut key: Vec<(FieldName, Value)> = planned
            .parents
            .iter()
            .filter_map(|(lookup, parent)| Some((lookup.clone(), Value::from(id_of(parent)?.as_str()))))
            .collect();
        key.extend(own.clone().filter_map(|(name, value)| natural(schema, object, name, value)));
        if key.is_empty() {
            let text = |(name, value): (&String, &Value)| {
                let field = schema.field(object, name).filter(|field| field.filterable)?;
                value.is_string().then(|| (field.name.clone(), value.clone()))
            };
            key.extend(own.filter_map(text));
        }
        Self { index: planned.index, object: object.clone(), key }
    }

    /// Returns the condition; `None` if nothing identifies the record.
    fn condition(&self) -> Option<Condition> {
        let conditions = self.key.iter().filter_map(|(field, value)| Some(soql::eq(field, literal(value)?)));
        conditions.reduce(Condition::and)
    }

    fn is(&self, record: &Record) -> bool {
        self.key.iter().all(|(field, value)| at_path(record, field).is_some_and(|theirs| is_same(theirs, value)))
    }
}

/// Returns the part of the natural key that a field is.
fn natural(schema: &Schema, object: &ObjectName, name: &str, value: &Value) -> Option<(FieldName, Value)> {
    if let Value::Object(reference) = value {
        // Queries compare fields of a related record only if it can be of one object.
        let lookup = lookup(schema, object, name)?;
        let (key, value) = reference.iter().find(|(name, _)| *name != "attributes")?;
        let path = format!("{name}.{key}").parse().ok()?;
        let is_single = lookup.reference_to.len() == 1 && !NO_IDENTITY.contains(&lookup.name.as_str());
        return is_single.then(|| (path, value.clone()));
    }
    let field = schema.field(object, name)?;
    let is_reference = field.field_type == "reference" && !NO_IDENTITY.contains(&field.name.as_str());
    let is_natural = is_reference || NAMES.contains(&field.name.as_str());
    (is_natural && value.as_str().is_some_and(|text| !text.trim().is_empty()))
        .then(|| (field.name.clone(), value.clone()))
}

fn literal(value: &Value) -> Option<Literal> {
    match value {
        Value::String(text) => Some(Literal::Text(text.trim().to_owned())),
        Value::Number(number) => number.to_string().parse::<Decimal>().ok().map(Literal::Decimal),
        _ => None,
    }
}

/// Returns the value of a field, or of a path through a related record.
fn at_path<'a>(record: &'a Record, path: &FieldName) -> Option<&'a Value> {
    match path.as_str().split_once('.') {
        None if path.as_str() == "Id" => None,
        None => find_field(&record.fields, path.as_str()),
        Some((relationship, field)) => find_field(find_field(&record.fields, relationship)?.as_object()?, field),
    }
}

fn is_same(theirs: &Value, sent: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let (theirs, sent) = (text(theirs), text(sent));
    let ids = theirs.parse::<RecordId>().ok().zip(sent.parse::<RecordId>().ok());
    ids.is_some_and(|(theirs, sent)| theirs == sent) || theirs.to_lowercase() == sent.to_lowercase()
}

/// Returns a record for each of the wanted ones, if there is one, and none twice: first those of the user, and of these the
/// oldest.
fn assigned(wanted: &[&Wanted], mut records: Vec<Record>, user: RecordId) -> Vec<(usize, RecordId)> {
    let is_users = |record: &Record| {
        record.text(CREATED_BY.as_str()).and_then(|id| id.parse::<RecordId>().ok()).is_some_and(|id| id == user)
    };
    records.sort_by_cached_key(|record| {
        (!is_users(record), record.text(CREATED_DATE.as_str()).unwrap_or_default().to_owned(), record.id)
    });
    let mut taken = BTreeSet::new();
    let mut assigned = Vec::new();
    for wanted in wanted {
        let own = records.iter().find(|record| !taken.contains(&record.id) && wanted.is(record));
        if let Some(record) = own {
            taken.insert(record.id);
            assigned.push((wanted.index, record.id));
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CASEY: &str = "005D0000001aaaaIAA";

    fn record(number: u8, created_by: &str, created: &str, subject: &str) -> Record {
        let fields = json!({"Subject": subject, "CreatedById": created_by, "CreatedDate": created, "Account": {"Key__c": "a-1"}});
        Record {
            object: "Task".parse().unwrap(),
            id: format!("00TD0000000000{number}").parse().unwrap(),
            fields: fields.as_object().unwrap().clone(),
        }
    }

    fn wanted(index: usize) -> Wanted {
        let key = [("Subject", json!("Call ")), ("Account.Key__c", json!("A-1"))];
        let key = key.into_iter().map(|(field, value)| (field.parse().unwrap(), value)).collect();
        Wanted { index, object: "Task".parse().unwrap(), key }
    }

    #[test]
    fn no_record_is_found_twice() {
        let records = vec![
            record(1, "005D0000001bbbbIAA", "2026-11-22T10:00:00.000+0000", "Call"),
            record(2, CASEY, "2026-11-22T10:00:02.000+0000", "call"),
            record(3, CASEY, "2026-11-22T10:00:01.000+0000", "Call"),
            record(4, CASEY, "2026-11-22T10:00:00.000+0000", "Mail"),
        ];
        let (first, second, third, fourth) = (wanted(0), wanted(1), wanted(2), wanted(3));
        let assigned = assigned(&[&first, &second, &third, &fourth], records, CASEY.parse().unwrap());
        let numbers: Vec<(usize, char)> =
            assigned.iter().map(|(index, id)| (*index, id.short().chars().last().unwrap())).collect();
        assert_eq!(numbers, [(0, '3'), (1, '2'), (2, '1')]);
    }
}
