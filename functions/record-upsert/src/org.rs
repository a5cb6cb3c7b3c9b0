//! Reads one org's records of a batch, within its time and budget, and applies them to the mirror.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mirroring::ObjectFields;
use runtime::{Chain, record_api_calls};
use salesforce::{Classify as _, ObjectName, OrgId, RecordId, Retry};
use store::{
    Allowance, ApplyOutcome, Change, ChangeHint, ChangeLane, ConnectionId, DeliveryOutcome, Lane, Measured,
    OrgSettings, OrgState, Source,
};
use tracing::warn;

use crate::deadlines::Deadlines;
use crate::disposition::{Disposition, Found};
use crate::reread::{AllFound, Reader};
use crate::settle::settle;
use crate::work::OrgWork;
use crate::{Deps, Error};

/// The longest chain of merges that is followed from one record.
const MERGES_FOLLOWED: usize = 5;

type Dispositions = BTreeMap<RecordId, Disposition>;

/// Applies one org's records to the mirror and settles its messages. Returns the disposition of each hint, by its index,
/// and the latencies of the changes.
pub(crate) async fn refresh(
    deps: &Deps,
    hints: &[&ChangeHint],
    org: OrgId,
    work: OrgWork,
    deadlines: Deadlines,
) -> (Vec<(usize, Disposition)>, Measured) {
    if let Some(disposition) = unless_active(deps, org).await {
        let indexes = work.records.into_values().flat_map(BTreeMap::into_values).flatten().chain(work.without_record);
        return (indexes.map(|index| (index, disposition.clone())).collect(), Measured::default());
    }
    let deleted = Disposition::Settled(DeliveryOutcome::Deleted);
    let mut dispositions: Vec<_> = work.without_record.iter().map(|index| (*index, deleted.clone())).collect();
    let mut measured = Measured::default();
    if !work.records.is_empty() {
        let written = written(hints, &work);
        dispositions.extend(match deps.settings.load(org, deps.clock.now()).await {
            Ok(settings) => refresh_records(deps, org, (work, written), (settings, deadlines), &mut measured).await,
            Err(error) => {
                warn!(org.id = %org, "could not load the settings of the org: {}", Chain(&error));
                let indexes = work.records.into_values().flat_map(BTreeMap::into_values).flatten();
                indexes.map(|index| (index, Disposition::Retained("org_settings_unavailable"))).collect()
            }
        });
    }
    (settle(deps, hints, org, dispositions, deadlines).await, measured)
}

/// Returns the disposition of all hints of an org that is not active, or whose state is unknown. Nothing is recorded of
/// them: the data of such an org may be erased already. If it is connected again, its backfill reads the changes.
async fn unless_active(deps: &Deps, org: OrgId) -> Option<Disposition> {
    match deps.orgs.load(org).await {
        Ok(Some(known)) if known.state == OrgState::Active => None,
        Ok(_) => Some(Disposition::Dropped),
        Err(error) => {
            warn!(org.id = %org, "could not load the org: {}", Chain(&error));
            Some(Disposition::Retained("org_unavailable"))
        }
    }
}

/// Returns the records of which one of Ferry's own writes sent a hint.
fn written(hints: &[&ChangeHint], work: &OrgWork) -> BTreeSet<RecordId> {
    let is_write = |index: &usize| hints.get(*index).is_some_and(|hint| hint.source == Source::Write);
    let records = work.records.values().flatten();
    records.filter(|(_, indexes)| indexes.iter().any(is_write)).map(|(id, _)| *id).collect()
}

