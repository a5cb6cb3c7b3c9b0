//! The turn of a write among those of its records. The rule is [`store::writes::order`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runtime::Chain;
use salesforce::OrgId;
use store::writes::order::{before, is_unfinished};
use store::{Place, RecordKey, Write, WriteId, WriteState, WriteTask};

use crate::{Deps, Error};

/// Takes the write's place with each of its records. Returns the earlier unfinished writes, the latest of each record; none
/// if it is the write's turn.
pub(crate) async fn take(deps: &Deps, write: &Write, records: &[RecordKey]) -> Result<BTreeSet<WriteId>, Error> {
    let (org, mine) = (write.org_id, Place::of(write));
    let rows = deps.order.join(org, records, mine, deps.clock.now()).await?;
    let mut known = Known::default();
    let mut waits_for = BTreeSet::new();
    for (record, places) in records.iter().zip(rows) {
        let mut ended = Vec::new();
        for place in before(mine, &places) {
            if is_unfinished(place, known.load(deps, org, place.write).await?, deps.clock.now()) {
                waits_for.insert(place.write);
                break;
            }
            ended.push(place);
        }
        if !ended.is_empty() {
            deps.order.leave(org, std::slice::from_ref(record), &ended, deps.clock.now()).await?;
        }
    }
    Ok(waits_for)
}

/// Gives up the places of a write that has ended, and sends the tasks of the writes whose turn it is now. A failure is only
/// logged: those writes find that this one has ended in their next attempt.
pub(crate) async fn give_up(deps: &Deps, write: &Write, records: &[RecordKey]) {
    if records.is_empty() {
        return;
    }
    if let Err(error) = try_give_up(deps, write, records).await {
        tracing::warn!(org.id = %write.org_id, write.id = %write.write_id, error = %Chain(&error),
            "could not leave the order of writes");
    }
}

async fn try_give_up(deps: &Deps, write: &Write, records: &[RecordKey]) -> Result<(), Error> {
    let org = write.org_id;
    let rows = deps.order.leave(org, records, &[Place::of(write)], deps.clock.now()).await?;
    let mut known = Known::default();
    let mut sent = BTreeSet::new();
    for mut places in rows {
        places.sort_unstable();
        for place in places {
            let next = known.load(deps, org, place.write).await?;
            if !is_unfinished(place, next, deps.clock.now()) {
                continue;
            }
            if let Some(next) = next.filter(|next| next.state == WriteState::Queued && sent.insert(next.write_id)) {
                send(deps, next, next.deferrals.count, Duration::ZERO).await?;
            }
            break;
        }
    }
    Ok(())
}

/// Sends the task of a write, with this number of deferrals.
pub(crate) async fn send(deps: &Deps, write: &Write, deferrals: u32, delay: Duration) -> Result<(), Error> {
    let task = WriteTask { org_id: write.org_id, write_id: write.write_id, deferrals, postponed_since: None };
    Ok(deps.queue.send(&task, delay).await?)
}

/// The writes that were loaded, each once.
#[derive(Default)]
struct Known(BTreeMap<WriteId, Option<Write>>);

impl Known {
    async fn load(&mut self, deps: &Deps, org: OrgId, id: WriteId) -> Result<Option<&Write>, Error> {
        let known = match self.0.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(deps.writes.load(org, id).await?),
        };
        Ok(known.as_ref())
    }
}
