//! The change feed: the changes of all mirrored objects of a tenant's orgs, in one order, for whoever missed events.
//!
//! Every place in the feed is a time, an org, an object and a record's id, in this order, so that a cursor is one place
//! however many orgs and objects there are. A page reads one index for each org and object and merges them. A record has
//! one place, that of its last change: a record that changes while the feed is read moves ahead, and is read there.
//!
//! Changes younger than [`SETTLING_TIME`] are left out: a change whose writer is slower may still appear before them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use mirroring::OrgMirror;
use runtime::{Caller, ListId};
use salesforce::{ObjectName, OrgId, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::records::SETTLING_TIME;
use store::{ChangeKey, ChangesFrom, MirrorRecord, Org, OrgState};

use crate::lists::within_bytes;
use crate::{Deps, Error, http, mirror};

/// The default number of changes in a page.
const DEFAULT_LIMIT: u16 = 100;
/// The maximum number of changes in a page.
const MAX_LIMIT: u16 = 200;
/// The most by which the caller's clock may be ahead of Ferry's.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(5);
/// The number of indexes that are read at the same time.
const PARALLEL_READS: usize = 16;
/// The time by which the feed is shorter than deletions are kept: their time counts from the read that found them.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// The query parameters of the feed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedQuery {
    since: Option<String>,
    after: Option<String>,
    #[serde(default)]
    fields: Fields,
    limit: Option<u16>,
}

/// The choice of the records' fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fields {
    #[default]
    All,
    None,
}

/// The place of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    #[serde(with = "store::time::millis")]
    at: Timestamp,
    org: OrgId,
    object: ObjectName,
    id: RecordId,
}

/// The position from which the feed is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Position {
    /// At the first change at this time or later.
    Time(#[serde(with = "store::time::millis")] Timestamp),
    /// After this change.
    After(Place),
}

/// A page of the feed.
#[derive(Debug, Serialize)]
pub(crate) struct FeedView {
    changes: Vec<ChangeView>,
    next: String,
    more: bool,
    not_served: Vec<OrgId>,
}

/// A record that changed.
#[derive(Debug, Serialize)]
struct ChangeView {
    org_id: OrgId,
    object: ObjectName,
    id: RecordId,
    #[serde(serialize_with = "store::time::millis::serialize")]
    changed_at: Timestamp,
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<RecordId>,
    #[serde(serialize_with = "store::time::millis_option::serialize", skip_serializing_if = "Option::is_none")]
    system_modstamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Map<String, Value>>,
}

impl Position {
    fn at(&self) -> Timestamp {
        match self {
            Self::Time(at) | Self::After(Place { at, .. }) => *at,
        }
    }

    /// Returns the start of the changes of one org and object after the position.
    fn within(&self, org: OrgId, object: &ObjectName) -> ChangesFrom {
        match self {
            Self::Time(at) => ChangesFrom::Time(*at),
            Self::After(place) => match (org, object).cmp(&(place.org, &place.object)) {
                Ordering::Less => ChangesFrom::Time(next_millisecond(place.at)),
                Ordering::Equal => ChangesFrom::After(ChangeKey { changed_at: place.at, record_id: place.id }),
                Ordering::Greater => ChangesFrom::Time(place.at),
            },
        }
    }
}

fn next_millisecond(at: Timestamp) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(1)).unwrap_or(at)
}

/// Reads a page of the feed of the caller's tenant.
pub(crate) async fn page(deps: &Deps, caller: &Caller, query: FeedQuery) -> Result<FeedView, Error> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::Invalid("limit must be a number from 1 to 200"));
    }
    let now = store::time::to_millis(deps.clock.now());
    let until = now.saturating_sub(SETTLING_TIME).unwrap_or(now);
    let feed = ListId::of(&("changes", &caller.tenant));
    let position = start(&query, feed, (oldest(now, deps.tombstone_retention), now))?;

    let orgs = deps.orgs.list_by_tenant(&caller.tenant).await?;
    let (served, others): (Vec<Org>, Vec<Org>) =
        orgs.into_iter().partition(|org| http::require_served(deps, org).is_ok());
    let not_served = others.iter().filter(|org| org.state != OrgState::Claimed).map(|org| org.org_id).collect();
    let mirrors = mirrors(deps, &served).await?;
    let indexes =
        mirrors.iter().flat_map(|(org, mirror)| objects(deps, mirror).into_iter().map(|object| (*org, object)));
    let reads =
        indexes.map(|(org, object)| changes_of(deps, (org, object), (position.within(org, object), until), limit));
    let reads: Vec<_> = reads.collect();
    // Keeps the first places only, so that a tenant with many orgs needs no more memory than one with few.
    let first = async |places, found| Ok::<_, Error>(first_places(places, found, usize::from(limit) + 1));
    let mut places = stream::iter(reads).buffer_unordered(PARALLEL_READS).try_fold(Vec::new(), first).await?;
    let found = places.len();
    places.truncate(usize::from(limit));

    let mut records = load(deps, &places).await?;
    let served = |place: &Place| {
        let row = records.remove(place)?;
        Some((place.clone(), shown(mirrors.get(&place.org)?, row)?))
    };
    let rows: Vec<(Place, MirrorRecord)> = places.iter().filter_map(served).collect();
    let kept = within_bytes(&rows, usize::from(limit), |(_, row)| &row.fields);
    let is_cut = kept < rows.len();
    let more = found > places.len() || is_cut;
    let last = if is_cut { rows.get(kept.saturating_sub(1)).map(|(place, _)| place) } else { places.last() };
    let next = match last.filter(|_| more) {
        Some(last) => Position::After(last.clone()),
        // Nothing that is stored later comes before the settled time.
        None => Position::Time(next_millisecond(until).max(position.at())),
    };
    let changes = rows.into_iter().take(kept).map(|(place, row)| change(place, row, query.fields)).collect();
    Ok(FeedView { changes, next: feed.cursor(&next), more, not_served })
}

