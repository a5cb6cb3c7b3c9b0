//! Requests backfills of an org's mirror, and shows how far they are.

use std::time::Duration;

use jiff::Timestamp;
use runtime::BackfillView;
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use store::{Org, OrgState, RefreshKind, RefreshTask};

use crate::{Deps, Error, objects};

/// A request for backfills.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackfillBody {
    /// The object; all mirrored ones without it.
    object: Option<ObjectName>,
    /// The time from which changed rows are read; all rows without it.
    since: Option<String>,
}

/// The backfills that were queued.
#[derive(Debug, Serialize)]
pub(crate) struct RequestedBackfills {
    objects: Vec<ObjectName>,
    #[serde(serialize_with = "store::time::millis_option::serialize")]
    since: Option<Timestamp>,
    #[serde(serialize_with = "store::time::millis::serialize")]
    requested_at: Timestamp,
}

/// The backfills of an org.
#[derive(Debug, Serialize)]
pub(crate) struct BackfillsView {
    backfills: Vec<BackfillView>,
}

/// Returns the running or the last backfill of each mirrored object.
pub(crate) async fn list(deps: &Deps, org: OrgId) -> Result<BackfillsView, Error> {
    let (cursors, now) = (deps.cursors.list(org).await?, deps.clock.now());
    let known: Vec<BackfillView> = cursors.iter().filter_map(|cursor| BackfillView::of(cursor, now)).collect();
    let view = |object: ObjectName| {
        let found = known.iter().find(|view| view.object == object).cloned();
        found.unwrap_or_else(|| BackfillView::not_started(object))
    };
    let objects = objects::mirrored(deps, org).await?;
    Ok(BackfillsView { backfills: objects.into_iter().map(view).collect() })
}

/// Queues a backfill of each object.
///
/// # Errors
/// [`Error::OrgNotActive`]; [`Error::Invalid`] for an object that is not mirrored, a text that is not a time, and a time in the
/// future.
pub(crate) async fn request(deps: &Deps, org: &Org, body: BackfillBody) -> Result<RequestedBackfills, Error> {
    if org.state != OrgState::Active {
        return Err(Error::OrgNotActive(org.state));
    }
    let (BackfillBody { object, since }, requested_at) = (body, deps.clock.now());
    let since = since.map(|since| since.parse::<Timestamp>()).transpose();
    let since = since.map_err(|_| Error::Invalid("since must be a time such as 2026-11-20T00:00:00Z"))?;
    if since > Some(requested_at) {
        return Err(Error::Invalid("since must not be in the future"));
    }
    let objects = match object {
        Some(object) => vec![objects::find(deps, org.org_id, &object).await?],
        None => objects::mirrored(deps, org.org_id).await?,
    };
    let task = RefreshTask { since, ..RefreshTask::new(org.org_id, RefreshKind::Backfill, requested_at) };
    for object in &objects {
        deps.backfills.send(&task.for_object(object.clone()), Duration::ZERO).await?;
    }
    Ok(RequestedBackfills { objects, since, requested_at })
}
