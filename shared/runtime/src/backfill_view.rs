//! The progress of a backfill, as the platform and the operator read it.

use jiff::Timestamp;
use salesforce::ObjectName;
use serde::Serialize;
use store::{BackfillMethod, BackfillProgress, Cursor};

/// The state of a backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// The object was never copied.
    NotStarted,
    /// Its rows are read.
    Running,
    /// It cannot go on now, for the reason in [`BackfillView::waits_for`].
    Waiting,
    /// All rows are in the mirror.
    Complete,
}

/// The running or the last backfill of an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackfillView {
    /// The object.
    pub object: ObjectName,
    /// The state.
    pub state: BackfillState,
    /// `query_job` while Salesforce works on the job; otherwise the reason of the last failed attempt, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The time since which it waits.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "store::time::millis_option::serialize")]
    pub waits_since: Option<Timestamp>,
    /// The API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<BackfillMethod>,
    /// The time from which changed rows are read; `None` for all rows.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "store::time::millis_option::serialize")]
    pub since: Option<Timestamp>,
    /// The start.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "store::time::millis_option::serialize")]
    pub started_at: Option<Timestamp>,
    /// The last step.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "store::time::millis_option::serialize")]
    pub updated_at: Option<Timestamp>,
    /// The end.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "store::time::millis_option::serialize")]
    pub completed_at: Option<Timestamp>,
    /// The rows of the org at the start, without deleted ones; `None` if they could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The stored rows.
    pub rows: u64,
    /// The stored bytes of CSV; 0 by REST.
    pub bytes: u64,
    /// The stored pages.
    pub pages: u64,
    /// The rows a second since they are read; `None` before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<f64>,
    /// The seconds until the last row at this rate; `None` unless the backfill runs and its rows are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

/// What a backfill by Bulk waits for while Salesforce works on its job.
const QUERY_JOB: &str = "query_job";

/// The failures of a complete backfill: rows that it has left out.
const LEFT_OUT: [&str; 2] = ["rows_too_large", "rows_unreadable"];

impl BackfillView {
    /// Describes an object that was never copied.
    #[must_use]
    pub fn not_started(object: ObjectName) -> Self {
        Self {
            object,
            state: BackfillState::NotStarted,
            waits_for: None,
            waits_since: None,
            method: None,
            since: None,
            started_at: None,
            updated_at: None,
            completed_at: None,
            total: None,
            rows: 0,
            bytes: 0,
            pages: 0,
            rows_per_second: None,
            seconds_left: None,
        }
    }

    /// Describes the backfill of a cursor at a time; `None` for the cursor of another scan.
    #[must_use]
    pub fn of(cursor: &Cursor, now: Timestamp) -> Option<Self> {
        let object = cursor.cursor_name.backfilled_object()?;
        let mut view = Self { updated_at: Some(cursor.updated_at), ..Self::not_started(object) };
        if let Some(progress) = &cursor.progress {
            view.count(progress, now);
        }
        let is_complete = match &cursor.progress {
            Some(progress) => progress.completed_at.is_some(),
            // As a version before the progress was stored has left it.
            None => cursor.covered_until.is_some() && cursor.checkpoint.is_none(),
        };
        let waits = waiting(cursor);
        view.state = match waits {
            Some((reason, since)) => {
                (view.waits_for, view.waits_since) = (Some(reason.to_owned()), since);
                BackfillState::Waiting
            }
            None if is_complete => BackfillState::Complete,
            None => BackfillState::Running,
        };
        if view.state == BackfillState::Running {
            view.seconds_left = seconds_left(view.total, view.rows, view.rows_per_second);
        }
        Some(view)
    }

    fn count(&mut self, progress: &BackfillProgress, now: Timestamp) {
        let BackfillProgress { method, started_at, completed_at, since, total, rows, bytes, pages, .. } = *progress;
        (self.method, self.started_at, self.completed_at) = (Some(method), Some(started_at), completed_at);
        (self.since, self.total, self.rows, self.bytes, self.pages) = (since, total, rows, bytes, pages);
        let begun = progress.reading_since.unwrap_or(started_at);
        self.rows_per_second = rows_per_second(rows, begun, completed_at.unwrap_or(now));
    }
}

/// Returns what a backfill waits for, and since when.
fn waiting(cursor: &Cursor) -> Option<(&str, Option<Timestamp>)> {
    let progress = cursor.progress.as_ref();
    let is_running = progress.is_some_and(|progress| progress.completed_at.is_none());
    match (cursor.failure.as_deref(), progress) {
        // A failure of a backfill that is complete is of rows that it left out, or of one that is not begun yet.
        (Some(failure), _) if !LEFT_OUT.contains(&failure) => Some((failure, cursor.failing_since)),
        (_, Some(progress)) if is_running && is_before_reading(progress) => {
            Some((QUERY_JOB, Some(progress.started_at)))
        }
        _ => None,
    }
}

