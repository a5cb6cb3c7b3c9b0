//! `cargo ferry replay-events`.
//!
//! The deployed function `record-events` publishes the events, from what it gets from the streams. So the events are those
//! that it would have published, with the configuration of the stack, and the operator needs no permission to publish.
//!
//! The command is safe to repeat, also after it was killed: a batch is deleted only after all of it was published, the same
//! change is always the same event (its `id`), and its `sequence` says that it is older than what a consumer has.

mod bucket;
mod failed_batch;
mod mirror;
mod plan;
mod publisher;

use clap::Args;
use comfy_table::Table;
use jiff::Timestamp;
use salesforce::{ObjectName, OrgId};
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::prompt;
use crate::screen;
use crate::since::Since;
use crate::stack::Stack;
use bucket::FailedEvents;
use failed_batch::FailedBatch;
use publisher::{Left, Publisher, Source, Stopped};

/// Publish events that were lost.
///
/// The batches of the streams whose events could not be published are in a bucket of the stack for 14 days. Their events are
/// published in the order of the streams, and each batch is deleted afterwards. A change that cannot be read or published is
/// left out and named, and its batch stays.
///
/// With --from-mirror, the state of an org's records is published instead, as one event a record with all its fields. The
/// events have `replayed: true`. They cannot tell what changed, and a record that is no longer in the mirror has none.
///
/// Consumers get some events a second time, with the same `id`. Repeating the command does no harm.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry replay-events --dry-run
  cargo ferry replay-events --yes --json
  cargo ferry replay-events --from-mirror --org 00D5e000000KQ2eEAG --since 24h

Exit codes:
  0  published, or nothing to publish
  1  AWS could not be reached
  2  the org is unknown, or the prompt was declined
  3  published in part: correct the reasons that are named, then run it again")]
