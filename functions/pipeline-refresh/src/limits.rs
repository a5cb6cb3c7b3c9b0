//! Reads the limits of an org, once a night. `Sforce-Limit-Info`, which every response has, tells of the daily calls only.

use runtime::Chain;
use store::{Lane, OrgLimits, RefreshKind};
use tracing::warn;

use crate::run::Run;

/// Reads the limits at the beginning of a night, for the health of the org. That costs one call. A failure is logged, and stops
/// nothing: the next night reads them again.
pub(crate) async fn read(run: &Run<'_>) {
    let is_whole_night = run.task.kind == RefreshKind::Nightly && run.task.object.is_none();
    if !is_whole_night || run.stop(Lane::Incremental).is_some() {
        return;
    }
    let (org, deps) = (run.org(), run.deps);
    let limits = run.client.fetch_limits().await;
    run.record_calls(Lane::Incremental).await;
    match limits {
        Ok(limits) => {
            let limits = OrgLimits::new(org, limits, deps.clock.now());
            if let Err(error) = deps.budgets.store_limits(&limits).await {
                warn!(org.id = %org, "could not store the limits of the org: {}", Chain(&error));
            }
        }
        Err(error) => warn!(org.id = %org, "could not read the limits of the org: {}", Chain(&error)),
    }
}
