use proptest::prelude::*;

use super::*;
use crate::orgs::{Announcement, Environment, License, LicenseState, LicenseStatus};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const ALL_STATES: [OrgState; 5] =
    [OrgState::Claimed, OrgState::Active, OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined];

fn secret(text: &str) -> SecretHash {
    SecretHash { sha256: text.to_owned(), created_at: NOW }
}

fn request(tenant: &str) -> ActivationRequest {
    ActivationRequest {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        right: BindingRight::Unowned,
        environment: Environment::Production,
        my_domain_url: None,
        webhook_secret: secret("new"),
        now: NOW,
    }
}

fn known(state: OrgState, tenant: Option<&str>) -> Org {
    let org = Org::claimed(request("unused").org_id, Environment::Production, NOW);
    Org { state, tenant: tenant.map(|tenant| tenant.parse().unwrap()), webhook_secrets: vec![secret("old")], ..org }
}

#[test]
fn an_activation_sets_the_tenant_and_the_secret() {
    let org = activate(Some(&known(OrgState::Claimed, None)), &request("acme")).unwrap().unwrap();
    assert_eq!((org.state, org.tenant.unwrap().as_str()), (OrgState::Active, "acme"));
    assert_eq!(org.webhook_secrets, [secret("new")]);
}

#[test]
fn an_unknown_org_can_be_activated() {
    assert_eq!(activate(None, &request("acme")).unwrap().unwrap().state, OrgState::Active);
}

#[test]
fn an_active_org_keeps_its_secret() {
    assert_eq!(activate(Some(&known(OrgState::Active, Some("acme"))), &request("acme")), Ok(None));
}

#[test]
fn another_tenants_org_is_refused_in_every_state() {
    for state in [OrgState::Claimed, OrgState::Active, OrgState::Uninstalled, OrgState::Disconnected] {
        let refused = activate(Some(&known(state, Some("acme"))), &request("evil"));
        assert_eq!(refused, Err(Refusal::OwnedByAnotherTenant));
    }
}

#[test]
fn a_disconnected_org_is_reactivated_with_a_new_secret() {
    let closed = close(&known(OrgState::Active, Some("acme")), NOW).unwrap();
    assert_eq!((closed.state, closed.tenant.as_ref().unwrap().as_str()), (OrgState::Disconnected, "acme"));
    assert_eq!(closed.webhook_secrets, []);
    assert_eq!(close(&closed, NOW), None);
    let again = activate(Some(&closed), &request("acme")).unwrap().unwrap();
    assert_eq!((again.state, again.webhook_secrets), (OrgState::Active, vec![secret("new")]));
}

#[test]
fn closing_keeps_the_state_of_an_inactive_org() {
    for state in [OrgState::Claimed, OrgState::Uninstalled, OrgState::Quarantined] {
        let closed = close(&known(state, Some("acme")), NOW).unwrap();
        assert_eq!((closed.state, closed.webhook_secrets), (state, vec![]));
    }
}

#[test]
fn a_rotation_keeps_the_newest_two_secrets() {
    let org = rotate(&known(OrgState::Active, None), &secret("b"), None).unwrap();
    let org = rotate(&org, &secret("c"), None).unwrap();
    assert_eq!(org.webhook_secrets, [secret("c"), secret("b")]);
    assert_eq!(rotate(&org, &secret("c"), None), None);
}

#[test]
fn a_rotation_keeps_the_secret_in_use() {
    let org = rotate(&known(OrgState::Active, None), &secret("lost"), None).unwrap();
    let org = rotate(&org, &secret("new"), Some("old")).unwrap();
    assert_eq!(org.webhook_secrets, [secret("new"), secret("old")]);
}

