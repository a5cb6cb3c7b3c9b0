//! The health of an org, read from Ferry's own tables.
//!
//! A new field of the response goes here, into `HealthView` (`views.rs`), and into the schema `Health` of
//! `infra/openapi.yaml`, with which every response of a test is compared.

use futures::future::{join, try_join, try_join3};
use jiff::Timestamp;
use runtime::{AuditView, BackfillView, Chain};
use salesforce::OrgId;
use store::{Cursor, CursorName, Org, Pipeline, PlatformUser};

use crate::changes::ChangesView;
use crate::failing::Known;
use crate::views::{
    BudgetHealth, CopyView, HealthView, LeftOutView, LicenseView, ObjectFieldsView, PipelinesHealth, SyncView,
};
use crate::{Deps, Error, connections, failing, freshness};

/// Builds the health view from reads of Ferry's own tables and the app registrations, without a call to Salesforce. Of the
/// connections, `only` limits it to that of one user.
pub(crate) async fn health(deps: &Deps, org: Org, only: Option<&PlatformUser>) -> Result<HealthView, Error> {
    let org_id = org.org_id;
    let connections = connections::list_all(deps, org_id, only).await?;
    let cursors = deps.cursors.list(org_id).await?;
    let pipelines = deps.pipelines.list(org_id).await?;
    let pipelines = pipelines_health(&pipelines, cursor(&cursors, &CursorName::pipelines()));
    let last_poll = covered_until(&cursors, &CursorName::poll());
    let changes = ChangesView::new(&org, last_poll, deps.poll_interval, deps.clock.now());
    let audits = deps.audits.last(org_id).await?;
    let now = deps.clock.now();
    let budgets = &deps.budgets;
    let (budget, limits, settings) =
        try_join3(budgets.load(org_id, now), budgets.load_limits(org_id), deps.settings.load(org_id, now)).await?;
    let (left_out, fields) =
        try_join(deps.cursors.left_out(org_id, None), deps.cursors.all_seen_fields(org_id)).await?;
    let known = Known { cursors: &cursors, left_out: &left_out, connections: &connections };
    let (freshness, failing) = join(freshness::load(deps, org_id), failing::load(deps, org_id, only, &known)).await;
    let (failing, backlog) = shown(failing).unzip();
    Ok(HealthView {
        org_id,
        state: org.state,
        copies: org.copies.into_iter().map(CopyView::from).collect(),
        license: org.license.map(LicenseView::from),
        connections,
        changes,
        pipelines,
        audits: audits.into_iter().map(AuditView::from).collect(),
        backfills: cursors.iter().filter_map(|cursor| BackfillView::of(cursor, now)).collect(),
        sync: cursors.into_iter().filter(is_scan).map(SyncView::from).collect(),
        budget: budget.map(|budget| BudgetHealth::new(budget, settings.api_allocation, limits, now)),
        left_out: LeftOutView::of(left_out),
        fields: ObjectFieldsView::of(fields),
        freshness: shown(freshness),
        failing,
        backlog,
    })
}

/// Returns a part of the health, or logs why it could not be read: the rest is shown without it.
fn shown<T>(part: Result<T, store::Error>) -> Option<T> {
    part.inspect_err(|error| tracing::warn!(error = %Chain(error), "could not read a part of the health")).ok()
}

/// Returns the time of the last refresh of the org's pipelines.
pub(crate) async fn pipelines_refreshed_at(deps: &Deps, org: OrgId) -> Result<Option<Timestamp>, Error> {
    Ok(covered_until(&deps.cursors.list(org).await?, &CursorName::pipelines()))
}

fn pipelines_health(pipelines: &[Pipeline], refresh: Option<&Cursor>) -> PipelinesHealth {
    PipelinesHealth {
        count: pipelines.len(),
        refreshed_at: refresh.and_then(|cursor| cursor.covered_until),
        stale: pipelines.iter().filter(|pipeline| pipeline.stale_reason.is_some()).count(),
        failure: refresh.and_then(|cursor| cursor.failure.clone()),
        failing_since: refresh.and_then(|cursor| cursor.failing_since),
    }
}

fn covered_until(cursors: &[Cursor], name: &CursorName) -> Option<Timestamp> {
    cursor(cursors, name)?.covered_until
}

fn cursor<'a>(cursors: &'a [Cursor], name: &CursorName) -> Option<&'a Cursor> {
    cursors.iter().find(|cursor| cursor.cursor_name == *name)
}

fn is_scan(cursor: &Cursor) -> bool {
    cursor.cursor_name.is_scan()
}
