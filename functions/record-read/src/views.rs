//! The JSON views of Ferry's state. No view has a token, its version or a secret's hash.

use std::collections::BTreeMap;

use jiff::Timestamp;
use salesforce::{Condition, ObjectName, OrgId, Record, RecordId, ResolvedBy};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use store::{
    Budget, ConditionState, Connection, ConnectionId, ConnectionKind, ConnectionState, Cursor, CursorName, Environment,
    Lane, License, LicenseState, MirrorRecord, Org, OrgState, PlatformUser, SeenCopy, Tenant, UserRights,
};

use crate::changes::ChangesView;

/// An org.
#[derive(Debug, Serialize)]
pub(crate) struct OrgView {
    org_id: OrgId,
    state: OrgState,
    tenant: Option<Tenant>,
    environment: Environment,
    my_domain_url: Option<String>,
    package_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announced_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<LicenseView>,
    #[serde(serialize_with = "millis")]
    claimed_at: Timestamp,
    #[serde(serialize_with = "millis_option")]
    activated_at: Option<Timestamp>,
}

/// The package's license, as the License Management Org reports it.
#[derive(Debug, Serialize)]
pub(crate) struct LicenseView {
    status: String,
    package_version: Option<String>,
    expires_on: Option<String>,
    #[serde(serialize_with = "millis")]
    modified_at: Timestamp,
}

impl From<License> for LicenseView {
    fn from(license: License) -> Self {
        let LicenseState { modified_at, status, package_version, expires_on, .. } = license.newest;
        Self { status: status.into(), package_version, expires_on, modified_at }
    }
}

/// A copy of an org: another org that a message with this org's webhook secret named.
#[derive(Debug, Serialize)]
pub(crate) struct CopyView {
    org_id: OrgId,
    #[serde(serialize_with = "millis")]
    seen_at: Timestamp,
}

impl From<SeenCopy> for CopyView {
    fn from(SeenCopy { org_id, seen_at }: SeenCopy) -> Self {
        Self { org_id, seen_at }
    }
}

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

/// The source of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Ferry's copy.
    Mirror,
    /// Salesforce, through the rep's connection.
    Salesforce,
    /// Salesforce, through the team's connection.
    Team,
}

impl Source {
    /// Returns the source of a live read.
    pub(crate) fn live(user: Option<&PlatformUser>) -> Self {
        if user.is_some() { Self::Salesforce } else { Self::Team }
    }
}

/// A record.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView {
    object: ObjectName,
    id: RecordId,
    source: Source,
    fields: Map<String, Value>,
    #[serde(serialize_with = "millis_option")]
    system_modstamp: Option<Timestamp>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    read_at: Option<Timestamp>,
    /// The time since which the record has a newer version that is too large for the mirror.
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    outdated_since: Option<Timestamp>,
}

/// The position of one of the org's scans.
#[derive(Debug, Serialize)]
pub(crate) struct SyncView {
    scan: CursorName,
    #[serde(serialize_with = "millis_option")]
    synced_to: Option<Timestamp>,
    #[serde(serialize_with = "millis_option")]
    finished_at: Option<Timestamp>,
    running: bool,
    /// The reason for which the object is not up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
}

/// The org's API calls today.
#[derive(Debug, Serialize)]
pub(crate) struct BudgetView {
    day: String,
    used: u64,
    max: u64,
    #[serde(serialize_with = "millis")]
    observed_at: Timestamp,
    calls: BTreeMap<Lane, u64>,
}

/// The state of the org's pipelines.
#[derive(Debug, Serialize)]
pub(crate) struct PipelinesHealth {
    pub(crate) count: usize,
    #[serde(serialize_with = "millis_option")]
    pub(crate) refreshed_at: Option<Timestamp>,
    /// The number of pipelines that are kept as they were read before.
    pub(crate) stale: usize,
    /// The reason for which the pipelines are not up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    #[serde(serialize_with = "millis_option", skip_serializing_if = "Option::is_none")]
    pub(crate) failing_since: Option<Timestamp>,
}

