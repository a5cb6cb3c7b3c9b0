//! The end of a connection's app: told of in time, and then carried out.

use store::apps::sunset::warning;
use store::{Connection, SunsetWarning};

use crate::{Deps, Error};

/// Notes what the connection's person has to be told, or that their app is stopped. Whether it is stopped. The event for it
/// comes from the row.
pub(crate) async fn tend(deps: &Deps, connection: &Connection) -> Result<bool, Error> {
    let registration = deps.apps.named(&connection.app).await.map_err(Error::state("load the app registrations"))?;
    let Some(registration) = registration else { return Ok(false) };
    let now = deps.clock.now();
    if registration.is_stopped(now) {
        tracing::warn!(org.id = %connection.org_id, app = connection.app, "the app of a connection is stopped");
        let stopped = deps.connections.stop_app(connection, now).await;
        return stopped.map_err(Error::state("stop the connection's app"));
    }
    let due = registration.sunset.zip(registration.days_left(now).and_then(warning));
    let due = due.map(|(sunset, days)| SunsetWarning { sunset, days });
    if let Some(due) = due.filter(|due| connection.sunset_warning != Some(*due)) {
        let noted = deps.connections.warn_of_sunset(connection, due, now).await;
        noted.map_err(Error::state("note the warning"))?;
    }
    Ok(false)
}
