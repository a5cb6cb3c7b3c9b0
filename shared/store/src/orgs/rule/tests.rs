use super::*;
use crate::orgs::Environment;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn secret(text: &str) -> SecretHash {
    SecretHash { sha256: text.to_owned(), created_at: NOW }
}

fn request(tenant: &str) -> ActivationRequest {
    ActivationRequest {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        environment: Environment::Production,
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
fn a_quarantined_org_stays_so() {
    let refused = activate(Some(&known(OrgState::Quarantined, Some("acme"))), &request("acme"));
    assert_eq!(refused, Err(Refusal::Quarantined));
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
        my_domain_url: Some("https://evil.my.salesforce.com".to_owned()),
        instance_name: Some("NA1".to_owned()),
        organization_type: None,
        package_version: Some(version.to_owned()),
        installer_id: None,
        claimed_at: Timestamp::from_second(second).unwrap(),
    }
}

#[test]
fn an_upgrade_updates_a_claimed_org() {
    let claimed = announce(None, &claim("1.0", Environment::Production, 0)).unwrap();
    let upgraded = announce(Some(&claimed), &claim("1.1", Environment::Sandbox, 5)).unwrap();
    assert_eq!((upgraded.package_version.as_deref(), upgraded.environment), (Some("1.1"), Environment::Sandbox));
    assert_eq!((upgraded.claimed_at, upgraded.state), (NOW, OrgState::Claimed));
    assert_eq!(announce(Some(&upgraded), &claim("1.2", Environment::Sandbox, 14)), None);
    assert_eq!(announce(Some(&upgraded), &claim("1.1", Environment::Sandbox, 60)), None);
    assert!(announce(Some(&upgraded), &claim("1.2", Environment::Sandbox, 15)).is_some());
}

#[test]
fn an_announcement_of_an_owned_org_is_only_recorded() {
    for state in [OrgState::Active, OrgState::Uninstalled, OrgState::Disconnected, OrgState::Quarantined] {
        let before = known(state, Some("acme"));
        let after = announce(Some(&before), &claim("6.6", Environment::Sandbox, 60)).unwrap();
        let announced = after.announced.clone().unwrap();
        assert_eq!(announced.package_version.as_deref(), Some("6.6"));
        assert_eq!(Org { announced: None, updated_at: before.updated_at, ..after }, before, "{state:?}");
    }
}

#[test]
fn an_activation_adopts_the_announced_version() {
    let gone = known(OrgState::Uninstalled, Some("acme"));
    let announced = announce(Some(&gone), &claim("2.0", Environment::Production, 60)).unwrap();
    assert_eq!(announced.state, OrgState::Uninstalled);
    let active = activate(Some(&announced), &request("acme")).unwrap().unwrap();
    assert_eq!((active.state, active.package_version.as_deref()), (OrgState::Active, Some("2.0")));
}

fn detected() -> DetectedCopy {
    DetectedCopy { org_id: request("unused").org_id, copy_of: "00D79000000exLEEAY".parse().unwrap(), at: NOW }
}

#[test]
fn a_copy_without_an_owner_is_quarantined() {
    let sandbox = Org { environment: Environment::Sandbox, ..known(OrgState::Claimed, None) };
    for before in [None, Some(&sandbox)] {
        let copy = quarantine(before, &detected()).unwrap();
        assert_eq!((copy.state, copy.tenant.clone()), (OrgState::Quarantined, None));
        assert_eq!(copy.quarantine.as_ref().unwrap().copy_of, detected().copy_of);
        assert_eq!(quarantine(Some(&copy), &detected()), None);
    }
}

#[test]
fn owned_and_production_orgs_are_never_quarantined() {
    for state in [OrgState::Active, OrgState::Disconnected, OrgState::Uninstalled, OrgState::Claimed] {
        let owned = Org { environment: Environment::Sandbox, ..known(state, Some("acme")) };
        assert_eq!(quarantine(Some(&owned), &detected()), None);
    }
    assert_eq!(quarantine(Some(&known(OrgState::Claimed, None)), &detected()), None);
}

#[test]
fn a_released_copy_is_not_quarantined_again() {
    let copy = quarantine(None, &detected()).unwrap();
    assert_eq!(activate(Some(&copy), &request("acme")), Err(Refusal::Quarantined));
    let released = release(&copy, NOW).unwrap();
    assert_eq!(released.state, OrgState::Claimed);
    assert_eq!((release(&released, NOW), quarantine(Some(&released), &detected())), (None, None));
    let active = activate(Some(&released), &request("acme")).unwrap().unwrap();
    assert_eq!((active.state, quarantine(Some(&active), &detected())), (OrgState::Active, None));
    let owned = known(OrgState::Quarantined, Some("acme"));
    assert_eq!(release(&owned, NOW).unwrap().state, OrgState::Disconnected);
}
