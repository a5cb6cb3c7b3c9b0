//! `ferry dead-letters`: what was given up, back to work or away.
//!
//! Nothing is lost wherever a command is killed: what it has received comes back by itself after [`HOLD`], and what it sends
//! back is deleted only after it was sent.

mod letter;

use std::io::{self, Write as _};

use comfy_table::{ColumnConstraint, Table, Width};
use jiff::SignedDuration;
use salesforce::OrgId;
use serde_json::json;
use store::{DeadLetter, DeadLetters};

use crate::ask;
use crate::cli::Failure;
use crate::screen;
use crate::stack::Stack;
pub(crate) use letter::QueueName;
use letter::{Content, Shown};

/// Which dead letters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) queue: QueueName,
    pub(crate) org: Option<OrgId>,
    /// How many are looked at.
    pub(crate) limit: usize,
}

/// For how long others do not see what is being looked at.
const HOLD: SignedDuration = SignedDuration::from_mins(2);
/// How wide `Opportunity` with an id and the cell's padding is.
const OBJECT_AND_ID: u16 = 32;
/// How many are sent back or dropped between two looks at the progress.
const TOGETHER: usize = 50;

/// What was received: the wanted ones, and others.
struct Received {
    letters: Vec<DeadLetter>,
    others: Vec<DeadLetter>,
    /// Whether all were received.
    all: bool,
}

/// Shows the dead letters, and leaves them as they are.
pub(crate) async fn list(stack: &Stack, wanted: Wanted, as_json: bool) -> Result<String, Failure> {
    let dead = open(stack, wanted).await?;
    let received = receive(stack, &dead, wanted).await?;
    give_back(stack, &dead, &[&received.letters[..], &received.others[..]].concat()).await?;
    let shown = describe(stack, wanted, &received.letters).await?;
    if as_json {
        return Ok(format!("{:#}", json!({ "queue": wanted.queue, "dead_letters": shown, "more": !received.all })));
    }
    Ok(match shown.len() {
        0 => format!("No dead letters of {}.{}", whose(wanted), more(&received)),
        count => {
            let letters = screen::counted(count, "dead letter", "dead letters");
            let (table, more) = (table(&shown), more(&received));
            format!(
                "{table}\n\n{letters} of {}. Times are in UTC; the age counts from when it was first queued.{more}",
                whose(wanted)
            )
        }
    })
}

/// Sends the dead letters back to the queue that they came from.
pub(crate) async fn redrive(stack: &Stack, wanted: Wanted, as_json: bool) -> Result<String, Failure> {
    let queue = wanted.queue;
    let Some(source) = queue.source() else {
        return Err(Failure::BadInput(format!("no queue takes the dead letters of {queue} back: {}", queue.instead())));
    };
    let dead = open(stack, wanted).await?;
    let mut received = receive(stack, &dead, wanted).await?;
    let of_queue = |letter: &DeadLetter| Content::of(queue, &letter.body).comes_from_queue();
    let (mut letters, notices): (Vec<_>, Vec<_>) = received.letters.drain(..).partition(of_queue);
    let kept = notices.len();
    received.others.extend(notices);
    give_back(stack, &dead, &received.others).await?;
    let shown = describe(stack, wanted, &letters).await?;
    for letter in &mut letters {
        letter.body = Content::of(queue, &letter.body).revived(std::mem::take(&mut letter.body));
    }
    let source = format!("{}-{source}", stack.name());
    each("Sending back", &letters, async |some| dead.redrive(some, &source).await).await?;
    if as_json {
        let more = !received.all;
        return Ok(format!("{:#}", json!({ "queue": queue, "redriven": shown, "kept": kept, "more": more })));
    }
    let back = screen::counted(letters.len(), "dead letter is", "dead letters are");
    let kept = match kept {
        0 => String::new(),
        kept => format!(
            "\n{} kept: no message of the queue, but a notice of an invocation that failed. Invoke the function, then drop it.",
            screen::counted(kept, "is", "are")
        ),
    };
    Ok(format!("{back} back in the queue {source}.{kept}{}", more(&received)))
}

