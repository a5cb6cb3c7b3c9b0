//! The reports of audits, one for each audit of an object: what the comparison of the mirror with the org has found.

use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::table::{Expression, Item, Place, Rows, Table, from_items, number, text, to_item};
use crate::{Error, time};

/// The state of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditState {
    /// Some buckets are compared, and nothing has stopped the audit.
    Running,
    /// Every row is compared.
    Finished,
    /// The audit cannot go on for a reason that is stored. The same audit goes on once it can.
    Unfinished,
}

/// The counts of an audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// The records of the org that were compared.
    pub checked: u64,
    /// The live rows of the mirror that were compared.
    pub mirrored: u64,
    /// The records of the org that the mirror lacked.
    pub missing: u64,
    /// The live rows of the mirror whose records the org does not have.
    pub surplus: u64,
    /// The rows of another version than the org's.
    pub stale: u64,
    /// The differences that were repaired.
    pub repaired: u64,
    /// The API calls.
    pub calls: u64,
    /// The compared ranges of ids.
    pub buckets: u64,
}

impl AuditCounts {
    /// Returns the number of differences.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.missing.saturating_add(self.surplus).saturating_add(self.stale)
    }
}

/// A hash over the (`Id`, `SystemModstamp`) of rows, which does not depend on their order: the sum of the hashes of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowsHash(u128);

impl RowsHash {
    /// Adds a row.
    pub fn add(&mut self, id: RecordId, system_modstamp: Timestamp) {
        let row = Sha256::digest(format!("{id} {}", time::format(system_modstamp)));
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(row).for_each(|(byte, of_row)| *byte = of_row);
        self.0 = self.0.wrapping_add(u128::from_be_bytes(bytes));
    }

    /// Returns the hash of both sets of rows.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl fmt::Display for RowsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for RowsHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self).map_err(|_| "expected hexadecimal digits")
    }
}

impl TryFrom<String> for RowsHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RowsHash> for String {
    fn from(hash: RowsHash) -> Self {
        hash.to_string()
    }
}

/// The report of an audit of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The org.
    pub org_id: OrgId,
    /// The object.
    pub object: ObjectName,
    /// The start, which identifies the audit among those of the object.
    #[serde(with = "crate::time::millis")]
    pub started_at: Timestamp,
    /// The state.
    pub state: AuditState,
    /// The reason for which the audit is not finished, as a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The counts.
    #[serde(flatten)]
    pub counts: AuditCounts,
    /// The hash of the compared records of the org.
    pub org_hash: RowsHash,
    /// The hash of the compared rows of the mirror, before the repairs. It equals the other one where nothing differed.
    pub mirror_hash: RowsHash,
    /// The time of the last change.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

impl Audit {
    /// Returns whether the audit proves that the mirror equals the org: every row is compared, and every difference repaired.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.state == AuditState::Finished && self.counts.repaired >= self.counts.differences()
    }
}

/// The `audits` table.
#[derive(Clone, Debug)]
pub struct Audits {
    table: Table,
}

/// The time for which a report is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(35 * 24);

impl Audits {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Stores a report in place of the former one of the same audit. A finished audit is not replaced.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn store(&self, audit: &Audit) -> Result<(), Error> {
        let operation = "store the report of the audit";
        let mut item = to_item(operation, audit)?;
        item.extend(row_key(audit));
        let expires_at = audit.started_at.saturating_add(RETENTION).unwrap_or(audit.started_at);
        item.insert("expires_at".to_owned(), number(expires_at.as_second()));
        let values = vec![(":finished", text("finished"))];
        let is_open = "attribute_not_exists(#state) OR #state <> :finished";
        self.table.put(operation, item, Expression { text: is_open, values }).await.map(drop)
    }

    /// Returns the last `limit` audits of the org, the newest first.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId, limit: u16) -> Result<Vec<Audit>, Error> {
        let operation = "list the audits";
        let query = self.table.query_partition(("org_id", org.as_str())).scan_index_forward(false);
        let page = query.limit(i32::from(limit.max(1))).send().await.map_err(Error::aws(operation))?;
        from_items(operation, page.items.unwrap_or_default())
    }

    /// Returns the last audit of each object that was audited lately, by object.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn last(&self, org: OrgId) -> Result<Vec<Audit>, Error> {
        let mut audits = self.list(org, LATELY).await?;
        // The sort is stable, so the newest of an object stays the first.
        audits.sort_by(|one, other| one.object.cmp(&other.object));
        audits.dedup_by(|later, first| later.object == first.object);
        Ok(audits)
    }
}

/// The number of audits among which the last of each object is found: some nights of all objects.
const LATELY: u16 = 200;

fn row_key(audit: &Audit) -> Item {
    let id = format!("{}#{}", time::format(audit.started_at), audit.object);
    crate::table::key([("org_id", audit.org_id.as_str()), ("audit_id", &id)])
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "audit_id"], place: Place::of_org(org) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(state: AuditState, counts: AuditCounts) -> Audit {
        let at: Timestamp = "2026-11-22T02:15:00Z".parse().unwrap();
        Audit {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            object: ObjectName::from_static("Account"),
            started_at: at,
            state,
            reason: None,
            counts,
            org_hash: RowsHash::default(),
            mirror_hash: RowsHash::default(),
            updated_at: at,
        }
    }

    #[test]
    fn a_hash_depends_on_the_rows_and_not_on_their_order() {
        let rows = ["0015e00000ZkM3hAAF", "0015e00000ZkM3iAAF"].map(|id| id.parse().unwrap());
        let (early, late): (Timestamp, Timestamp) = (Timestamp::UNIX_EPOCH, "2026-11-22T02:15:00Z".parse().unwrap());
        let hash = |rows: &[(RecordId, Timestamp)]| {
            let mut hash = RowsHash::default();
            rows.iter().for_each(|(id, at)| hash.add(*id, *at));
            hash
        };
        let [one, other] = rows;
        let both = hash(&[(one, early), (other, late)]);
        assert_eq!(both, hash(&[(other, late), (one, early)]));
        assert_eq!(both, hash(&[(one, early)]).and(hash(&[(other, late)])));
        assert_ne!(both, hash(&[(one, late), (other, early)]));
        assert_eq!(both.to_string().parse(), Ok(both));
    }

    #[test]
    fn only_a_finished_audit_without_remaining_differences_is_green() {
        let found = AuditCounts { missing: 1, stale: 1, surplus: 1, repaired: 3, ..AuditCounts::default() };
        assert!(audit(AuditState::Finished, found).is_green());
        assert!(!audit(AuditState::Finished, AuditCounts { repaired: 2, ..found }).is_green());
        for state in [AuditState::Running, AuditState::Unfinished] {
            assert!(!audit(state, AuditCounts::default()).is_green(), "{state:?}");
        }
    }
}
