//! One org's part of a batch: reads its records again, within its time and its budget, and applies them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mirroring::ObjectFields;
use runtime::{Chain, record_api_calls};
use salesforce::{Classify as _, ObjectName, OrgId, RecordId, Retry};
use store::{Change, ChangeHint, ConnectionId, DeliveryOutcome, Lane};
use tracing::warn;

use crate::allowance::Allowance;
use crate::fate::{Fate, Found};
use crate::reread::{AllFound, Reader};
use crate::settle::settle;
use crate::timetable::Timetable;
use crate::work::Asked;
use crate::{Deps, Error};

/// How far merges are followed: a record that was merged into one that was merged, and so on.
const MERGES_FOLLOWED: usize = 5;

/// What became of each record.
type Fates = BTreeMap<RecordId, Fate>;

/// Brings one org's records up to date and sees to its messages; gives the fate of each hint by its index.
pub(crate) async fn refresh(
    deps: &Deps,
    hints: &[&ChangeHint],
    org: OrgId,
    asked: Asked,
    timetable: Timetable,
) -> Vec<(usize, Fate)> {
    let deleted = Fate::Settled(DeliveryOutcome::Deleted);
    let mut fates: Vec<_> = asked.nameless.iter().map(|index| (*index, deleted.clone())).collect();
    if !asked.records.is_empty() {
        fates.extend(refresh_records(deps, org, asked, timetable).await);
    }
    settle(deps, hints, org, fates, timetable).await
}

async fn refresh_records(deps: &Deps, org: OrgId, asked: Asked, timetable: Timetable) -> Vec<(usize, Fate)> {
    let now = deps.clock.now();
    let mut all_fail_with = deps.back_off.holds(org, now).map(|reason| Fate::PutOff { reason, pause: Duration::ZERO });
    if all_fail_with.is_none() && now >= timetable.calls_until {
        all_fail_with = Some(Fate::of_failure(&Error::OutOfTime));
    }
    let stored = if all_fail_with.is_none() { stored_budget(deps, org).await } else { None };
    let reader = Reader {
        deps,
        org,
        client: deps.salesforce.client(org, &ConnectionId::team()),
        allowance: Allowance { stored },
        until: timetable.org_until(now),
    };
    let mut fates = Vec::new();
    for (object, records) in asked.records {
        let mut of_records = Fates::new();
        let of_others = match &all_fail_with {
            Some(fate) => fate.clone(),
            None => {
                let ids: Vec<RecordId> = records.keys().copied().collect();
                let failure = refresh_object(&reader, &object, &ids, &mut of_records).await;
                // A record that was asked for and not heard of is no error of Salesforce's.
                let failure = failure.err().unwrap_or(Error::Wavering);
                let fate = Fate::of_failure(&failure);
                // To wait for the same failure once an object would only take time.
                all_fail_with = failure.concerns_the_org().then(|| fate.clone());
                fate
            }
        };
        fates.extend(records.into_iter().flat_map(|(id, indexes)| {
            let fate = of_records.remove(&id).unwrap_or_else(|| of_others.clone());
            indexes.into_iter().map(move |index| (index, fate.clone()))
        }));
    }
    record_api_calls(&deps.budgets, org, Lane::Webhook, &reader.client, &deps.clock).await;
    fates
}

/// Reads the object's records again and applies what was found, before a failure too.
async fn refresh_object(
    reader: &Reader<'_>,
    object: &ObjectName,
    ids: &[RecordId],
    fates: &mut Fates,
) -> Result<(), Error> {
    let mut found = AllFound::new();
    let read = read_all(reader, object, ids, &mut found).await;
    remember(reader, &read);
    apply(reader, object, found, fates).await;
    read.inspect_err(|error| {
        warn!(org.id = %reader.org, sf.object = %object, records = ids.len(), "{}", Chain(error));
    })
}