/// Drops the dead letters, after showing them to whoever has not said yes.
pub(crate) async fn drop(stack: &Stack, wanted: Wanted, yes: bool, as_json: bool) -> Result<String, Failure> {
    let dead = open(stack, wanted).await?;
    let mut received = receive(stack, &dead, wanted).await?;
    if !yes && !received.letters.is_empty() {
        give_back(stack, &dead, &[&received.letters[..], &received.others[..]].concat()).await?;
        let shown = describe(stack, wanted, &received.letters).await?;
        // Whoever does not get to see the question does not answer it.
        let _ = writeln!(io::stderr(), "{}", table(&shown));
        let question = format!("They are gone for good then. Type {} to go on:", wanted.queue);
        ask::confirm(&question, false, |typed| typed == wanted.queue.to_string())?;
        let seen: Vec<String> = received.letters.drain(..).map(|letter| letter.message_id).collect();
        received = receive(stack, &dead, wanted).await?;
        let (letters, younger): (Vec<_>, Vec<_>) =
            received.letters.drain(..).partition(|letter| seen.contains(&letter.message_id));
        received.letters = letters;
        received.others.extend(younger);
    }
    give_back(stack, &dead, &received.others).await?;
    let shown = describe(stack, wanted, &received.letters).await?;
    each("Dropping", &received.letters, async |some| dead.delete(some).await).await?;
    if as_json {
        let more = !received.all;
        return Ok(format!("{:#}", json!({ "queue": wanted.queue, "dropped": shown, "more": more })));
    }
    Ok(match shown.len() {
        0 => format!("No dead letters of {}.{}", whose(wanted), more(&received)),
        count => {
            let dropped = screen::counted(count, "dead letter", "dead letters");
            format!("{}\n\n{dropped} of {} dropped.{}", table(&shown), whose(wanted), more(&received))
        }
    })
}

async fn open(stack: &Stack, wanted: Wanted) -> Result<DeadLetters, Failure> {
    stack.dead_letters(wanted.queue).await.map_err(stack.unavailable("find the dead-letter queue"))
}

async fn receive(stack: &Stack, dead: &DeadLetters, wanted: Wanted) -> Result<Received, Failure> {
    let progress = screen::spinner("Looking at the dead letters of", &wanted.queue.to_string());
    let received = dead.receive(wanted.limit, HOLD).await;
    progress.finish_and_clear();
    let received = received.map_err(stack.unavailable("receive the dead letters"))?;
    let all = received.len() < wanted.limit;
    let is_wanted = |letter: &DeadLetter| {
        wanted.org.is_none() || wanted.org == Content::of(wanted.queue, &letter.body).org(letter.group.as_deref())
    };
    let (letters, others) = received.into_iter().partition(is_wanted);
    Ok(Received { letters, others, all })
}

async fn give_back(stack: &Stack, dead: &DeadLetters, letters: &[DeadLetter]) -> Result<(), Failure> {
    dead.release(letters).await.map_err(stack.unavailable("give the dead letters back"))
}

async fn describe(stack: &Stack, wanted: Wanted, letters: &[DeadLetter]) -> Result<Vec<Shown>, Failure> {
    let receives = stack.receives_before_death(wanted.queue).await;
    let receives = receives.map_err(stack.unavailable("read the queue's settings"))?;
    let now = stack.clock().now();
    Ok(letters.iter().map(|letter| Shown::of(wanted.queue, letter, receives, now)).collect())
}

/// Does it to all, some at a time.
async fn each(
    doing: &str,
    letters: &[DeadLetter],
    act: impl AsyncFn(&[DeadLetter]) -> Result<(), store::Error>,
) -> Result<(), Failure> {
    let progress = screen::bar(doing, letters.len());
    for some in letters.chunks(TOGETHER) {
        if let Err(error) = act(some).await {
            progress.finish_and_clear();
            return Err(Failure::Unfinished(format!(
                "{doing} stopped after {} of {}: {}. The rest is as it was; run the same command again.",
                progress.position(),
                letters.len(),
                runtime::Chain(&error)
            )));
        }
        progress.inc(some.len() as u64);
    }
    progress.finish_and_clear();
    Ok(())
}

fn table(shown: &[Shown]) -> Table {
    let mut table = screen::table(["Org, what it was about", "Reason", "Given up at, age, id"]);
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(OBJECT_AND_ID)));
    }
    for letter in shown {
        table.add_row(letter.cells());
    }
    table
}

fn whose(wanted: Wanted) -> String {
    let of_org = wanted.org.map(|org| format!(" for org {org}")).unwrap_or_default();
    format!("{}{of_org}", wanted.queue)
}

fn more(received: &Received) -> &'static str {
    if received.all { "" } else { "\nThere may be more than were looked at: a higher --limit looks at more." }
}
