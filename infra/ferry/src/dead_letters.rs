//! `cargo ferry dead-letters`.
//!
//! A killed command loses no message: a received message becomes visible again after [`HOLD`], and a redriven one is deleted
//! only after it was sent.

mod counts;
mod letter;

use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use comfy_table::{ColumnConstraint, Table, Width};
use jiff::SignedDuration;
use salesforce::OrgId;
use serde_json::json;
use store::{DeadLetter, DeadLetters};

use crate::failure::Failure;
use crate::prompt;
use crate::queue_name::QueueName;
use crate::screen;
use crate::stack::Stack;
use letter::{Content, Summary};

/// List, redrive or delete dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a queue's dead letters with their subject and reason, or count those of every queue.
    ///
    /// Without --queue, the numbers of all queues are listed. The messages stay in their queues.
    #[command(after_long_help = "\
Examples:
  cargo ferry dead-letters list
  cargo ferry dead-letters list --queue note-write --org 00D5e000000KQ2eEAG

Exit codes:
  0  listed
  1  AWS could not be reached
  2  --org without --queue")]
    List {
        /// Origin of the dead letters; without it, the numbers of all queues are listed.
        #[arg(long, value_enum)]
        queue: Option<QueueName>,
        #[command(flatten)]
        letters: Letters,
    },
    /// Send dead letters back to the queue that they came from.
    ///
    /// A message is deleted from the dead-letter queue only after it was sent, so a killed command loses none.
    #[command(after_long_help = "\
Example:
  cargo ferry dead-letters redrive --queue record-write

Exit codes:
  0  sent
  1  AWS could not be reached
  2  the dead letters did not come from a queue
  3  sent in part: run the same command again to finish")]
    Redrive(Selection),
    /// Delete dead letters and print them.
    #[command(after_long_help = "\
Example:
  cargo ferry dead-letters drop --queue record-events --yes

Exit codes:
  0  deleted
  1  AWS could not be reached
  2  the prompt was declined
  3  deleted in part: run the same command again to finish")]
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Do not prompt.
        #[arg(long)]
        yes: bool,
    },
}

/// The dead letters to which a command applies.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Selection {
    /// Origin of the dead letters.
    #[arg(long, value_enum)]
    queue: QueueName,
    #[command(flatten)]
    letters: Letters,
}

/// The dead letters of a queue to which a command applies, and the form of its report.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Letters {
    /// Only dead letters of this org, 15 or 18 characters.
    #[arg(long)]
    org: Option<OrgId>,
    /// Maximum number of messages to receive (1 to 10,000).
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u16).range(1..=10_000), value_name = "NUMBER")]
    limit: u16,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The visibility timeout of received dead letters.
const HOLD: SignedDuration = SignedDuration::from_mins(2);
/// The width in columns of `Opportunity`, an id and the cell's padding.
const OBJECT_AND_ID: u16 = 32;
/// Messages that are sent or deleted between two updates of the progress bar.
const CHUNK: usize = 50;

/// Messages received from a dead-letter queue.
struct Received {
    selected: Vec<DeadLetter>,
    others: Vec<DeadLetter>,
    /// `true` if the queue had no more messages.
    complete: bool,
}

/// Runs `cargo ferry dead-letters`.
pub(crate) async fn run(stack: &Stack, command: Command) -> Result<String, Failure> {
    match command {
        Command::List { queue: Some(queue), letters } => list(stack, Selection { queue, letters }).await,
        Command::List { queue: None, letters: Letters { org: Some(_), .. } } => {
            Err(Failure::BadInput("could not list the dead letters of an org: name a queue with --queue".to_owned()))
        }
        Command::List { queue: None, letters } => counts::report(stack, letters.json).await,
        Command::Redrive(selection) => redrive(stack, selection).await,
        Command::Drop { selection, yes } => drop(stack, selection, yes).await,
    }
}

async fn list(stack: &Stack, selection: Selection) -> Result<String, Failure> {
    let dead = open(stack, selection).await?;
    let received = receive(stack, &dead, selection).await?;
    release_all(stack, &dead, &received).await?;
    let summaries = summarize(stack, selection, &received.selected).await?;
    if selection.letters.json {
        let more = !received.complete;
        return Ok(format!("{:#}", json!({ "queue": selection.queue, "dead_letters": summaries, "more": more })));
    }
    Ok(match summaries.len() {
        0 => none(selection, &received),
        count => format!(
            "{}\n\n{} {}. Times are in UTC; the age counts from the first queueing.{}",
            table(&summaries),
            screen::counted(count, "dead letter", "dead letters"),
            scope(selection),
            limit_note(&received)
        ),
    })
}

