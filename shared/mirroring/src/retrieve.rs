//! Retrieves records by id, as many and with as many fields at once as Salesforce can answer.

use jiff::SignedDuration;
use salesforce::{Client, Error, FieldName, ObjectName, OrgId, Record, RecordId};
use tracing::info;

use super::FieldCache;
use super::extent::Excess;

/// The times that one call is narrowed for want of a response: an outage looks the same, and must not take the time of the call.
const WITHOUT_RESPONSE: u32 = 3;

/// The result of retrieving one record.
#[derive(Debug)]
pub enum Retrieved {
    /// The record, with all of its fields.
    Record(Record),
    /// Salesforce returned null: the record is deleted or not visible.
    Missing,
    /// The record changed between two parts of its fields.
    Changing,
    /// Salesforce cannot return this record, not even alone.
    Unreadable(Error),
}

/// What the narrowing of one call depends on.
#[derive(Debug, Default)]
pub struct Narrowing {
    without_response: u32,
    range: Option<SignedDuration>,
}

impl Narrowing {
    /// Returns the narrowing of a query that has to read this span of `SystemModstamp`.
    #[must_use]
    pub fn of_range(range: SignedDuration) -> Self {
        Self { range: Some(range), ..Self::default() }
    }
}

impl FieldCache {
    /// Narrows the object's requests after a failure, for this execution environment. Returns whether a smaller request is
    /// worth sending now.
    pub fn narrow(
        &self,
        (org, object): (OrgId, &ObjectName),
        fields: usize,
        error: &Error,
        narrowing: &mut Narrowing,
    ) -> bool {
        let Some(excess) = Excess::of(error) else { return false };
        let narrowed = self.extent(org, object).narrowed(excess, fields, narrowing.range);
        let Some(smaller) = narrowed else { return false };
        if excess == Excess::RowsPerhaps {
            narrowing.without_response += 1;
        }
        self.set_extent(org, object, smaller);
        let span_s = smaller.span().map(|span| span.as_secs());
        info!(org.id = %org, sf.object = %object, rows = smaller.rows(), parts = smaller.parts(), span_s,
            "reading less at once: {error}");
        narrowing.without_response <= WITHOUT_RESPONSE
    }

    /// Halves the rows of the object's requests after a request that was given up before its response.
    pub fn halve_rows(&self, org: OrgId, object: &ObjectName) {
        if let Some(half) = self.extent(org, object).narrowed(Excess::RowsPerhaps, 1, None) {
            self.set_extent(org, object, half);
        }
    }

