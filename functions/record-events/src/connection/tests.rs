use jiff::Timestamp;
use serde_json::json;
use store::SunsetWarning;

use super::*;

fn connection(state: ConnectionState) -> Connection {
    let row = json!({
        "org_id": "00D5e000000KQ2eEAG", "connection_id": "team", "kind": "team", "tenant": "acme",
        "user_id": "0055e000001mKpCAAU", "app": "v1", "login_url": "https://login.salesforce.com",
        "instance_url": "https://acme.my.salesforce.com", "state": "active", "token_version": "2".repeat(32),
        "created_at": "2026-11-01T00:00:00.000Z", "connected_at": "2026-11-01T00:00:00.000Z",
        "updated_at": "2026-11-22T10:00:00.000Z",
    });
    Connection { state, ..serde_json::from_value(row).unwrap() }
}

fn reauth(reason: &str) -> Connection {
    connection(ConnectionState::ReauthRequired { reason: reason.to_owned() })
}

fn warned(days: u16) -> Connection {
    let sunset_warning = Some(SunsetWarning { sunset: "2027-03-01".parse().unwrap(), days });
    Connection { sunset_warning, ..connection(ConnectionState::Active) }
}

fn in_condition(condition: Condition, reported: bool) -> Connection {
    let since = "2026-11-22T09:00:00Z".parse().unwrap();
    Connection {
        condition: Some(ConditionState { condition, since, reported, sessions_replaced: 0 }),
        ..connection(ConnectionState::Active)
    }
}

#[test]
fn a_condition_is_published_when_a_person_has_to_act() {
    let active = connection(ConnectionState::Active);
    let uncertain = connection(ConnectionState::Uncertain);
    let passes = in_condition(Condition::LoginRestricted, false);
    let reported = in_condition(Condition::LoginRestricted, true);
    let blocked = in_condition(Condition::AppBlocked, true);
    let cases = [
        (&active, &passes, None),
        (&passes, &active, None),
        (&passes, &reported, Some(Kind::Blocked)),
        (&reported, &reported, None),
        (&reported, &blocked, Some(Kind::Blocked)),
        (&active, &blocked, Some(Kind::Blocked)),
        (&blocked, &active, Some(Kind::Unblocked)),
        (&blocked, &uncertain, Some(Kind::Unblocked)),
        (&blocked, &reauth("grant_ended"), Some(Kind::ReauthRequired)),
        (&reauth("grant_ended"), &blocked, Some(Kind::Connected)),
    ];
    for (number, (old, new, expected)) in cases.into_iter().enumerate() {
        assert_eq!(compare(Some(old), new), expected, "case {number}");
    }
}

#[test]
fn a_blocked_event_says_who_acts_and_how() {
    let event = event(&in_condition(Condition::SessionRefused, true), Kind::Blocked, None, "change-1");
    let condition = &event.data["condition"];
    assert_eq!(
        (&condition["code"], &condition["resolved_by"]),
        (&json!("session_refused"), &json!("org_administrator"))
    );
    assert_eq!(condition["since"], "2026-11-22T09:00:00.000Z");
    assert!(condition["advice"].as_str().unwrap().contains("Lock sessions to the IP address"), "{condition}");
}

#[test]
fn each_state_of_a_connection_is_published_once() {
    let active = connection(ConnectionState::Active);
    let again = Connection { connected_at: Timestamp::MAX, ..active.clone() };
    let revoked = connection(ConnectionState::Revoked);
    let cases = [
        (None, &active, Some(Kind::Connected)),
        (Some(&reauth("grant_ended")), &active, Some(Kind::Connected)),
        (Some(&active), &again, Some(Kind::Connected)),
        (Some(&active), &reauth("grant_ended"), Some(Kind::ReauthRequired)),
        (Some(&reauth("grant_ended")), &reauth("grant_ended"), None),
        (Some(&active), &revoked, Some(Kind::Disconnected)),
        (Some(&revoked), &revoked, None),
        (Some(&active), &warned(60), Some(Kind::UpgradeRequired)),
        (Some(&warned(60)), &warned(60), None),
        (Some(&warned(60)), &warned(30), Some(Kind::UpgradeRequired)),
        (Some(&warned(30)), &active, None),
    ];
    for (number, (old, new, expected)) in cases.into_iter().enumerate() {
        assert_eq!(compare(old, new), expected, "case {number}");
    }
}

#[test]
fn a_refresh_and_its_lease_make_no_event() {
    let active = connection(ConnectionState::Active);
    let uncertain = connection(ConnectionState::Uncertain);
    let refreshed = Connection { refreshed_at: Some(Timestamp::MAX), updated_at: Timestamp::MAX, ..active.clone() };
    assert_eq!(compare(Some(&active), &refreshed), None);
    assert_eq!(compare(Some(&active), &uncertain), None);
    assert_eq!(compare(Some(&uncertain), &active), None);
}

#[test]
fn a_reserved_row_makes_no_event() {
    assert_eq!(compare(None, &reauth(NOT_CONNECTED_YET)), None);
}

#[test]
fn an_event_has_its_link() {
    let link = ConnectLink {
        url: "https://ferry.example.com/connect/one-time".into(),
        expires_at: "2026-11-29T10:00:00Z".parse().unwrap(),
    };
    let event = event(&reauth("grant_ended"), Kind::ReauthRequired, Some(&link), "change-1");

    insta::assert_json_snapshot!(event, @r#"
    {
      "specversion": "1.0",
      "id": "change-1",
      "source": "ferry/00D5e000000KQ2eEAG",
      "type": "connection.reauth_required",
      "subject": "connections/team",
      "time": "2026-11-22T10:00:00.000Z",
      "datacontenttype": "application/json",
      "partitionkey": "00D5e000000KQ2eEAG/connections/team",
      "sequence": "2026-11-22T10:00:00.000Z",
      "data": {
        "org_id": "00D5e000000KQ2eEAG",
        "tenant": "acme",
        "connection_id": "team",
        "kind": "team",
        "user_id": "0055e000001mKpCAAU",
        "app": "v1",
        "reason": "grant_ended",
        "connect_url": "https://ferry.example.com/connect/one-time",
        "connect_url_expires_at": "2026-11-29T10:00:00.000Z"
      }
    }
    "#);
}

#[test]
fn a_warning_says_when_the_app_is_stopped() {
    let event = event(&warned(30), Kind::UpgradeRequired, None, "change-1");
    assert_eq!((event.data["app"].as_str(), event.data["sunset"].as_str()), (Some("v1"), Some("2027-03-01")));
    assert!(event.data.get("reason").is_none() && event.data.get("connect_url").is_none());
}

#[test]
fn a_connected_event_names_what_the_team_does_not_see() {
    let limited_objects = vec!["Account".parse().unwrap()];
    let rights = Some(store::UserRights { administrator: true, limited_objects });
    let limited = Connection { rights, ..connection(ConnectionState::Active) };
    let connected = event(&limited, Kind::Connected, None, "1").data;
    assert_eq!((&connected["access"], &connected["limited_objects"]), (&json!("limited"), &json!(["Account"])));
    let later = event(&limited, Kind::Disconnected, None, "1").data;
    assert_eq!((later.get("access"), later.get("limited_objects")), (None, None));
    let full = Connection { rights: Some(store::UserRights::default()), ..limited };
    let full = event(&full, Kind::Connected, None, "1").data;
    assert_eq!((&full["access"], full.get("limited_objects")), (&json!("full"), None));
}
