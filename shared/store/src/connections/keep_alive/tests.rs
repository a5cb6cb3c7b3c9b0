use proptest::prelude::*;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn connection(rep: u32, connected: i64, refreshed: Option<i64>) -> Connection {
    let at = |hours: i64| (Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)).to_string();
    let connection_id = crate::ConnectionId::personal(&format!("rep-{rep}").parse().unwrap());
    serde_json::from_value(serde_json::json!({
        "org_id": "00D5e000000KQ2eEAG", "connection_id": connection_id, "kind": "personal",
        "platform_user": format!("rep-{rep}"), "tenant": "acme", "user_id": "0055e000001mKpCAAU", "app": "v2",
        "login_url": "https://login.salesforce.com", "instance_url": "https://acme.my.salesforce.com",
        "state": "active", "created_at": at(0), "connected_at": at(connected), "refreshed_at": refreshed.map(at),
        "updated_at": at(0), "token_version": "0".repeat(32),
    }))
    .unwrap()
}

proptest! {
    // Checked hourly from any minute on, and with one failed refresh, no token is idle for more than 20 days, and none
    // is used too early.
    #[test]
    fn every_token_is_used_at_least_every_twenty_days(
        rep in 0..10_000_u32, connected in 0..5_000_i64, refreshed in prop::option::of(0..5_000_i64),
        first_ask in 0..3_600_i64, one_fails in any::<bool>(),
    ) {
        let connection = connection(rep, connected, refreshed);
        let last_use = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(refreshed.unwrap_or(0).max(connected));
        let mut now = last_use + SignedDuration::from_secs(first_ask);
        while !is_due(&connection, now) {
            now += HOUR;
        }
        if one_fails {
            now += HOUR;
        }
        let idle = now.duration_since(last_use);
        prop_assert!(idle <= MAX_IDLE, "{idle}");
        prop_assert!(idle >= MAX_IDLE - MARGIN - SPREAD);
    }
}

#[test]
fn simultaneous_connects_are_refreshed_over_a_day() {
    let mut hours = [0_u32; 24];
    let start = Timestamp::UNIX_EPOCH + MAX_IDLE - MARGIN - SPREAD;
    for rep in 0..2_400 {
        let connection = connection(rep, 0, None);
        let hour = (0..24).find(|hour| is_due(&connection, start + HOUR * (*hour + 1)));
        hours[usize::try_from(hour.expect("due within the spread")).unwrap()] += 1;
    }
    assert!(hours.iter().all(|due| (60..=150).contains(due)), "{hours:?}");
}

#[test]
fn a_later_use_than_the_stored_one_counts() {
    let connection = connection(1, 0, None);
    let now = Timestamp::UNIX_EPOCH + MAX_IDLE;
    assert!(is_due(&connection, now));
    assert!(!is_due_since(&connection, now - HOUR, now));
}
