//! The filters of an org's settings: which of the records that were read meet the condition.
//!
//! Salesforce itself decides, by a query for the ids of the records that were read. A scan that queried only for what meets the
//! condition would not see a record that stops meeting it.

use std::collections::HashSet;

use salesforce::soql::{self, Filter};
use salesforce::{Client, Error, FieldName, ObjectName, RecordId, Soql};
use store::{Change, Tombstone};

/// The bytes of a query for ids in its URL. URL and headers may have 16,384 bytes (shared/salesforce/FACTS.md 4).
const MAX_QUERY_BYTES: usize = 12_000;
/// The bytes of an id in a URL: its 18 characters, and the quotes, comma and space around it, which are encoded.
const ID_BYTES: usize = 18 + 3 * 4;
/// The bytes of the condition at most, and of the rest of the query. The longest condition leaves room for 66 ids.
const MAX_CONDITION_BYTES: usize = 10_000;

/// Changes, divided by a filter.
#[derive(Debug, Default)]
pub struct Filtered {
    /// The records that meet the condition, and the deletions.
    pub kept: Vec<Change>,
    /// The records that do not meet it, as the tombstones of the rows that the mirror may have of them.
    pub excluded: Vec<Tombstone>,
}

/// Divides changes of an object by the filter of the org's settings, if it has one.
///
/// # Errors
/// Those of the queries.
pub async fn filter(
    client: &Client,
    object: &ObjectName,
    filter: Option<&Filter>,
    changes: Vec<Change>,
) -> Result<Filtered, Error> {
    let is_record = |change: &&Change| matches!(change, Change::Upsert { .. });
    let ids: Vec<RecordId> = changes.iter().filter(is_record).map(Change::record_id).collect();
    let Some(filter) = filter.filter(|_| !ids.is_empty()) else {
        return Ok(Filtered { kept: changes, excluded: Vec::new() });
    };
    let matching = matching(client, object, filter, &ids).await?;
    Ok(divide(changes, &matching))
}

fn divide(changes: Vec<Change>, matching: &HashSet<RecordId>) -> Filtered {
    let mut divided = Filtered::default();
    for change in changes {
        match Tombstone::of_excluded(&change).filter(|tombstone| !matching.contains(&tombstone.record_id)) {
            Some(tombstone) => divided.excluded.push(tombstone),
            None => divided.kept.push(change),
        }
    }
    divided
}

/// Returns those of the records that meet the filter, archived ones among them. Costs one call for every five queries, each of
/// which has some hundred ids.
///
/// # Errors
/// Those of the queries.
async fn matching(
    client: &Client,
    object: &ObjectName,
    filter: &Filter,
    ids: &[RecordId],
) -> Result<HashSet<RecordId>, Error> {
    let query = |ids: &[RecordId]| {
        let query = Soql::select(&[FieldName::ID]).from(object).where_(soql::in_(&FieldName::ID, ids));
        query.where_(filter.condition())
    };
    let queries: Vec<Soql> = ids.chunks(ids_of_a_query(filter)).map(query).collect();
    let mut matching = HashSet::new();
    for page in client.query_all_several(&queries).await? {
        let mut page = page?;
        loop {
            matching.extend(page.records.iter().map(|record| record.id));
            let Some(next) = page.next else { break };
            page = client.query_more(&next).await?;
        }
    }
    Ok(matching)
}

/// Returns the number of ids in a query that has the filter's condition too.
fn ids_of_a_query(filter: &Filter) -> usize {
    let encoded = |byte: u8| if byte.is_ascii_alphanumeric() { 1 } else { 3 };
    let condition: usize = filter.to_string().bytes().map(encoded).sum();
    (MAX_QUERY_BYTES - condition.min(MAX_CONDITION_BYTES)) / ID_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_and_condition_fit_into_a_url(values in 1..120_usize, value in "[a-zé ]{1,20}") {
            let values = vec![format!("'{value}'"); values].join(", ");
            let Ok(filter) = format!("Name IN ({values})").parse::<Filter>() else { return Ok(()) };
            let ids: Vec<RecordId> = vec!["0015e00000ZkM3hAAF".parse().unwrap(); ids_of_a_query(&filter)];
            let object = ObjectName::from_static("Account");
            let query = Soql::select(&[FieldName::ID]).from(&object).where_(soql::in_(&FieldName::ID, &ids));
            let text = query.where_(filter.condition()).to_string();
            let encoded: usize = text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 }).sum();
            prop_assert!(!ids.is_empty() && encoded < 15_000, "{} ids, {encoded} bytes", ids.len());
        }
    }
}