    /// Retrieves records. Returns one result for each of the `ids`, in their order.
    ///
    /// # Errors
    /// Those of [`Client::retrieve`] that are not about one record.
    pub async fn retrieve(
        &self,
        client: &Client,
        (org, object): (OrgId, &ObjectName),
        ids: &[RecordId],
        fields: &[FieldName],
    ) -> Result<Vec<Retrieved>, Error> {
        let (mut retrieved, mut narrowing) = (Vec::with_capacity(ids.len()), Narrowing::default());
        let parts = self.extent(org, object).parts();
        let mut rest = ids;
        while !rest.is_empty() {
            let extent = self.extent(org, object);
            let (now, later) = rest.split_at(rest.len().min(extent.rows() as usize));
            match retrieve_parts(client, object, now, fields, extent.parts() as usize).await {
                Ok(records) => {
                    self.set_extent(org, object, extent.after_success());
                    retrieved.extend(records);
                    rest = later;
                }
                Err(error) if self.narrow((org, object), fields.len(), &error, &mut narrowing) => {}
                Err(error) if now.len() == 1 && is_about_the_record(&error) => {
                    // Smaller parts have not helped this record, and would cost each other one more calls.
                    self.set_extent(org, object, extent.with_parts(parts));
                    retrieved.push(Retrieved::Unreadable(error));
                    rest = later;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(retrieved)
    }
}

fn is_about_the_record(error: &Error) -> bool {
    matches!(Excess::of(error), Some(Excess::Rows | Excess::Time | Excess::Fields))
}

/// Retrieves the records part by part of their fields, and joins the parts.
async fn retrieve_parts(
    client: &Client,
    object: &ObjectName,
    ids: &[RecordId],
    fields: &[FieldName],
    parts: usize,
) -> Result<Vec<Retrieved>, Error> {
    let mut joined: Option<Vec<Retrieved>> = None;
    for part in split_fields(fields, parts) {
        let read = client.retrieve(object, ids, &part).await?;
        joined = Some(match joined {
            None => read.into_iter().map(|record| record.map_or(Retrieved::Missing, Retrieved::Record)).collect(),
            Some(earlier) => earlier.into_iter().zip(read).map(|(earlier, later)| join(earlier, later)).collect(),
        });
    }
    Ok(joined.unwrap_or_default())
}

/// Splits the fields into parts of the same size. Each part has the id and the version, so that the parts can be joined.
fn split_fields(fields: &[FieldName], parts: usize) -> Vec<Vec<FieldName>> {
    if parts <= 1 {
        return vec![fields.to_vec()];
    }
    let is_key = |field: &&FieldName| **field == FieldName::ID || **field == FieldName::SYSTEM_MODSTAMP;
    let (keys, others): (Vec<&FieldName>, Vec<&FieldName>) = fields.iter().partition(is_key);
    if others.is_empty() {
        return vec![fields.to_vec()];
    }
    let size = others.len().div_ceil(parts).max(1);
    let with_keys = |part: &[&FieldName]| keys.iter().chain(part).map(|field| (*field).clone()).collect();
    others.chunks(size).map(with_keys).collect()
}

/// Joins two parts of a record. Parts of different versions are no record.
fn join(earlier: Retrieved, later: Option<Record>) -> Retrieved {
    match (earlier, later) {
        (Retrieved::Record(mut record), Some(later)) if record.system_modstamp() == later.system_modstamp() => {
            record.fields.extend(later.fields);
            Retrieved::Record(record)
        }
        (Retrieved::Missing, None) => Retrieved::Missing,
        _ => Retrieved::Changing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_object_with_keys_only_is_one_part() {
        let keys = vec![FieldName::ID, FieldName::SYSTEM_MODSTAMP];
        assert_eq!(split_fields(&keys, 4), [keys]);
    }

    fn record(fields: Value) -> Record {
        let Value::Object(fields) = fields else { panic!("not a JSON object") };
        Record { object: ObjectName::from_static("Account"), id: "0015e00000ZkM3hAAF".parse().unwrap(), fields }
    }

    fn part(stamp: &str, name: &str) -> Record {
        record(json!({ "SystemModstamp": format!("2026-11-22T09:{stamp}:00.000+0000"), name: "value" }))
    }

    #[test]
    fn parts_of_one_version_are_one_record() {
        let joined = join(Retrieved::Record(part("59", "Name")), Some(part("59", "Phone")));
        let Retrieved::Record(joined) = joined else { panic!("{joined:?}") };
        assert_eq!(joined.fields.len(), 3);
    }

    #[test]
    fn parts_of_two_versions_are_no_record() {
        let first = || Retrieved::Record(part("59", "Name"));
        assert!(matches!(join(first(), Some(part("58", "Phone"))), Retrieved::Changing));
        assert!(matches!(join(first(), None), Retrieved::Changing));
        assert!(matches!(join(Retrieved::Missing, Some(part("59", "Phone"))), Retrieved::Changing));
        assert!(matches!(join(Retrieved::Missing, None), Retrieved::Missing));
    }

    proptest! {
        #[test]
        fn every_field_is_in_a_part_with_the_keys(others in 0..300_usize, parts in 1..400_usize) {
            let mut fields = vec![FieldName::ID, FieldName::SYSTEM_MODSTAMP];
            fields.extend((0..others).map(|n| format!("Field_{n}__c").parse::<FieldName>().unwrap()));
            let split = split_fields(&fields, parts);
            prop_assert!(split.len() <= parts);
            for field in &fields[2..] {
                prop_assert_eq!(split.iter().filter(|part| part.contains(field)).count(), 1);
            }
            prop_assert!(split.iter().all(|part| part.starts_with(&fields[..2])));
        }
    }
}