async fn refresh_records(
    deps: &Deps,
    org: OrgId,
    (work, written): (OrgWork, BTreeSet<RecordId>),
    (settings, deadlines): (Arc<OrgSettings>, Deadlines),
    measured: &mut Measured,
) -> Vec<(usize, Disposition)> {
    let now = deps.clock.now();
    let paused = deps.org_backoff.paused(org, now);
    let mut all_fail_with = paused.map(|reason| Disposition::Deferred { reason, retry: Retry::After(Duration::ZERO) });
    if all_fail_with.is_none() && now >= deadlines.calls_until {
        all_fail_with = Some(Disposition::from_failure(&Error::OutOfTime));
    }
    let stored = if all_fail_with.is_none() { stored_budget(deps, org).await } else { None };
    deps.fields.configure(org, &settings.fields);
    let reader = Reader {
        deps,
        org,
        client: deps.salesforce.client(org, &ConnectionId::team()),
        written,
        allowance: Allowance { stored, allocation: settings.api_allocation },
        settings,
        until: deadlines.org_until(now),
    };
    let mut dispositions = Vec::new();
    for (object, records) in work.records {
        let mut by_record = Dispositions::new();
        let is_left_out = reader.settings.objects.as_ref().is_some_and(|objects| !objects.contains(&object));
        let of_others = match &all_fail_with {
            _ if is_left_out => Disposition::Settled(DeliveryOutcome::NotVisible),
            Some(disposition) => disposition.clone(),
            None => {
                let ids: Vec<RecordId> = records.keys().copied().collect();
                let failure = refresh_object(&reader, &object, &ids, (&mut by_record, measured)).await;
                // Without an error, a record that is missing from the result was changing while it was read.
                let failure = failure.err().unwrap_or(Error::Changing);
                let disposition = Disposition::from_failure(&failure);
                // The calls for the other objects would fail in the same way.
                all_fail_with = failure.affects_the_org().then(|| disposition.clone());
                disposition
            }
        };
        dispositions.extend(records.into_iter().flat_map(|(id, indexes)| {
            let disposition = by_record.remove(&id).unwrap_or_else(|| of_others.clone());
            indexes.into_iter().map(move |index| (index, disposition.clone()))
        }));
    }
    record_api_calls(&deps.budgets, org, Lane::Webhook, &reader.client, &deps.clock).await;
    dispositions
}

/// Reads the object's records and applies them. After a failure, applies those that were read before it.
async fn refresh_object(
    reader: &Reader<'_>,
    object: &ObjectName,
    ids: &[RecordId],
    (dispositions, measured): (&mut Dispositions, &mut Measured),
) -> Result<(), Error> {
    let mut found = AllFound::new();
    let read = read_all(reader, object, ids, &mut found).await;
    update_backoff(reader, &read);
    apply(reader, object, found, (dispositions, measured)).await;
    read.inspect_err(|error| {
        warn!(org.id = %reader.org, sf.object = %object, records = ids.len(), "{}", Chain(error));
    })
}

/// Updates the backoff state. A refusal counts as a response.
fn update_backoff(Reader { deps, org, .. }: &Reader<'_>, read: &Result<(), Error>) {
    match read {
        Err(error) if error.needs_backoff() => {
            let pause = match error.retry() {
                Retry::After(pause) | Retry::Unknown(pause) => pause,
                Retry::Never | Retry::NeedsHuman => Duration::ZERO,
            };
            deps.org_backoff.failed(*org, &error.reason(), pause, deps.clock.now());
        }
        Err(Error::OverBudget | Error::OutOfTime) => {}
        Ok(()) | Err(_) => deps.org_backoff.responded(*org),
    }
}

async fn read_all(
    reader: &Reader<'_>,
    object: &ObjectName,
    ids: &[RecordId],
    found: &mut AllFound,
) -> Result<(), Error> {
    let fields = fields_of(reader, object).await?;
    let mut requested: BTreeSet<RecordId> = ids.iter().copied().collect();
    let mut to_read = ids.to_vec();
    for _ in 0..=MERGES_FOLLOWED {
        let read_before = found.len();
        match reader.reread(object, &fields, &to_read, found).await {
            Ok(()) => {}
            Err(Error::Salesforce(error)) if error.is_hidden() => {
                reader.deps.fields.invalidate(reader.org, object);
                // A new description says whether the object is hidden by now.
                fields_of(reader, object).await?;
                return Err(Error::Salesforce(error));
            }
            Err(Error::Salesforce(error)) if error.has_code("INVALID_FIELD") => {
                reader.deps.fields.invalidate(reader.org, object);
                return Err(Error::FieldsChanged(error));
            }
            Err(error) => return Err(error),
        }
        to_read = found.iter().skip(read_before).filter_map(|(_, found)| master(found)).collect();
        to_read.retain(|master| requested.insert(*master));
        if to_read.is_empty() {
            break;
        }
    }
    Ok(())
}

