//! The versions of pipelines: pure functions that decide what a refresh stores, and what an org had at a time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use salesforce::RecordId;

use super::{Pipeline, PipelineContent, RefreshedPipelines};

/// The time for which a version is stored after another one has replaced it.
pub const VERSION_RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The writes that turn the known pipelines into the wanted ones.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// The pipelines to store; a removed one has a `valid_until`.
    pub(super) store: Vec<Pipeline>,
    /// The versions that other ones replace.
    pub(super) versions: Vec<Pipeline>,
}

impl Plan {
    /// Counts what the plan does to pipelines, of which `wanted` are the wanted ones.
    pub(super) fn counts(&self, wanted: usize) -> RefreshedPipelines {
        let removed = self.store.iter().filter(|pipeline| pipeline.valid_until.is_some()).count();
        let stored = self.store.len() - removed;
        RefreshedPipelines { stored, removed, unchanged: wanted.saturating_sub(stored) }
    }
}

/// Plans the writes. `known` has the removed pipelines too.
pub(super) fn plan(known: Vec<Pipeline>, wanted: &[Pipeline], now: Timestamp) -> Plan {
    let mut known: BTreeMap<RecordId, Pipeline> = known.into_iter().map(|one| (one.record_type_id, one)).collect();
    let mut plan = Plan::default();
    for pipeline in wanted {
        let fingerprint = Some(PipelineContent::of(pipeline).fingerprint());
        let before = known.remove(&pipeline.record_type_id);
        let current =
            before.as_ref().filter(|before| before.valid_until.is_none() && before.fingerprint == fingerprint);
        let valid_from = current.map_or(Some(now), |current| current.valid_from);
        let wanted = Pipeline { fingerprint, valid_from, valid_until: None, ..pipeline.clone() };
        if current.is_none() {
            plan.versions.extend(before.clone().and_then(|before| replaced(before, now)));
        }
        if before.as_ref() != Some(&wanted) {
            plan.store.push(wanted);
        }
    }
    let remaining = known.into_values().filter(|pipeline| pipeline.valid_until.is_none());
    plan.store.extend(remaining.map(|pipeline| Pipeline { valid_until: Some(now), ..pipeline }));
    plan
}

/// Returns the version that ends now, or ended when the pipeline was removed; `None` for a pipeline of which nobody knows since
/// when it was so, because an earlier release stored it.
fn replaced(pipeline: Pipeline, now: Timestamp) -> Option<Pipeline> {
    pipeline.valid_from?;
    Some(Pipeline { valid_until: pipeline.valid_until.or(Some(now)), ..settled(pipeline) })
}

/// Removes what is true of the last reading only.
fn settled(mut pipeline: Pipeline) -> Pipeline {
    for stage in &mut pipeline.stages {
        stage.in_use = None;
    }
    Pipeline { stale_reason: None, stale_since: None, ..pipeline }
}

/// The pipelines of an org at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelinesAt {
    /// The pipelines, by record type; none before `known_since`.
    pub pipelines: Vec<Pipeline>,
    /// The time since which all versions are stored; `None` if there are none.
    pub known_since: Option<Timestamp>,
}

