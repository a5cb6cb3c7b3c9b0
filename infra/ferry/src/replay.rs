//! `ferry replay`: has the records that the ledger names read again.
//!
//! Repeating it does no harm, wherever it was killed: a hint that is queued twice is read twice, the mirror takes only what is
//! newer, and the ledger has one row for a delivery whatever comes of it.

mod plan;

use std::io::{self, Write as _};

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde_json::{Value, json};
use store::{ChangeHint, OrgState};

use crate::ask;
use crate::cli::Failure;
use crate::deliveries::{known, read};
use crate::screen;
use crate::stack::Stack;
use plan::Plan;

/// What is to be read again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) org: OrgId,
    pub(crate) since: Timestamp,
    /// Only say what would be.
    pub(crate) dry_run: bool,
    /// Do not ask.
    pub(crate) yes: bool,
}

/// How many hints are queued between two looks at the progress.
const TOGETHER: usize = 200;
/// How long SQS may take for them.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Queues the distinct records again, each as its newest delivery.
pub(crate) async fn replay(stack: &Stack, wanted: Wanted, as_json: bool) -> Result<String, Failure> {
    let Wanted { org, since, dry_run, yes } = wanted;
    let state = known(stack, org).await?.state;
    if state != OrgState::Active {
        return Err(Failure::BadInput(format!(
            "org {org} is not active but {}: its records cannot be read; its admin has to connect first",
            json!(state).as_str().unwrap_or_default()
        )));
    }
    let mut plan = Plan::default();
    read(stack, org, since, |delivery| plan.add(delivery)).await?;
    if !dry_run && plan.records() > 0 {
        if !yes {
            // Whoever does not want to see the question does not want to see what it is about.
            let _ = writeln!(io::stderr(), "{}", shown(wanted, &plan));
        }
        ask::confirm("Have them read again? [y/N]", yes, ask::is_yes)?;
        queue(stack, &plan.hints()).await?;
    }
    Ok(if as_json { format!("{:#}", to_json(wanted, &plan)) } else { told(wanted, &plan) })
}

async fn queue(stack: &Stack, hints: &[ChangeHint]) -> Result<(), Failure> {
    let queue = stack.hints().await.map_err(stack.unavailable("find the queue"))?;
    let progress = screen::bar("Queueing records", hints.len());
    for together in hints.chunks(TOGETHER) {
        let deadline = stack.clock().now().saturating_add(PATIENCE).unwrap_or(Timestamp::MAX);
        if let Err(error) = queue.send_all(together, deadline).await {
            progress.finish_and_clear();
            return Err(Failure::Unfinished(format!(
                "{} of {} records are queued; then: {}. Run the same command again: what is read twice changes nothing.",
                progress.position(),
                hints.len(),
                runtime::Chain(&error)
            )));
        }
        progress.inc(together.len() as u64);
    }
    progress.finish_and_clear();
    Ok(())
}

fn to_json(wanted: Wanted, plan: &Plan) -> Value {
    json!({
        "org_id": wanted.org,
        "since": wanted.since,
        "dry_run": wanted.dry_run,
        "queued": if wanted.dry_run { 0 } else { plan.records() },
        "records": plan.records(),
        "without_record": plan.without_record(),
        "api_calls_at_least": plan.api_calls(),
        "objects": plan.objects(),
    })
}

fn told(wanted: Wanted, plan: &Plan) -> String {
    let table = shown(wanted, plan);
    let records = screen::counted(plan.records(), "record is", "records are");
    match (plan.records(), wanted.dry_run) {
        (0, _) => table,
        (_, true) => format!("{table}\nNothing was queued: this was a dry run."),
        (_, false) => format!(
            "{table}\n{records} queued. `ferry deliveries --org {} --since {}` shows what comes of them.",
            wanted.org, wanted.since
        ),
    }
}

fn shown(wanted: Wanted, plan: &Plan) -> String {
    let skipped = match plan.without_record() {
        0 => String::new(),
        count => format!(
            "\n{} left out, naming no record: it was deleted before Salesforce told of it, or its whole object was read again.",
            screen::counted(count, "delivery is", "deliveries are")
        ),
    };
    let since = screen::time(wanted.since);
    if plan.records() == 0 {
        return format!("The ledger of org {} names no record since {since}.{skipped}", wanted.org);
    }
    let mut table = screen::table(["Object", "Deliveries", "Records", "API calls, at least"]);
    for object in plan.objects() {
        let numbers = [object.deliveries, object.records, object.api_calls_at_least];
        let numbers = numbers.map(screen::number);
        table.add_row([object.object.to_string()].into_iter().chain(numbers));
    }
    format!(
        "{table}\n\n{} of org {} since {since}. What comes in smaller batches takes more calls.{skipped}",
        screen::counted(plan.records(), "record", "records"),
        wanted.org
    )
}
