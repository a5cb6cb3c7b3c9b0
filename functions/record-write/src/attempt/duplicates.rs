//! The records of a collection that duplicate rules refused: the response names no record that is there, so they are sent once
//! more, each by itself; then those that are there are adopted, if the request wants it.
//!
//! With `all_or_none` the records are sent once more as a graph, which is saved as a whole too.

use std::collections::{BTreeMap, BTreeSet};

use salesforce::composite::MAX_SUBREQUESTS;
use salesforce::graph::{Node, Save, is_path_segment};
use salesforce::{FieldName, JsonObject, RecordId, SaveOptions};
use serde_json::Value;

use super::Attempt;
use crate::adoption;
use crate::batch::{external_id, find_field};
use crate::duplicates::{Duplicates, is_duplicate, lacks_matches, not_adopted, only_match, require_free};
use crate::rows::{self, RowOutcome};

impl Attempt<'_> {
    /// Finds out which records are there in place of those that a duplicate rule refused, and adopts them. `rows` has the outcomes
    /// of all records. Costs no call if no rule refused any.
    ///
    /// # Errors
    /// Those of the calls. The records that are not resolved are left as ones that are sent again.
    pub(super) async fn resolve_duplicates(
        &self,
        rows: &mut [RowOutcome],
        is_repeated: bool,
        adopted: &mut BTreeMap<usize, RecordId>,
    ) -> Result<(), salesforce::Error> {
        let open: Vec<usize> = (0..rows.len()).filter(|index| lacks_matches(&rows[*index].errors)).collect();
        if open.is_empty() {
            return Ok(());
        }
        if self.upsert.batch.all_or_none {
            return self.resolve_all(rows, is_repeated, adopted).await;
        }
        open.iter().for_each(|index| rows[*index].retryable = true);
        self.ask(&open, rows).await?;
        if self.upsert.batch.duplicates == Duplicates::Adopt {
            let refused: Vec<usize> = open.into_iter().filter(|index| is_duplicate(&rows[*index].errors)).collect();
            refused.iter().for_each(|index| rows[*index].retryable = true);
            self.adopt(&refused, rows, adopted).await?;
        }
        Ok(())
    }

    /// Sends each of the records by itself, so that the response names the records that are there.
    async fn ask(&self, open: &[usize], rows: &mut [RowOutcome]) -> Result<(), salesforce::Error> {
        let mut nodes = Vec::new();
        for index in open {
            match self.node(*index) {
                Some(node) => nodes.push((*index, node)),
                None => rows[*index].retryable = false,
            }
        }
        for chunk in nodes.chunks(MAX_SUBREQUESTS) {
            let (indices, nodes): (Vec<usize>, Vec<Node>) = chunk.iter().cloned().unzip();
            let from = self.deps.ledger.clock.now();
            let outcomes = self.client.save_each(&nodes, self.upsert.batch.duplicates.allows()).await?;
            self.publish(&self.sent(&indices), &outcomes, from).await;
            for (index, row) in indices.into_iter().zip(rows::classified(outcomes, false)) {
                rows[index] = row;
            }
        }
        Ok(())
    }

    /// Updates the records that are there in place of the refused ones, and sets their external ids.
    async fn adopt(
        &self,
        refused: &[usize],
        rows: &mut [RowOutcome],
        adopted: &mut BTreeMap<usize, RecordId>,
    ) -> Result<(), salesforce::Error> {
        let key = &self.upsert.batch.external_id_field;
        let found: Vec<Result<RecordId, &'static str>> =
            refused.iter().map(|index| only_match(&self.upsert.object, &rows[*index].errors)).collect();
        let ids: Vec<RecordId> = found.iter().filter_map(|found| found.ok()).collect();
        let existing = self.client.retrieve(&self.upsert.object, &ids, std::slice::from_ref(key)).await?;
        let existing: BTreeMap<RecordId, _> =
            existing.into_iter().flatten().map(|record| (record.id, record)).collect();
        let mut taken = BTreeSet::new();
        let mut updates: Vec<(usize, RecordId)> = Vec::new();
        for (index, found) in refused.iter().zip(found) {
            let value = find_field(&self.records[*index], key.as_str()).unwrap_or(&Value::Null);
            let free = found.and_then(|id| require_free(existing.get(&id), key, value).map(|()| id));
            let free = free.and_then(|id| {
                if taken.insert(id) { Ok(id) } else { Err("another record of the request is the one that is there") }
            });
            match free {
                Ok(id) => updates.push((*index, id)),
                Err(reason) => refuse(&mut rows[*index], reason),
            }
        }
        // The request's own fields: an existing record keeps its owner.
        let records: Vec<JsonObject> = updates.iter().map(|(index, id)| self.update_of(*index, *id)).collect();
        adopted.extend(updates.iter().copied());
        let from = self.deps.ledger.clock.now();
        let options = SaveOptions::default();
        let outcomes = self.client.upsert(&self.upsert.object, &FieldName::ID, &records, options).await?;
        self.publish(&records, &outcomes, from).await;
        for ((index, id), row) in updates.into_iter().zip(rows::classified(outcomes, false)) {
            rows[index] = row.adopted_as(Some(&id));
        }
        Ok(())
    }

    /// Sends all records as a graph.
    async fn resolve_all(
        &self,
        rows: &mut [RowOutcome],
        is_repeated: bool,
        adopted: &mut BTreeMap<usize, RecordId>,
    ) -> Result<(), salesforce::Error> {
        let indices = rows::by_parent(self.records);
        let Some(nodes) = indices.iter().map(|index| self.node(*index)).collect::<Option<Vec<Node>>>() else {
            return Ok(());
        };
        rows.iter_mut().for_each(|row| row.retryable = true);
        let gets_owner = |at: &usize| {
            let index = indices[*at];
            self.records[index].len() > self.upsert.batch.records[index].len()
        };
        let owned = (0..indices.len()).filter(gets_owner).collect();
        let mut targets = BTreeMap::new();
        let from = self.deps.ledger.clock.now();
        let duplicates = self.upsert.batch.duplicates;
        let outcomes = adoption::save_all(self.client, nodes, &owned, duplicates, &mut targets).await;
        adopted.extend(targets.into_iter().map(|(at, id)| (indices[at], id)));
        let outcomes = outcomes?;
        self.publish(&self.sent(&indices), &outcomes, from).await;
        let mut sent = rows::classified(outcomes, true);
        for (row, index) in sent.iter_mut().zip(&indices) {
            *row = row.clone().adopted_as(adopted.get(index));
        }
        if is_repeated {
            self.correct_created(&mut sent).await;
        }
        for (row, index) in sent.into_iter().zip(indices) {
            let known = std::mem::replace(&mut rows[index], row);
            rows[index].keep_refusal(known);
        }
        Ok(())
    }

    /// Returns a record as a single save; `None` if its external id cannot be part of a path.
    fn node(&self, index: usize) -> Option<Node> {
        let key = &self.upsert.batch.external_id_field;
        let mut fields = self.records.get(index)?.clone();
        let text = external_id(key, &fields).ok().filter(|text| is_path_segment(text))?;
        let value = fields.remove(key.as_str())?;
        let save = if key.as_str().eq_ignore_ascii_case("id") {
            Save::Update(text.parse().ok()?)
        } else {
            Save::Upsert(key.clone(), value)
        };
        let has_reference = |value: &Value| value.as_str().is_some_and(salesforce::graph::has_reference);
        if fields.values().any(has_reference) {
            return None;
        }
        Some(Node { reference_id: format!("r{index}"), object: self.upsert.object.clone(), save, fields })
    }

    fn update_of(&self, index: usize, id: RecordId) -> JsonObject {
        let mut update = self.upsert.batch.records[index].clone();
        update.insert("Id".to_owned(), Value::String(id.to_string()));
        update
    }

    fn sent(&self, indices: &[usize]) -> Vec<JsonObject> {
        indices.iter().filter_map(|index| self.records.get(*index).cloned()).collect()
    }
}

fn refuse(row: &mut RowOutcome, reason: &str) {
    let errors = not_adopted(std::mem::take(&mut row.errors), reason);
    let outcome = salesforce::SaveOutcome { id: None, success: false, created: false, errors };
    *row = rows::decided(outcome);
}
