//! The limits that Salesforce told of in the last night: one row of the table for each org.

use std::collections::BTreeMap;

use jiff::Timestamp;
use salesforce::{OrgId, OrgLimit};
use serde::{Deserialize, Serialize};

use super::{Budgets, expires_at, row_key};
use crate::Error;
use crate::table::{Expression, number, to_item};

/// The key of the row, beside those of the days.
const LIMITS: &str = "limits";

/// The limits of an org that Ferry's calls and rows count against.
const SHOWN: [&str; 6] = [
    "DailyApiRequests",
    "DailyBulkApiBatches",
    "DailyBulkV2QueryFileStorageMB",
    "DailyBulkV2QueryJobs",
    "DataStorageMB",
    "FileStorageMB",
];

/// The limits of an org, and what was left of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgLimits {
    /// The org.
    pub org_id: OrgId,
    /// The key of the row.
    day: String,
    /// The limits, by Salesforce's names.
    #[serde(with = "crate::json_text")]
    pub limits: BTreeMap<String, OrgLimit>,
    /// The time of the call.
    #[serde(with = "crate::time::millis")]
    pub read_at: Timestamp,
}

impl OrgLimits {
    /// Returns those of Salesforce's limits that are shown.
    #[must_use]
    pub fn new(org_id: OrgId, mut limits: BTreeMap<String, OrgLimit>, read_at: Timestamp) -> Self {
        limits.retain(|name, _| SHOWN.contains(&name.as_str()));
        Self { org_id, day: LIMITS.to_owned(), limits, read_at: crate::time::to_millis(read_at) }
    }
}

impl Budgets {
    /// Stores the limits of an org.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn store_limits(&self, limits: &OrgLimits) -> Result<(), Error> {
        let operation = "store the limits of the org";
        let mut item = to_item(operation, limits)?;
        item.insert("expires_at".to_owned(), number(expires_at(limits.read_at)));
        let always = "attribute_not_exists(#org_id) OR attribute_exists(#org_id)";
        self.table.put(operation, item, Expression { text: always, values: Vec::new() }).await.map(drop)
    }

    /// Returns the limits of the org; `None` before its first night.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load_limits(&self, org: OrgId) -> Result<Option<OrgLimits>, Error> {
        self.table.get("load the limits of the org", row_key(org, LIMITS)).await
    }
}
