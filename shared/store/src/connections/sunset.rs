//! Sunset warnings, and the end of connections whose app is past its sunset.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::grants::APP_SUNSET;
use super::{Connection, ConnectionState, Connections, row_key, update};
use crate::Error;
use crate::table::{Conditional, Update, number, text};
use crate::time;

/// The last sunset warning that was published for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SunsetWarning {
    /// The day on which the app stops.
    #[serde(rename = "sunset_on")]
    pub sunset: Date,
    /// The warning's distance from the sunset, in days.
    #[serde(rename = "sunset_warned_days")]
    pub days: u16,
}

/// The connection still uses the app, and has another warning or none.
const IS_NEW_WARNING: &str = "#app = :app AND (attribute_not_exists(#sunset_on) OR #sunset_on <> :sunset \
     OR #sunset_warned_days <> :days)";

impl Connections {
    /// Stores a warning, unless it is stored already or the connection uses another app by now. Returns whether it was
    /// stored.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn record_sunset_warning(
        &self,
        connection: &Connection,
        warning: SunsetWarning,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (sunset, days) = (text(warning.sunset.to_string()), number(u64::from(warning.days)));
        let update = Update {
            set: vec![
                ("sunset_on", sunset.clone()),
                ("sunset_warned_days", days.clone()),
                ("updated_at", text(time::format(now))),
            ],
            when: IS_NEW_WARNING,
            values: vec![(":app", text(&connection.app)), (":sunset", sunset), (":days", days)],
            ..Update::default()
        };
        let noted = self
            .table
            .update("record the sunset warning", row_key(connection.org_id, &connection.connection_id), update)
            .await?;
        Ok(matches!(noted, Conditional::Done(_)))
    }

    /// Marks a connection whose app is past its sunset as `reauth_required`, unless it uses another app by now or is
    /// about to. Returns whether it was marked.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn mark_app_sunset(&self, connection: &Connection, now: Timestamp) -> Result<bool, Error> {
        let stopped = ConnectionState::ReauthRequired { reason: APP_SUNSET.to_owned() };
        let mut update = update::state_change(&stopped, now);
        update.when = "#app = :app AND #state IN (:active, :uncertain) AND attribute_not_exists(#pending)";
        update.values.extend([
            (":app", text(&connection.app)),
            (":active", text("active")),
            (":uncertain", text("uncertain")),
        ]);
        let marked = self.table.update(
            "stop the connection of the app",
            row_key(connection.org_id, &connection.connection_id),
            update,
        );
        Ok(matches!(marked.await?, Conditional::Done(_)))
    }
}
