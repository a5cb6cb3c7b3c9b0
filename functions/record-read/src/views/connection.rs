//! Connections.

use jiff::Timestamp;
use runtime::ProblemCode;
use salesforce::{Condition, ObjectName, RecordId, ResolvedBy};
use serde::Serialize;
use store::connections::USER_INACTIVE;
use store::connections::reservation::NOT_CONNECTED_YET;
use store::{ConditionState, Connection, ConnectionId, ConnectionKind, ConnectionState, PlatformUser, UserRights};

use super::{millis, millis_option};

/// A connection.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionView {
    connection_id: ConnectionId,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_user: Option<PlatformUser>,
    user_id: RecordId,
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limited_objects: Vec<ObjectName>,
    app: String,
    on_newest_app: Option<bool>,
    instance_url: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<ConditionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(serialize_with = "millis")]
    connected_at: Timestamp,
    #[serde(serialize_with = "millis_option")]
    refreshed_at: Option<Timestamp>,
    #[serde(serialize_with = "millis")]
    last_used_at: Timestamp,
}

/// The reason why a connection cannot be used, who can end it, and how.
#[derive(Debug, Serialize)]
pub(crate) struct ConditionView {
    code: Condition,
    #[serde(serialize_with = "millis")]
    since: Timestamp,
    resolved_by: ResolvedBy,
    explanation: &'static str,
    advice: &'static str,
}

impl From<ConditionState> for ConditionView {
    fn from(ConditionState { condition, since, .. }: ConditionState) -> Self {
        Self {
            code: condition,
            since,
            resolved_by: condition.resolved_by(),
            explanation: condition.explanation(),
            advice: condition.advice(),
        }
    }
}

impl ConnectionView {
    /// Returns whether the connection is a user's own.
    pub(crate) fn is_personal(&self) -> bool {
        self.platform_user.is_some()
    }

    /// Returns the code of the reason for which the connection cannot be used, and since when, if that is known; `None` for one
    /// that can be used, was disconnected, or was never completed.
    pub(crate) fn unusable(&self) -> Option<(&'static str, Option<Timestamp>)> {
        match (self.state, &self.condition, &self.reason) {
            ("blocked", Some(condition), _) => Some((condition.code.code(), Some(condition.since))),
            (_, _, Some(reason)) if reason == USER_INACTIVE => Some((ProblemCode::UserInactive.as_str(), None)),
            (_, _, Some(reason)) if reason != NOT_CONNECTED_YET => {
                Some((ProblemCode::ReconnectRequired.as_str(), None))
            }
            _ => None,
        }
    }

    /// Builds the view. `newest_app` is the name of the app that new consents use, if it is known.
    pub(crate) fn new(connection: Connection, newest_app: Option<&str>) -> Self {
        let (state, condition) = (connection.shown_state(), connection.shown_condition().map(ConditionView::from));
        let (kind, platform_user) = match connection.kind {
            ConnectionKind::Team => ("team", None),
            ConnectionKind::Personal { platform_user } => ("personal", Some(platform_user)),
        };
        let reason = match connection.state {
            ConnectionState::ReauthRequired { reason } => Some(reason),
            ConnectionState::Active | ConnectionState::Uncertain | ConnectionState::Revoked => None,
        };
        Self {
            connection_id: connection.connection_id,
            kind,
            platform_user,
            user_id: connection.user_id,
            username: connection.username,
            access: connection.rights.as_ref().map(UserRights::access),
            limited_objects: connection.rights.map(|rights| rights.limited_objects).unwrap_or_default(),
            on_newest_app: newest_app.map(|newest| newest == connection.app),
            last_used_at: connection.refreshed_at.unwrap_or_default().max(connection.connected_at),
            app: connection.app,
            instance_url: connection.instance_url,
            state,
            condition,
            reason,
            connected_at: connection.connected_at,
            refreshed_at: connection.refreshed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connection(kind: ConnectionKind, state: ConnectionState) -> Connection {
        let connection = json!({
            "org_id": "00D000000000001",
            "connection_id": kind.connection_id(),
            "tenant": "acme",
            "user_id": "005D0000001aaaa",
            "app": "v2",
            "login_url": "https://login.salesforce.com",
            "instance_url": "https://acme.my.salesforce.com",
            "state": "active",
            "token_version": "f".repeat(32),
            "created_at": "2026-11-22T10:00:00.000Z",
            "connected_at": "2026-11-22T10:00:00.000Z",
            "updated_at": "2026-11-22T10:00:00.000Z",
            "kind": "team",
        });
        let connection: Connection = serde_json::from_value(connection).unwrap();
        Connection { kind, state, ..connection }
    }

    #[test]
    fn a_blocked_connection_is_not_shown_as_active() {
        let condition = |condition, reported| {
            let since = "2026-11-22T10:00:00Z".parse().unwrap();
            let condition = Some(store::ConditionState { condition, since, reported, sessions_replaced: 0 });
            let connection = Connection { condition, ..connection(ConnectionKind::Team, ConnectionState::Active) };
            serde_json::to_value(ConnectionView::new(connection, None)).unwrap()
        };
        let blocked = condition(Condition::AppBlocked, true);
        assert_eq!((&blocked["state"], &blocked["condition"]["code"]), (&json!("blocked"), &json!("app_blocked")));
        assert_eq!(blocked["condition"]["resolved_by"], "org_administrator");
        assert!(blocked["condition"]["advice"].as_str().unwrap().contains("unblock"));
        let waits = condition(Condition::LoginRestricted, false);
        assert_eq!((&waits["state"], &waits["condition"]["code"]), (&json!("active"), &json!("login_restricted")));
    }

    #[test]
    fn a_personal_connection_shows_its_user_and_its_reason() {
        let kind = ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() };
        let state = ConnectionState::ReauthRequired { reason: "expired".to_owned() };
        let view = serde_json::to_value(ConnectionView::new(connection(kind, state), Some("v2"))).unwrap();
        assert_eq!(view["kind"], "personal");
        assert_eq!(view["platform_user"], "rep-1");
        assert_eq!(view["state"], "reauth_required");
        assert_eq!(view["reason"], "expired");
    }

    #[test]
    fn a_team_connection_shows_what_it_does_not_see() {
        let view = |rights| {
            let team = connection(ConnectionKind::Team, ConnectionState::Active);
            serde_json::to_value(ConnectionView::new(Connection { rights, ..team }, None)).unwrap()
        };
        let unknown = view(None);
        assert_eq!((unknown.get("access"), unknown.get("limited_objects")), (None, None));
        let full = view(Some(UserRights::default()));
        assert_eq!((&full["access"], full.get("limited_objects")), (&json!("full"), None));
        let limited_objects = vec!["Account".parse().unwrap()];
        let limited = view(Some(UserRights { administrator: true, limited_objects }));
        assert_eq!((&limited["access"], &limited["limited_objects"]), (&json!("limited"), &json!(["Account"])));
    }

    #[test]
    fn a_connection_view_has_no_tokens() {
        let view = ConnectionView::new(connection(ConnectionKind::Team, ConnectionState::Active), None);
        let shown = serde_json::to_string(&view).unwrap();
        assert!(!shown.contains("ffff"), "{shown}");
        assert!(!shown.contains("token"), "{shown}");
    }
}
