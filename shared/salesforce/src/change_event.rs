//! Change Data Capture events as Event Relay publishes them on Amazon EventBridge (`FACTS.md`, 8.5).
//!
//! Only the header is parsed, which identifies the changed records. The changed values in the event are ignored on purpose: the
//! record is read again instead.

use serde::Deserialize;

use crate::{MAX_RETRIEVE_IDS, ObjectName, OrgId, RecordId};

/// The records that an event reports as changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The org that relayed the event. EventBridge guarantees it: only Salesforce can publish under this source.
    pub org_id: OrgId,
    /// The object of the records.
    pub object: ObjectName,
    /// The changed records, without duplicates.
    pub records: Vec<RecordId>,
    /// `true` if records that are not listed may have changed: then the whole object has to be read.
    pub is_incomplete: bool,
    /// The transaction and the sequence number of the event, which are the same for every delivery of the event.
    pub delivery: String,
}

/// An error of parsing an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text is not JSON, or not of this structure.
    #[error("not a change event of EventBridge")]
    Shape,
    /// The source is not a partner event source of a Salesforce org.
    #[error("the source is not a Salesforce org")]
    Source,
    /// A member of the header is missing or malformed.
    #[error("{0} of the header is missing or malformed")]
    Header(&'static str),
}

/// Parses an event as EventBridge delivers it.
///
/// # Errors
/// It was not relayed by an org, or its header is incomplete.
pub fn parse(event: &str) -> Result<ChangeEvent, ParseError> {
    let event: Envelope = serde_json::from_str(event).map_err(|_| ParseError::Shape)?;
    let org_id = org_from_source(&event.source).ok_or(ParseError::Source)?;
    let Detail { payload, header } = event.detail;
    let header = payload.and_then(|payload| payload.header).or(header).ok_or(ParseError::Shape)?;
    let object = header.entity_name.parse().map_err(|_| ParseError::Header("entityName"))?;
    let (records, is_incomplete) = listed(&header.record_ids);
    let transaction = header.transaction_key.unwrap_or(event.id);
    if !is_key(&transaction) {
        return Err(ParseError::Header("transactionKey"));
    }
    let delivery = format!("{transaction}.{}", header.sequence_number.unwrap_or_default());
    let is_incomplete = is_incomplete || header.change_type.as_deref() == Some(OVERFLOW);
    Ok(ChangeEvent { org_id, object, records, is_incomplete, delivery })
}

/// Returns the org of a partner event source, `aws.partner/salesforce.com/{org}/{channel}`.
#[must_use]
pub fn org_from_source(source: &str) -> Option<OrgId> {
    let (org, channel) = source.strip_prefix(PARTNER)?.split_once('/')?;
    org.parse().ok().filter(|_| !channel.is_empty())
}

/// Returns the valid record ids without duplicates, and `true` if the list is incomplete: ids are invalid, missing or too many.
fn listed(ids: &[String]) -> (Vec<RecordId>, bool) {
    if ids.len() > MAX_RECORDS {
        return (Vec::new(), true);
    }
    let parsed = ids.iter().map(|id| id.parse::<RecordId>().ok().filter(|id| id.key_prefix() != NO_OBJECT));
    let (valid, invalid): (Vec<_>, Vec<_>) = parsed.partition(Option::is_some);
    let mut records: Vec<RecordId> = valid.into_iter().flatten().collect();
    records.sort_unstable();
    records.dedup();
    let is_incomplete = records.is_empty() || !invalid.is_empty();
    (records, is_incomplete)
}

fn is_key(text: &str) -> bool {
    (1..=MAX_KEY_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The prefix of the sources of Event Relay. `PutEvents` rejects sources that begin with `aws.`.
const PARTNER: &str = "aws.partner/salesforce.com/";
/// The change type of an overflow event: it stands for the changes beyond 100,000 of a transaction, and lists no record.
const OVERFLOW: &str = "GAP_OVERFLOW";
/// The key prefix of the empty id.
const NO_OBJECT: &str = "000";
/// With more ids than one retrieve can read, the whole object is read instead.
const MAX_RECORDS: usize = MAX_RETRIEVE_IDS;
/// A transaction key is a UUID of 36 characters.
const MAX_KEY_CHARS: usize = 128;

#[derive(Deserialize)]
struct Envelope {
    id: String,
    source: String,
    detail: Detail,
}

/// The header is in `payload` with Event Relay, and here with Amazon AppFlow.
#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    payload: Option<Payload>,
    #[serde(default, rename = "ChangeEventHeader")]
    header: Option<Header>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default, rename = "ChangeEventHeader")]
    header: Option<Header>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    entity_name: String,
    #[serde(default)]
    record_ids: Vec<String>,
    #[serde(default)]
    change_type: Option<String>,
    #[serde(default)]
    transaction_key: Option<String>,
    #[serde(default)]
    sequence_number: Option<u64>,
}

#[cfg(test)]
mod tests;