pub(crate) struct ReplayEventsArgs {
    /// Publish the state of the records in the mirror.
    #[arg(long, requires = "org")]
    from_mirror: bool,
    /// Org id, 15 or 18 characters.
    #[arg(long, requires = "from_mirror")]
    org: Option<OrgId>,
    /// Only records of this object.
    #[arg(long, requires = "from_mirror")]
    object: Option<ObjectName>,
    /// Only records that were read since a time such as 2026-11-22T10:00:00Z, or an age such as 90m, 24h or 7d.
    #[arg(long, value_name = "TIME|AGE", requires = "from_mirror")]
    since: Option<Since>,
    /// Only print what would be published.
    #[arg(long)]
    dry_run: bool,
    /// Do not prompt.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Publishes the failed batches, or the state of an org's records.
pub(crate) async fn replay_events(stack: &Stack, args: ReplayEventsArgs) -> Result<String, Failure> {
    match args.org {
        Some(org) => {
            let since = args.since.map(|since| since.resolve_for_deliveries(stack.clock().now())).transpose()?;
            let selection = mirror::Selection { org, object: args.object, since };
            mirror::replay(stack, &selection, args.dry_run, args.yes, args.json).await
        }
        None => replay_failed(stack, args.dry_run, args.yes, args.json).await,
    }
}

/// The failed batches of one table's stream.
#[derive(Debug, Serialize)]
struct StreamSummary {
    table: String,
    batches: usize,
    changes: usize,
    oldest: Timestamp,
}

/// The result of the command.
#[derive(Debug, Default, Serialize)]
struct Replayed {
    dry_run: bool,
    /// The batches by stream, as they were before.
    streams: Vec<StreamSummary>,
    /// The number of batches that were published and deleted.
    batches_published: usize,
    /// The number of stream records in published batches.
    changes_published: usize,
    /// The number of stream records that the deployed version cannot read.
    changes_unreadable: usize,
    /// The number of stream records whose events were not published.
    changes_refused: usize,
    /// The number of objects that are no batches.
    objects_unreadable: usize,
    /// The stream records that are left in their batches.
    left: Vec<LeftChange>,
}

/// A stream record that is left in its batch.
#[derive(Debug, Serialize)]
struct LeftChange {
    table: String,
    /// The record's `eventID`, which is the id of its event.
    id: String,
    reason: String,
    /// The key of the batch in the bucket.
    batch: String,
}

/// The number of left changes that a report names.
const MAX_NAMED: usize = 20;

async fn replay_failed(stack: &Stack, dry_run: bool, yes: bool, as_json: bool) -> Result<String, Failure> {
    let bucket = FailedEvents::of(stack).await?;
    let keys = bucket.keys().await?;
    let mut replayed = Replayed { dry_run, ..Replayed::default() };
    if !dry_run && !keys.is_empty() {
        let batches = screen::counted(keys.len(), "failed batch", "failed batches");
        prompt::confirm(&format!("Publish the events of {batches}? [y/N]"), yes, prompt::is_yes)?;
    }
    let publisher = Publisher::new(stack.record_events(), Source::Stream);
    let progress = screen::bar("Publishing batches", keys.len());
    let mut stopped = None;
    for key in &keys {
        let Some(object) = bucket.load(key).await? else { continue };
        match FailedBatch::parse(&object) {
            None => replayed.objects_unreadable += 1,
            Some(batch) => {
                replayed.count(&batch);
                if !dry_run {
                    match publisher.publish(&batch.records).await {
                        Ok(left) => {
                            if left.is_empty() {
                                bucket.delete(key).await?;
                            }
                            replayed.published(key, &batch, left);
                        }
                        Err(reason) => {
                            stopped = Some(reason);
                            break;
                        }
                    }
                }
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let text = if as_json { format!("{:#}", json!(replayed)) } else { replayed.report(stopped.as_ref()) };
    let unfinished = stopped.is_some() || replayed.left.len() + replayed.objects_unreadable > 0;
    if unfinished { Err(Failure::Unfinished(text)) } else { Ok(text) }
}

impl Replayed {
    fn count(&mut self, batch: &FailedBatch) {
        let changes = batch.records.len();
        match self.streams.iter_mut().find(|stream| stream.table == batch.table) {
            Some(stream) => {
                stream.batches += 1;
                stream.changes += changes;
                stream.oldest = stream.oldest.min(batch.failed_at);
            }
            None => {
                let (table, oldest) = (batch.table.clone(), batch.failed_at);
                self.streams.push(StreamSummary { table, batches: 1, changes, oldest });
            }
        }
    }

    fn published(&mut self, key: &str, batch: &FailedBatch, left: Vec<Left>) {
        self.batches_published += usize::from(left.is_empty());
        self.changes_published += batch.records.len() - left.len();
        for Left { place, unreadable, reason } in left {
            *(if unreadable { &mut self.changes_unreadable } else { &mut self.changes_refused }) += 1;
            let id = batch.records.get(place).and_then(|record| record["eventID"].as_str()).unwrap_or("unknown");
            self.left.push(LeftChange { table: batch.table.clone(), id: id.to_owned(), reason, batch: key.to_owned() });
        }
    }

    fn report(&self, stopped: Option<&Stopped>) -> String {
        let mut lines = Vec::new();
        if self.streams.is_empty() && self.objects_unreadable == 0 {
            lines.push("No batch of a stream has failed.".to_owned());
        } else {
            lines.push(format!("{}\n", self.table()));
        }
        if self.dry_run {
            lines.push("Dry run: nothing was published.".to_owned());
        } else if self.batches_published > 0 {
            let batches = screen::counted(self.batches_published, "batch was", "batches were");
            lines.push(format!("{batches} published and deleted."));
        }
        if !self.left.is_empty() {
            let changes = screen::counted(self.left.len(), "change was", "changes were");
            lines.push(format!(
                "{changes} left out, and their batches stay in the bucket until 14 days after they failed:"
            ));
            lines.extend(named(&self.left, |left| format!("{} of {}: {}", left.id, left.table, left.reason)));
            lines.push("Correct the reasons: deploy a version that reads the changes, or see what the event bus accepts. Then run the same command again.".to_owned());
        }
        if self.objects_unreadable > 0 {
            let objects = screen::counted(self.objects_unreadable, "object", "objects");
            lines.push(format!("{objects} of the bucket cannot be read as a batch."));
        }
        lines.extend(stopped.map(|reason| format!("Stopped: {reason}. Run the same command again to finish.")));
        lines.join("\n")
    }

    fn table(&self) -> Table {
        let mut table = screen::table(["Table", "Batches", "Changes", "Oldest failure"]);
        for stream in &self.streams {
            let numbers = [stream.batches, stream.changes].map(screen::number);
            let row = [stream.table.clone()].into_iter().chain(numbers).chain([screen::time(stream.oldest)]);
            table.add_row(row.collect::<Vec<_>>());
        }
        table
    }
}

/// Returns a line for each of the first [`MAX_NAMED`] items that are left, and one with the number of the others.
fn named<T>(left: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = left.iter().take(MAX_NAMED).map(|left| format!("  {}", name(left))).collect();
    if left.len() > MAX_NAMED {
        let more = screen::number(left.len() - MAX_NAMED);
        lines.push(format!("  and {more} more; --json names them all"));
    }
    lines
}

#[cfg(test)]
mod tests;
