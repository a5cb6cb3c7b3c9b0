//! Client keys: the external ids that Ferry keeps for records of objects that have none. Rows of the table `write_order`.
//!
//! A client key has a row. It is claimed, by a conditional write, before a request is sent that creates its record: so of two
//! writes with one client key only one sends a request, and a later attempt knows that the request may have taken effect.
//! Once the record is known, the row has its id for as long as the ledger keeps a finished write.
//!
//! A record that was created has a row as well, with the client key that it is of: so two writes that look for their lost
//! records never take the same one, however equal the records are.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};

use super::RETENTION;
use crate::ids::{WriteId, sha256_hex};
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, Update, from_item, key, number, text};
use crate::{Error, time};

/// A client key as its row knows it: a hash of its object, the key, and the tenant's time of binding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(String);

impl ClientKey {
    /// Returns the client key of a record of `object`. `bound_at` is the time at which the org passed to its tenant, so that
    /// no tenant finds a record of a former one.
    #[must_use]
    pub fn new(bound_at: Option<Timestamp>, object: &ObjectName, client_key: &str) -> Self {
        let bound_at = bound_at.map(time::format).unwrap_or_default();
        let object = object.as_str().to_lowercase();
        Self(sha256_hex(format!("{bound_at}\n{object}\n{client_key}").as_bytes()))
    }

    fn row(&self, org: OrgId) -> Item {
        row_key(org, &format!("client_key#{}", self.0))
    }
}

/// A request that creates the record of a client key: it was sent, or is about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The write that sent it.
    pub write_id: WriteId,
    /// The Salesforce user of its connection.
    pub user_id: RecordId,
    /// The time of the claim, before the request.
    #[serde(with = "crate::time::millis")]
    pub sent_at: Timestamp,
}

/// The state of a client key, as its claim finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The caller may send its request.
    Yes,
    /// This request was sent, and may have taken effect or may still do so.
    Sent(Sent),
    /// The record was created.
    Created {
        /// The record.
        record: RecordId,
        /// The write that created it.
        by: WriteId,
    },
}

/// The rows of client keys.
#[derive(Clone, Debug)]
pub struct ClientKeys {
    table: Table,
    retention: SignedDuration,
}

/// A client key's row.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    record_id: Option<RecordId>,
    #[serde(flatten)]
    sent: Sent,
}

impl Row {
    fn claimed(self) -> Claimed {
        let Self { record_id, sent } = self;
        record_id.map_or(Claimed::Sent(sent), |record| Claimed::Created { record, by: sent.write_id })
    }
}

/// A client key's row, which has no request once its claim was given up.
#[derive(Deserialize)]
struct MaybeClaimed {
    #[serde(flatten)]
    claim: Option<Row>,
}

/// The row of a created record.
#[derive(Deserialize)]
struct RecordRow {
    client_key: ClientKey,
}

