//! Reads and replaces the settings of an org.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use runtime::problem::Defect;
use runtime::{Schema, record_api_calls};
use salesforce::soql::Filter;
use salesforce::{Client, FieldName, ObjectName, OrgId, Soql};
use serde::Deserialize;
use store::org_settings::{Author, differences};
use store::{
    Allocation, ConnectionId, Lane, Org, OrgSettings, OrgState, RefreshKind, RefreshTask, SettingsChange, org_settings,
};

use crate::views::{HistoryView, SettingsView};
use crate::{Deps, Error, check};

/// Delay of the backfills that follow a change of settings: longer than functions cache the former settings.
const DELAY: Duration = Duration::from_mins(2);

/// The settings as a caller sends them. Filters and the objects of fields and filters are texts, so that all of their defects are
/// found at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsBody {
    objects: Option<Vec<ObjectName>>,
    #[serde(default)]
    fields: BTreeMap<String, Vec<FieldName>>,
    #[serde(default)]
    filters: BTreeMap<String, String>,
    poll_minutes: Option<org_settings::PollMinutes>,
    nightly_window: Option<org_settings::NightlyWindow>,
    api_allocation: Option<Allocation>,
}

/// A request to replace the settings of an org.
#[derive(Debug)]
pub(crate) struct Request {
    /// The version that the caller has read.
    pub(crate) seen: u64,
    pub(crate) body: SettingsBody,
    pub(crate) author: Author,
    /// `true` to check and compare, and to store nothing.
    pub(crate) dry_run: bool,
}

pub(crate) async fn show(deps: &Deps, org: OrgId) -> Result<SettingsView, Error> {
    let version = deps.settings.load(org).await?;
    Ok(SettingsView::new(version, &deps.mirrored_objects))
}

pub(crate) async fn history(deps: &Deps, org: OrgId, before: Option<u64>, limit: u16) -> Result<HistoryView, Error> {
    // One more than a page: each version is compared with the one before it.
    let versions = deps.settings.history(org, before, limit.saturating_add(1)).await?;
    Ok(HistoryView::new(versions, usize::from(limit)))
}

/// Checks the settings against the org, and stores them as the next version. Objects that are new, or have other fields or another
/// filter, are read again by backfills, and what is left out is removed.
///
/// # Errors
/// [`Error::Refused`] with every defect; [`Error::Changed`] if the caller has not seen the newest version.
pub(crate) async fn replace(deps: &Deps, org: &Org, request: Request) -> Result<SettingsView, Error> {
    if org.state != OrgState::Active {
        return Err(Error::OrgNotActive(org.state));
    }
    let before = deps.settings.load(org.org_id).await?;
    if before.as_ref().map_or(0, |before| before.version) != request.seen {
        return Err(Error::Changed);
    }
    let settings = checked(deps, org.org_id, request.body).await?;
    let stored = before.as_ref().map(|before| before.settings.clone()).unwrap_or_default();
    let changes = differences(&stored, &settings);
    if request.dry_run || changes.is_empty() {
        let view = SettingsView::new(before, &deps.mirrored_objects);
        return Ok(view.with_changes(&settings, &deps.mirrored_objects, changes, request.dry_run));
    }
    // Queued first: a function that is killed in between reads objects once more than necessary, and never once less. The backfill
    // of an object that is not mirrored any more removes its rows.
    for object in check::to_refresh(&stored, &settings, &deps.mirrored_objects) {
        deps.backfills.send(&backfill(org.org_id, object, deps.clock.now()), DELAY).await?;
    }
    let change = SettingsChange { seen: request.seen, settings: settings.clone(), author: request.author };
    let version = deps.settings.store(org.org_id, change, deps.clock.now()).await?;
    let view = SettingsView::new(Some(version), &deps.mirrored_objects);
    Ok(view.with_changes(&settings, &deps.mirrored_objects, changes, false))
}

/// Returns the backfill of an object after a change of the settings. It is requested for the time at which it may begin: a backfill
/// that begins before may read by earlier settings, and does not answer it.
fn backfill(org: OrgId, object: ObjectName, changed_at: Timestamp) -> RefreshTask {
    let begins_at = changed_at.saturating_add(DELAY).unwrap_or(changed_at);
    RefreshTask::new(org, RefreshKind::Backfill, begins_at).for_object(object)
}

