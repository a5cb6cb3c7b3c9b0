//! Origins: the versions of records that Ferry's own writes made, so that their events can say so.
//!
//! Salesforce does not distinguish a save by a program from one by its user: `LastModifiedById` is the connection's
//! user in both cases. So a write records the connection's user and the time span of its call. A version of the record
//! is the write's if that user saved it in that span ([`is_made_by`]).
//!
//! The span is widened by a second on both sides, because Salesforce returns whole seconds by its own clock. A save by
//! the same user in the UI within that second is attributed to the write: nothing in the record tells them apart.

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::WriteId;
use crate::table::{KeyRange, Place, Rows, Table, number, put_request, text, to_item};
use crate::time;

/// A change of a record by a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The write.
    pub write_id: WriteId,
    /// The Salesforce user of the connection.
    pub user_id: RecordId,
    /// The time at which the call was sent.
    #[serde(with = "crate::time::millis")]
    pub from: Timestamp,
    /// The time of the response.
    #[serde(with = "crate::time::millis")]
    pub to: Timestamp,
    /// The fields that the write set, by their API names as the platform spelled them.
    pub fields: Vec<String>,
}

impl Origin {
    /// Returns whether the write set this field. Salesforce compares names without case.
    #[must_use]
    pub fn has_set(&self, field: &str) -> bool {
        self.fields.iter().any(|set| set.eq_ignore_ascii_case(field))
    }
}

/// The user and the time of a version of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedVersion {
    /// `LastModifiedById`.
    pub by: RecordId,
    /// `SystemModstamp`.
    pub at: Timestamp,
}

/// Returns whether the write made this version.
#[must_use]
pub fn is_made_by(origin: &Origin, saved: SavedVersion) -> bool {
    let is_after_start = origin.from.saturating_sub(TOLERANCE).is_ok_and(|from| from <= saved.at);
    let is_before_end = origin.to.saturating_add(TOLERANCE).is_ok_and(|to| saved.at <= to);
    origin.user_id == saved.by && is_after_start && is_before_end
}

/// Returns whether origins of that time are still stored. Older versions, such as those of a backfill, need no lookup.
#[must_use]
pub fn may_have_origin(saved: SavedVersion, now: Timestamp) -> bool {
    now.duration_since(saved.at) < RETENTION
}

/// The `origins` table.
#[derive(Clone, Debug)]
pub struct Origins {
    table: Table,
}

impl Origins {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Stores the changes of writes: one small item a record, 25 to a request.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn record(&self, org: OrgId, changed: &[(RecordId, Origin)]) -> Result<(), Error> {
        let operation = "record the origin";
        let mut requests = Vec::with_capacity(changed.len());
        for (record, origin) in changed {
            let mut item = to_item(operation, origin)?;
            item.insert("record".to_owned(), text(partition(org, *record)));
            item.insert("noted_at".to_owned(), text(format!("{}#{}", time::format(origin.to), origin.write_id)));
            let expires_at = origin.to.saturating_add(RETENTION).unwrap_or(origin.to);
            item.insert("expires_at".to_owned(), number(expires_at.as_second()));
            requests.push(put_request(operation, item)?);
        }
        self.table.write_all(operation, requests).await
    }

    /// Returns the write that made this version of the record; the later one if two match. Reads only items of that
    /// time, however often the record was written.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn find(&self, org: OrgId, record: RecordId, saved: SavedVersion) -> Result<Option<Origin>, Error> {
        let bound = |span: SignedDuration| time::format(saved.at.saturating_add(span).unwrap_or(saved.at));
        let (first, last) = (bound(-TOLERANCE), bound(TOLERANCE + LONGEST_CALL));
        let range = KeyRange { attribute: "noted_at", first: &first, last: &last };
        let origins: Vec<Origin> =
            self.table.query_range("find the origin", ("record", &partition(org, record)), range).await?;
        Ok(origins.into_iter().rfind(|origin| is_made_by(origin, saved)))
    }
}

/// Salesforce returns whole seconds, and clocks differ slightly.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);
/// An upper bound for the runtime of a writing function.
const LONGEST_CALL: SignedDuration = SignedDuration::from_secs(60);
/// An upper bound for the time until a deferred change reaches the mirror.
const RETENTION: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &KEYS, place: Place::with_prefix("begins_with(#record, :org)", org) }
}

/// Returns the rows of a record.
pub(crate) fn rows_of_record(org: OrgId, record: RecordId) -> Rows {
    Rows { keys: &KEYS, place: Place::Partition { attribute: "record", value: partition(org, record), only: None } }
}

const KEYS: [&str; 2] = ["record", "noted_at"];

fn partition(org: OrgId, record: RecordId) -> String {
    format!("{org}#{record}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REP: &str = "0055e000001mKpCAAU";

    fn origin() -> Origin {
        Origin {
            write_id: "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap(),
            user_id: REP.parse().unwrap(),
            from: "2026-11-22T10:00:05.400Z".parse().unwrap(),
            to: "2026-11-22T10:00:07.100Z".parse().unwrap(),
            fields: vec!["StageName".to_owned()],
        }
    }

    fn saved(by: &str, at: &str) -> SavedVersion {
        SavedVersion { by: by.parse().unwrap(), at: at.parse().unwrap() }
    }

    #[test]
    fn a_save_by_the_writes_user_during_the_call_is_the_writes() {
        for at in ["10:00:05", "10:00:06", "10:00:07", "10:00:08"] {
            assert!(is_made_by(&origin(), saved(REP, &format!("2026-11-22T{at}Z"))), "{at}");
        }
    }

    #[test]
    fn a_save_before_or_after_the_call_is_not() {
        for at in ["10:00:04", "10:00:09", "10:01:06", "09:59:06"] {
            assert!(!is_made_by(&origin(), saved(REP, &format!("2026-11-22T{at}Z"))), "{at}");
        }
    }

    #[test]
    fn a_save_by_another_user_is_not() {
        assert!(!is_made_by(&origin(), saved("0055e000001mKpDAAU", "2026-11-22T10:00:06Z")));
    }

    #[test]
    fn only_recent_versions_may_have_an_origin() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        assert!(may_have_origin(saved(REP, "2026-11-20T10:00:00Z"), now));
        assert!(!may_have_origin(saved(REP, "2026-11-19T10:00:00Z"), now));
        assert!(may_have_origin(saved(REP, "2026-11-22T10:00:02Z"), now), "Salesforce's clock may be ahead");
    }

    #[test]
    fn field_names_are_compared_without_case() {
        assert!(origin().has_set("stagename") && !origin().has_set("Name"));
    }
}
