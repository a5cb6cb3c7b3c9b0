//! The freshness of the mirror: the time from a save in Salesforce to its row in the mirror, and to its event, as one
//! [`Histogram`] for each org, object, lane and hour.
//!
//! A batch costs one UpdateItem for each org, object and lane of its changes, whatever their number: it adds to counters of
//! the hour's row, so concurrent batches lose nothing. A batch that is killed before it leaves its changes out, and events
//! that are published twice count twice: the numbers are for people and alarms, and decide nothing.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::table::{Item, KeyRange, Place, Rows, Table, Update, key, number};
use crate::{Error, time};

mod histogram;
mod objectives;
mod windows;

pub use histogram::Histogram;
pub use objectives::{InvalidObjectives, Objective, Objectives, Permille};
pub use windows::{LaneFreshness, WindowStarts, Windows, summarize};

/// The way in which a change came into the mirror. A row of the mirror keeps that of its last change, for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeLane {
    /// A message of Salesforce: an outbound message, or a change event.
    Webhook,
    /// A scan of changed records: a poll or the night. Backfills are not measured, since most of their rows are old.
    Incremental,
    /// A write of Ferry's own, after which the record was read again.
    Write,
}

impl ChangeLane {
    /// Every lane.
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Incremental, Self::Write];

    /// Returns the stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Incremental => "incremental",
            Self::Write => "write",
        }
    }
}

impl ChangeLane {
    /// Returns the name of the metric of the latencies. Its dimension, the function, says where they end: in the mirror, or
    /// with the event.
    fn metric(self) -> &'static str {
        match self {
            Self::Webhook => "freshness.webhook_s",
            Self::Incremental => "freshness.incremental_s",
            Self::Write => "freshness.write_s",
        }
    }
}

impl FromStr for ChangeLane {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name).ok_or("the lane is unknown")
    }
}

/// The place in which a change becomes visible. Both times begin with the record's `SystemModstamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleIn {
    /// The change is in the mirror.
    Mirror,
    /// Its event is on the bus.
    Event,
}

impl VisibleIn {
    /// Returns the first character of the place's counters in a row.
    fn prefix(self) -> char {
        match self {
            Self::Mirror => 'm',
            Self::Event => 'e',
        }
    }
}

/// The org, the object, and the lane of changes.
type Group = (OrgId, ObjectName, ChangeLane);

/// The latencies of a batch's changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    groups: BTreeMap<Group, Vec<Duration>>,
}

impl Measured {
    /// Adds a change that was saved at `saved_at` (its `SystemModstamp`) and arrived at `arrived_at`. Salesforce's clock may
    /// be ahead: then it took no time.
    pub fn add(
        &mut self,
        org: OrgId,
        object: &ObjectName,
        lane: ChangeLane,
        (saved_at, arrived_at): (Timestamp, Timestamp),
    ) {
        let latency = Duration::try_from(arrived_at.duration_since(saved_at)).unwrap_or_default();
        self.groups.entry((org, object.clone(), lane)).or_default().push(latency);
    }

    /// Adds the changes of another batch.
    pub fn extend(&mut self, other: Self) {
        for (group, latencies) in other.groups {
            self.groups.entry(group).or_default().extend(latencies);
        }
    }

    /// Returns whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Returns the latencies in whole seconds, by the name of the lane's metric in the closing line.
    #[must_use]
    pub fn samples(&self) -> Vec<(&'static str, Vec<u64>)> {
        let of_lane = |lane| {
            let groups = self.groups.iter().filter(move |((_, _, of), _)| *of == lane);
            groups.flat_map(|(_, latencies)| latencies).map(Duration::as_secs).collect::<Vec<u64>>()
        };
        let samples = ChangeLane::ALL.into_iter().map(|lane| (lane.metric(), of_lane(lane)));
        samples.filter(|(_, seconds)| !seconds.is_empty()).collect()
    }

