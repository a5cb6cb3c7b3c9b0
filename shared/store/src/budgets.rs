//! Budgets: the API calls of each org, by day.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, Update, key, number, text, to_item};
use crate::{Allocation, time};

mod allowance;
pub mod lanes;
mod limits;
mod warning;

pub use allowance::{Allowance, Made, Outlook};
pub use lanes::Lane;
pub use limits::OrgLimits;
pub use warning::{BudgetWarning, Limit};

/// The API usage of an org on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// The org.
    pub org_id: OrgId,
    /// The day, in UTC.
    pub day: String,
    /// The calls of all clients in the last 24 hours, as last reported by Salesforce.
    pub used: u64,
    /// The org's limit for 24 hours.
    pub max: u64,
    /// The time of that report.
    #[serde(with = "crate::time::millis")]
    pub observed_at: Timestamp,
    /// Ferry's own calls on this day, by lane.
    #[serde(default)]
    pub calls: BTreeMap<Lane, u64>,
}

impl Budget {
    /// Returns whether a lane may make `calls` more calls. A report older than [`USAGE_MAX_AGE`] is ignored: the next
    /// call reports the usage again.
    #[must_use]
    pub fn may_call(&self, lane: Lane, calls: u64, now: Timestamp) -> bool {
        now.duration_since(self.observed_at) >= USAGE_MAX_AGE || lane.may_call(self.used, self.max, calls)
    }
}

/// The `budgets` table.
#[derive(Clone, Debug)]
pub struct Budgets {
    table: Table,
}

/// An invocation's report of an org's API usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// `used` in the last `Sforce-Limit-Info`.
    pub used: u64,
    /// `max` in the last `Sforce-Limit-Info`.
    pub max: u64,
    /// The lane of the calls.
    pub lane: Lane,
    /// The number of calls that were made.
    pub calls: u64,
}

impl Budgets {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Adds the calls to the org's day, and stores the usage if no later report is stored.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn observe(&self, org: OrgId, observation: Observation, now: Timestamp) -> Result<(), Error> {
        let day = day_of(now);
        let count = || counting(observation.lane, observation.calls, now);
        let at = text(time::format(now));
        let latest = Update {
            set: vec![
                ("used", number(observation.used)),
                ("max", number(observation.max)),
                ("observed_at", at.clone()),
            ],
            when: "attribute_not_exists(#observed_at) OR #observed_at <= :at",
            values: vec![(":at", at)],
            ..count()
        };
        match self.table.update(UPDATE, row_key(org, &day), latest).await? {
            Conditional::Done(_) => Ok(()),
            Conditional::Refused(_) => self.table.update(UPDATE, row_key(org, &day), count()).await.map(drop),
        }
    }

    /// Adds calls to the org's day whose responses reported no usage.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn count(&self, org: OrgId, lane: Lane, calls: u64, now: Timestamp) -> Result<(), Error> {
        self.table.update(UPDATE, row_key(org, &day_of(now)), counting(lane, calls, now)).await.map(drop)
    }

    /// Stores the warnings that the org's budget has reached, each once for the day. Returns those that are new.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn warn(
        &self,
        org: OrgId,
        allocation: Option<Allocation>,
        now: Timestamp,
    ) -> Result<Vec<BudgetWarning>, Error> {
        let Some(budget) = self.load(org, now).await? else { return Ok(Vec::new()) };
        let mut stored = Vec::new();
        for warning in budget.warnings(allocation, now) {
            let when = Expression { text: "attribute_not_exists(#org_id)", values: Vec::new() };
            let mut item = to_item(WARN, &warning)?;
            item.insert("expires_at".to_owned(), number(expires_at(now)));
            if let Conditional::Done(()) = self.table.put(WARN, item, when).await? {
                stored.push(warning);
            }
        }
        Ok(stored)
    }

    /// Returns the org's budget for the day, or `None` before Salesforce reported its usage.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, now: Timestamp) -> Result<Option<Budget>, Error> {
        let row: Option<Row> = self.table.get("load the budget", row_key(org, &day_of(now))).await?;
        Ok(row.and_then(Row::into_budget))
    }
}

#[derive(Deserialize)]
struct Row {
    org_id: OrgId,
    day: String,
    used: Option<u64>,
    max: Option<u64>,
    observed_at: Option<Timestamp>,
    #[serde(flatten)]
    counters: BTreeMap<String, Value>,
}

impl Row {
    fn into_budget(self) -> Option<Budget> {
        let calls = |lane: Lane| self.counters.get(lane.attribute()).and_then(Value::as_u64).map(|calls| (lane, calls));
        Some(Budget {
            calls: Lane::ALL.into_iter().filter_map(calls).collect(),
            org_id: self.org_id,
            day: self.day,
            used: self.used?,
            max: self.max?,
            observed_at: self.observed_at?,
        })
    }
}

const UPDATE: &str = "update the budget";
const WARN: &str = "store the warning of the budget";

/// Returns the update that adds calls to a day.
fn counting(lane: Lane, calls: u64, now: Timestamp) -> Update {
    Update {
        set_once: vec![("expires_at", number(expires_at(now)))],
        add: vec![(lane.attribute().into(), calls)],
        ..Update::default()
    }
}

fn expires_at(now: Timestamp) -> i64 {
    now.saturating_add(RETENTION).unwrap_or(now).as_second()
}

/// The age at which a usage report is ignored.
pub const USAGE_MAX_AGE: SignedDuration = SignedDuration::from_mins(15);
/// The time for which a day is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

fn day_of(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).date().to_string()
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "day"], place: Place::of_org(org) }
}

fn row_key(org: OrgId, day: &str) -> Item {
    key([("org_id", org.as_str()), ("day", day)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_over_its_share_waits_until_the_report_is_old() {
        let observed_at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let budget = Budget {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            day: "2026-11-22".to_owned(),
            used: 900,
            max: 1_000,
            observed_at,
            calls: BTreeMap::new(),
        };
        let after = |seconds| observed_at + SignedDuration::from_secs(seconds);

        assert!(!budget.may_call(Lane::Webhook, 1, after(0)));
        assert!(budget.may_call(Lane::Interactive, 1, after(0)));
        assert!(!budget.may_call(Lane::Webhook, 1, after(15 * 60 - 1)));
        assert!(budget.may_call(Lane::Webhook, 1, after(15 * 60)));
    }
}