fn is_before_reading(progress: &BackfillProgress) -> bool {
    progress.method == BackfillMethod::Bulk && progress.reading_since.is_none() && progress.pages == 0
}

/// Returns the rate, rounded to a tenth.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rows_per_second(rows: u64, begun: Timestamp, until: Timestamp) -> Option<f64> {
    let seconds = until.duration_since(begun).as_secs_f64().max(1.0);
    (rows > 0).then(|| (rows as f64 / seconds * 10.0).round() / 10.0)
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
fn seconds_left(total: Option<u64>, rows: u64, rate: Option<f64>) -> Option<u64> {
    let rate = rate.filter(|rate| *rate > 0.0)?;
    Some((total?.saturating_sub(rows) as f64 / rate).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::CursorName;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn cursor(progress: Option<BackfillProgress>, failure: Option<&str>) -> Cursor {
        Cursor {
            org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
            cursor_name: CursorName::backfill(&ObjectName::from_static("Contact")),
            position: None,
            checkpoint: Some("{}".to_owned()),
            progress,
            covered_until: None,
            failure: failure.map(str::to_owned),
            failing_since: failure.map(|_| at(50)),
            updated_at: at(60),
        }
    }

    fn bulk(rows: u64) -> BackfillProgress {
        let progress = BackfillProgress::new(BackfillMethod::Bulk, at(0));
        BackfillProgress { total: Some(100_000), reading_since: Some(at(300)), rows, ..progress }
    }

    fn view(progress: BackfillProgress, failure: Option<&str>) -> BackfillView {
        BackfillView::of(&cursor(Some(progress), failure), at(310)).unwrap()
    }

    #[test]
    fn the_time_left_counts_from_the_first_row_that_was_read() {
        let half = view(bulk(40_000), None);
        assert_eq!(half.state, BackfillState::Running);
        assert_eq!((half.rows_per_second, half.seconds_left), (Some(4_000.0), Some(15)));
        let by_rest = BackfillProgress { method: BackfillMethod::Rest, reading_since: None, ..bulk(3_100) };
        assert_eq!(view(by_rest, None).rows_per_second, Some(10.0));
        assert_eq!(view(bulk(0), None).seconds_left, None);
        assert_eq!(view(bulk(100_500), None).seconds_left, Some(0), "deleted rows are read too");
        assert_eq!(view(BackfillProgress { total: None, ..bulk(40_000) }, None).seconds_left, None);
    }

    #[test]
    fn a_backfill_says_what_it_waits_for() {
        let waits = |view: BackfillView| (view.state, view.waits_for, view.waits_since, view.seconds_left);
        let job = view(BackfillProgress { reading_since: None, ..bulk(0) }, None);
        assert_eq!(waits(job), (BackfillState::Waiting, Some("query_job".to_owned()), Some(at(0)), None));
        let budget = view(bulk(40_000), Some("over_budget"));
        assert_eq!(waits(budget), (BackfillState::Waiting, Some("over_budget".to_owned()), Some(at(50)), None));
        let before_the_first = BackfillView::of(&cursor(None, Some("reconnect_required")), at(310)).unwrap();
        assert_eq!(waits(before_the_first).1.as_deref(), Some("reconnect_required"));
    }

    #[test]
    fn a_complete_backfill_keeps_its_rate() {
        let done = BackfillProgress { completed_at: Some(at(400)), ..bulk(100_000) };
        for failure in [None, Some("rows_too_large")] {
            let done = view(done.clone(), failure);
            assert_eq!((done.state, done.rows_per_second), (BackfillState::Complete, Some(1_000.0)));
            assert_eq!((done.waits_for, done.seconds_left), (None, None));
        }
        let again = view(done, Some("over_budget"));
        assert_eq!(again.state, BackfillState::Waiting, "another was requested, and is not begun");
    }

    #[test]
    fn a_cursor_of_an_earlier_version_has_a_state() {
        let old = Cursor { checkpoint: None, covered_until: Some(at(0)), ..cursor(None, None) };
        assert_eq!(BackfillView::of(&old, at(1)).unwrap().state, BackfillState::Complete);
        assert_eq!(BackfillView::of(&cursor(None, None), at(1)).unwrap().state, BackfillState::Running);
        let audit = Cursor { cursor_name: CursorName::audit(&ObjectName::from_static("Contact")), ..old };
        assert_eq!(BackfillView::of(&audit, at(1)), None);
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let view = serde_json::to_value(BackfillView::not_started(ObjectName::from_static("Lead"))).unwrap();
        let expected = json!({ "object": "Lead", "state": "not_started", "rows": 0, "bytes": 0, "pages": 0 });
        assert_eq!(view, expected);
    }
}