async fn fields_of(reader: &Reader<'_>, object: &ObjectName) -> Result<Arc<ObjectFields>, Error> {
    let Reader { deps, org, .. } = reader;
    if let Some(fields) = deps.fields.get(*org, object, deps.clock.now()) {
        return Ok(fields);
    }
    let describe = reader.describe(object).await?;
    Ok(deps.fields.insert(*org, object, &describe, deps.clock.now()))
}

/// Returns the record into which this one was merged.
fn master(found: &Found) -> Option<RecordId> {
    match found {
        Found::Known(Change::Tombstone(tombstone)) => tombstone.master_record_id,
        Found::Known(Change::Upsert { .. }) | Found::NotVisible | Found::Changing | Found::Unreadable => None,
    }
}

async fn apply(
    reader: &Reader<'_>,
    object: &ObjectName,
    found: AllFound,
    (dispositions, measured): (&mut Dispositions, &mut Measured),
) {
    let mut changes: BTreeMap<ChangeLane, Vec<Change>> = BTreeMap::new();
    for (id, found) in found {
        match found {
            Found::Known(change) => {
                let is_written = reader.written.contains(&id);
                let lane = if is_written { ChangeLane::Write } else { ChangeLane::Webhook };
                changes.entry(lane).or_default().push(change);
            }
            Found::NotVisible => {
                dispositions.insert(id, Disposition::Settled(DeliveryOutcome::NotVisible));
            }
            Found::Changing => {
                dispositions.insert(id, Disposition::from_failure(&Error::Changing));
            }
            Found::Unreadable => {
                dispositions.insert(id, Disposition::from_failure(&Error::Unreadable));
            }
        }
    }
    for (lane, changes) in changes {
        apply_lane(reader, object, (lane, changes), (dispositions, measured)).await;
    }
}

/// Applies the changes of one lane, and measures how old those are that changed the mirror.
async fn apply_lane(
    Reader { deps, org, .. }: &Reader<'_>,
    object: &ObjectName,
    (lane, changes): (ChangeLane, Vec<Change>),
    (dispositions, measured): (&mut Dispositions, &mut Measured),
) {
    let known = changes
        .iter()
        .map(|change| (change.record_id(), change.system_modstamp(), matches!(change, Change::Tombstone(_))));
    let known: Vec<_> = known.collect();
    let applied = deps.records.in_lane(lane).apply_all(*org, object, changes).await;
    let now = deps.clock.now();
    for ((id, saved_at, deleted), applied) in known.into_iter().zip(applied) {
        let disposition = match applied {
            Ok(applied) => {
                if let (ApplyOutcome::Applied, Some(saved_at)) = (applied, saved_at) {
                    measured.add(*org, object, lane, (saved_at, now));
                }
                Disposition::from_applied(applied, deleted)
            }
            Err(source) => {
                let error = Error::Mirror(source);
                warn!(org.id = %org, sf.object = %object, record.id = %id, "{}", Chain(&error));
                Disposition::from_failure(&error)
            }
        };
        dispositions.insert(id, disposition);
    }
}

/// Loads the org's budget. Where it cannot be loaded, Salesforce's first response brings the usage.
async fn stored_budget(deps: &Deps, org: OrgId) -> Option<store::Budget> {
    let stored = deps.budgets.load(org, deps.clock.now()).await;
    stored
        .inspect_err(|error| warn!(org.id = %org, "could not load the org's API budget: {}", Chain(error)))
        .ok()
        .flatten()
}
