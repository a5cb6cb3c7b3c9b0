//! Records the outcome of each message, then re-queues or dead-letters what is not settled.
//!
//! The ledger comes first, because a re-queued hint may be settled by another execution environment at once. If the
//! function is killed in between, SQS delivers the messages again: hints may be sent twice, and none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::try_join;
use jiff::Timestamp;
use runtime::Chain;
use runtime::sqs::Unreadable;
use salesforce::{ObjectName, OrgId};
use store::deferral::jitter;
use store::{ChangeHint, Delivery, DeliveryId, NewDeadLetter, RecordRef};
use tracing::{error, warn};

use crate::deadlines::Deadlines;
use crate::disposition::Disposition;
use crate::{Deps, left_to_refresh};

/// The reason of a dead letter whose body is not a hint.
const UNREADABLE: &str = "unreadable";

/// Identifies duplicates of a hint, which are re-queued once.
type HintKey<'a> = (&'a DeliveryId, &'a Option<RecordRef>);

/// The hints and dead letters to send, each with the indexes of the messages that it replaces.
#[derive(Debug, Default)]
struct Sends<'a> {
    deferred: BTreeMap<HintKey<'a>, ((ChangeHint, Duration), Vec<usize>)>,
    dead: BTreeMap<HintKey<'a>, (NewDeadLetter, Vec<usize>)>,
}

/// Records each outcome, then re-queues or dead-letters what is not settled. Returns the final dispositions.
pub(crate) async fn settle(
    deps: &Deps,
    hints: &[&ChangeHint],
    org: OrgId,
    dispositions: Vec<(usize, Disposition)>,
    deadlines: Deadlines,
) -> Vec<(usize, Disposition)> {
    let now = deps.clock.now();
    let scanned = scanned(deps, hints, org, &dispositions, now).await;
    let (dispositions, sends) = plan(hints, dispositions, &scanned, now);
    if let Some((since, reason)) = oldest(hints, &dispositions) {
        warn!(org.id = %org, %since, reason, "hints were deferred again");
    }
    let deliveries: Vec<Delivery> =
        dispositions.iter().filter_map(|(index, disposition)| delivery(hints, *index, disposition, now)).collect();
    if let Err(error) = deps.deliveries.record(&deliveries).await {
        warn!(org.id = %org, "could not record the outcomes in the ledger: {}", Chain(&error));
        let retained = Disposition::Retained("ledger_unavailable");
        return dispositions.into_iter().map(|(index, _)| (index, retained.clone())).collect();
    }
    let unsent = send(deps, org, sends, deadlines).await;
    let final_disposition = |index, disposition| match unsent.contains(&index) {
        true => Disposition::Retained("queue_unavailable"),
        false => disposition,
    };
    dispositions.into_iter().map(|(index, disposition)| (index, final_disposition(index, disposition))).collect()
}

/// Returns the org's scanned objects if a hint may be left to their refresh. Where they are unknown, the hints go on waiting.
async fn scanned(
    deps: &Deps,
    hints: &[&ChangeHint],
    org: OrgId,
    dispositions: &[(usize, Disposition)],
    now: Timestamp,
) -> BTreeSet<ObjectName> {
    let is_due = |(index, disposition): &(usize, Disposition)| {
        hints.get(*index).is_some_and(|hint| left_to_refresh::is_due(hint, disposition, now))
    };
    if !dispositions.iter().any(is_due) {
        return BTreeSet::new();
    }
    match try_join(deps.cursors.list(org), deps.settings.load(org, now)).await {
        Ok((cursors, settings)) => {
            left_to_refresh::scanned(settings.mirrored_objects(&deps.mirrored_objects), &cursors)
        }
        Err(error) => {
            warn!(org.id = %org, "could not load the org's cursors and settings: {}", Chain(&error));
            BTreeSet::new()
        }
    }
}

/// Decides which hints are re-queued, which are left to the refresh of a scanned object, and which were deferred for too long
/// or are refused for good. Pure.
fn plan<'a>(
    hints: &[&'a ChangeHint],
    mut dispositions: Vec<(usize, Disposition)>,
    scanned: &BTreeSet<ObjectName>,
    now: Timestamp,
) -> (Vec<(usize, Disposition)>, Sends<'a>) {
    let mut sends = Sends::default();
    for (index, disposition) in &mut dispositions {
        let Some(hint) = hints.get(*index) else { continue };
        let key = (&hint.delivery_id, &hint.record);
        if let Some(outcome) = left_to_refresh::outcome(hint, disposition, scanned, now) {
            *disposition = Disposition::Settled(outcome);
        }
        if matches!(disposition, Disposition::Deferred { .. } | Disposition::Unconfirmed { .. }) {
            match defer(hint, disposition, now) {
                Some(deferred) => sends.deferred.entry(key).or_insert_with(|| (deferred, Vec::new())).1.push(*index),
                None => *disposition = disposition.clone().given_up(),
            }
        }
        if let Disposition::DeadLettered(reason) = disposition {
            let letter = || (dead_letter(hint, reason, now), Vec::new());
            sends.dead.entry(key).or_insert_with(letter).1.push(*index);
        }
    }
    (dispositions, sends)
}

