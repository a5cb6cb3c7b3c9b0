use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-22T10:00:00Z";
const ORG: &str = "00D5e000000KQ2eEAG";

fn apps(more_of_v2: Value) -> Vec<AppRegistration> {
    let v1 = json!({"name": "v1", "client_id": "1", "client_secret": "hush", "sunset": "2027-01-21"});
    let mut v2 = json!({"name": "v2", "client_id": "2", "client_secret": "hush"});
    v2.as_object_mut().unwrap().extend(more_of_v2.as_object().unwrap().clone());
    vec![serde_json::from_value(v1).unwrap(), serde_json::from_value(v2).unwrap()]
}

fn connection(rep: Option<&str>, app: &str, state: &str) -> Connection {
    let kind = rep.map_or(ConnectionKind::Team, |rep| ConnectionKind::Personal { platform_user: rep.parse().unwrap() });
    let mut row = json!({
        "org_id": ORG, "connection_id": kind.connection_id(), "tenant": "acme", "user_id": "0055e000001mKpCAAU", "app": app,
        "login_url": "https://login.salesforce.com", "instance_url": "https://acme.my.salesforce.com", "state": state,
        "reason": "grant_ended", "token_version": "2".repeat(32), "created_at": "2026-11-01T00:00:00.000Z",
        "connected_at": "2026-11-01T00:00:00.000Z", "updated_at": "2026-11-22T10:00:00.000Z",
    });
    row.as_object_mut().unwrap().extend(serde_json::to_value(kind).unwrap().as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

fn connections() -> Vec<Connection> {
    vec![
        connection(Some("rep-2"), "v1", "active"),
        connection(Some("rep-1"), "v2", "active"),
        connection(Some("rep-3"), "v1", "revoked"),
        connection(Some("rep-4"), "v0", "reauth_required"),
        connection(None, "v1", "uncertain"),
    ]
}

#[test]
fn connections_on_other_apps_are_outdated() {
    let outdated = outdated_connections(&apps(json!({})), &connections(), NOW.parse().unwrap());
    let outdated: Vec<_> = outdated.iter().map(|one| (one.connection.as_str(), one.app.as_str(), one.state)).collect();
    assert_eq!(outdated, [("team", "v1", WORKING), ("rep-2", "v1", WORKING), ("rep-4", "v0", TO_RECONNECT)]);
}

#[test]
fn after_a_rollback_moved_connections_are_outdated() {
    let rolled_back = apps(json!({"new_consents": false}));
    let outdated = outdated_connections(&rolled_back, &connections(), NOW.parse().unwrap());
    assert_eq!(outdated.iter().map(|one| one.connection.as_str()).collect::<Vec<_>>(), ["rep-1", "rep-4"]);
}

#[test]
fn unregistered_apps_are_counted_too() {
    let counted = app_usage(&apps(json!({})), &connections(), NOW.parse().unwrap());
    let counted: Vec<_> = counted
        .iter()
        .map(|app| (app.app.as_str(), app.current, app.working, app.to_reconnect, app.days_left))
        .collect();
    assert_eq!(counted, [("v1", false, 2, 0, Some(60)), ("v2", true, 1, 0, None), ("v0", false, 0, 1, None)]);
}
