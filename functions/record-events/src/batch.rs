//! A batch of a stream: its events, and the response when some of them could not be published.

use std::collections::{BTreeSet, HashMap};

use aws_lambda_events::dynamodb::EventRecord;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use jiff::Timestamp;
use runtime::{Outcome, Report};
use salesforce::OrgId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use store::pipelines::VERSION_ATTRIBUTE;
use store::{
    Audit, BudgetWarning, BusEvent, ChangeLane, Connection, Measured, MirrorRecord, Org, Pipeline, SeenFields, Tenant,
    Write,
};

use crate::change::Change;
use crate::pipeline::ChangedPipeline;
use crate::stream_tables::{StreamTable, StreamTables};
use crate::{Error, audit, connection, object_fields, org, write};

/// A change of a row that is published.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamChange {
    /// A change of a record.
    Record(Box<Change>),
    /// A change of an org.
    Org(Box<BusEvent>),
    /// The end of a write that was answered 202.
    Write {
        /// The write as it ended.
        write: Box<Write>,
        /// The id of the change.
        change_id: String,
    },
    /// An audit that has ended, or that cannot go on.
    Audit {
        /// The audit.
        audit: Box<Audit>,
        /// The id of the change.
        change_id: String,
    },
    /// A change of a pipeline.
    Pipeline(Box<ChangedPipeline>),
    /// A change of an object's fields.
    Fields {
        /// The fields as they are now.
        fields: Box<SeenFields>,
        /// The id of the change.
        change_id: String,
    },
    /// A share of an org's API calls that is used.
    Budget {
        /// The warning.
        warning: Box<BudgetWarning>,
        /// The id of the change.
        change_id: String,
    },
    /// A change of a connection, whose event may need a connect link.
    Connection {
        /// The connection as it is now.
        connection: Box<Connection>,
        /// The kind of the change.
        kind: connection::Kind,
        /// The id of the change.
        change_id: String,
    },
}

/// The tenant of an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The tenant.
    pub tenant: Tenant,
    /// The time at which the org passed to it, or of the last erasure of the org's data if that is later. What is older has no
    /// events.
    pub since: Option<Timestamp>,
}

/// The events of the stream records up to the first unreadable one.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events to publish, in the order of the stream, each with the sequence number of the record it comes from.
    pub events: Vec<(String, StreamChange)>,
    /// The number of records without an event: read again without a difference, expired, erased, removed by an operator, or of
    /// an org without a tenant.
    pub silent: u64,
    /// The first record that cannot be parsed. The records after it wait, to keep the order.
    pub unreadable: Option<(String, Error)>,
}

impl Batch {
    /// Parses the records up to the first unreadable one.
    #[must_use]
    pub fn parse(records: Vec<EventRecord>, tables: &StreamTables) -> Self {
        let mut batch = Self::default();
        for record in records {
            let sequence_number = record.change.sequence_number.clone().unwrap_or_default();
            match stream_change(record, tables) {
                Ok(Some(event)) => batch.events.push((sequence_number, event)),
                Ok(None) => batch.silent += 1,
                Err(error) => {
                    batch.unreadable = Some((sequence_number, error));
                    break;
                }
            }
        }
        batch
    }

    /// Returns the batch unless its very first record cannot be parsed.
    ///
    /// # Errors
    /// The record's error. The function then fails, so that Lambda halves the batch until the record is alone. If the place
    /// of the record were returned instead, the records after it would share its retries and its end.
    pub fn isolate(self) -> Result<Self, Error> {
        match self.unreadable {
            Some((_, error)) if self.events.is_empty() && self.silent == 0 => Err(error),
            unreadable => Ok(Self { unreadable, ..self }),
        }
    }

    /// Makes a batch of rows of the mirror. In place of a sequence number, each has its place among the rows.
    #[must_use]
    pub fn replay(rows: Vec<MirrorRecord>) -> Self {
        let mut batch = Self::default();
        for (place, row) in rows.into_iter().enumerate() {
            match Change::replay(row) {
                Some(change) => batch.events.push((place.to_string(), StreamChange::Record(Box::new(change)))),
                None => batch.silent += 1,
            }
        }
        batch
    }

    /// Returns the number of connections with a change of this kind, among the published changes.
    #[must_use]
    pub fn connections(&self, kind: connection::Kind, published: &[bool]) -> u64 {
        let changes = self.events.iter().zip(published).filter(|(_, published)| **published);
        let is_of_kind =
            |change: &StreamChange| matches!(change, StreamChange::Connection { kind: of, .. } if *of == kind);
        changes.filter(|((_, change), _)| is_of_kind(change)).count() as u64
    }

    /// Returns the latencies of the published changes of records, at the time at which they were published.
    #[must_use]
    pub fn measured(&self, published: &[bool], now: Timestamp) -> Measured {
        let mut measured = Measured::default();
        for ((_, change), _) in self.events.iter().zip(published).filter(|(_, published)| **published) {
            let StreamChange::Record(change) = change else { continue };
            if let Some((lane, saved_at)) = change.measured() {
                measured.add(change.new.org_id, &change.new.object, lane, (saved_at, now));
            }
        }
        measured
    }

