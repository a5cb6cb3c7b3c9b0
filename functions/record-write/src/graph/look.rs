//! The look for what an earlier request of a graph did, although its response was lost.

use std::collections::BTreeMap;

use salesforce::graph::Save;
use salesforce::soql::{self, Literal};
use salesforce::{ExternalIdType, FieldName, ObjectName, Record, RecordId, SaveError, SaveOutcome, Soql};
use serde_json::Value;

use super::attempt::Attempt;
use super::created::{Search, find_created};
use super::plan::Planned;
use crate::age::{self, CREATED_DATE};
use crate::batch::find_field;
use crate::ownership::chunks_of;
use crate::rows::{self, RowOutcome};

/// The code of a record that the graph created, and that is not found any more.
const NOT_FOUND_AGAIN: &str = "NOT_FOUND_AGAIN";

/// What is there of the records of a graph. A graph is saved as a whole, so all of it is there, or none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    /// No request has saved the graph so far.
    NotSaved,
    /// A request has saved it.
    Saved(Vec<RowOutcome>),
    /// Some of the created records are there: a request has saved the graph, and somebody has changed or deleted the others since;
    /// or somebody else has created records like them.
    PartlyThere(Vec<RowOutcome>),
}

/// A record that is there.
struct There {
    id: RecordId,
    is_older: bool,
}

impl Attempt<'_> {
    /// Looks for the records of the graph: the upserted ones by their external ids, the others by their natural keys.
    pub(super) async fn look(&self) -> Result<Look, salesforce::Error> {
        let Some(upserted) = self.upserted().await? else { return Ok(Look::NotSaved) };
        let ids: BTreeMap<usize, RecordId> = upserted.iter().map(|(index, there)| (*index, there.id)).collect();
        let search = Search {
            client: self.client,
            schema: self.schema,
            user: self.route.user_id,
            since: age::requested(self.write),
        };
        let created = find_created(search, self.plan, &ids).await?;
        let wanted = self.plan.0.iter().filter(|planned| planned.node.save == Save::Create).count();
        let row = |index: usize| match (upserted.get(&index), created.get(&index)) {
            (Some(there), _) => written(there.id, there.is_older.then_some(false)),
            (None, Some(id)) => written(*id, Some(true)),
            (None, None) => not_found_again(),
        };
        let rows = (0..self.graph.records.len()).map(row).collect();
        Ok(match created.len() {
            0 => Look::NotSaved,
            found if found == wanted => Look::Saved(rows),
            _ => Look::PartlyThere(rows),
        })
    }

    /// Returns the records that have an external id; `None` if one of them does not exist.
    async fn upserted(&self) -> Result<Option<BTreeMap<usize, There>>, salesforce::Error> {
        let mut there = BTreeMap::new();
        let mut groups: BTreeMap<(&str, &str), Vec<(&Planned, &Value)>> = BTreeMap::new();
        for planned in &self.plan.0 {
            match &planned.node.save {
                Save::Create => {}
                Save::Update(id) => {
                    there.insert(planned.index, There { id: *id, is_older: true });
                }
                Save::Upsert(field, value) => {
                    groups.entry((planned.node.object.as_str(), field.as_str())).or_default().push((planned, value));
                }
            }
        }
        for group in groups.into_values() {
            let Some(((planned, _), Save::Upsert(field, _))) = group.first().map(|first| (first, &first.0.node.save))
            else {
                continue;
            };
            let object = &planned.node.object;
            let Some(key_type) = self.schema.field(object, field.as_str()).map(ExternalIdType::of) else {
                return Ok(None);
            };
            let values = group.iter().flat_map(|(_, value)| key_type.literals(value)).collect();
            let found = self.with_keys(object, field, values).await?;
            for (planned, value) in &group {
                let is_own = |record: &&Record| {
                    find_field(&record.fields, field.as_str()).is_some_and(|theirs| key_type.is_same(value, theirs))
                };
                let Some(record) = found.iter().find(is_own) else { return Ok(None) };
                there.insert(planned.index, There { id: record.id, is_older: age::is_older(record, self.write) });
            }
        }
        Ok(Some(there))
    }

    async fn with_keys(
        &self,
        object: &ObjectName,
        key: &FieldName,
        values: Vec<Literal>,
    ) -> Result<Vec<Record>, salesforce::Error> {
        let mut found = Vec::new();
        for values in chunks_of(values) {
            let query = Soql::select(&[FieldName::ID, key.clone(), CREATED_DATE]).from(object);
            found.extend(self.client.query(&query.where_(soql::in_(key, values))).await?.records);
        }
        Ok(found)
    }
}

fn written(id: RecordId, created: Option<bool>) -> RowOutcome {
    let outcome = SaveOutcome { id: Some(id), success: true, created: false, errors: Vec::new() };
    RowOutcome { created, ..rows::decided(outcome) }
}

fn not_found_again() -> RowOutcome {
    let message = "A request whose response was lost has probably created the record with the others of this request, and it is not found: it was changed or deleted since.";
    let error = SaveError { code: NOT_FOUND_AGAIN.to_owned(), message: message.to_owned(), ..SaveError::default() };
    rows::decided(SaveOutcome { id: None, success: false, created: false, errors: vec![error] })
}