/// Notes whether the org is in trouble. Whoever says no is not.
fn remember(Reader { deps, org, .. }: &Reader<'_>, read: &Result<(), Error>) {
    match read {
        Err(error) if error.is_trouble_of_the_org() => {
            let pause = match error.retry() {
                Retry::After(pause) | Retry::Unknown(pause) => pause,
                Retry::Never | Retry::NeedsHuman => Duration::ZERO,
            };
            deps.back_off.failed(*org, &error.reason(), pause, deps.clock.now());
        }
        Err(Error::OverBudget | Error::OutOfTime) => {}
        Ok(()) | Err(_) => deps.back_off.answered(*org),
    }
}

async fn read_all(
    reader: &Reader<'_>,
    object: &ObjectName,
    ids: &[RecordId],
    found: &mut AllFound,
) -> Result<(), Error> {
    let Some(fields) = fields_of(reader, object).await? else {
        found.extend(ids.iter().map(|id| (*id, Found::NotVisible)));
        return Ok(());
    };
    let mut seen: BTreeSet<RecordId> = ids.iter().copied().collect();
    let mut wanted = ids.to_vec();
    for _ in 0..=MERGES_FOLLOWED {
        let known = found.len();
        match reader.reread(object, &fields, &wanted, found).await {
            Ok(()) => {}
            Err(Error::Salesforce(error)) if error.is_hidden() => {
                reader.deps.fields.invalidate(reader.org, object);
                let heard_of: BTreeSet<RecordId> = found.iter().map(|(id, _)| *id).collect();
                found.extend(seen.difference(&heard_of).map(|id| (*id, Found::NotVisible)));
            }
            Err(Error::Salesforce(error)) if error.has_code("INVALID_FIELD") => {
                reader.deps.fields.invalidate(reader.org, object);
                return Err(Error::FieldsChanged(error));
            }
            Err(error) => return Err(error),
        }
        wanted = found.iter().skip(known).filter_map(|(_, found)| master(found)).collect();
        wanted.retain(|master| seen.insert(*master));
        if wanted.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The object's fields; `None` when the connection may not see the object.
async fn fields_of(reader: &Reader<'_>, object: &ObjectName) -> Result<Option<Arc<ObjectFields>>, Error> {
    let Reader { deps, org, .. } = reader;
    if let Some(fields) = deps.fields.get(*org, object, deps.clock.now()) {
        return Ok(Some(fields));
    }
    match reader.describe(object).await {
        Ok(describe) => Ok(Some(deps.fields.insert(*org, object, &describe, deps.clock.now()))),
        Err(Error::Salesforce(error)) if error.is_hidden() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The record that a merge kept.
fn master(found: &Found) -> Option<RecordId> {
    match found {
        Found::Known(Change::Tombstone(tombstone)) => tombstone.master_record_id,
        Found::Known(Change::Upsert { .. }) | Found::NotVisible | Found::Wavering => None,
    }
}

async fn apply(reader: &Reader<'_>, object: &ObjectName, found: AllFound, fates: &mut Fates) {
    let (deps, org) = (reader.deps, reader.org);
    let mut known = Vec::new();
    let mut changes = Vec::new();
    for (id, found) in found {
        match found {
            Found::Known(change) => {
                known.push((id, matches!(change, Change::Tombstone(_))));
                changes.push(change);
            }
            Found::NotVisible => drop(fates.insert(id, Fate::Settled(DeliveryOutcome::NotVisible))),
            Found::Wavering => drop(fates.insert(id, Fate::of_failure(&Error::Wavering))),
        }
    }
    let applied = deps.records.apply_all(org, object, changes).await;
    fates.extend(known.into_iter().zip(applied).map(|((id, deleted), applied)| match applied {
        Ok(applied) => (id, Fate::of_applied(applied, deleted)),
        Err(source) => {
            let error = Error::Mirror(source);
            warn!(org.id = %org, sf.object = %object, record.id = %id, "{}", Chain(&error));
            (id, Fate::of_failure(&error))
        }
    }));
}

/// The org's budget as it is stored. Where it cannot be read, Salesforce's first answer tells.
async fn stored_budget(deps: &Deps, org: OrgId) -> Option<store::Budget> {
    let stored = deps.budgets.load(org, deps.clock.now()).await;
    stored.inspect_err(|error| warn!(org.id = %org, "the budget is not known: {}", Chain(error))).ok().flatten()
}