/// The health of an org.
#[derive(Debug, Serialize)]
pub(crate) struct HealthView {
    pub(crate) org_id: OrgId,
    pub(crate) state: OrgState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) copies: Vec<CopyView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<LicenseView>,
    pub(crate) connections: Vec<ConnectionView>,
    pub(crate) changes: ChangesView,
    pub(crate) sync: Vec<SyncView>,
    pub(crate) pipelines: PipelinesHealth,
    pub(crate) budget: Option<BudgetView>,
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        Self {
            announced_version: org.announced.and_then(|announced| announced.package_version),
            license: org.license.map(LicenseView::from),
            org_id: org.org_id,
            state: org.state,
            tenant: org.tenant,
            environment: org.environment,
            my_domain_url: org.my_domain_url,
            package_version: org.package_version,
            claimed_at: org.claimed_at,
            activated_at: org.activated_at,
        }
    }
}

impl ConnectionView {
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

impl From<MirrorRecord> for RecordView {
    fn from(row: MirrorRecord) -> Self {
        Self {
            object: row.object,
            id: row.record_id,
            source: Source::Mirror,
            fields: row.fields,
            system_modstamp: Some(row.system_modstamp),
            read_at: Some(row.read_at),
            outdated_since: row.outdated_since,
        }
    }
}

impl RecordView {
    /// Builds the view of a record that was read as this user, or through the team without one.
    pub(crate) fn live(record: Record, user: Option<&PlatformUser>) -> Self {
        Self { source: Source::live(user), ..Self::from(record) }
    }
}

impl From<Record> for RecordView {
    fn from(record: Record) -> Self {
        Self {
            system_modstamp: record.system_modstamp(),
            object: record.object,
            id: record.id,
            source: Source::Salesforce,
            fields: record.fields,
            read_at: None,
            outdated_since: None,
        }
    }
}

impl From<Cursor> for SyncView {
    fn from(cursor: Cursor) -> Self {
        Self {
            scan: cursor.cursor_name,
            synced_to: cursor.position.map(|position| position.system_modstamp),
            finished_at: cursor.covered_until,
            running: cursor.checkpoint.is_some(),
            failure: cursor.failure,
            failing_since: cursor.failing_since,
        }
    }
}

impl From<Budget> for BudgetView {
    fn from(budget: Budget) -> Self {
        Self {
            day: budget.day,
            used: budget.used,
            max: budget.max,
            observed_at: budget.observed_at,
            calls: budget.calls,
        }
    }
}

fn millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    store::time::millis::serialize(at, serializer)
}

fn millis_option<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    store::time::millis_option::serialize(at, serializer)
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

    #[test]
    fn an_org_view_has_no_webhook_secrets() {
        let org = json!({
            "org_id": "00D000000000001", "state": "active", "tenant": "acme", "environment": "sandbox",
            "webhook_secrets": [], "claimed_at": "1970-01-01T00:00:00.000Z",
            "updated_at": "1970-01-01T00:00:00.000Z", "revision": 3,
        });
        let view = OrgView::from(serde_json::from_value::<Org>(org).unwrap());
        let shown = serde_json::to_value(view).unwrap();
        assert!(shown.get("webhook_secrets").is_none());
        assert_eq!(shown["claimed_at"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_live_record_has_no_read_at() {
        let fields = json!({"SystemModstamp": "2026-11-22T10:15:30.000+0000"}).as_object().unwrap().clone();
        let object = ObjectName::from_static("Account");
        let view = RecordView::from(Record { object, id: "001D000000IRFma".parse().unwrap(), fields });
        let shown = serde_json::to_value(view).unwrap();
        assert_eq!(shown["source"], "salesforce");
        assert_eq!(shown["system_modstamp"], "2026-11-22T10:15:30.000Z");
        assert!(shown.get("read_at").is_none());
    }
}
