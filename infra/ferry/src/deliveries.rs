//! `cargo ferry deliveries`.

mod ledger;

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde_json::{Value, json};
use store::{Delivery, DeliveryOutcome, Source};

use crate::failure::Failure;
use crate::screen;
use crate::since::Since;
use crate::stack::Stack;
use ledger::Ledger;

/// List deliveries with their outcomes, newest last.
///
/// A delivery is one notification of a changed record. Times are in UTC. The ledger keeps deliveries for 14 days, or as
/// the stack's parameter `DeliveryRetentionDays` says. A delivery appears once it is settled or deferred, so the newest may be
/// missing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cargo ferry deliveries --org 00D5e000000KQ2eEAG --since 7d
  cargo ferry deliveries --org 00D5e000000KQ2eEAG --record 0015e00000ZkM3hAAF --json

Exit codes:
  0  listed
  1  AWS could not be reached
  2  the org is unknown, or the time is not in the ledger")]
pub(crate) struct ListArgs {
    /// Org id, 15 or 18 characters.
    #[arg(long)]
    org: OrgId,
    /// Start: a time such as 2026-11-22T10:00:00Z, or an age such as 90m, 24h or 7d.
    #[arg(long, default_value = "24h", value_name = "TIME|AGE")]
    since: Since,
    /// Only deliveries about this record, 15 or 18 characters.
    #[arg(long, value_name = "ID")]
    record: Option<RecordId>,
    /// List at most this many of the newest deliveries (1 to 10,000); all are counted.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u16).range(1..=10_000), value_name = "NUMBER")]
    limit: u16,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Lists the newest deliveries and counts all by outcome.
pub(crate) async fn list(stack: &Stack, args: ListArgs) -> Result<String, Failure> {
    let since = args.since.resolve_for_deliveries(stack.clock().now())?;
    stack.load_org(args.org).await?;
    let mut ledger = Ledger::new(args.record, args.limit.into());
    for_each(stack, args.org, since, |delivery| ledger.add(delivery)).await?;
    Ok(if args.json { format!("{:#}", to_json(&args, since, &ledger)) } else { report(&args, since, &ledger) })
}

/// Calls `take` with each delivery of the org since then, oldest first.
pub(crate) async fn for_each(
    stack: &Stack,
    org: OrgId,
    since: Timestamp,
    mut take: impl FnMut(Delivery),
) -> Result<(), Failure> {
    let progress = screen::spinner("Reading the ledger", "deliveries");
    let deliveries = stack.deliveries();
    let mut deliveries = deliveries.stream_since(org, since).boxed();
    while let Some(delivery) = deliveries.try_next().await.map_err(|error| stack.unavailable(&error))? {
        progress.inc(1);
        take(delivery);
    }
    progress.finish_and_clear();
    Ok(())
}

fn to_json(args: &ListArgs, since: Timestamp, ledger: &Ledger) -> Value {
    json!({
        "org_id": args.org,
        "since": since,
        "counts": ledger.counts(),
        "left_out": ledger.left_out(),
        "deliveries": ledger.newest().collect::<Vec<_>>(),
    })
}

fn report(args: &ListArgs, since: Timestamp, ledger: &Ledger) -> String {
    let of_record = args.record.map(|record| format!(" of record {record}")).unwrap_or_default();
    let since = screen::time(since);
    let total = ledger.total();
    if total == 0 {
        return format!("No deliveries{of_record} from org {} since {since}.", args.org);
    }
    let mut table = screen::table(["Received, settled", "Record, delivery", "Outcome"]);
    for delivery in ledger.newest() {
        table.add_row(cells(delivery));
    }
    let counts: Vec<String> =
        ledger.counts().iter().map(|(code, count)| format!("{} {}", screen::number(*count), label(code))).collect();
    let deliveries = screen::counted(total, "delivery", "deliveries");
    let more = match ledger.left_out() {
        0 => String::new(),
        left_out => format!("\n{} older ones are not listed; pass a higher --limit.", screen::number(left_out)),
    };
    format!("{table}\n\n{deliveries}{of_record} since {since}: {}.{more}", counts.join(", "))
}

fn cells(delivery: &Delivery) -> [String; 3] {
    let times = format!("{}\n{}", screen::time(delivery.received_at), screen::time(delivery.settled_at));
    let record = match &delivery.record {
        Some(record) => format!("{} {}", record.object, record.record_id),
        None => "no record".to_owned(),
    };
    let source = match delivery.source {
        Source::OutboundMessage => "message",
        Source::ChangeDataCapture => "event",
        Source::Write => "write",
    };
    [times, format!("{record}\n{source} {}", delivery.delivery_id), outcome(&delivery.outcome)]
}

fn outcome(outcome: &DeliveryOutcome) -> String {
    let label = label(ledger::code(outcome));
    match outcome {
        DeliveryOutcome::Deferred { reason }
        | DeliveryOutcome::Failed { reason }
        | DeliveryOutcome::LeftToRefresh { reason } => format!("{label}: {reason}"),
        _ => label,
    }
}

/// Returns an outcome's stored code in words.
fn label(code: &str) -> String {
    code.replace('_', " ")
}
