//! The list of an org's writes, the last requested first.
//!
//! The index `by_created` has every write under the time of its request, with what the filters compare. It is read page by page,
//! the filters are applied here, and the chosen rows are read from the table, consistently.

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};

use super::{Write, WriteState, Writes, row_key};
use crate::ids::{PlatformUser, WriteId};
use crate::table::{Item, from_item, from_items, key, text};
use crate::{Error, time};

/// The state of a write in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedState {
    /// The write is in this state.
    Is(WriteState),
    /// It has finished, and some of its records were not written.
    WithFailures,
}

/// The conditions of a list, all of which a write meets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteFilter {
    /// The states, one of which the write has; empty for any.
    pub states: Vec<ListedState>,
    /// The users, each of which is the write's; empty for any.
    pub users: Vec<PlatformUser>,
    /// The object of the records.
    pub object: Option<ObjectName>,
    /// The earliest time of the request.
    pub since: Option<Timestamp>,
}

/// The place of a write in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WritePosition {
    /// The time of the request.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// The write.
    pub write_id: WriteId,
}

/// A page of the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WritePage {
    /// The writes, at most as many as were asked for.
    pub writes: Vec<Write>,
    /// The place after which the next page begins; `None` at the end.
    pub next: Option<WritePosition>,
}

/// A write in the index.
#[derive(Clone, Debug, Deserialize)]
struct Indexed {
    #[serde(flatten)]
    position: WritePosition,
    state: WriteState,
    object: Option<ObjectName>,
    platform_user: Option<PlatformUser>,
    failed_records: Option<u64>,
}

const LIST: &str = "list the writes";
/// The number of entries that one query reads.
const ENTRIES: i32 = 1_000;
/// The number of queries after which a page ends, even if it is not full.
const MAX_QUERIES: usize = 4;

impl WriteFilter {
    fn matches(&self, entry: &Indexed) -> bool {
        let is_in = |state: &ListedState| match state {
            ListedState::Is(state) => entry.state == *state,
            ListedState::WithFailures => entry.state == WriteState::Finished && entry.failed_records.is_some(),
        };
        (self.states.is_empty() || self.states.iter().any(is_in))
            && self.users.iter().all(|user| entry.platform_user.as_ref() == Some(user))
            && self.object.as_ref().is_none_or(|object| entry.object.as_ref() == Some(object))
    }
}

impl Writes {
    /// Returns a page of an org's writes, the last requested first, after a place. A page that is not full may be followed by
    /// others: at most 4,000 writes are compared for one.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(
        &self,
        org: OrgId,
        filter: &WriteFilter,
        after: Option<WritePosition>,
        limit: usize,
    ) -> Result<WritePage, Error> {
        let mut found: Vec<WritePosition> = Vec::new();
        let mut start = after.map(|position| start_key(org, position));
        let mut next = None;
        for _ in 0..MAX_QUERIES {
            let (entries, end) = self.entries(org, filter.since, start.take()).await?;
            let matching = entries.iter().filter(|entry| filter.matches(entry)).map(|entry| entry.position);
            found.extend(matching.take(limit + 1 - found.len()));
            next = end.as_ref().and(entries.last()).map(|entry| entry.position);
            if found.len() > limit || end.is_none() {
                break;
            }
            start = end;
        }
        if found.len() > limit {
            found.truncate(limit);
            next = found.last().copied();
        }
        let mut rows = self.table.get_many(LIST, found.iter().map(|at| row_key(org, at.write_id)).collect()).await?;
        let mut writes = Vec::with_capacity(rows.len());
        for position in found {
            let id = text(position.write_id.to_string());
            if let Some(at) = rows.iter().position(|row| row.get("write_id") == Some(&id)) {
                writes.push(from_item(LIST, rows.swap_remove(at))?);
            }
        }
        Ok(WritePage { writes, next })
    }

    /// Returns entries of the index, the last requested first, and the key after which more follow.
    async fn entries(
        &self,
        org: OrgId,
        since: Option<Timestamp>,
        after: Option<Item>,
    ) -> Result<(Vec<Indexed>, Option<Item>), Error> {
        let query =
            self.table.query_partition(("org_id", org.as_str())).index_name("by_created").scan_index_forward(false);
        let query = query
            .key_condition_expression("#partition = :partition AND #created_at >= :since")
            .expression_attribute_names("#created_at", "created_at")
            .expression_attribute_values(":since", text(time::format(since.unwrap_or(Timestamp::UNIX_EPOCH))));
        let page = query.limit(ENTRIES).set_exclusive_start_key(after).send().await.map_err(Error::aws(LIST))?;
        Ok((from_items(LIST, page.items.unwrap_or_default())?, page.last_evaluated_key))
    }
}

/// Returns the key of the index's entry at a place.
fn start_key(org: OrgId, position: WritePosition) -> Item {
    let (created_at, write) = (time::format(position.created_at), position.write_id.to_string());
    key([("org_id", org.as_str()), ("created_at", &created_at), ("write_id", &write)])
}