    /// Returns the orgs whose records, pipelines or fields changed, or whose writes or audits ended, each once.
    #[must_use]
    pub fn orgs_of_records(&self) -> BTreeSet<OrgId> {
        let orgs = self.events.iter().filter_map(|(_, change)| match change {
            StreamChange::Record(change) => Some(change.new.org_id),
            StreamChange::Write { write, .. } => Some(write.org_id),
            StreamChange::Audit { audit, .. } => Some(audit.org_id),
            StreamChange::Pipeline(changed) => Some(changed.org_id),
            StreamChange::Fields { fields, .. } => Some(fields.org_id),
            StreamChange::Budget { warning, .. } => Some(warning.org_id),
            StreamChange::Org(_) | StreamChange::Connection { .. } => None,
        });
        orgs.collect()
    }

    /// Drops the changes of records whose org is not among these, because no tenant may receive their events, and what belongs
    /// to a former tenant of the org, or was erased: the ends of writes and audits, and records and pipelines that were read
    /// before.
    pub fn drop_records_without_tenant(&mut self, tenants: &HashMap<OrgId, Owner>) {
        let all = self.events.len();
        let is_of_owner = |org: &OrgId, at: Timestamp| {
            tenants.get(org).is_some_and(|owner: &Owner| owner.since.is_none_or(|since| at >= since))
        };
        self.events.retain(|(_, change)| match change {
            StreamChange::Record(change) => is_of_owner(&change.new.org_id, change.new.read_at),
            StreamChange::Write { write, .. } => is_of_owner(&write.org_id, write.created_at),
            StreamChange::Audit { audit, .. } => is_of_owner(&audit.org_id, audit.started_at),
            StreamChange::Pipeline(changed) => is_of_owner(&changed.org_id, changed.at),
            StreamChange::Fields { fields, .. } => is_of_owner(&fields.org_id, fields.updated_at),
            StreamChange::Budget { warning, .. } => is_of_owner(&warning.org_id, warning.warned_at),
            StreamChange::Org(_) | StreamChange::Connection { .. } => true,
        });
        self.silent += (all - self.events.len()) as u64;
    }
}

/// Returns the sequence number of the first record that was not published. Lambda delivers it and all later ones again, so
/// an event can be published twice, but never before an earlier one of its record.
#[must_use]
pub fn resume_at<'a>(batch: &'a Batch, published: &[bool]) -> Option<&'a str> {
    let lost = batch.events.iter().zip(published).find(|(_, published)| !**published);
    lost.map(|((sequence_number, _), _)| sequence_number)
        .or_else(|| batch.unreadable.as_ref().map(|(sequence_number, _)| sequence_number))
        .map(String::as_str)
}

/// The response to the stream (`ReportBatchItemFailures`), with the counts for the summary log line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// The sequence number from which the stream is retried; `None` where the whole batch was handled.
    pub resume_at: Option<String>,
    /// The number of published events.
    pub published: u64,
    /// The number of records without an event.
    pub silent: u64,
    /// The number of published events of connections whose users have to connect again.
    pub reauth_required: u64,
    /// The number of published events of connections that wait for a person since.
    pub blocked: u64,
    /// The latencies of the events of records.
    pub measured: Measured,
    /// The reason for which the first change was not published, if the caller asked for it.
    pub reason: Option<String>,
}

/// The response, with a member that Lambda does not know.
#[derive(Serialize)]
struct ExplainedResponse<'a> {
    #[serde(flatten)]
    response: DynamoDbEventResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl Serialize for BatchReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures.extend(self.resume_at.clone().map(|sequence_number| {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(sequence_number);
            failure
        }));
        ExplainedResponse { response, reason: self.reason.as_deref() }.serialize(serializer)
    }
}

impl Report for BatchReport {
    fn outcome(&self) -> Outcome {
        if self.resume_at.is_none() { Outcome::Ok } else { Outcome::Partial }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("events.published", self.published),
            ("records.silent", self.silent),
            ("connections.reauth_required", self.reauth_required),
            ("connections.blocked", self.blocked),
        ]
    }

    fn samples(&self) -> Vec<(&'static str, Vec<u64>)> {
        self.measured.samples()
    }
}

