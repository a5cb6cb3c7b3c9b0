//! Settings of orgs: which objects, fields and records are mirrored, when, and with how many API calls. Every change is a
//! version of its own, so that the history is what was stored before.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::OrgId;
use serde::{Deserialize, Serialize};

use crate::ids::PlatformUser;
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, from_items, key, text, to_item};
use crate::{Error, time};

mod cache;
mod difference;
mod values;

pub use cache::SettingsCache;
pub use difference::{Difference, differences};
pub use values::{Allocation, NightlyWindow, OrgSettings, PollMinutes};

/// The author of a change of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The platform, through the HTTP API.
    Platform,
    /// A user of the platform, through the HTTP API.
    User(PlatformUser),
    /// The operator, through the command line.
    Operator,
}

/// A version of an org's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsVersion {
    /// The org.
    pub org_id: OrgId,
    /// The number of the version, from 1.
    #[serde(with = "padded")]
    pub version: u64,
    /// The settings.
    #[serde(with = "crate::json_text")]
    pub settings: OrgSettings,
    /// The time of the change.
    #[serde(with = "crate::time::millis")]
    pub changed_at: Timestamp,
    /// The author of the change.
    #[serde(with = "crate::json_text")]
    pub changed_by: Author,
}

/// A change of an org's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsChange {
    /// The version that the author has seen; 0 for an org without settings of its own.
    pub seen: u64,
    /// The new settings.
    pub settings: OrgSettings,
    /// The author.
    pub author: Author,
}

/// The `org_settings` table.
#[derive(Clone, Debug)]
pub struct OrgSettingsTable {
    table: Table,
}

const LOAD: &str = "load the settings of the org";

impl OrgSettingsTable {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Returns the newest version; `None` for an org without settings of its own.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId) -> Result<Option<SettingsVersion>, Error> {
        Ok(self.history(org, None, 1).await?.pop())
    }

    /// Returns at most `limit` versions, the newest first, before the version `before` if one is given.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn history(&self, org: OrgId, before: Option<u64>, limit: u16) -> Result<Vec<SettingsVersion>, Error> {
        let query =
            self.table.query_partition(("org_id", org.as_str())).consistent_read(true).scan_index_forward(false);
        let start = before.map(|before| row_key(org, before));
        let page = query.limit(i32::from(limit.max(1))).set_exclusive_start_key(start).send().await;
        from_items(LOAD, page.map_err(Error::aws(LOAD))?.items.unwrap_or_default())
    }

    /// Stores the change as the version after the one that its author has seen.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the settings were changed since.
    pub async fn store(&self, org: OrgId, change: SettingsChange, now: Timestamp) -> Result<SettingsVersion, Error> {
        let operation = "store the settings of the org";
        let SettingsChange { seen, settings, author } = change;
        let latest = self.load(org).await?.map_or(0, |latest| latest.version);
        if latest != seen {
            return Err(Error::Conflict { operation });
        }
        let version = seen.saturating_add(1);
        let changed_at = time::to_millis(now);
        let version = SettingsVersion { org_id: org, version, settings, changed_at, changed_by: author };
        // A version that another writer stored meanwhile is never replaced.
        let when = Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() };
        match self.table.put(operation, to_item(operation, &version)?, when).await? {
            Conditional::Done(()) => Ok(version),
            Conditional::Refused(_) => Err(Error::Conflict { operation }),
        }
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "version"], place: Place::of_org(org) }
}

fn row_key(org: OrgId, version: u64) -> Item {
    let mut item = key([("org_id", org.as_str())]);
    item.insert("version".to_owned(), text(padded::format(version)));
    item
}

/// `#[serde(with)]` for the number of a version: text of a fixed length, so that its order is that of the numbers.
mod padded {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn format(version: u64) -> String {
        format!("{version:010}")
    }

    pub(super) fn serialize<S: Serializer>(version: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*version))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