/// Returns what of each org is mirrored.
async fn mirrors(deps: &Deps, orgs: &[Org]) -> Result<BTreeMap<OrgId, OrgMirror>, Error> {
    let orgs: Vec<OrgId> = orgs.iter().map(|org| org.org_id).collect();
    let mirror = |org: OrgId| async move { Ok::<_, Error>((org, mirror::of(deps, org).await?)) };
    stream::iter(orgs).map(mirror).buffer_unordered(PARALLEL_READS).try_collect().await
}

/// Returns the objects whose changes the feed has: the mirrored ones, and those of the deployment, of which an org's settings may
/// have removed the records.
fn objects<'a>(deps: &'a Deps, mirror: &'a OrgMirror) -> BTreeSet<&'a ObjectName> {
    mirror.objects().iter().chain(&deps.mirrored_objects).collect()
}

/// Returns the row as the feed shows it; `None` for a record that is not mirrored any more and is not removed yet.
fn shown(mirror: &OrgMirror, mut row: MirrorRecord) -> Option<MirrorRecord> {
    mirror.retain(&mut row);
    (row.deleted || mirror.has(&row.object)).then_some(row)
}

/// Returns the first `count` of the places, in their order.
fn first_places(mut places: Vec<Place>, found: Vec<Place>, count: usize) -> Vec<Place> {
    places.extend(found);
    places.sort_unstable();
    places.truncate(count);
    places
}

/// Returns the time of the oldest change that the feed has.
fn oldest(now: Timestamp, tombstone_retention: SignedDuration) -> Timestamp {
    let reach = tombstone_retention.checked_sub(MARGIN).unwrap_or(tombstone_retention);
    now.saturating_sub(reach).unwrap_or(now)
}

/// Returns the position at which the page starts.
///
/// # Errors
/// [`Error::CursorExpired`] for a position before the oldest change; [`Error::Invalid`] for a time in the future.
fn start(query: &FeedQuery, feed: ListId, (oldest, now): (Timestamp, Timestamp)) -> Result<Position, Error> {
    let position = match (&query.after, &query.since) {
        (Some(_), Some(_)) => {
            return Err(Error::Invalid("after and since exclude each other: after is a later position"));
        }
        (Some(after), None) => feed.position(after)?,
        (None, Some(since)) => {
            let since: Timestamp =
                since.parse().map_err(|_| Error::Invalid("since must be a time such as 2026-11-22T10:00:00Z"))?;
            if since > now.saturating_add(CLOCK_DIFFERENCE).unwrap_or(now) {
                return Err(Error::Invalid("since must not be in the future"));
            }
            Position::Time(store::time::to_millis(since))
        }
        (None, None) => Position::Time(oldest),
    };
    if position.at() < oldest { Err(Error::CursorExpired { oldest }) } else { Ok(position) }
}

/// Returns the places of the changes of an object in a range.
async fn changes_of(
    deps: &Deps,
    (org, object): (OrgId, &ObjectName),
    range: (ChangesFrom, Timestamp),
    limit: u16,
) -> Result<Vec<Place>, Error> {
    // One more than the page holds shows that another page follows.
    let keys = deps.records.change_keys(org, object, range, limit.saturating_add(1)).await?;
    let place = |key: ChangeKey| Place { at: key.changed_at, org, object: object.clone(), id: key.record_id };
    Ok(keys.into_iter().map(place).collect())
}

/// Returns the records at these places. Leaves out those that have changed meanwhile: they are ahead now.
async fn load(deps: &Deps, places: &[Place]) -> Result<BTreeMap<Place, MirrorRecord>, Error> {
    let mut ids: BTreeMap<(OrgId, &ObjectName), Vec<RecordId>> = BTreeMap::new();
    for place in places {
        ids.entry((place.org, &place.object)).or_default().push(place.id);
    }
    let mut records = BTreeMap::new();
    for ((org, object), ids) in ids {
        for (id, (row, key)) in deps.records.load_many(org, object, &ids).await? {
            if let Some(key) = key {
                records.insert(Place { at: key.changed_at, org, object: object.clone(), id }, row);
            }
        }
    }
    Ok(records)
}

fn change(place: Place, row: MirrorRecord, fields: Fields) -> ChangeView {
    ChangeView {
        org_id: place.org,
        object: place.object,
        id: place.id,
        changed_at: place.at,
        deleted: row.deleted,
        merged_into: row.master_record_id,
        system_modstamp: (!row.erased).then_some(row.system_modstamp),
        fields: (!row.deleted && fields == Fields::All).then_some(row.fields),
    }
}

#[cfg(test)]
mod tests;