fn stream_change(record: EventRecord, tables: &StreamTables) -> Result<Option<StreamChange>, Error> {
    let arn = record.event_source_arn.unwrap_or_default();
    let table = tables.find(&arn).ok_or(Error::UnknownTable { event_source_arn: arn })?;
    let (old, new, change_id) = (record.change.old_image, record.change.new_image, record.event_id);
    match table {
        StreamTable::Records => {
            // A row without a new image was removed: by its time to live, or by an erasure.
            let lane = lane(&new);
            let Some(new) = image::<MirrorRecord>(new)?.filter(|new| !new.erased) else { return Ok(None) };
            let change = Change::between(image(old)?, new, change_id).map(|change| Change { lane, ..change });
            Ok(change.map(|change| StreamChange::Record(Box::new(change))))
        }
        StreamTable::Connections => {
            let Some(new) = image::<Connection>(new)? else { return Ok(None) };
            let kind = connection::compare(image(old)?.as_ref(), &new);
            Ok(kind.map(|kind| StreamChange::Connection { connection: Box::new(new), kind, change_id }))
        }
        StreamTable::Writes => {
            let Some(new) = image::<Write>(new)? else { return Ok(None) };
            let has_ended = write::has_ended(image(old)?.as_ref(), &new);
            Ok(has_ended.then(|| StreamChange::Write { write: Box::new(new), change_id }))
        }
        StreamTable::Audits => {
            let Some(new) = image::<Audit>(new)? else { return Ok(None) };
            let is_told = audit::is_told(image(old)?.as_ref(), &new);
            Ok(is_told.then(|| StreamChange::Audit { audit: Box::new(new), change_id }))
        }
        StreamTable::Pipelines if new.contains_key(VERSION_ATTRIBUTE) => Ok(None),
        StreamTable::Pipelines => {
            let Some(OrgOfRow { org_id }) = image(new.clone())? else { return Ok(None) };
            let Some(new) = image::<Pipeline>(new)? else { return Ok(None) };
            let changed = ChangedPipeline::between(org_id, image(old)?.as_ref(), new, change_id);
            Ok(changed.map(|changed| StreamChange::Pipeline(Box::new(changed))))
        }
        StreamTable::Cursors if !is_of_fields(&new) => Ok(None),
        StreamTable::Cursors => {
            let Some(new) = image::<SeenFields>(new)? else { return Ok(None) };
            let is_told = object_fields::is_told(image(old)?.as_ref(), &new);
            Ok(is_told.then(|| StreamChange::Fields { fields: Box::new(new), change_id }))
        }
        // A day beside the warnings is no event, and neither is a warning that has expired.
        StreamTable::Budgets if !new.contains_key("warned_at") => Ok(None),
        StreamTable::Budgets => {
            let warning = image::<BudgetWarning>(new)?.filter(|_| old.is_empty());
            Ok(warning.map(|warning| StreamChange::Budget { warning: Box::new(warning), change_id }))
        }
        StreamTable::Orgs if new.contains_key(LICENSE_MANAGEMENT_ORG) => Ok(None),
        StreamTable::Orgs => {
            let Some(new) = image::<Org>(new)? else { return Ok(None) };
            let old = image::<Org>(old)?;
            log_new_owner(old.as_ref(), &new);
            let kind = org::compare(old.as_ref(), &new);
            Ok(kind.map(|kind| StreamChange::Org(Box::new(org::event(&new, kind, &change_id)))))
        }
    }
}

/// The org of a row whose other attributes do not name it.
#[derive(Deserialize)]
struct OrgOfRow {
    org_id: OrgId,
}

/// Returns whether a row of the `cursors` table has the fields of an object. The others are the positions of scans.
fn is_of_fields(row: &serde_dynamo::Item) -> bool {
    let name = row.get("cursor_name").map(|name| serde_dynamo::from_attribute_value::<_, String>(name.clone()));
    name.is_some_and(|name| name.is_ok_and(|name| name.starts_with(store::cursors::fields::PREFIX)))
}

/// An attribute of the one item of the `orgs` table that is not an org: the vendor's License Management Org.
const LICENSE_MANAGEMENT_ORG: &str = "license_management_org";

/// Logs that an org passed from one tenant to another, by a consent or by an operator.
fn log_new_owner(old: Option<&Org>, new: &Org) {
    let (org, former) = (new.org_id, old.and_then(|old| old.tenant.as_ref()));
    if let Some((former, owner)) = former.zip(new.tenant.as_ref()).filter(|(former, owner)| former != owner) {
        tracing::warn!(org.id = %org, tenant.former = %former, tenant.new = %owner,
            "org {org} passed from tenant {former} to tenant {owner}");
    }
}

/// Returns the lane in which a row of the mirror came, which is no part of the record.
fn lane(row: &serde_dynamo::Item) -> Option<ChangeLane> {
    match row.get("lane")? {
        serde_dynamo::AttributeValue::S(lane) => lane.parse().ok(),
        _ => None,
    }
}

/// Parses an image of a row; `None` where the row did not exist.
fn image<T: DeserializeOwned>(item: serde_dynamo::Item) -> Result<Option<T>, Error> {
    if item.is_empty() {
        return Ok(None);
    }
    serde_dynamo::from_item(item).map(Some).map_err(Error::Unreadable)
}

#[cfg(test)]
mod tests;