/// Returns since when, and why, the oldest hint is deferred of those that were deferred before and wait for no person.
fn oldest<'a>(hints: &[&ChangeHint], dispositions: &'a [(usize, Disposition)]) -> Option<(Timestamp, &'a str)> {
    let late = dispositions.iter().filter(|(_, disposition)| disposition.is_late());
    let late = late.filter_map(|(index, disposition)| match disposition {
        Disposition::Deferred { reason, .. } | Disposition::Unconfirmed { reason, .. } => {
            Some((hints.get(*index)?.deferrals.since?, reason.as_str()))
        }
        _ => None,
    });
    late.min()
}

/// Returns the hint to re-queue and its delay, or `None` if it is not re-queued.
fn defer(hint: &ChangeHint, disposition: &Disposition, now: Timestamp) -> Option<(ChangeHint, Duration)> {
    let jitter = jitter(&(&hint.delivery_id, &hint.record, hint.deferrals.count));
    let (deferrals, delay) = match disposition {
        Disposition::Deferred { retry, .. } => hint.deferrals.after(*retry, now, jitter),
        Disposition::Unconfirmed { .. } => hint.deferrals.after_refusal(jitter),
        _ => None,
    }?;
    Some((ChangeHint { deferrals, ..hint.clone() }, delay))
}

fn dead_letter(hint: &ChangeHint, reason: &str, failed_at: Timestamp) -> NewDeadLetter {
    let body = serde_json::to_string(hint).unwrap_or_default();
    NewDeadLetter { group: Some(hint.org_id.to_string()), body, reason: reason.to_owned(), failed_at }
}

fn delivery(hints: &[&ChangeHint], index: usize, disposition: &Disposition, settled_at: Timestamp) -> Option<Delivery> {
    let hint = hints.get(index)?;
    Some(Delivery {
        org_id: hint.org_id,
        delivery_id: hint.delivery_id.clone(),
        source: hint.source,
        record: hint.record.clone(),
        received_at: hint.received_at,
        settled_at,
        outcome: disposition.outcome()?,
    })
}

/// Sends the messages and returns the indexes of those not confirmed as queued.
async fn send(deps: &Deps, org: OrgId, sends: Sends<'_>, deadlines: Deadlines) -> BTreeSet<usize> {
    let (deferred, deferred_indexes): (Vec<_>, Vec<_>) = sends.deferred.into_values().unzip();
    let (dead, dead_indexes): (Vec<_>, Vec<_>) = sends.dead.into_values().unzip();
    for letter in &dead {
        error!(org.id = %org, reason = letter.reason, "dead-lettered a hint");
    }
    let mut unsent = BTreeSet::new();
    if !deferred.is_empty() {
        let result = deps.hints.send_delayed(&deferred, deadlines.sends_until).await;
        unsent.extend(unsent_messages(org, result, &deferred_indexes));
    }
    if !dead.is_empty() {
        let result = deps.dead_letters.send_dead_letters(&dead, deadlines.sends_until).await;
        unsent.extend(unsent_messages(org, result, &dead_indexes));
    }
    unsent
}

/// Returns the messages whose send was not confirmed; after an error, all of them.
fn unsent_messages(org: OrgId, result: Result<Vec<usize>, store::Error>, messages: &[Vec<usize>]) -> Vec<usize> {
    match result {
        Ok(unsent) => unsent.into_iter().filter_map(|index| messages.get(index)).flatten().copied().collect(),
        Err(error) => {
            warn!(org.id = %org, "could not send messages to a queue: {}", Chain(&error));
            messages.concat()
        }
    }
}

/// Moves messages that do not parse to the dead-letter queue, unchanged. Returns the ids of those that could not be moved.
pub(crate) async fn dead_letter_unparseable(
    deps: &Deps,
    unreadable: Vec<Unreadable>,
    deadlines: Deadlines,
) -> Vec<String> {
    let failed_at = deps.clock.now();
    // SQS accepts no message without a body.
    let (dead, empty): (Vec<_>, Vec<_>) = unreadable.into_iter().partition(|message| !message.body.is_empty());
    let letter =
        |Unreadable { id, group, body }| (NewDeadLetter { group, body, reason: UNREADABLE.to_owned(), failed_at }, id);
    let (dead, ids): (Vec<_>, Vec<_>) = dead.into_iter().map(letter).unzip();
    let mut not_moved: Vec<String> = empty.into_iter().map(|message| message.id).collect();
    if dead.is_empty() {
        return not_moved;
    }
    match deps.dead_letters.send_dead_letters(&dead, deadlines.sends_until).await {
        Ok(unsent) => not_moved.extend(unsent.into_iter().filter_map(|index| ids.get(index).cloned())),
        Err(error) => {
            warn!("could not send dead letters: {}", Chain(&error));
            not_moved.extend(ids);
        }
    }
    not_moved
}

#[cfg(test)]
mod tests;