async fn redrive(stack: &Stack, selection: Selection) -> Result<String, Failure> {
    let queue = selection.queue;
    let Some(source) = queue.source() else {
        return Err(Failure::BadInput(format!("could not redrive dead letters of {queue}: {}", queue.alternative())));
    };
    let dead = open(stack, selection).await?;
    let mut received = receive(stack, &dead, selection).await?;
    let is_redrivable = |letter: &DeadLetter| Content::parse(queue, &letter.body).is_redrivable();
    let (mut letters, notices): (Vec<_>, Vec<_>) = received.selected.drain(..).partition(is_redrivable);
    let kept = notices.len();
    received.others.extend(notices);
    release(stack, &dead, &received.others).await?;
    let summaries = summarize(stack, selection, &letters).await?;
    for letter in &mut letters {
        letter.body = Content::parse(queue, &letter.body).into_redriven(std::mem::take(&mut letter.body));
    }
    let source = format!("{}-{source}", stack.name());
    screen::run_in_chunks("Sending dead letters", &letters, CHUNK, async |chunk| dead.redrive(chunk, &source).await)
        .await?;
    if selection.letters.json {
        let more = !received.complete;
        return Ok(format!("{:#}", json!({ "queue": queue, "redriven": summaries, "kept": kept, "more": more })));
    }
    let sent = screen::counted(letters.len(), "dead letter was", "dead letters were");
    let kept = match kept {
        0 => String::new(),
        kept => format!(
            "\n{} left in place: a notice of a failed invocation cannot be redriven. Invoke the function, then drop the notice.",
            screen::counted(kept, "was", "were")
        ),
    };
    Ok(format!("{sent} sent to the queue {source}.{kept}{}", limit_note(&received)))
}

async fn drop(stack: &Stack, selection: Selection, yes: bool) -> Result<String, Failure> {
    let dead = open(stack, selection).await?;
    let mut received = receive(stack, &dead, selection).await?;
    if !yes && !received.selected.is_empty() {
        // Nothing is held while the operator decides: it may take longer than `HOLD`.
        release_all(stack, &dead, &received).await?;
        confirm_drop(stack, selection, &received).await?;
        let confirmed: Vec<String> = received.selected.into_iter().map(|letter| letter.message_id).collect();
        received = receive(stack, &dead, selection).await?;
        let (selected, newer): (Vec<_>, Vec<_>) =
            received.selected.drain(..).partition(|letter| confirmed.contains(&letter.message_id));
        received.selected = selected;
        received.others.extend(newer);
    }
    release(stack, &dead, &received.others).await?;
    let summaries = summarize(stack, selection, &received.selected).await?;
    screen::run_in_chunks("Deleting dead letters", &received.selected, CHUNK, async |chunk| dead.delete(chunk).await)
        .await?;
    if selection.letters.json {
        let more = !received.complete;
        return Ok(format!("{:#}", json!({ "queue": selection.queue, "dropped": summaries, "more": more })));
    }
    Ok(match summaries.len() {
        0 => none(selection, &received),
        count => format!(
            "{}\n\n{} {} deleted.{}",
            table(&summaries),
            screen::counted(count, "dead letter", "dead letters"),
            scope(selection),
            limit_note(&received)
        ),
    })
}

async fn confirm_drop(stack: &Stack, selection: Selection, received: &Received) -> Result<(), Failure> {
    let summaries = summarize(stack, selection, &received.selected).await?;
    // If standard error is closed, the prompt fails too.
    let _ = writeln!(io::stderr(), "{}", table(&summaries));
    let queue = selection.queue.to_string();
    let question = format!("Deleted messages cannot be restored. Type {queue} to delete them:");
    prompt::confirm(&question, false, |typed| typed == queue)
}

async fn open(stack: &Stack, selection: Selection) -> Result<DeadLetters, Failure> {
    stack.dead_letters(selection.queue).await.map_err(|error| stack.unavailable(&error))
}

async fn receive(stack: &Stack, dead: &DeadLetters, selection: Selection) -> Result<Received, Failure> {
    let limit = usize::from(selection.letters.limit);
    let progress = screen::spinner("Receiving dead letters", &selection.queue.to_string());
    let received = dead.receive(limit, HOLD).await;
    progress.finish_and_clear();
    let received = received.map_err(|error| stack.unavailable(&error))?;
    let complete = received.len() < limit;
    let is_selected = |letter: &DeadLetter| {
        selection.letters.org.is_none()
            || selection.letters.org == Content::parse(selection.queue, &letter.body).org(letter.group.as_deref())
    };
    let (selected, others) = received.into_iter().partition(is_selected);
    Ok(Received { selected, others, complete })
}

async fn release_all(stack: &Stack, dead: &DeadLetters, received: &Received) -> Result<(), Failure> {
    release(stack, dead, &[&received.selected[..], &received.others[..]].concat()).await
}

/// Makes received messages visible to other consumers again.
async fn release(stack: &Stack, dead: &DeadLetters, letters: &[DeadLetter]) -> Result<(), Failure> {
    dead.release(letters).await.map_err(|error| stack.unavailable(&error))
}

async fn summarize(stack: &Stack, selection: Selection, letters: &[DeadLetter]) -> Result<Vec<Summary>, Failure> {
    let receives = stack.max_receives(selection.queue).await.map_err(|error| stack.unavailable(&error))?;
    let now = stack.clock().now();
    Ok(letters.iter().map(|letter| Summary::new(selection.queue, letter, receives, now)).collect())
}

fn table(summaries: &[Summary]) -> Table {
    let mut table = screen::table(["Org, subject", "Reason", "Failed at, age, id"]);
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(OBJECT_AND_ID)));
    }
    for summary in summaries {
        table.add_row(summary.cells());
    }
    table
}

fn none(selection: Selection, received: &Received) -> String {
    format!("No dead letters {}.{}", scope(selection), limit_note(received))
}

fn scope(selection: Selection) -> String {
    let of_org = selection.letters.org.map(|org| format!(" of org {org}")).unwrap_or_default();
    format!("in {}{of_org}", selection.queue.dead_letters())
}

fn limit_note(received: &Received) -> &'static str {
    if received.complete { "" } else { "\nThe queue may hold more; pass a higher --limit to receive them." }
}
