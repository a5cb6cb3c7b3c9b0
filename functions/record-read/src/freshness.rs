//! The freshness of an org's mirror: the time from a save in Salesforce to the row in the mirror, and to its event.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use salesforce::{ObjectName, OrgId};
use serde::Serialize;
use store::freshness::{Histogram, Objective, WindowStarts, Windows, summarize};
use store::{ChangeLane, HourlyFreshness, Objectives};

use crate::Deps;
use crate::views::millis;

/// The freshness of an org.
#[derive(Debug, Serialize)]
pub(crate) struct FreshnessView {
    /// The start of the last hour.
    #[serde(serialize_with = "millis")]
    hour_since: Timestamp,
    /// The start of the last day.
    #[serde(serialize_with = "millis")]
    day_since: Timestamp,
    /// The latencies of each object and lane.
    lanes: Vec<LaneView>,
    /// The objectives of the objects that changed.
    objectives: Vec<ObjectiveView>,
}

#[derive(Debug, Serialize)]
struct LaneView {
    object: ObjectName,
    lane: ChangeLane,
    /// The times until the changes were in the mirror.
    mirror: WindowsView,
    /// The times until their events were published.
    event: WindowsView,
}

#[derive(Debug, Serialize)]
struct WindowsView {
    hour: LatenciesView,
    day: LatenciesView,
}

/// Percentiles in seconds; `None` without changes.
#[derive(Debug, Serialize)]
struct LatenciesView {
    changes: u64,
    p50_s: Option<f64>,
    p95_s: Option<f64>,
    p99_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ObjectiveView {
    object: ObjectName,
    /// The required share, in percent.
    percent: f64,
    within_s: u64,
    hour: ObjectiveState,
    day: ObjectiveState,
}

#[derive(Debug, Serialize)]
struct ObjectiveState {
    changes: u64,
    in_time: u64,
    /// `None` without changes.
    met: Option<bool>,
}

/// Loads the freshness of an org.
///
/// # Errors
/// Those of the table.
pub(crate) async fn load(deps: &Deps, org: OrgId) -> Result<FreshnessView, store::Error> {
    let now = deps.clock.now();
    let rows = deps.freshness.load(org, now).await?;
    Ok(FreshnessView::new(&rows, &deps.objectives, now))
}

impl FreshnessView {
    fn new(rows: &[HourlyFreshness], objectives: &Objectives, now: Timestamp) -> Self {
        let WindowStarts { hour, day } = WindowStarts::at(now);
        let summed = summarize(rows, now);
        let mut of_objects: BTreeMap<&ObjectName, Windows> = BTreeMap::new();
        for ((object, _), lane) in &summed {
            of_objects.entry(object).or_default().merge(&lane.mirror);
        }
        let changed = of_objects.into_iter().filter(|(_, mirror)| mirror.day.total() > 0);
        let objectives = changed
            .filter_map(|(object, mirror)| Some(ObjectiveView::new(object.clone(), objectives.of(object)?, &mirror)));
        let objectives = objectives.collect();
        let lanes = summed.into_iter().map(|((object, lane), freshness)| LaneView {
            object,
            lane,
            mirror: WindowsView::from(&freshness.mirror),
            event: WindowsView::from(&freshness.event),
        });
        Self { hour_since: hour, day_since: day, lanes: lanes.collect(), objectives }
    }
}

impl ObjectiveView {
    fn new(object: ObjectName, objective: Objective, mirror: &Windows) -> Self {
        let state = |histogram: &Histogram| {
            let (changes, in_time) = (histogram.total(), histogram.count_below(objective.within));
            ObjectiveState { changes, in_time, met: objective.is_met(in_time, changes) }
        };
        Self {
            object,
            percent: f64::from(objective.share.get()) / 10.0,
            within_s: objective.within.as_secs(),
            hour: state(&mirror.hour),
            day: state(&mirror.day),
        }
    }
}

impl From<&Windows> for WindowsView {
    fn from(windows: &Windows) -> Self {
        Self { hour: LatenciesView::from(&windows.hour), day: LatenciesView::from(&windows.day) }
    }
}

impl From<&Histogram> for LatenciesView {
    fn from(histogram: &Histogram) -> Self {
        let seconds = |percent| histogram.percentile(percent).as_ref().map(Duration::as_secs_f64);
        Self { changes: histogram.total(), p50_s: seconds(50), p95_s: seconds(95), p99_s: seconds(99) }
    }
}