impl ClientKeys {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table), retention: RETENTION }
    }

    /// Sets the time for which a client key is stored after its last change.
    #[must_use]
    pub fn with_retention(self, retention: SignedDuration) -> Self {
        Self { retention, ..self }
    }

    /// Claims client keys for a request: one update a key, `PARALLEL` at a time. A key that another request has claimed is
    /// claimed only if that is the one beside it, of which the caller knows that it had no effect.
    ///
    /// # Errors
    /// Only those of the table. Some keys may be claimed.
    pub async fn claim(
        &self,
        org: OrgId,
        keys: &[(ClientKey, Option<Sent>)],
        request: Sent,
    ) -> Result<Vec<Claimed>, Error> {
        let claims: Vec<_> = keys.iter().map(|(key, earlier)| self.claim_one(org, key, *earlier, request)).collect();
        stream::iter(claims).buffered(PARALLEL).try_collect().await
    }

    async fn claim_one(
        &self,
        org: OrgId,
        client_key: &ClientKey,
        earlier: Option<Sent>,
        request: Sent,
    ) -> Result<Claimed, Error> {
        let operation = "claim the client key";
        let (when, values) = match earlier {
            None => (IS_FREE, Vec::new()),
            Some(earlier) => (
                IS_CLAIMED_BY,
                vec![(":write", text(earlier.write_id.to_string())), (":sent", text(time::format(earlier.sent_at)))],
            ),
        };
        let update = Update { set: self.row_of(request), when, values, ..Update::default() };
        match self.table.update(operation, client_key.row(org), update).await? {
            Conditional::Done(_) => Ok(Claimed::Yes),
            Conditional::Refused(Some(item)) => Ok(from_item::<Row>(operation, item)?.claimed()),
            Conditional::Refused(None) => Err(Error::Conflict { operation }),
        }
    }

    /// Returns the states of client keys without claiming them: [`Claimed::Yes`] for one that a request may claim. One read a key,
    /// `PARALLEL` at a time.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn look_up(&self, org: OrgId, keys: &[ClientKey]) -> Result<Vec<Claimed>, Error> {
        let states: Vec<_> = keys.iter().map(|key| self.look_up_one(org, key)).collect();
        stream::iter(states).buffered(PARALLEL).try_collect().await
    }

    async fn look_up_one(&self, org: OrgId, client_key: &ClientKey) -> Result<Claimed, Error> {
        let row: Option<MaybeClaimed> = self.table.get("look up the client key", client_key.row(org)).await?;
        Ok(row.and_then(|row| row.claim).map_or(Claimed::Yes, Row::claimed))
    }

    /// Stores that a record is that of a client key, and which request created it. Returns `false` if it is another one's.
    /// Storing it again does no harm.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn take(&self, org: OrgId, client_key: &ClientKey, record: RecordId, by: Sent) -> Result<bool, Error> {
        let operation = "store the record of the client key";
        let mine = Update {
            set: vec![
                ("record_id", text(record.as_str())),
                ("client_key", text(client_key.0.as_str())),
                ("expires_at", self.expires_at(by.sent_at)),
            ],
            when: "attribute_not_exists(#client_key) OR #client_key = :set_client_key",
            ..Update::default()
        };
        let row = row_key(org, &format!("record#{record}"));
        if let Conditional::Refused(item) = self.table.update(operation, row, mine).await? {
            let of = item.map(|item| from_item::<RecordRow>(operation, item)).transpose()?;
            if of.is_some_and(|row| row.client_key != *client_key) {
                return Ok(false);
            }
        }
        let mut set = self.row_of(by);
        set.push(("record_id", text(record.as_str())));
        self.table.update(operation, client_key.row(org), Update { set, ..Update::default() }).await?;
        Ok(true)
    }

    /// Stores the records of client keys, as [`ClientKeys::take`] does for each.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn take_all(&self, org: OrgId, created: &[(ClientKey, RecordId)], by: Sent) -> Result<(), Error> {
        let taken: Vec<_> = created.iter().map(|(key, record)| self.take(org, key, *record, by)).collect();
        stream::iter(taken).buffered(PARALLEL).try_for_each(|_| async { Ok(()) }).await
    }

    /// Gives up claims whose request had no effect. A key that another request has claimed, or whose record is known, is kept.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn release(&self, org: OrgId, keys: &[ClientKey], request: Sent) -> Result<(), Error> {
        let release = |key: &ClientKey| {
            let values =
                vec![(":write", text(request.write_id.to_string())), (":sent", text(time::format(request.sent_at)))];
            let remove = vec!["write_id", "user_id", "sent_at"];
            let update = Update { remove, when: IS_CLAIMED_BY, values, ..Update::default() };
            self.table.update("give up the client key", key.row(org), update)
        };
        let released: Vec<_> = keys.iter().map(release).collect();
        stream::iter(released).buffered(PARALLEL).try_for_each(|_| async { Ok(()) }).await
    }

    fn row_of(&self, request: Sent) -> Vec<(&'static str, AttributeValue)> {
        vec![
            ("write_id", text(request.write_id.to_string())),
            ("user_id", text(request.user_id.as_str())),
            ("sent_at", text(time::format(request.sent_at))),
            ("expires_at", self.expires_at(request.sent_at)),
        ]
    }

    fn expires_at(&self, from: Timestamp) -> AttributeValue {
        number(from.saturating_add(self.retention).unwrap_or(from).as_second())
    }
}

/// The number of rows that are changed at the same time.
const PARALLEL: usize = 32;
/// The condition that no request has claimed the key.
const IS_FREE: &str = "attribute_not_exists(#sent_at)";
/// The condition that this request has claimed the key, and that no record of it is known.
const IS_CLAIMED_BY: &str = "attribute_not_exists(#record_id) AND #write_id = :write AND #sent_at = :sent";

fn row_key(org: OrgId, row: &str) -> Item {
    key([("org_id", org.as_str()), ("record", row)])
}

/// Returns the rows of an org that name a record: its own, and that of its client key.
pub(crate) fn rows_of_record(org: OrgId, record: RecordId) -> Rows {
    let only = Expression { text: "#record_id = :record", values: vec![(":record", text(record.as_str()))] };
    let place = Place::Partition { attribute: "org_id", value: org.to_string(), only: Some(only) };
    Rows { keys: &["org_id", "record"], place }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_key_is_one_objects_and_one_tenancys() {
        let task: ObjectName = "Task".parse().unwrap();
        let key = |bound_at: Option<i64>, object: &str, key: &str| {
            let bound_at = bound_at.map(|at| Timestamp::from_second(at).unwrap());
            ClientKey::new(bound_at, &object.parse().unwrap(), key)
        };
        assert_eq!(key(None, "TASK", "k"), ClientKey::new(None, &task, "k"), "names of objects ignore case");
        let different =
            [key(None, "Task", "k"), key(None, "Event", "k"), key(None, "Task", "K"), key(Some(0), "Task", "k")];
        for (index, one) in different.iter().enumerate() {
            assert!(!different[..index].contains(one), "{index}");
        }
    }
}
