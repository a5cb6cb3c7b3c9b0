//! Writes down what became of each message, and sends on what does not end here. Only then a message may go.
//!
//! The ledger comes first, for a hint that was sent again may be settled by another sandbox at once. Killed in between, the
//! messages come again and are sent again: there may be duplicates, and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use runtime::Chain;
use runtime::sqs::Unreadable;
use salesforce::OrgId;
use store::{ChangeHint, Delivery, DeliveryId, NewDeadLetter, RecordRef};
use tracing::{error, warn};

use crate::Deps;
use crate::fate::Fate;
use crate::put_off;
use crate::timetable::Timetable;

/// The code under which a body that is no hint becomes a dead letter.
const UNREADABLE: &str = "unreadable";

/// What copies of one hint have in common: they are sent on as one.
type Copies<'a> = (&'a DeliveryId, &'a Option<RecordRef>);

/// What is to be sent, each with the messages (by index) that it stands for.
#[derive(Debug, Default)]
struct Sending<'a> {
    later: BTreeMap<Copies<'a>, ((ChangeHint, Duration), Vec<usize>)>,
    dead: BTreeMap<Copies<'a>, (NewDeadLetter, Vec<usize>)>,
}

/// Sees to an org's messages; gives the fates, of which some may have changed.
pub(crate) async fn settle(
    deps: &Deps,
    hints: &[&ChangeHint],
    org: OrgId,
    fates: Vec<(usize, Fate)>,
    timetable: Timetable,
) -> Vec<(usize, Fate)> {
    let now = deps.clock.now();
    let (fates, sending) = plan(hints, fates, now);
    let deliveries: Vec<Delivery> =
        fates.iter().filter_map(|(index, fate)| delivery(hints, *index, fate, now)).collect();
    if let Err(error) = deps.deliveries.record(&deliveries).await {
        warn!(org.id = %org, "the ledger took no outcome: {}", Chain(&error));
        return fates.into_iter().map(|(index, _)| (index, Fate::Returned("ledger_unavailable"))).collect();
    }
    let unsent = send(deps, org, sending, timetable).await;
    let returned = |index, fate| if unsent.contains(&index) { Fate::Returned("queue_unavailable") } else { fate };
    fates.into_iter().map(|(index, fate)| (index, returned(index, fate))).collect()
}

/// Decides which hints come again, and which were put off for too long. Pure.
fn plan<'a>(
    hints: &[&'a ChangeHint],
    mut fates: Vec<(usize, Fate)>,
    now: Timestamp,
) -> (Vec<(usize, Fate)>, Sending<'a>) {
    let mut sending = Sending::default();
    for (index, fate) in &mut fates {
        let Some(hint) = hints.get(*index) else { continue };
        let copies = (&hint.delivery_id, &hint.record);
        if let Fate::PutOff { reason, pause } = fate {
            match put_off::again(hint, *pause, now) {
                Some(later) => sending.later.entry(copies).or_insert_with(|| (later, Vec::new())).1.push(*index),
                None => *fate = Fate::Poison(format!("put_off_for_a_day:{reason}")),
            }
        }
        if let Fate::Poison(reason) = fate {
            let letter = || (dead_letter(hint, reason, now), Vec::new());
            sending.dead.entry(copies).or_insert_with(letter).1.push(*index);
        }
    }
    (fates, sending)
}

fn dead_letter(hint: &ChangeHint, reason: &str, failed_at: Timestamp) -> NewDeadLetter {
    let body = serde_json::to_string(hint).unwrap_or_default();
    NewDeadLetter { group: Some(hint.org_id.to_string()), body, reason: reason.to_owned(), failed_at }
}

fn delivery(hints: &[&ChangeHint], index: usize, fate: &Fate, settled_at: Timestamp) -> Option<Delivery> {
    let hint = hints.get(index)?;
    Some(Delivery {
        org_id: hint.org_id,
        delivery_id: hint.delivery_id.clone(),
        source: hint.source,
        record: hint.record.clone(),
        received_at: hint.received_at,
        settled_at,
        outcome: fate.outcome()?,
    })
}

/// Sends; gives the messages for which that cannot be said.
async fn send(deps: &Deps, org: OrgId, sending: Sending<'_>, timetable: Timetable) -> BTreeSet<usize> {
    let (later, later_for): (Vec<_>, Vec<_>) = sending.later.into_values().unzip();
    let (dead, dead_for): (Vec<_>, Vec<_>) = sending.dead.into_values().unzip();
    for letter in &dead {
        error!(org.id = %org, reason = letter.reason, "a hint is given up and goes to the dead letters");
    }
    let mut unsent = BTreeSet::new();
    if !later.is_empty() {
        let left = deps.hints.send_delayed(&later, timetable.sends_until).await;
        unsent.extend(messages_of(org, left, &later_for));
    }
    if !dead.is_empty() {
        let left = deps.dead_letters.send_dead_letters(&dead, timetable.sends_until).await;
        unsent.extend(messages_of(org, left, &dead_for));
    }
    unsent
}

/// The messages of what was not sent: after an error, of all.
fn messages_of(org: OrgId, left: Result<Vec<usize>, store::Error>, messages: &[Vec<usize>]) -> Vec<usize> {
    match left {
        Ok(left) => left.into_iter().filter_map(|place| messages.get(place)).flatten().copied().collect(),
        Err(error) => {
            warn!(org.id = %org, "messages could not be sent on: {}", Chain(&error));
            messages.concat()
        }
    }
}

/// Puts what cannot be read into the dead-letter queue as it is; gives the ids of messages for which that cannot be said.
pub(crate) async fn bury(deps: &Deps, unreadable: Vec<Unreadable>, timetable: Timetable) -> Vec<String> {
    let failed_at = deps.clock.now();
    // SQS takes no message without a body.
    let (dead, empty): (Vec<_>, Vec<_>) = unreadable.into_iter().partition(|message| !message.body.is_empty());
    let letter =
        |Unreadable { id, group, body }| (NewDeadLetter { group, body, reason: UNREADABLE.to_owned(), failed_at }, id);
    let (dead, ids): (Vec<_>, Vec<_>) = dead.into_iter().map(letter).unzip();
    let mut returned: Vec<String> = empty.into_iter().map(|message| message.id).collect();
    if dead.is_empty() {
        return returned;
    }
    match deps.dead_letters.send_dead_letters(&dead, timetable.sends_until).await {
        Ok(left) => returned.extend(left.into_iter().filter_map(|place| ids.get(place).cloned())),
        Err(error) => {
            warn!("dead letters could not be sent: {}", Chain(&error));
            returned.extend(ids);
        }
    }
    returned
}

#[cfg(test)]
mod tests;
