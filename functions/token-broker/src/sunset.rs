//! The sunset of a connection's app: warnings before the date, and the stop after it.

use store::apps::sunset::due_warning;
use store::{Connection, SunsetWarning};

use crate::{Deps, Error};

/// Records a due sunset warning, or stops the connection. Returns whether it was stopped. `record-events` publishes the event
/// from the row.
pub(crate) async fn check_sunset(deps: &Deps, connection: &Connection) -> Result<bool, Error> {
    let registration = deps.apps.find(&connection.app).await?;
    let Some(app) = registration.map(|registration| registration.app) else { return Ok(false) };
    let now = deps.clock.now();
    if app.is_stopped(now) {
        let org = connection.org_id;
        tracing::warn!(org.id = %org, app = connection.app, "stopping a connection of org {org}: its app has reached its sunset");
        let stopped = deps.connections.mark_app_sunset(connection, now).await;
        return Ok(stopped?);
    }
    let due = app.sunset.zip(app.days_left(now).and_then(due_warning));
    let due = due.map(|(sunset, days)| SunsetWarning { sunset, days });
    if let Some(due) = due.filter(|due| connection.sunset_warning != Some(*due)) {
        let recorded = deps.connections.record_sunset_warning(connection, due, now).await;
        recorded?;
    }
    Ok(false)
}
