//! The place of a write in the order of the writes of its records. The rule is [`store::writes::order`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use runtime::Chain;
use salesforce::OrgId;
use store::writes::order::{before, is_unfinished, unsettled_for};
use store::{Place, RecordKey, Write, WriteId, WriteState, WriteTask};

use crate::{Deps, Error};

/// The earlier writes that a write waits for.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// The writes: of each record the latest that is unfinished.
    pub(crate) writes: BTreeSet<WriteId>,
    /// The time from which none of them is waited for. `None` if one of them has not ended.
    pub(crate) settled_at: Option<Timestamp>,
}

/// Takes the write's place with each of its records. Returns the earlier writes that it has to wait for.
///
/// # Errors
/// [`Error::TooManyWaiting`]; those of the tables. Some places may be taken.
pub(crate) async fn join(deps: &Deps, write: &Write, records: &[RecordKey]) -> Result<Earlier, Error> {
    let (org, mine) = (write.org_id, Place::of(write));
    let rows = deps.order.join(org, records, mine, deps.clock.now()).await?.ok_or(Error::TooManyWaiting)?;
    let mut known = Known::default();
    let mut earlier = BTreeMap::new();
    for (record, places) in records.iter().zip(rows) {
        let mut ended = Vec::new();
        for place in before(mine, &places) {
            let found = known.load(deps, org, place.write).await?;
            if is_unfinished(place, found, deps.clock.now()) {
                let settled_at = found.filter(|found| found.state.is_final()).and_then(|found| found.unsettled_until);
                earlier.insert(place.write, settled_at);
                break;
            }
            ended.push(place);
        }
        if !ended.is_empty() {
            deps.order.leave(org, std::slice::from_ref(record), &ended, deps.clock.now()).await?;
        }
    }
    let settled_at = earlier.values().copied().collect::<Option<BTreeSet<_>>>().and_then(|times| times.last().copied());
    Ok(Earlier { writes: earlier.into_keys().collect(), settled_at })
}

/// Gives up the places of a write that has ended, and sends the tasks of the writes that come next. If a request of the write
/// may still take effect, it keeps its places until a later write finds them settled, and the tasks are delayed until then. A
/// failure is only logged: the next writes find that this one has ended in their next attempt.
pub(crate) async fn leave(deps: &Deps, ended: &Write, records: &[RecordKey]) {
    if records.is_empty() {
        return;
    }
    if let Err(error) = try_leave(deps, ended, records).await {
        tracing::warn!(org.id = %ended.org_id, write.id = %ended.write_id, error = %Chain(&error),
            "could not leave the order of writes");
    }
}

async fn try_leave(deps: &Deps, ended: &Write, records: &[RecordKey]) -> Result<(), Error> {
    let (org, mine, now) = (ended.org_id, Place::of(ended), deps.clock.now());
    let delay = Duration::try_from(unsettled_for(ended, now)).unwrap_or_default();
    let rows = if delay.is_zero() {
        deps.order.leave(org, records, &[mine], now).await?
    } else {
        deps.order.join(org, records, mine, now).await?.unwrap_or_default()
    };
    let mut known = Known::default();
    let mut sent = BTreeSet::new();
    for mut places in rows {
        places.sort_unstable();
        for place in places.into_iter().filter(|place| *place != mine) {
            let next = known.load(deps, org, place.write).await?;
            if !is_unfinished(place, next, now) {
                continue;
            }
            if let Some(next) = next.filter(|next| next.state == WriteState::Queued && sent.insert(next.write_id)) {
                send(deps, next, next.deferrals.count, delay).await?;
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
