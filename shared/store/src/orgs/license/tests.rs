use proptest::prelude::*;

use super::*;
use crate::webhook_secret::SecretHash;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn license(second: i64, status: LicenseStatus) -> LicenseState {
    LicenseState {
        modified_at: at(second),
        status,
        license_id: "a0a5e00000AbCdEAAV".parse().unwrap(),
        package_version: Some("1.0".to_owned()),
        expires_on: None,
        is_sandbox: false,
    }
}

fn notice(second: i64, status: LicenseStatus) -> LicenseNotice {
    LicenseNotice { org_id: "00D5e000000KQ2eEAG".parse().unwrap(), license: license(second, status) }
}

fn active(since: i64) -> Org {
    Org {
        state: OrgState::Active,
        tenant: Some("acme".parse().unwrap()),
        activated_at: Some(at(since)),
        webhook_secrets: vec![SecretHash { sha256: "live".to_owned(), created_at: at(since) }],
        ..Org::claimed(notice(0, LicenseStatus::Active).org_id, Environment::Production, at(0))
    }
}

#[test]
fn an_install_only_claims() {
    let org = with_notice(None, &notice(5, LicenseStatus::Active), at(9)).unwrap();
    assert_eq!((org.state, org.tenant.clone()), (OrgState::Claimed, None));
    assert_eq!(with_notice(Some(&org), &notice(5, LicenseStatus::Active), at(10)), None);
}

#[test]
fn a_sandbox_is_claimed_as_one() {
    let mut sandbox = notice(5, LicenseStatus::Trial);
    sandbox.license.is_sandbox = true;
    assert_eq!(with_notice(None, &sandbox, at(9)).unwrap().environment, Environment::Sandbox);
}

#[test]
fn an_uninstallation_closes_an_active_org_and_keeps_its_tenant() {
    let org = with_notice(Some(&active(5)), &notice(6, LicenseStatus::Uninstalled), at(9)).unwrap();
    assert_eq!((org.state, org.webhook_secrets.len()), (OrgState::Uninstalled, 0));
    assert_eq!(org.tenant.as_ref().unwrap().as_str(), "acme");
    let again = with_notice(Some(&org), &notice(7, LicenseStatus::Active), at(10)).unwrap();
    assert_eq!(again.state, OrgState::Uninstalled, "only a consent makes it active");
}

#[test]
fn an_uninstallation_before_the_consent_does_not_close_the_org() {
    let org = with_notice(Some(&active(5)), &notice(4, LicenseStatus::Uninstalled), at(9)).unwrap();
    assert_eq!((org.state, org.webhook_secrets.len()), (OrgState::Active, 1));
}

#[test]
fn suspended_expired_and_unknown_licenses_close_nothing() {
    for status in [LicenseStatus::Suspended, LicenseStatus::Trial, LicenseStatus::from("Paused".to_owned())] {
        let mut message = notice(6, status.clone());
        message.license.expires_on = Some("1999-12-31".to_owned());
        let org = with_notice(Some(&active(5)), &message, at(9)).unwrap();
        assert_eq!((org.state, &org.license.unwrap().newest.status), (OrgState::Active, &status));
    }
}

#[test]
fn a_quarantined_org_stays_so() {
    let copy = Org { state: OrgState::Quarantined, ..active(5) };
    let org = with_notice(Some(&copy), &notice(6, LicenseStatus::Uninstalled), at(9)).unwrap();
    assert_eq!(org.state, OrgState::Quarantined);
}

#[test]
fn a_status_survives_storing() {
    for text in ["Trial", "Active", "Suspended", "Uninstalled", "Paused"] {
        let status: LicenseStatus = serde_json::from_value(serde_json::json!(text)).unwrap();
        assert_eq!(serde_json::to_value(&status).unwrap(), text);
    }
    assert_eq!(LicenseStatus::from("uninstalled".to_owned()), LicenseStatus::Uninstalled);
}

fn any_notice() -> impl Strategy<Value = LicenseNotice> {
    let status = prop_oneof![
        Just(LicenseStatus::Active),
        Just(LicenseStatus::Trial),
        Just(LicenseStatus::Suspended),
        Just(LicenseStatus::Uninstalled),
        Just(LicenseStatus::Other("Paused".to_owned())),
    ];
    (0_i64..8, status, any::<bool>(), prop::option::of("[1-3]\\.0")).prop_map(
        |(second, status, is_sandbox, version)| {
            let mut notice = notice(second, status);
            (notice.license.is_sandbox, notice.license.package_version) = (is_sandbox, version);
            notice
        },
    )
}

fn any_org() -> impl Strategy<Value = Option<Org>> {
    let with = |state| move |org: Org| Some(Org { state, ..org });
    prop_oneof![
        Just(None),
        Just(Some(Org { tenant: None, activated_at: None, state: OrgState::Claimed, ..active(0) })),
        (0_i64..8).prop_map(active).prop_map(Some),
        (0_i64..8).prop_map(active).prop_map(with(OrgState::Disconnected)),
        (0_i64..8).prop_map(active).prop_map(with(OrgState::Quarantined)),
    ]
}

/// Applies the notices, and returns the org without times of arrival.
fn outcome(start: Option<&Org>, notices: &[LicenseNotice]) -> Option<Org> {
    let mut org = start.cloned();
    for (number, notice) in notices.iter().enumerate() {
        let now = at(100 + i64::try_from(number).unwrap());
        org = with_notice(org.as_ref(), notice, now).or(org);
    }
    org.map(|org| Org { claimed_at: at(0), updated_at: at(0), closed_at: org.closed_at.map(|_| at(0)), ..org })
}

proptest! {
    #[test]
    fn any_order_and_repetition_give_the_same_org(
        start in any_org(),
        (notices, shuffled) in prop::collection::vec(any_notice(), 1..8).prop_flat_map(|notices| {
            let twice: Vec<_> = notices.iter().chain(&notices).cloned().collect();
            (Just(notices), Just(twice).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(outcome(start.as_ref(), &notices), outcome(start.as_ref(), &shuffled));
    }

    #[test]
    fn a_retention_counts_from_the_notice(at_notice in 1_000_i64..100_000) {
        let org = with_notice(Some(&active(5)), &notice(6, LicenseStatus::Uninstalled), at(at_notice)).unwrap();
        prop_assert_eq!(org.closed_at, Some(at(at_notice)));
        let again = with_notice(Some(&org), &notice(7, LicenseStatus::Uninstalled), at(at_notice + 1)).unwrap();
        prop_assert_eq!(again.closed_at, Some(at(at_notice)));
    }

    #[test]
    fn a_license_never_activates_an_org(notices in prop::collection::vec(any_notice(), 1..8)) {
        let org = outcome(None, &notices).unwrap();
        prop_assert_ne!(org.state, OrgState::Active);
        prop_assert_eq!(org.tenant, None);
    }
}
