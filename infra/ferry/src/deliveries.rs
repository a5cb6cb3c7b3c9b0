//! `ferry deliveries`: what arrived from an org, and what came of it.

mod ledger;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde_json::json;
use store::{Delivery, DeliveryOutcome, Org, Source};

use crate::cli::Failure;
use crate::screen;
use crate::stack::Stack;
use ledger::Ledger;

/// Which deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) org: OrgId,
    pub(crate) since: Timestamp,
    pub(crate) record: Option<RecordId>,
    pub(crate) limit: usize,
}

/// The deliveries, the newest last, and how many came to what.
pub(crate) async fn list(stack: &Stack, wanted: Wanted, as_json: bool) -> Result<String, Failure> {
    known(stack, wanted.org).await?;
    let mut ledger = Ledger::new(wanted.record, wanted.limit);
    read(stack, wanted.org, wanted.since, |delivery| ledger.add(delivery)).await?;
    Ok(if as_json { format!("{:#}", to_json(wanted, &ledger)) } else { shown(wanted, &ledger) })
}

/// The org, which has to be known.
pub(crate) async fn known(stack: &Stack, org: OrgId) -> Result<Org, Failure> {
    let known = stack.orgs().load(org).await.map_err(stack.unavailable("load the org"))?;
    known.ok_or_else(|| Failure::BadInput(format!("org {org} is not known")))
}

/// Hands over the org's deliveries since then, the oldest first, one at a time.
pub(crate) async fn read(
    stack: &Stack,
    org: OrgId,
    since: Timestamp,
    mut take: impl FnMut(Delivery),
) -> Result<(), Failure> {
    let progress = screen::spinner("Reading the ledger", "deliveries");
    let deliveries = stack.deliveries();
    let mut deliveries = deliveries.stream_since(org, since).boxed();
    while let Some(delivery) = deliveries.try_next().await.map_err(stack.unavailable("read the ledger"))? {
        progress.inc(1);
        take(delivery);
    }
    progress.finish_and_clear();
    Ok(())
}

fn to_json(wanted: Wanted, ledger: &Ledger) -> serde_json::Value {
    json!({
        "org_id": wanted.org,
        "since": wanted.since,
        "counts": ledger.counts(),
        "left_out": ledger.left_out(),
        "deliveries": ledger.newest().collect::<Vec<_>>(),
    })
}

fn shown(wanted: Wanted, ledger: &Ledger) -> String {
    let record = wanted.record.map(|record| format!(" of record {record}")).unwrap_or_default();
    let since = screen::time(wanted.since);
    let total = ledger.total();
    if total == 0 {
        return format!("No deliveries{record} arrived from org {} since {since}.", wanted.org);
    }
    let mut table = screen::table(["Received, settled", "Record, delivery", "Outcome"]);
    for delivery in ledger.newest() {
        let times = format!("{}\n{}", screen::time(delivery.received_at), screen::time(delivery.settled_at));
        let named = match &delivery.record {
            Some(record) => format!("{} {}", record.object, record.record_id),
            None => "no record".to_owned(),
        };
        let named = format!("{named}\n{} {}", lane(delivery.source), delivery.delivery_id);
        table.add_row([times, named, in_words(&delivery.outcome)]);
    }
    let counts: Vec<String> = ledger
        .counts()
        .iter()
        .map(|(outcome, count)| format!("{} {}", screen::number(*count), outcome.replace('_', " ")))
        .collect();
    let deliveries = screen::counted(total, "delivery", "deliveries");
    let more = match ledger.left_out() {
        0 => String::new(),
        left => {
            format!("\nThere is more: {} older ones are left out. A higher --limit shows them.", screen::number(left))
        }
    };
    format!("{table}\n\n{deliveries}{record} since {since}: {}.{more}", counts.join(", "))
}

fn lane(source: Source) -> &'static str {
    match source {
        Source::OutboundMessage => "message",
        Source::ChangeDataCapture => "event",
    }
}

fn in_words(outcome: &DeliveryOutcome) -> String {
    let words = ledger::code(outcome).replace('_', " ");
    match outcome {
        DeliveryOutcome::Deferred { reason } | DeliveryOutcome::Failed { reason } => format!("{words}: {reason}"),
        _ => words,
    }
}
