//! `cargo ferry replay`.
//!
//! A replay is safe to repeat, also after it was killed: the mirror takes only newer records, and the ledger has one row per
//! delivery.

mod plan;

use std::io::{self, Write as _};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;
use serde_json::{Value, json};
use store::{ChangeHint, OrgState};

use crate::deliveries;
use crate::failure::Failure;
use crate::prompt;
use crate::screen;
use crate::since::Since;
use crate::stack::Stack;
use plan::Plan;

/// Re-read the records of past deliveries from Salesforce.
///
/// The records are applied to the mirror. Each record is queued once, as its newest delivery. Its row in the ledger gets the new outcome, except that `applied`
/// stays when the record turns out to be unchanged. Repeating a replay does no harm.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry replay --org 00D5e000000KQ2eEAG --since 24h --dry-run
  cargo ferry replay --org 00D5e000000KQ2eEAG --since 2026-11-22T10:00:00Z --yes

Exit codes:
  0  queued, or nothing to queue
  1  AWS could not be reached
  2  the org is unknown or not active, or the prompt was declined
  3  queued in part: run the same command again to finish")]
pub(crate) struct ReplayArgs {
    /// Org id, 15 or 18 characters. The org must be active.
    #[arg(long)]
    org: OrgId,
    /// Start: a time such as 2026-11-22T10:00:00Z, or an age such as 90m, 24h or 7d.
    #[arg(long, value_name = "TIME|AGE")]
    since: Since,
    /// Only print the number of records and API calls.
    #[arg(long)]
    dry_run: bool,
    /// Do not prompt.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// A replay with its start resolved to a time.
#[derive(Clone, Copy, Debug)]
struct Request {
    org: OrgId,
    since: Timestamp,
    dry_run: bool,
}

/// Hints that are queued between two updates of the progress bar.
const CHUNK: usize = 200;
/// The time limit for queueing one chunk.
const CHUNK_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// Queues each record once, as its newest delivery.
pub(crate) async fn replay(stack: &Stack, args: ReplayArgs) -> Result<String, Failure> {
    let since = args.since.resolve_for_deliveries(stack.clock().now())?;
    let request = Request { org: args.org, since, dry_run: args.dry_run };
    require_active(stack, args.org).await?;
    let mut plan = Plan::default();
    deliveries::for_each(stack, args.org, since, |delivery| plan.add(delivery)).await?;
    if !args.dry_run && plan.records() > 0 {
        if !args.yes {
            // If standard error is closed, the prompt fails too.
            let _ = writeln!(io::stderr(), "{}", describe(request, &plan));
        }
        prompt::confirm("Queue these records? [y/N]", args.yes, prompt::is_yes)?;
        queue(stack, &plan.hints()).await?;
    }
    Ok(if args.json { format!("{:#}", to_json(request, &plan)) } else { report(request, &plan) })
}

async fn require_active(stack: &Stack, org: OrgId) -> Result<(), Failure> {
    match stack.load_org(org).await?.state {
        OrgState::Active => Ok(()),
        state => Err(Failure::BadInput(format!(
            "could not read records of org {org}: it is {}, not active; its admin has to connect first",
            json!(state).as_str().unwrap_or_default()
        ))),
    }
}

async fn queue(stack: &Stack, hints: &[ChangeHint]) -> Result<(), Failure> {
    let queue = stack.hints().await.map_err(|error| stack.unavailable(&error))?;
    screen::run_in_chunks("Queueing records", hints, CHUNK, async |chunk| {
        let deadline = stack.clock().now().saturating_add(CHUNK_TIMEOUT).unwrap_or(Timestamp::MAX);
        queue.send_all(chunk, deadline).await
    })
    .await
}

fn to_json(request: Request, plan: &Plan) -> Value {
    json!({
        "org_id": request.org,
        "since": request.since,
        "dry_run": request.dry_run,
        "queued": if request.dry_run { 0 } else { plan.records() },
        "records": plan.records(),
        "without_record": plan.without_record(),
        "api_calls_at_least": plan.api_calls(),
        "objects": plan.objects(),
    })
}

fn report(request: Request, plan: &Plan) -> String {
    let description = describe(request, plan);
    let records = screen::counted(plan.records(), "record was", "records were");
    match (plan.records(), request.dry_run) {
        (0, _) => description,
        (_, true) => format!("{description}\nDry run: nothing was queued."),
        (_, false) => format!(
            "{description}\n{records} queued. See the outcomes with `cargo ferry deliveries --org {} --since {}`.",
            request.org, request.since
        ),
    }
}

fn describe(request: Request, plan: &Plan) -> String {
    let skipped = match plan.without_record() {
        0 => String::new(),
        count => format!(
            "\n{} skipped, because no record is named: the record was already deleted, or its whole object was refreshed.",
            screen::counted(count, "delivery is", "deliveries are")
        ),
    };
    let since = screen::time(request.since);
    if plan.records() == 0 {
        return format!("No delivery from org {} since {since} names a record.{skipped}", request.org);
    }
    let mut table = screen::table(["Object", "Deliveries", "Records", "API calls (minimum)"]);
    for object in plan.objects() {
        let numbers = [object.deliveries, object.records, object.api_calls_at_least];
        let numbers = numbers.map(screen::number);
        table.add_row([object.object.to_string()].into_iter().chain(numbers));
    }
    format!(
        "{table}\n\n{} of org {} since {since}. Smaller batches take more API calls.{skipped}",
        screen::counted(plan.records(), "record", "records"),
        request.org
    )
}