/// Returns the pipelines at a time. `current` has the removed pipelines too.
pub(super) fn at(current: Vec<Pipeline>, versions: Vec<Pipeline>, at: Timestamp, now: Timestamp) -> PipelinesAt {
    let oldest = now.checked_sub(VERSION_RETENTION).unwrap_or(now);
    let first = current.iter().chain(&versions).filter_map(|pipeline| pipeline.valid_from).min();
    let known_since = first.map(|first| first.max(oldest));
    let mut found = BTreeMap::new();
    if known_since.is_some_and(|known_since| known_since <= at) {
        let is_valid = |pipeline: &Pipeline| {
            pipeline.valid_from.is_some_and(|from| from <= at) && pipeline.valid_until.is_none_or(|until| at < until)
        };
        // A refresh that was killed may have stored the current version among the replaced ones: the current one is right.
        let all = versions.into_iter().chain(current);
        found.extend(all.filter(is_valid).map(|pipeline| (pipeline.record_type_id, settled(pipeline))));
    }
    PipelinesAt { pipelines: found.into_values().collect(), known_since }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::pipeline;
    use super::*;

    const TYPES: [&str; 3] = ["012000000000001", "012000000000002", "012000000000003"];

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
    }

    /// The rows that refreshes have stored.
    #[derive(Clone, Debug, Default)]
    struct Rows {
        current: BTreeMap<RecordId, Pipeline>,
        versions: BTreeMap<(RecordId, Option<Timestamp>), Pipeline>,
    }

    impl Rows {
        /// Refreshes; a refresh that is killed has stored the versions only.
        fn refresh(&mut self, wanted: &[Pipeline], now: Timestamp, is_killed: bool) {
            let plan = plan(self.current.values().cloned().collect(), wanted, now);
            self.versions.extend(plan.versions.into_iter().map(|row| ((row.record_type_id, row.valid_from), row)));
            if !is_killed {
                self.current.extend(plan.store.into_iter().map(|row| (row.record_type_id, row)));
            }
        }

        fn at(&self, time: Timestamp, now: Timestamp) -> PipelinesAt {
            at(self.current.values().cloned().collect(), self.versions.values().cloned().collect(), time, now)
        }
    }

    fn names(pipelines: &[Pipeline]) -> Vec<(RecordId, String)> {
        pipelines.iter().map(|pipeline| (pipeline.record_type_id, pipeline.name.clone())).collect()
    }

    fn wanted() -> impl Strategy<Value = Vec<Pipeline>> {
        let one = |id: &'static str| {
            prop::option::of(prop::sample::select(vec!["A", "B"]).prop_map(move |name| pipeline(id, name)))
        };
        (one(TYPES[0]), one(TYPES[1]), one(TYPES[2])).prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn every_past_refresh_is_answered_as_it_was(
            refreshes in prop::collection::vec((wanted(), prop::bool::weighted(0.2)), 1..12),
        ) {
            let mut rows = Rows::default();
            let mut seen: Vec<(Timestamp, Vec<Pipeline>)> = Vec::new();
            for ((wanted, is_killed), n) in refreshes.iter().zip(0..) {
                rows.refresh(wanted, day(n), *is_killed);
                let now = if *is_killed { seen.last().map(|(_, last)| last.clone()).unwrap_or_default() } else { wanted.clone() };
                seen.push((day(n), now));
            }
            let end = day(refreshes.len() as i64);
            for (time, expected) in &seen {
                prop_assert_eq!(names(&rows.at(*time, end).pipelines), names(expected), "at {}", time);
            }
            let first = rows.at(end, end).known_since;
            prop_assert_eq!(first, seen.iter().find(|(_, pipelines)| !pipelines.is_empty()).map(|(time, _)| *time));
            prop_assert!(rows.at(day(-1), end).pipelines.is_empty());
        }
    }

    #[test]
    fn only_differences_are_written() {
        let [same, old, gone] = TYPES;
        let added = "012000000000004";
        let known = [pipeline(same, "Same"), pipeline(old, "Old"), pipeline(gone, "Gone")];
        let known = plan(Vec::new(), &known, day(0)).store;
        let wanted = [pipeline(same, "Same"), pipeline(old, "New"), pipeline(added, "Added")];

        let plan = plan(known.clone(), &wanted, day(1));

        assert_eq!(
            names(&plan.store),
            names(&[pipeline(old, "New"), pipeline(added, "Added"), pipeline(gone, "Gone")])
        );
        assert_eq!(plan.versions, [Pipeline { valid_until: Some(day(1)), ..known[1].clone() }]);
        assert_eq!(plan.counts(3), RefreshedPipelines { stored: 2, removed: 1, unchanged: 1 });
    }

    #[test]
    fn what_is_no_content_makes_no_version() {
        let known = plan(Vec::new(), &[pipeline(TYPES[0], "A")], day(0)).store;
        let stale =
            Pipeline { stale_reason: Some("stages_hidden".to_owned()), is_default: true, ..pipeline(TYPES[0], "A") };
        let plan = plan(known, &[stale], day(1));
        assert_eq!((plan.store.len(), plan.versions.len()), (1, 0));
        assert_eq!(plan.store[0].valid_from, Some(day(0)));
    }

    #[test]
    fn a_pipeline_of_an_earlier_release_has_no_version() {
        let plan = plan(vec![pipeline(TYPES[0], "A")], &[pipeline(TYPES[0], "A")], day(1));
        assert_eq!(plan.versions, []);
        assert_eq!(plan.store[0].valid_from, Some(day(1)));
    }

    #[test]
    fn nothing_is_told_of_times_whose_versions_have_expired() {
        let mut rows = Rows::default();
        rows.refresh(&[pipeline(TYPES[0], "A")], day(0), false);
        let now = day(500);
        assert!(rows.at(day(99), now).pipelines.is_empty());
        assert_eq!(rows.at(day(100), now).pipelines.len(), 1);
        assert_eq!(rows.at(day(99), now).known_since, Some(day(100)));
    }
}