fn claim(version: &str, environment: Environment, second: i64) -> InstallClaim {
    InstallClaim {
        org_id: request("unused").org_id,
        environment,
        announcement: Announcement {
            package_version: Some(version.to_owned()),
            organization_type: None,
            instance_name: Some("NA1".to_owned()),
            at: at(second),
        },
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn an_announcement_changes_only_itself_and_the_expiry() {
    for state in ALL_STATES {
        for tenant in [None, Some("acme")] {
            let before = known(state, tenant);
            let after = announce(Some(&before), &claim("6.6", Environment::Sandbox, 60)).unwrap();
            assert_eq!(after.announced.as_ref().unwrap().package_version.as_deref(), Some("6.6"));
            let same = Org { announced: None, expires_at: None, updated_at: before.updated_at, ..after };
            assert_eq!(same, before, "{state:?}");
        }
    }
}

#[test]
fn a_flood_of_announcements_is_recorded_every_ten_seconds() {
    let first = announce(None, &claim("1.0", Environment::Production, 0)).unwrap();
    assert_eq!(announce(Some(&first), &claim("1.1", Environment::Production, 9)), None);
    let next = announce(Some(&first), &claim("1.1", Environment::Production, 10)).unwrap();
    assert_eq!((next.claimed_at, next.updated_at), (at(0), at(10)));
}

#[test]
fn a_claim_without_a_tenant_expires() {
    let claimed = announce(None, &claim("1.0", Environment::Production, 0)).unwrap();
    assert_eq!((claimed.state, claimed.expires_at), (OrgState::Claimed, Some(at(30 * DAY))));
    assert_eq!(with_expiry(claimed.clone()), claimed);
    assert!(!claimed.has_expired(at(30 * DAY - 1)) && claimed.has_expired(at(30 * DAY)));
    let again = announce(Some(&claimed), &claim("1.0", Environment::Production, DAY)).unwrap();
    assert_eq!(again.expires_at, Some(at(31 * DAY)));
}

#[test]
fn a_claim_of_an_earlier_version_expires_once_it_is_announced() {
    let old = known(OrgState::Claimed, None);
    assert_eq!((old.expires_at, old.has_expired(Timestamp::MAX)), (None, false));
    let announced = announce(Some(&old), &claim("1.0", Environment::Production, 0)).unwrap();
    assert_eq!(with_expiry(announced).expires_at, Some(at(30 * DAY)));
}

#[test]
fn an_org_with_a_tenant_or_a_license_never_expires() {
    let claimed = announce(None, &claim("1.0", Environment::Production, 0)).unwrap();
    let active = activate(Some(&claimed), &request("acme")).unwrap().unwrap();
    assert_eq!(with_expiry(active.clone()).expires_at, None);
    let announced = announce(Some(&active), &claim("1.1", Environment::Production, 60)).unwrap();
    assert_eq!(with_expiry(announced).expires_at, None);

    let newest = LicenseState {
        modified_at: NOW,
        status: LicenseStatus::Active,
        license_id: "a0a5e00000AbCdEAAV".parse().unwrap(),
        package_version: None,
        expires_on: None,
        is_sandbox: false,
    };
    let licensed = Org { license: Some(License { newest, uninstalled_at: None }), ..claimed };
    assert_eq!(with_expiry(licensed).expires_at, None);
}

#[test]
fn an_activation_adopts_no_announced_version() {
    let gone = known(OrgState::Uninstalled, Some("acme"));
    let announced = announce(Some(&gone), &claim("2.0", Environment::Production, 60)).unwrap();
    assert_eq!(announced.state, OrgState::Uninstalled);
    let active = activate(Some(&announced), &request("acme")).unwrap().unwrap();
    assert_eq!((active.state, active.package_version), (OrgState::Active, None));
}

fn copy(number: usize, second: i64) -> SeenCopy {
    SeenCopy { org_id: format!("00D79{number:010}").parse().unwrap(), seen_at: at(second) }
}

#[test]
fn a_copy_is_noted_on_the_original_only_once_a_minute() {
    let original = known(OrgState::Active, Some("acme"));
    let noted = note_copy(&original, &copy(1, 0)).unwrap();
    assert_eq!(noted.copies, [copy(1, 0)]);
    assert_eq!(Org { copies: Vec::new(), updated_at: original.updated_at, ..noted.clone() }, original);
    assert_eq!(note_copy(&noted, &copy(1, 59)), None);
    assert_eq!(note_copy(&noted, &copy(2, 59)), None);
    assert_eq!(note_copy(&noted, &copy(1, 60)).unwrap().copies, [copy(1, 60)]);
    assert_eq!(note_copy(&noted, &copy(2, 60)).unwrap().copies, [copy(2, 60), copy(1, 0)]);
}

proptest! {
    #[test]
    fn copies_are_few_distinct_and_the_last_seen(seen in prop::collection::vec((0..40_usize, 0..200_i64), 1..120)) {
        let (mut org, mut second) = (known(OrgState::Active, Some("acme")), 0);
        let mut writes = Vec::new();
        for (number, pause) in seen {
            second += pause;
            if let Some(next) = note_copy(&org, &copy(number, second)) {
                org = next;
                writes.push((number, second));
            }
        }
        prop_assert!(writes.windows(2).all(|pair| pair[1].1 - pair[0].1 >= 60));
        let mut expected: Vec<(usize, i64)> = Vec::new();
        for (number, second) in writes.iter().rev() {
            if expected.iter().all(|(known, _)| known != number) {
                expected.push((*number, *second));
            }
        }
        expected.truncate(MAX_COPIES);
        let expected: Vec<_> = expected.into_iter().map(|(number, second)| copy(number, second)).collect();
        prop_assert_eq!(org.copies, expected);
    }
}

const ALL_RIGHTS: [BindingRight; 3] = [BindingRight::None, BindingRight::Unowned, BindingRight::Left];
fn with_right(tenant: &str, right: BindingRight) -> ActivationRequest {
    ActivationRequest { right, ..request(tenant) }
}

#[test]
fn a_user_who_is_no_admin_cannot_bind_an_org() {
    let unowned = ALL_STATES.map(|state| Some(known(state, None)));
    for before in unowned.iter().chain([&None]) {
        for right in ALL_RIGHTS {
            let bound = activate(before.as_ref(), &with_right("acme", right));
            match right {
                BindingRight::None => assert_eq!(bound, Err(Refusal::NotAnAdministrator), "{before:?}"),
                _ => assert_eq!(bound.unwrap().unwrap().bound_at, Some(NOW), "{before:?}"),
            }
        }
    }
}

#[test]
fn any_user_reconnects_the_tenants_own_org() {
    for state in ALL_STATES {
        for right in ALL_RIGHTS {
            let before = known(state, Some("acme"));
            let again = activate(Some(&before), &with_right("acme", right)).unwrap();
            assert_eq!(again.is_none(), state == OrgState::Active);
            let bound_at = again.map(|org| (org.state, org.bound_at));
            assert!(bound_at.is_none_or(|(state, at)| state == OrgState::Active && at.is_none()), "{bound_at:?}");
        }
    }
}

#[test]
fn an_org_that_its_tenant_left_can_be_bound_anew() {
    let later = Timestamp::from_second(60).unwrap();
    for state in ALL_STATES {
        let before = Org { bound_at: Some(NOW), ..known(state, Some("acme")) };
        for right in ALL_RIGHTS {
            let request = ActivationRequest { now: later, ..with_right("other", right) };
            let bound = activate(Some(&before), &request);
            if right == BindingRight::Left && matches!(state, OrgState::Uninstalled | OrgState::Disconnected) {
                let org = bound.unwrap().unwrap();
                assert_eq!((org.tenant.unwrap().as_str(), org.bound_at), ("other", Some(later)));
                assert_eq!(org.webhook_secrets, [secret("new")]);
            } else {
                assert_eq!(bound, Err(Refusal::OwnedByAnotherTenant), "{state:?} {right:?}");
            }
        }
    }
}

#[test]
fn an_activation_replaces_what_anyone_announced() {
    // As version 0.1.0 stored what anyone announced.
    let evil = Some("https://evil.my.salesforce.com".to_owned());
    let claim = known(OrgState::Claimed, None);
    let announced = Org { my_domain_url: evil, environment: Environment::Sandbox, ..claim };
    let proven = Some("https://acme.my.salesforce.com".to_owned());
    let request = ActivationRequest { my_domain_url: proven.clone(), ..request("acme") };
    let active = activate(Some(&announced), &request).unwrap().unwrap();
    assert_eq!((active.my_domain_url.clone(), active.environment), (proven.clone(), Environment::Production));
    assert_eq!(with_proof(&active, Environment::Production, proven.as_deref(), NOW), None);
    assert_eq!(with_proof(&active, Environment::Production, None, NOW), None);
    let moved = with_proof(&active, Environment::Sandbox, Some("https://acme2.my.salesforce.com"), NOW).unwrap();
    assert_eq!(moved.environment, Environment::Sandbox);
    assert_eq!(moved.my_domain_url.as_deref(), Some("https://acme2.my.salesforce.com"));
}

#[test]
fn only_a_closed_org_with_an_owner_is_transferred() {
    let to = "other".parse().unwrap();
    for state in ALL_STATES {
        assert_eq!(transfer(&known(state, None), &to, NOW), Err(TransferRefusal::NoOwner));
        let moved = transfer(&known(state, Some("acme")), &to, NOW);
        if state == OrgState::Active {
            assert_eq!(moved, Err(TransferRefusal::Active));
            continue;
        }
        let moved = moved.unwrap().unwrap();
        assert_eq!((moved.state, moved.tenant.as_ref(), moved.bound_at), (state, Some(&to), Some(NOW)));
        assert_eq!((moved.webhook_secrets.len(), transfer(&moved, &to, NOW)), (0, Ok(None)));
    }
}

#[test]
fn a_closing_has_its_time_until_the_next_activation() {
    let later = Timestamp::from_second(60).unwrap();
    let closed = close(&known(OrgState::Active, Some("acme")), later).unwrap();
    assert_eq!((closed.state, closed.closed_at), (OrgState::Disconnected, Some(later)));
    assert_eq!(close(&closed, NOW), None);
    assert_eq!(stamp_closing(&closed, NOW), None);
    let by_an_earlier_version = Org { closed_at: None, ..closed.clone() };
    assert_eq!(stamp_closing(&by_an_earlier_version, later), Some(closed.clone()));
    assert_eq!(stamp_closing(&known(OrgState::Active, Some("acme")), later), None);

    let erased = erased(&closed, later).unwrap();
    let again = activate(Some(&erased), &request("acme")).unwrap().unwrap();
    assert_eq!((again.closed_at, again.erased_at), (None, None));
}

#[test]
fn an_activation_keeps_the_time_of_the_last_erasure() {
    let [first, second] = [60, 120].map(|second| Timestamp::from_second(second).unwrap());
    let activated = |known: &Org| activate(Some(known), &request("acme")).unwrap().unwrap();
    let never_erased = activated(&known(OrgState::Disconnected, Some("acme")));
    assert_eq!(never_erased.last_erased_at, None);

    let once = activated(&erased(&close(&never_erased, first).unwrap(), first).unwrap());
    assert_eq!((once.erased_at, once.last_erased_at), (None, Some(first)));
    let not_erased_again = activated(&close(&once, second).unwrap());
    assert_eq!(not_erased_again.last_erased_at, Some(first));
    let twice = activated(&erased(&close(&once, second).unwrap(), second).unwrap());
    assert_eq!(twice.last_erased_at, Some(second));
}

#[test]
fn an_erased_org_keeps_its_owner_and_nothing_that_it_reported() {
    let reported = Org {
        my_domain_url: Some("https://acme.my.salesforce.com".to_owned()),
        package_version: Some("1.2".to_owned()),
        ..known(OrgState::Disconnected, Some("acme"))
    };
    let erased_org = erased(&reported, NOW).unwrap();
    assert_eq!((erased_org.tenant.as_ref(), erased_org.erased_at), (reported.tenant.as_ref(), Some(NOW)));
    assert_eq!((erased_org.my_domain_url, erased_org.package_version), (None, None));
    assert!(erased_org.webhook_secrets.is_empty());
    assert_eq!(erased(&known(OrgState::Active, Some("acme")), NOW), None);
    let request = request("globex");
    assert_eq!(activate(Some(&erased(&reported, NOW).unwrap()), &request), Err(Refusal::OwnedByAnotherTenant));
}
