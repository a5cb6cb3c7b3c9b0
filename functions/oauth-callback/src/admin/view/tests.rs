use serde_json::json;

use super::*;

const NOW: &str = "2026-11-22T10:00:00.000Z";

fn connection(id: &str, more: &serde_json::Value) -> Connection {
    let mut row = json!({
        "org_id": "00D5e000000KQ2eEAG", "connection_id": id, "tenant": "acme", "user_id": "005D0000001aaaa",
        "app": "v2", "login_url": "https://login.salesforce.com", "instance_url": "https://acme.my.salesforce.com",
        "state": "active", "token_version": "0".repeat(32), "kind": "team",
        "created_at": NOW, "connected_at": NOW, "updated_at": NOW,
    });
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    serde_json::from_value(row).unwrap()
}

fn rep(name: &str, more: serde_json::Value) -> Connection {
    let mut more = more;
    more["kind"] = json!("personal");
    more["platform_user"] = json!(name);
    let id = store::ConnectionId::personal(&name.parse().unwrap());
    connection(id.as_str(), &more)
}

fn org(state: &str) -> Org {
    let org = json!({
        "org_id": "00D5e000000KQ2eEAG", "state": state, "tenant": "acme", "environment": "sandbox",
        "claimed_at": NOW, "updated_at": NOW, "revision": 1,
    });
    serde_json::from_value(org).unwrap()
}

fn newest() -> PublicApp {
    let app = json!({
        "name": "v2", "client_id": "id",
        "install_url_production": "https://login.salesforce.com/p", "install_url_sandbox": "https://test.salesforce.com/s",
    });
    serde_json::from_value(app).unwrap()
}

fn shown(connections: Vec<Connection>) -> OrgView {
    view(&org("active"), connections, &newest(), NOW.parse().unwrap())
}

#[test]
fn connections_that_need_action_come_first() {
    let ended = json!({"state": "reauth_required", "reason": "grant_ended"});
    let org =
        shown(vec![rep("amy", json!({})), rep("zoe", ended), connection("team", &json!({})), rep("bob", json!({}))]);

    let names: Vec<_> = org.personal.iter().map(|connection| connection.name.as_str()).collect();

    assert_eq!(names, ["zoe", "amy", "bob"]);
    assert_eq!(org.team.unwrap().status.label, "Connected");
    assert_eq!(
        (org.host.as_str(), org.install_url.as_deref()),
        ("acme.my.salesforce.com", Some("https://test.salesforce.com/s"))
    );
}

#[test]
fn a_connection_in_use_on_an_older_app_has_to_move() {
    let revoked = json!({"app": "v1", "state": "revoked"});
    let org = shown(vec![connection("team", &json!({})), rep("amy", json!({"app": "v1"})), rep("bob", revoked)]);

    assert_eq!(org.to_move, 1);
    let moving = org.personal.iter().filter(|connection| connection.needs_to_move);
    let names: Vec<_> = moving.map(|connection| connection.name.as_str()).collect();
    assert_eq!(names, ["amy"]);
}

#[test]
fn personal_connections_over_the_limit_are_counted() {
    let org = shown((0..MAX_PERSONAL + 3).map(|number| rep(&format!("rep-{number}"), json!({}))).collect());
    assert_eq!((org.personal.len(), org.not_shown), (MAX_PERSONAL, 3));
}

#[test]
fn an_org_without_a_connection_is_shown_by_its_id() {
    let org = view(&org("disconnected"), Vec::new(), &newest(), NOW.parse().unwrap());
    assert_eq!(org.host, "00D5e000000KQ2eEAG");
    assert!(org.team.is_none() && org.notice.unwrap().contains("disconnected"));
}

#[test]
fn times_are_shown_in_the_largest_unit_that_fits() {
    let now: Timestamp = NOW.parse().unwrap();
    for (minutes, words) in [
        (0, "just now"),
        (1, "1 minute ago"),
        (59, "59 minutes ago"),
        (60, "1 hour ago"),
        (1439, "23 hours ago"),
        (2880, "2 days ago"),
    ] {
        let then = now - jiff::SignedDuration::from_mins(minutes);
        assert_eq!(ago(then, now), words);
    }
    assert_eq!(ago(now + jiff::SignedDuration::from_mins(5), now), "just now");
}

#[test]
fn a_blocked_connection_says_what_to_do() {
    let blocked = |reported: bool| {
        let more = json!({"condition": "session_refused", "condition_since": NOW, "condition_reported": reported, "sessions_replaced": 2});
        shown(vec![connection("team", &more)]).team.unwrap()
    };
    let reported = blocked(true);
    assert_eq!((reported.status.label, reported.is_ok()), ("Blocked", false));
    assert!(reported.status.advice.unwrap().contains("Session Settings"));
    assert_eq!(blocked(false).status.label, "Waiting");
}
