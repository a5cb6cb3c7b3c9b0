//! `cargo ferry backfill`.

mod follow;

use clap::Args;
use indicatif::DecimalBytes;
use jiff::{SignedDuration, Timestamp};
use runtime::{BackfillState, BackfillView};
use salesforce::{ObjectName, OrgId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::operate;
use crate::failure::Failure;
use crate::screen;
use crate::since::Since;
use crate::stack::Stack;
use follow::follow;

/// Read all rows of an org's objects again, and show the progress.
///
/// Rows are read by the REST API, of an object with 20,000 rows or more by Bulk API 2.0. No newer row of the mirror is overwritten.
/// The backfill goes on when this command ends, and waits while the org's other work needs the API calls. Times are in UTC.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry backfill --org 00D5e000000KQ2eEAG
  cargo ferry backfill --org 00D5e000000KQ2eEAG --object Contact --since 7d
  cargo ferry backfill --org 00D5e000000KQ2eEAG --show

Exit codes:
  0  complete; with --no-wait, queued
  1  AWS could not be reached
  2  the org is unknown or not active, or does not mirror the object
  3  not complete")]
pub(crate) struct BackfillArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Only this object.
    #[arg(long, value_name = "OBJECT")]
    object: Option<ObjectName>,
    /// Read only rows that changed since a time such as 2026-11-22T10:00:00Z, or an age such as 90m, 24h or 7d. Of an object that
    /// was never copied, all rows are read.
    #[arg(long, value_name = "TIME|AGE")]
    since: Option<Since>,
    /// Do not wait for the end.
    #[arg(long)]
    no_wait: bool,
    /// Show the running or the last backfills, and request none.
    #[arg(long, conflicts_with_all = ["since", "no_wait"])]
    show: bool,
    /// Print one JSON object instead of a table, and no progress.
    #[arg(long)]
    json: bool,
}

/// The reply of the function: what it has queued.
#[derive(Debug, Deserialize)]
struct Requested {
    objects: Vec<ObjectName>,
    requested_at: Timestamp,
}

/// Requests backfills and follows them, or shows the last ones.
pub(crate) async fn backfill(stack: &Stack, args: BackfillArgs) -> Result<String, Failure> {
    stack.load_org(args.org).await?;
    if args.show {
        let all = load(stack, args.org).await?;
        let is_wanted = |view: &BackfillView| args.object.as_ref().is_none_or(|object| *object == view.object);
        return ended(&args, &all.into_iter().filter(is_wanted).collect::<Vec<_>>());
    }
    let since = args.since.map(|since| since.resolve(stack.clock().now())).transpose()?;
    let since = since.map(store::time::format);
    let request = json!({ "org_id": args.org, "backfill": { "object": args.object, "since": since } });
    let reply = operate(stack, args.org, &request).await?;
    let requested = Requested::deserialize(&reply).map_err(|error| {
        Failure::Unavailable(format!("the function {}-org-admin is of another version: {error}", stack.name()))
    })?;
    if args.no_wait {
        return Ok(queued(&args, &reply, &requested));
    }
    let views = follow(stack, (args.org, args.json), &requested).await?;
    ended(&args, &views)
}

async fn load(stack: &Stack, org: OrgId) -> Result<Vec<BackfillView>, Failure> {
    let cursors = stack.cursors().list(org).await.map_err(|error| stack.unavailable(&error))?;
    let now = stack.clock().now();
    Ok(cursors.iter().filter_map(|cursor| BackfillView::of(cursor, now)).collect())
}

fn queued(args: &BackfillArgs, reply: &Value, requested: &Requested) -> String {
    if args.json {
        return format!("{reply:#}");
    }
    let objects: Vec<String> = requested.objects.iter().map(ToString::to_string).collect();
    format!("A backfill of {} in org {} is queued. --show shows it.", objects.join(", "), args.org)
}

/// Returns the report, as a failure unless all backfills are complete.
fn ended(args: &BackfillArgs, views: &[BackfillView]) -> Result<String, Failure> {
    let complete = views.iter().filter(|view| view.state == BackfillState::Complete).count();
    let is_complete = !views.is_empty() && complete == views.len();
    let shown = if args.json {
        format!("{:#}", json!({ "org_id": args.org, "complete": is_complete, "backfills": views }))
    } else if views.is_empty() {
        format!("No backfill in org {} yet.", args.org)
    } else {
        let mut table = screen::table(["Object", "State", "Rows", "Begun"]);
        for view in views {
            let begun = view.started_at.map_or_else(String::new, screen::time);
            table.add_row([view.object.to_string(), state(view), rows(view), begun]);
        }
        format!("{table}\n\n{complete} of {} complete", screen::counted(views.len(), "backfill", "backfills"))
    };
    if is_complete { Ok(shown) } else { Err(Failure::Unfinished(shown)) }
}

/// Says what a backfill does: `running, 6 min left`.
fn state(view: &BackfillView) -> String {
    match (view.state, view.waits_for.as_deref(), view.seconds_left) {
        (BackfillState::NotStarted, ..) => "queued".to_owned(),
        (BackfillState::Waiting, Some("query_job"), _) => "waits for Salesforce's query job".to_owned(),
        (BackfillState::Waiting, reason, _) => format!("waits: {}", reason.unwrap_or("unknown")),
        (BackfillState::Running, _, Some(seconds)) => format!("running, {} left", duration(seconds)),
        (BackfillState::Running, ..) => "running".to_owned(),
        (BackfillState::Complete, ..) => "complete".to_owned(),
    }
}

/// Counts the rows: `240,000 of 1,000,000, 62.40 MB, 2,000 a second`.
fn rows(view: &BackfillView) -> String {
    let total = view.total.filter(|total| *total >= view.rows).map(|total| format!(" of {}", number(total)));
    let bytes = (view.bytes > 0).then(|| format!(", {}", DecimalBytes(view.bytes)));
    let rate = view.rows_per_second.map(|rate| format!(", {rate} a second"));
    [Some(number(view.rows)), total, bytes, rate].into_iter().flatten().collect()
}

fn number(count: u64) -> String {
    screen::number(usize::try_from(count).unwrap_or(usize::MAX))
}

fn duration(seconds: u64) -> String {
    screen::age(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(state: BackfillState) -> BackfillView {
        let object = ObjectName::from_static("Contact");
        BackfillView { state, ..BackfillView::not_started(object) }
    }

    #[test]
    fn the_progress_of_a_backfill_reads_as_text() {
        let running = BackfillView {
            total: Some(1_000_000),
            rows: 240_000,
            bytes: 62_400_000,
            rows_per_second: Some(2_000.0),
            seconds_left: Some(380),
            ..view(BackfillState::Running)
        };
        assert_eq!(
            (state(&running), rows(&running)),
            ("running, 6 min left".to_owned(), "240,000 of 1,000,000, 62.40 MB, 2000 a second".to_owned(),)
        );
        let uncounted = BackfillView { total: None, bytes: 0, rows_per_second: None, ..running };
        assert_eq!(rows(&uncounted), "240,000");
        let waits = |reason: &str| BackfillView { waits_for: Some(reason.to_owned()), ..view(BackfillState::Waiting) };
        assert_eq!(state(&waits("query_job")), "waits for Salesforce's query job");
        assert_eq!(state(&waits("over_budget")), "waits: over_budget");
        assert_eq!(state(&view(BackfillState::NotStarted)), "queued");
    }
}
