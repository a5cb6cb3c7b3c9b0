//! The event of a connection's change, if it has one.

use connecting::connect_links::ConnectLink;
use jiff::Timestamp;
use salesforce::{Condition, ObjectName, ResolvedBy};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use store::{BusEvent, ConditionState, Connection, ConnectionKind, ConnectionState, EventKind, UserRights};

/// The kind of a connection's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A user gave consent: for the first time, again, or to a newer app.
    Connected,
    /// The user has to connect again.
    ReauthRequired,
    /// The connection was disconnected on purpose.
    Disconnected,
    /// The grant has not ended, and a person has to act before the connection can be used.
    Blocked,
    /// The condition that blocked it is over.
    Unblocked,
    /// The app will be stopped; the user has to move to the newest one before.
    UpgradeRequired,
}

impl Kind {
    /// Returns the type of the event.
    #[must_use]
    pub fn event_kind(self) -> EventKind {
        match self {
            Self::Connected => EventKind::ConnectionConnected,
            Self::ReauthRequired => EventKind::ConnectionReauthRequired,
            Self::Disconnected => EventKind::ConnectionDisconnected,
            Self::Blocked => EventKind::ConnectionBlocked,
            Self::Unblocked => EventKind::ConnectionUnblocked,
            Self::UpgradeRequired => EventKind::ConnectionUpgradeRequired,
        }
    }

    /// Returns whether the user can act, so that the event has a connect link.
    #[must_use]
    pub fn has_link(self) -> bool {
        matches!(self, Self::ReauthRequired | Self::UpgradeRequired)
    }
}

/// Compares a connection before and after; `None` without an event, as for a token refresh or its lease.
#[must_use]
pub fn compare(old: Option<&Connection>, new: &Connection) -> Option<Kind> {
    let before = old.map(|old| &old.state);
    match &new.state {
        ConnectionState::ReauthRequired { reason } if reason == NOT_CONNECTED_YET => None,
        ConnectionState::ReauthRequired { .. } => (before != Some(&new.state)).then_some(Kind::ReauthRequired),
        ConnectionState::Revoked => (old.is_some() && before != Some(&new.state)).then_some(Kind::Disconnected),
        ConnectionState::Active | ConnectionState::Uncertain => {
            if old.is_none_or(|old| old.connected_at != new.connected_at || !is_live(&old.state)) {
                return Some(Kind::Connected);
            }
            match (old.and_then(Connection::blocked_by), new.blocked_by()) {
                (before, Some(now)) if before != Some(now) => return Some(Kind::Blocked),
                (Some(_), None) => return Some(Kind::Unblocked),
                _ => {}
            }
            let warned = |connection: &Connection| connection.sunset_warning;
            (new.sunset_warning.is_some() && old.and_then(warned) != warned(new)).then_some(Kind::UpgradeRequired)
        }
    }
}

/// The reason of a row that a consent has reserved and that has no tokens yet.
const NOT_CONNECTED_YET: &str = "not_connected_yet";

fn is_live(state: &ConnectionState) -> bool {
    matches!(state, ConnectionState::Active | ConnectionState::Uncertain)
}

/// The `data` of an event.
#[derive(Debug, Serialize)]
struct Data<'a> {
    org_id: &'a str,
    tenant: &'a str,
    connection_id: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_user: Option<&'a str>,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    limited_objects: &'a [ObjectName],
    app: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<ConditionData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sunset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_url_expires_at: Option<String>,
}

/// The reason why a connection is blocked, who can end it, and how.
#[derive(Debug, Serialize)]
struct ConditionData {
    code: Condition,
    since: String,
    resolved_by: ResolvedBy,
    explanation: &'static str,
    advice: &'static str,
}

impl From<ConditionState> for ConditionData {
    fn from(ConditionState { condition, since, .. }: ConditionState) -> Self {
        Self {
            code: condition,
            since: store::time::format(since),
            resolved_by: condition.resolved_by(),
            explanation: condition.explanation(),
            advice: condition.advice(),
        }
    }
}

/// Builds the event of a change. It has no tokens; its link can be used once, by a user who can sign in to that very org.
///
/// `change_id` identifies the change, so that the same change published twice is the same event.
#[must_use]
pub fn event(connection: &Connection, kind: Kind, link: Option<&ConnectLink>, change_id: &str) -> BusEvent {
    let (whose, platform_user) = match &connection.kind {
        ConnectionKind::Team => ("team", None),
        ConnectionKind::Personal { platform_user } => ("personal", Some(platform_user.as_str())),
    };
    let reason = match &connection.state {
        ConnectionState::ReauthRequired { reason } => Some(reason.as_str()),
        ConnectionState::Active | ConnectionState::Uncertain | ConnectionState::Revoked => None,
    };
    let warning = connection.sunset_warning.filter(|_| kind == Kind::UpgradeRequired);
    // The rights of a consent are news only when it was given.
    let rights = connection.rights.as_ref().filter(|_| kind == Kind::Connected);
    let data = Data {
        org_id: connection.org_id.as_str(),
        tenant: connection.tenant.as_str(),
        connection_id: connection.connection_id.as_str(),
        kind: whose,
        platform_user,
        user_id: connection.user_id.as_str(),
        access: rights.map(UserRights::access),
        limited_objects: rights.map(|rights| rights.limited_objects.as_slice()).unwrap_or_default(),
        app: &connection.app,
        reason,
        condition: connection.condition.filter(|_| kind == Kind::Blocked).map(ConditionData::from),
        sunset: warning.map(|warning| warning.sunset.to_string()),
        connect_url: link.map(|link| link.url.expose_secret()),
        connect_url_expires_at: link.map(|link| store::time::format(link.expires_at)),
    };
    let subject = format!("connections/{}", connection.connection_id);
    let mut event = BusEvent::new(connection.org_id, kind.event_kind(), subject, change_id);
    event.time = time(connection, kind);
    event.sequence = Some(store::time::format(connection.updated_at));
    event.data = serde_json::to_value(data).unwrap_or_default();
    event
}

fn time(connection: &Connection, kind: Kind) -> Timestamp {
    match kind {
        Kind::Connected => connection.connected_at,
        Kind::ReauthRequired | Kind::Disconnected | Kind::Blocked | Kind::Unblocked | Kind::UpgradeRequired => {
            connection.updated_at
        }
    }
}

#[cfg(test)]
mod tests;
