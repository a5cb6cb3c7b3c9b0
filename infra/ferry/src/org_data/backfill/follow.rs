//! Follows backfills to their end: with a bar for each object on a terminal, with lines elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};
use jiff::{SignedDuration, Timestamp};
use runtime::{BackfillState, BackfillView};
use salesforce::{ObjectName, OrgId};

use super::{Requested, load, rows, state};
use crate::failure::Failure;
use crate::screen;
use crate::stack::Stack;

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// The least time between two lines about the same state of an object.
const LINES: SignedDuration = SignedDuration::from_secs(10);

/// The time after which a backfill that cannot go on is not waited for any more.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// Follows the requested backfills until all are complete, or none of the others has been able to go on for [`PATIENCE`]. Returns
/// their last state.
pub(super) async fn follow(
    stack: &Stack,
    (org, is_quiet): (OrgId, bool),
    requested: &Requested,
) -> Result<Vec<BackfillView>, Failure> {
    let mut shown = Shown::new(is_quiet);
    loop {
        let views = of_request(load(stack, org).await?, requested);
        let now = stack.clock().now();
        shown.show(&views, now);
        if has_ended(&views, requested.requested_at, now) {
            shown.clear();
            return Ok(views);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns the backfill of each requested object. One that has not begun since the request is queued, whatever the one before
/// it is.
fn of_request(all: Vec<BackfillView>, requested: &Requested) -> Vec<BackfillView> {
    let begun = requested.requested_at.as_millisecond();
    let is_of_request = |view: &BackfillView| {
        let has_begun = view.started_at.is_some_and(|at| at.as_millisecond() >= begun);
        has_begun || is_stopped(view)
    };
    let of_request: Vec<BackfillView> = all.into_iter().filter(is_of_request).collect();
    let view = |object: &ObjectName| {
        let found = of_request.iter().find(|view| view.object == *object).cloned();
        found.unwrap_or_else(|| BackfillView::not_started(object.clone()))
    };
    requested.objects.iter().map(view).collect()
}

/// Returns whether a backfill waits for something else than Salesforce's job.
fn is_stopped(view: &BackfillView) -> bool {
    view.state == BackfillState::Waiting && view.waits_for.as_deref() != Some("query_job")
}

fn has_ended(views: &[BackfillView], requested_at: Timestamp, now: Timestamp) -> bool {
    let is_stuck = |view: &BackfillView| {
        let since = view.waits_since.map_or(requested_at, |since| since.max(requested_at));
        is_stopped(view) && now.duration_since(since) >= PATIENCE
    };
    views.iter().all(|view| view.state == BackfillState::Complete || is_stuck(view))
}

/// The places where the progress is shown.
enum Shown {
    Bars(MultiProgress, BTreeMap<ObjectName, ProgressBar>),
    /// The state of each object in its last line, and the line's time.
    Lines(BTreeMap<ObjectName, (BackfillState, Timestamp)>),
    Nowhere,
}

impl Shown {
    fn new(is_quiet: bool) -> Self {
        match (is_quiet, io::stderr().is_terminal()) {
            (true, _) => Self::Nowhere,
            (false, true) => Self::Bars(MultiProgress::new(), BTreeMap::new()),
            (false, false) => Self::Lines(BTreeMap::new()),
        }
    }

    fn show(&mut self, views: &[BackfillView], now: Timestamp) {
        match self {
            Self::Bars(screen, bars) => {
                for view in views {
                    let new = || screen.add(screen::object_bar(view.object.as_str()));
                    let bar = bars.entry(view.object.clone()).or_insert_with(new);
                    bar.set_length(length(view));
                    bar.set_position(view.rows);
                    bar.set_message(format!("{}; {}", state(view), rows(view)));
                }
            }
            Self::Lines(last) => {
                for view in views {
                    if !is_due(last.get(&view.object), view.state, now) {
                        continue;
                    }
                    last.insert(view.object.clone(), (view.state, now));
                    // Whoever reads the lines may stop reading; the backfill goes on.
                    let _ = writeln!(io::stderr(), "{}: {}; {}", view.object, state(view), rows(view));
                }
            }
            Self::Nowhere => {}
        }
    }

    fn clear(&self) {
        if let Self::Bars(_, bars) = self {
            bars.values().for_each(ProgressBar::finish_and_clear);
        }
    }
}

/// Returns the rows at which a bar is full. That of a backfill that is not complete never is, and of one whose rows are not
/// counted it stays empty.
fn length(view: &BackfillView) -> u64 {
    match view.state {
        BackfillState::Complete => view.rows,
        _ => view.total.unwrap_or(u64::MAX).max(view.rows.saturating_add(1)),
    }
}

/// Returns whether a line is due: at each change of the state, and while the backfill runs every [`LINES`].
fn is_due(last: Option<&(BackfillState, Timestamp)>, state: BackfillState, now: Timestamp) -> bool {
    let Some((shown, at)) = last else { return true };
    *shown != state || state == BackfillState::Running && now.duration_since(*at) >= LINES
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTACT: ObjectName = ObjectName::from_static("Contact");

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn view(state: BackfillState, started_at: i64) -> BackfillView {
        BackfillView { state, started_at: Some(at(started_at)), ..BackfillView::not_started(CONTACT) }
    }

    fn waits(reason: &str, since: i64) -> BackfillView {
        let (waits_for, waits_since) = (Some(reason.to_owned()), Some(at(since)));
        BackfillView { waits_for, waits_since, ..view(BackfillState::Waiting, -60) }
    }

    fn seen(view: BackfillView) -> BackfillState {
        let requested = Requested { objects: vec![CONTACT], requested_at: at(0) };
        of_request(vec![view], &requested)[0].state
    }

    #[test]
    fn the_backfill_before_the_request_is_not_its_end() {
        assert_eq!(seen(view(BackfillState::Complete, -60)), BackfillState::NotStarted);
        assert_eq!(seen(waits("query_job", -60)), BackfillState::NotStarted);
        assert_eq!(seen(view(BackfillState::Complete, 0)), BackfillState::Complete);
        assert_eq!(seen(waits("over_budget", -60)), BackfillState::Waiting, "it cannot begin either");
    }

    #[test]
    fn what_cannot_go_on_is_waited_for_ten_minutes() {
        let ended =
            |view: BackfillView, now| has_ended(&[view, self::view(BackfillState::Complete, 1)], at(0), at(now));
        for (view, end) in [(waits("over_budget", 5), 15), (waits("reconnect_required", -600), 10)] {
            assert_eq!((ended(view.clone(), end - 1), ended(view, end)), (false, true));
        }
        assert!(!ended(waits("query_job", 0), 300), "Salesforce's queue may take hours");
        assert!(!ended(view(BackfillState::Running, 1), 300));
        assert!(ended(view(BackfillState::Complete, 1), 2));
    }

    #[test]
    fn a_bar_is_full_when_the_backfill_is_complete() {
        let length = |state, total, rows| length(&BackfillView { total, rows, ..view(state, 1) });
        assert_eq!(length(BackfillState::NotStarted, None, 0), u64::MAX);
        assert_eq!(length(BackfillState::Running, Some(60_000), 10_000), 60_000);
        assert_eq!(length(BackfillState::Running, Some(60_000), 61_000), 61_001, "deleted rows are read too");
        assert_eq!(length(BackfillState::Complete, Some(60_000), 59_000), 59_000);
    }

    #[test]
    fn a_line_is_written_when_the_state_changes_and_every_ten_seconds() {
        let now = at(0);
        let due = |state, seconds| {
            is_due(Some(&(BackfillState::Running, now)), state, now + SignedDuration::from_secs(seconds))
        };
        assert!(is_due(None, BackfillState::NotStarted, now));
        assert_eq!([due(BackfillState::Running, 9), due(BackfillState::Running, 10)], [false, true]);
        assert!(due(BackfillState::Complete, 2));
        let queued = (BackfillState::NotStarted, now);
        assert!(!is_due(Some(&queued), BackfillState::NotStarted, at(60)), "nothing has changed");
    }
}
