//! How an org is doing, from what its processes left behind.

use jiff::Timestamp;
use salesforce::OrgId;
use store::{Cursor, CursorName, Org};

use crate::views::{BudgetView, HealthView, LicenseView, PipelinesHealth, SyncView, copy_of};
use crate::{Deps, Error, connections};

/// The org at a glance: five reads of Ferry's own tables, no call to Salesforce.
pub(crate) async fn health(deps: &Deps, org: Org) -> Result<HealthView, Error> {
    let org_id = org.org_id;
    let connections = connections::list(deps, org_id).await?;
    let cursors = deps.cursors.list(org_id).await?;
    let count = deps.pipelines.list(org_id).await?.len();
    let budget = deps.budgets.load(org_id, deps.clock.now()).await?;
    Ok(HealthView {
        org_id,
        state: org.state,
        copy_of: copy_of(&org),
        license: org.license.map(LicenseView::from),
        connections,
        pipelines: PipelinesHealth { count, refreshed_at: refreshed_at(&cursors) },
        sync: cursors.into_iter().filter(|cursor| !is_pipelines(cursor)).map(SyncView::from).collect(),
        budget: budget.map(BudgetView::from),
    })
}

/// When the org's pipelines were last read.
pub(crate) async fn pipelines_refreshed_at(deps: &Deps, org: OrgId) -> Result<Option<Timestamp>, Error> {
    Ok(refreshed_at(&deps.cursors.list(org).await?))
}

fn refreshed_at(cursors: &[Cursor]) -> Option<Timestamp> {
    cursors.iter().find(|cursor| is_pipelines(cursor))?.finished_at
}

fn is_pipelines(cursor: &Cursor) -> bool {
    cursor.cursor_name == CursorName::pipelines()
}
