//! Change Data Capture events as Event Relay puts them on Amazon EventBridge (`FACTS.md`, 8.5).
//!
//! Only the header is read: which records changed. There is no place here for the values that an event brings, so that nobody
//! can come to believe them; whoever wants them reads the record.

use serde::Deserialize;

use crate::{ObjectName, OrgId, RecordId};

/// What an event says has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The org that relays it, as EventBridge knows: nobody else can send under this name.
    pub org_id: OrgId,
    /// Of which object.
    pub object: ObjectName,
    /// Which records, each once.
    pub records: Vec<RecordId>,
    /// Whether records may have changed that it does not name: then all of the object has to be looked through.
    pub is_incomplete: bool,
    /// The transaction and the event's place in it, the same every time that the event is delivered.
    pub delivery: String,
}

/// Why an event tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not JSON, or not of this shape.
    #[error("it is no change event of EventBridge's")]
    Shape,
    /// It was not relayed by an org.
    #[error("its source is not a Salesforce org's")]
    Source,
    /// A part of the header is missing or malformed.
    #[error("the header's {0} is missing or malformed")]
    Header(&'static str),
}

/// Reads an event as EventBridge delivers it.
///
/// # Errors
/// It is not relayed by an org, or does not say what changed.
pub fn parse(event: &str) -> Result<ChangeEvent, ParseError> {
    let event: Envelope = serde_json::from_str(event).map_err(|_| ParseError::Shape)?;
    let org_id = org_from_source(&event.source).ok_or(ParseError::Source)?;
    let Detail { payload, header } = event.detail;
    let header = payload.and_then(|payload| payload.header).or(header).ok_or(ParseError::Shape)?;
    let object = header.entity_name.parse().map_err(|_| ParseError::Header("entityName"))?;
    let (records, is_incomplete) = named(&header.record_ids);
    let transaction = header.transaction_key.unwrap_or(event.id);
    if !is_name(&transaction) {
        return Err(ParseError::Header("transactionKey"));
    }
    let delivery = format!("{transaction}.{}", header.sequence_number.unwrap_or_default());
    let is_incomplete = is_incomplete || header.change_type.as_deref() == Some(OVERFLOW);
    Ok(ChangeEvent { org_id, object, records, is_incomplete, delivery })
}

/// The org in a partner event source's name, `aws.partner/salesforce.com/{org}/{channel}`.
#[must_use]
pub fn org_from_source(source: &str) -> Option<OrgId> {
    let (org, channel) = source.strip_prefix(PARTNER)?.split_once('/')?;
    org.parse().ok().filter(|_| !channel.is_empty())
}

/// The records that are named, each once, and whether something is there that names none, or there are too many to name.
fn named(ids: &[String]) -> (Vec<RecordId>, bool) {
    if ids.len() > MAX_RECORDS {
        return (Vec::new(), true);
    }
    let parsed = ids.iter().map(|id| id.parse::<RecordId>().ok().filter(|id| id.key_prefix() != NO_OBJECT));
    let (known, unknown): (Vec<_>, Vec<_>) = parsed.partition(Option::is_some);
    let mut records: Vec<RecordId> = known.into_iter().flatten().collect();
    records.sort_unstable();
    records.dedup();
    let is_incomplete = records.is_empty() || !unknown.is_empty();
    (records, is_incomplete)
}

fn is_name(text: &str) -> bool {
    (1..=MAX_KEY_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What EventBridge names the sources of Event Relay with. `PutEvents` takes no source that begins with `aws.`.
const PARTNER: &str = "aws.partner/salesforce.com/";
/// The change type of what went beyond 100,000 changes of one transaction: it names no record.
const OVERFLOW: &str = "GAP_OVERFLOW";
/// The key prefix of the empty id.
const NO_OBJECT: &str = "000";
/// More ids than this are the whole object's business.
const MAX_RECORDS: usize = 2_000;
/// A transaction key is a UUID.
const MAX_KEY_CHARS: usize = 128;

#[derive(Deserialize)]
struct Envelope {
    id: String,
    source: String,
    detail: Detail,
}

/// Event Relay has the event below `payload`; Amazon AppFlow has it here.
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
