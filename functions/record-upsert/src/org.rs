//! One org's part of a batch: reads its records again, applies them, and writes down what came of each notification.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runtime::Chain;
use salesforce::{ApiUsage, ObjectName, OrgId, RecordId};
use store::budgets::Observation;
use store::{Change, ChangeHint, ConnectionId, Delivery, DeliveryOutcome, Lane};
use tracing::warn;

use crate::fate::{Fate, Found};
use crate::fields::Fields;
use crate::reread::Reader;
use crate::work::Asked;
use crate::{Deps, Error};

/// What became of each record.
type Fates = BTreeMap<RecordId, Fate>;

/// Brings one org's records up to date; gives the fate of each hint by its index.
pub(crate) async fn refresh(deps: &Deps, hints: &[&ChangeHint], org: OrgId, asked: Asked) -> Vec<(usize, Fate)> {
    let client = deps.salesforce.client(org, &ConnectionId::team());
    let reader = Reader { client, clock: &deps.clock, calls: AtomicU64::new(0) };
    let mut fates = Vec::new();
    let mut all_fail_with: Option<Fate> = None;
    for (object, records) in asked {
        let mut of_records = Fates::new();
        let mut of_others = all_fail_with.clone();
        if of_others.is_none() {
            let ids: Vec<RecordId> = records.keys().copied().collect();
            match refresh_object(deps, &reader, org, &object, &ids).await {
                Ok(refreshed) => of_records = refreshed,
                Err(error) => {
                    warn!(org.id = %org, sf.object = %object, records = ids.len(), "{}", Chain(&error));
                    let fate = Fate::of_failure(&error);
                    // To wait for the same failure once an object would hold up the other orgs.
                    all_fail_with = error.concerns_the_org().then(|| fate.clone());
                    of_others = Some(fate);
                }
            }
        }
        let of_others = of_others.unwrap_or_else(|| Fate::of_failure(&Error::Wavering));
        fates.extend(records.into_iter().flat_map(|(id, indexes)| {
            let fate = of_records.remove(&id).unwrap_or_else(|| of_others.clone());
            indexes.into_iter().map(move |index| (index, fate.clone()))
        }));
    }
    observe_budget(deps, &reader, org).await;
    write_down(deps, hints, org, fates).await
}

async fn refresh_object(
    deps: &Deps,
    reader: &Reader<'_>,
    org: OrgId,
    object: &ObjectName,
    ids: &[RecordId],
) -> Result<Fates, Error> {
    let Some(fields) = fields_of(deps, reader, org, object).await? else {
        let not_visible = Fate::Settled(DeliveryOutcome::NotVisible);
        return Ok(ids.iter().map(|id| (*id, not_visible.clone())).collect());
    };
    let mut found = read(deps, reader, (org, object), &fields, ids).await?;
    let masters = masters_to_follow(&found, ids);
    if !masters.is_empty() {
        found.extend(read(deps, reader, (org, object), &fields, &masters).await?);
    }
    Ok(apply(deps, org, object, found).await)
}

/// The object's fields; `None` when the connection may not see the object.
async fn fields_of(
    deps: &Deps,
    reader: &Reader<'_>,
    org: OrgId,
    object: &ObjectName,
) -> Result<Option<Arc<Fields>>, Error> {
    if let Some(fields) = deps.fields.recall(org, object, deps.clock.now()) {
        return Ok(Some(fields));
    }
    match reader.describe(object).await {
        Ok(describe) => Ok(Some(deps.fields.learn(org, object, Fields::of(&describe), deps.clock.now()))),
        Err(error) if error.has_code("NOT_FOUND") || error.has_code("INVALID_TYPE") => Ok(None),
        Err(error) => Err(Error::Salesforce(error)),
    }
}

async fn read(
    deps: &Deps,
    reader: &Reader<'_>,
    (org, object): (OrgId, &ObjectName),
    fields: &Fields,
    ids: &[RecordId],
) -> Result<Vec<(RecordId, Found)>, Error> {
    reader.reread(object, fields, ids).await.map_err(|error| {
        if error.has_code("INVALID_FIELD") {
            deps.fields.forget(org, object);
            return Error::FieldsChanged(error);
        }
        Error::Salesforce(error)
    })
}

/// The records that merges kept, unless they are in the batch anyway.
fn masters_to_follow(found: &[(RecordId, Found)], ids: &[RecordId]) -> Vec<RecordId> {
    let master = |found: &Found| match found {
        Found::Known(Change::Tombstone(tombstone)) => tombstone.master_record_id,
        Found::Known(Change::Upsert { .. }) | Found::NotVisible | Found::Wavering => None,
    };
    let mut masters: Vec<_> = found.iter().filter_map(|(_, found)| master(found)).collect();
    masters.sort_unstable();
    masters.dedup();
    masters.retain(|master| !ids.contains(master));
    masters
}

async fn apply(deps: &Deps, org: OrgId, object: &ObjectName, found: Vec<(RecordId, Found)>) -> Fates {
    let mut fates = Fates::new();
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
    fates
}

/// Notes what Salesforce said about the org's budget. The work is done by then, so that a failure is only logged.
async fn observe_budget(deps: &Deps, reader: &Reader<'_>, org: OrgId) {
    let Some(ApiUsage { used, max }) = reader.client.api_usage() else { return };
    let seen = Observation { used, max, lane: Lane::Webhook, calls: reader.calls.load(Ordering::Relaxed) };
    if let Err(error) = deps.budgets.observe(org, seen, deps.clock.now()).await {
        warn!(org.id = %org, "the budget was not noted: {}", Chain(&error));
    }
}

/// Writes the outcomes into the ledger; a message leaves the queue only when its outcome is written down.
async fn write_down(deps: &Deps, hints: &[&ChangeHint], org: OrgId, fates: Vec<(usize, Fate)>) -> Vec<(usize, Fate)> {
    let settled_at = deps.clock.now();
    let delivery = |(index, fate): &(usize, Fate)| {
        let hint = hints.get(*index)?;
        Some(Delivery {
            org_id: org,
            delivery_id: hint.delivery_id.clone(),
            source: hint.source,
            record: hint.record.clone(),
            received_at: hint.received_at,
            settled_at,
            outcome: fate.outcome(),
        })
    };
    let deliveries: Vec<Delivery> = fates.iter().filter_map(delivery).collect();
    let Err(error) = deps.deliveries.record(&deliveries).await else { return fates };
    warn!(org.id = %org, "the ledger took no outcome: {}", Chain(&error));
    fates.into_iter().map(|(index, _)| (index, Fate::Again("ledger_unavailable".to_owned()))).collect()
}
