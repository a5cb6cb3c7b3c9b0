use proptest::prelude::*;

use super::*;

fn id(number: u8) -> ConnectionId {
    ConnectionId::personal(&format!("rep-{number}").parse().unwrap())
}

fn grant(second: i64) -> PendingGrant {
    let granted_at = Timestamp::from_second(second).unwrap();
    PendingGrant { user_id: "0055e000001mKpCAAU".parse().unwrap(), app: "v2".to_owned(), granted_at }
}

fn stored(number: u8, second: i64) -> Grant {
    Grant { connection_id: id(number), grant: grant(second), is_stored: true }
}

#[test]
fn up_to_five_grants_live_side_by_side() {
    let four: Vec<Grant> = (1..=4).map(|number| stored(number, i64::from(number))).collect();
    assert_eq!(count_grants(&[], Some(&id(0)), &grant(9)), GrantCount { live: 1, displaced: vec![] });
    let count = count_grants(&four, Some(&id(0)), &grant(9));
    assert_eq!(count, GrantCount { live: 5, displaced: vec![] });
    assert!(count.is_full());
}

#[test]
fn a_sixth_displaces_the_oldest() {
    let five: Vec<Grant> = (1..=5).rev().map(|number| stored(number, i64::from(number))).collect();
    assert_eq!(count_grants(&five, Some(&id(0)), &grant(9)), GrantCount { live: 5, displaced: vec![id(1)] });
}

#[test]
fn a_reconnect_counts_its_old_grant_until_it_is_replaced() {
    let five: Vec<Grant> = (1..=5).map(|number| stored(number, i64::from(number))).collect();
    assert_eq!(count_grants(&five, Some(&id(3)), &grant(9)), GrantCount { live: 4, displaced: vec![id(1)] });
    assert_eq!(count_grants(&five, Some(&id(1)), &grant(9)), GrantCount { live: 5, displaced: vec![] });
}

#[test]
fn a_consent_that_is_not_stored_ends_the_oldest_grant_too() {
    let five: Vec<Grant> = (1..=5).map(|number| stored(number, i64::from(number))).collect();
    assert_eq!(count_grants(&five, None, &grant(9)).displaced, vec![id(1)]);
}

#[test]
fn other_users_apps_and_pending_consents_are_distinguished() {
    let mut others: Vec<Grant> = (1..=5).map(|number| stored(number, i64::from(number))).collect();
    others[0].grant.app = "v1".to_owned();
    others[1].grant.user_id = "0055e000001mKpDAAU".parse().unwrap();
    others[2].is_stored = false;
    assert_eq!(count_grants(&others, Some(&id(0)), &grant(9)), GrantCount { live: 4, displaced: vec![] });
    others.extend([stored(6, 6), stored(7, 7)]);
    assert_eq!(
        count_grants(&others, Some(&id(0)), &grant(9)),
        GrantCount { live: 5, displaced: vec![] },
        "the oldest grant is not stored"
    );
    let own = Grant { connection_id: id(0), grant: grant(9), is_stored: false };
    assert_eq!(count_grants(&[own], Some(&id(0)), &grant(9)).live, 1);
}

proptest! {
    // Compares consecutive consents with Salesforce's own rule: the same grants must be valid on both sides.
    #[test]
    fn grants_not_displaced_are_valid_at_salesforce(consents in prop::collection::vec(0..9_u8, 1..40)) {
        let mut ours: Vec<Grant> = Vec::new();
        let mut salesforce: Vec<i64> = Vec::new();
        for (number, second) in consents.into_iter().zip(1..) {
            salesforce.push(second);
            if salesforce.len() > MAX_GRANTS {
                salesforce.remove(0);
            }
            let count = count_grants(&ours, Some(&id(number)), &grant(second));
            let replaced = ours.iter().find(|other| other.connection_id == id(number)).cloned();
            salesforce.retain(|at| replaced.as_ref().is_none_or(|replaced| grant(*at) != replaced.grant));
            ours.retain(|other| other.connection_id != id(number) && !count.displaced.contains(&other.connection_id));
            ours.push(stored(number, second));

            prop_assert_eq!(count.live, ours.len());
            prop_assert_eq!(ours.len(), salesforce.len());
            prop_assert!(ours.iter().all(|ours| salesforce.iter().any(|at| grant(*at) == ours.grant)));
        }
    }
}