/// Returns what is set for objects by their names, of which two that differ only in case are one.
fn by_object<T>(setting: &str, named: BTreeMap<String, T>, defects: &mut Vec<Defect>) -> BTreeMap<ObjectName, T> {
    let mut by_object = BTreeMap::new();
    for (name, value) in named {
        let place = format!("{setting}.{name}");
        match name.parse::<ObjectName>() {
            Err(invalid) => defects.push(Defect::field(place, invalid.to_string())),
            Ok(object) if by_object.contains_key(&object) => {
                defects.push(Defect::field(place, "the object is listed twice"));
            }
            Ok(object) => drop(by_object.insert(object, value)),
        }
    }
    by_object
}

/// Returns the settings if the org accepts them, with the names of the objects as Salesforce spells them.
async fn checked(deps: &Deps, org: OrgId, body: SettingsBody) -> Result<OrgSettings, Error> {
    let mut defects = Vec::new();
    let mut filters = BTreeMap::new();
    let fields = by_object("fields", body.fields, &mut defects);
    for (object, text) in by_object("filters", body.filters, &mut defects) {
        match text.parse::<Filter>() {
            Ok(filter) => drop(filters.insert(object, filter)),
            Err(invalid) => defects.push(Defect::field(format!("filters.{object}"), invalid.to_string())),
        }
    }
    let settings = OrgSettings {
        objects: body.objects,
        fields,
        filters,
        poll_minutes: body.poll_minutes,
        nightly_window: body.nightly_window,
        api_allocation: body.api_allocation,
    };
    let client = deps.salesforce.client(org, &ConnectionId::team());
    let found = defects_of(deps, org, &client, &settings).await;
    record_api_calls(&deps.budgets, org, Lane::Interactive, &client, &deps.clock).await;
    let (found, schema) = found?;
    defects.extend(found);
    if defects.is_empty() { Ok(check::spelled(settings, &schema)) } else { Err(Error::Refused(defects)) }
}

/// Returns the defects of the settings in the org: against its objects and fields, and where these have none, what Salesforce
/// says of each filter. Returns the objects too.
async fn defects_of(
    deps: &Deps,
    org: OrgId,
    client: &Client,
    settings: &OrgSettings,
) -> Result<(Vec<Defect>, Schema), Error> {
    let named = check::named_objects(settings);
    let schema = load(deps, org, client, &named).await?;
    let mut all: BTreeSet<ObjectName> = named.iter().cloned().collect();
    all.extend(check::referenced_objects(settings, &schema));
    let schema = load(deps, org, client, &all.into_iter().collect::<Vec<_>>()).await?;
    let mut defects = check::check(settings, &deps.mirrored_objects, &schema);
    if defects.is_empty() {
        let filters: Vec<(&ObjectName, &Filter)> = settings.filters.iter().collect();
        let query = |(object, filter): &(&ObjectName, &Filter)| {
            Soql::select(&[FieldName::ID]).from(object).where_(filter.condition()).limit(1)
        };
        let queries: Vec<Soql> = filters.iter().map(query).collect();
        let pages = client.query_several(&queries).await?;
        for ((object, _), page) in filters.into_iter().zip(pages) {
            match page {
                Err(salesforce::Error::Rejected { problems, .. }) => {
                    let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
                    let detail = format!("Salesforce refuses the condition: {}", codes.join(", "));
                    defects.push(Defect::field(format!("filters.{object}"), detail));
                }
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
    }
    Ok((defects, schema))
}

/// Describes objects as the team's user sees them.
async fn load(deps: &Deps, org: OrgId, client: &Client, objects: &[ObjectName]) -> Result<Schema, Error> {
    let key = (org, &ConnectionId::team());
    let (schema, failed) = deps.schemas.load(client, key, objects, deps.clock.now()).await?;
    match failed.into_iter().next() {
        Some((_, error)) => Err(error.into()),
        None => Ok(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backfill_is_requested_for_the_time_at_which_it_may_begin() {
        let (org, changed_at) = ("00D5e000000KQ2eEAG".parse().unwrap(), "2026-11-22T10:00:00Z".parse().unwrap());
        let task = backfill(org, ObjectName::from_static("Account"), changed_at);
        assert_eq!((task.kind, task.object), (RefreshKind::Backfill, Some(ObjectName::from_static("Account"))));
        assert_eq!(task.requested_at, "2026-11-22T10:02:00Z".parse().unwrap());
    }
}