    /// Returns the counts of the closing line that an alarm compares: the changes of objects with an objective, those that
    /// missed it, and the number that had to meet it, in thousandths of a change.
    #[must_use]
    pub fn against(&self, objectives: &Objectives) -> [(&'static str, u64); 3] {
        let (mut changes, mut late, mut required) = (0, 0, 0);
        for ((_, object, _), latencies) in &self.groups {
            let Some(objective) = objectives.of(object) else { continue };
            let count = latencies.len() as u64;
            changes += count;
            late += latencies.iter().filter(|latency| **latency >= objective.within).count() as u64;
            required += count * u64::from(objective.share.get());
        }
        [("objective.changes", changes), ("objective.late", late), ("objective.required_permille", required)]
    }
}

/// The changes of an object that came in one lane within an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourlyFreshness {
    /// The start of the hour, in UTC.
    pub hour: Timestamp,
    /// The object.
    pub object: ObjectName,
    /// The lane.
    pub lane: ChangeLane,
    /// The times until the changes were in the mirror.
    pub mirror: Histogram,
    /// The times until their events were published.
    pub event: Histogram,
}

/// The `freshness` table.
#[derive(Clone, Debug)]
pub struct Freshness {
    table: Table,
}

/// The time for which a row is kept after its hour began.
const RETENTION: SignedDuration = SignedDuration::from_hours(3 * 24);
const PARALLEL_UPDATES: usize = 8;
const ADD: &str = "add to the freshness";

impl Freshness {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Adds the latencies to the rows of the hour of `now`, with one request for each org, object and lane. Every one is
    /// tried, even after a failure.
    ///
    /// # Errors
    /// The first failure; only those of the table.
    pub async fn add(&self, place: VisibleIn, measured: &Measured, now: Timestamp) -> Result<(), Error> {
        let hour = start_of_hour(now);
        let updates = measured.groups.iter().map(|((org, object, lane), latencies)| {
            let histogram: Histogram = latencies.iter().copied().collect();
            let counters =
                histogram.counts().map(|(bucket, count)| (format!("{}{bucket}", place.prefix()).into(), count));
            let expires_at = hour.saturating_add(RETENTION).unwrap_or(hour).as_second();
            let update = Update {
                set_once: vec![("expires_at", number(expires_at))],
                add: counters.collect(),
                ..Update::default()
            };
            self.table.update(ADD, row_key(*org, hour, object, *lane), update)
        });
        // Collected first: a stream over a borrowing iterator is not general enough for a spawned future.
        let updates: Vec<_> = updates.collect();
        let results: Vec<_> = stream::iter(updates).buffer_unordered(PARALLEL_UPDATES).collect().await;
        results.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }

    /// Returns the rows of the last day ([`WindowStarts::day`]). The read is consistent, and costs one read unit for
    /// every 4 KB: a row has 0.1 to 2 KB.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, now: Timestamp) -> Result<Vec<HourlyFreshness>, Error> {
        let (first, last) = (time::format(WindowStarts::at(now).day), format!("{}~", time::format(now)));
        let range = KeyRange { attribute: "slot", first: &first, last: &last };
        let rows: Vec<Row> = self.table.query_range("load the freshness", ("org_id", org.as_str()), range).await?;
        // A row of a later version may have a lane that this one does not know.
        Ok(rows.into_iter().filter_map(Row::parse).collect())
    }
}

#[derive(Deserialize)]
struct Row {
    slot: String,
    #[serde(flatten)]
    counters: BTreeMap<String, Value>,
}

impl Row {
    fn parse(self) -> Option<HourlyFreshness> {
        let mut parts = self.slot.split('#');
        let (hour, object, lane) =
            (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let histogram = |place: VisibleIn| {
            let counters = self.counters.iter().filter_map(|(name, count)| {
                let bucket = name.strip_prefix(place.prefix())?.parse::<usize>().ok()?;
                Some((bucket, count.as_u64()?))
            });
            Histogram::from_counts(counters)
        };
        Some(HourlyFreshness {
            hour,
            object,
            lane,
            mirror: histogram(VisibleIn::Mirror),
            event: histogram(VisibleIn::Event),
        })
    }
}

/// Returns the start of the hour of a time, in UTC.
#[must_use]
pub fn start_of_hour(at: Timestamp) -> Timestamp {
    let seconds = at.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(60 * 60)).unwrap_or(at)
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "slot"], place: Place::of_org(org) }
}

fn row_key(org: OrgId, hour: Timestamp, object: &ObjectName, lane: ChangeLane) -> Item {
    let slot = format!("{}#{object}#{}", time::format(hour), lane.as_str());
    key([("org_id", org.as_str()), ("slot", &slot)])
}

#[cfg(test)]
mod tests;
