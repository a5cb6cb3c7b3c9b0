//! The comparison of the mirror with the org, field by field.

use std::collections::BTreeSet;

use salesforce::{FieldName, ObjectName, RecordId, Soql, soql};
use serde_json::Value;
use store::{ConnectionId, MirrorRecord, RowState};

use crate::harness::TestContext;

/// The types of fields that the mirror does not have: their parts are fields of their own.
const COMPOUND: [&str; 3] = ["address", "base64", "location"];
/// The fields whose values depend on the user who reads them.
const PER_USER: [&str; 2] = ["LastReferencedDate", "LastViewedDate"];
/// The most records of a query.
const PAGE: u32 = 2_000;

/// The differences between the org and the mirror.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// The fields that differ, and the records that are missing.
    pub(crate) fields: Vec<String>,
    /// The live rows that have no record.
    pub(crate) surplus: BTreeSet<RecordId>,
}

impl TestContext {
    /// Compares the mirror with the org as the team sees it.
    pub(crate) async fn compare(&self, object: &ObjectName) -> Differences {
        let (org, records) = (self.org, &self.deps.records);
        let client = self.salesforce.client(org, &ConnectionId::team());
        let describe = client.find_object(object).await.unwrap().expect("the object is visible");
        let fields = describe.fields.iter().filter(|field| !COMPOUND.contains(&field.field_type.as_str()));
        let is_compared = |name: &&str| !PER_USER.contains(name);
        let fields: Vec<&str> = fields.map(|field| field.name.as_str()).filter(is_compared).collect();
        let ids = self.ids(object).await;
        let rows = records.load_many(org, object, &ids.iter().copied().collect::<Vec<_>>()).await.unwrap();
        let mut different = Vec::new();
        for id in &ids {
            let record = self.simulator.record(object.as_str(), id.as_str()).expect("a record");
            match rows.get(id) {
                None => different.push(format!("{object} {id} is missing")),
                Some((row, _)) if row.deleted => different.push(format!("{object} {id} is deleted")),
                Some((row, _)) => different.extend(of_fields(row, &record, &fields)),
            }
        }
        let (mut surplus, mut after) = (BTreeSet::new(), None);
        loop {
            let rows = records.list_versions(org, object, after, 1_000).await.unwrap();
            let live = rows.rows.iter().filter(|row| matches!(row.state, RowState::Live(_)));
            surplus.extend(live.map(|row| row.record_id).filter(|id| !ids.contains(id)));
            after = rows.next;
            if after.is_none() {
                return Differences { fields: different, surplus };
            }
        }
    }

    /// Returns the ids of the object's records in the org.
    async fn ids(&self, object: &ObjectName) -> BTreeSet<RecordId> {
        let client = self.salesforce.client(self.org, &ConnectionId::team());
        let (mut ids, mut last) = (BTreeSet::new(), None);
        loop {
            let query = Soql::select(&[FieldName::ID]).from(object);
            let query = match last {
                None => query,
                Some(last) => query.where_(soql::gt(&FieldName::ID, last)),
            };
            let page = client.query(&query.order_by(&FieldName::ID).limit(PAGE)).await.unwrap();
            last = page.records.last().map(|record| record.id).or(last);
            ids.extend(page.records.iter().map(|record| record.id));
            if page.done && page.records.len() < PAGE as usize {
                return ids;
            }
        }
    }
}

fn of_fields(row: &MirrorRecord, record: &serde_json::Map<String, Value>, fields: &[&str]) -> Vec<String> {
    let differs = |field: &&&str| row.fields.get(**field).unwrap_or(&Value::Null) != &record[**field];
    let tell =
        |field: &&str| format!("{} {field}: {:?} instead of {}", row.record_id, row.fields.get(*field), record[*field]);
    fields.iter().filter(differs).map(tell).collect()
}
