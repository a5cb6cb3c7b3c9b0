use super::*;
use jiff::Timestamp;
use store::{Environment, PlatformUser, Tenant};

fn tenant(name: &str) -> Tenant {
    name.parse().unwrap()
}

fn identity() -> Identity {
    Identity { org_id: "00D5e000000KQ2eEAG".parse().unwrap(), user_id: "0055e000001mKpCAAU".parse().unwrap() }
}

fn exchange(kind: ConnectionKind) -> ExchangeCode {
    ExchangeCode {
        kind,
        tenant: tenant("acme"),
        expected_org_id: None,
        app: "v2".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        redirect_uri: "https://ferry.example.com/oauth/callback".to_owned(),
        code: "code".into(),
        code_verifier: "verifier".into(),
        nonce: None,
    }
}

fn personal() -> ConnectionKind {
    ConnectionKind::Personal { platform_user: "rep-1".parse::<PlatformUser>().unwrap() }
}

fn org(state: OrgState, owner: Option<&str>) -> Org {
    let tenant = owner.map(|owner| owner.parse().unwrap());
    Org { state, tenant, ..Org::claimed(identity().org_id, Environment::Production, Timestamp::UNIX_EPOCH) }
}

#[test]
fn only_the_org_of_the_link_is_accepted() {
    let expected =
        ExchangeCode { expected_org_id: Some("00D79000000exLEEAY".parse().unwrap()), ..exchange(ConnectionKind::Team) };
    assert_eq!(check_org(&expected, identity(), None), Err(RefusalCode::WrongOrg));
}

#[test]
fn a_team_may_connect_an_unknown_or_claimed_org() {
    let team = exchange(ConnectionKind::Team);
    assert_eq!(check_org(&team, identity(), None), Ok(()));
    assert_eq!(check_org(&team, identity(), Some(&org(OrgState::Claimed, None))), Ok(()));
    assert_eq!(check_org(&team, identity(), Some(&org(OrgState::Active, Some("acme")))), Ok(()));
}

#[test]
fn another_tenants_org_is_refused() {
    for kind in [ConnectionKind::Team, personal()] {
        let theirs = org(OrgState::Active, Some("other"));
        let checked = check_org(&exchange(kind), identity(), Some(&theirs));
        assert_eq!(checked, Err(RefusalCode::OrgOwnedByAnotherTenant));
    }
}

#[test]
fn a_personal_connection_needs_an_active_org_of_the_tenant() {
    let rep = exchange(personal());
    assert_eq!(check_org(&rep, identity(), None), Err(RefusalCode::WrongOrg));
    assert_eq!(check_org(&rep, identity(), Some(&org(OrgState::Claimed, None))), Err(RefusalCode::WrongOrg));
    assert_eq!(check_org(&rep, identity(), Some(&org(OrgState::Active, Some("acme")))), Ok(()));
}
