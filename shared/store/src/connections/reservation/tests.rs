use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(minutes * 60).unwrap()
}

fn consent(tenant: &str) -> Consent {
    Consent {
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        kind: ConnectionKind::Team,
        tenant: tenant.parse().unwrap(),
        user_id: "0055e000001mKpCAAU".parse().unwrap(),
        app: "v2".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        granted_at: at(0),
        username: None,
        rights: None,
    }
}

fn request(owner: &str, minute: i64) -> LeaseRequest {
    LeaseRequest { owner: owner.to_owned(), now: at(minute), length: SignedDuration::from_secs(40), seen_fence: None }
}

fn with_state(connection: &Connection, state: ConnectionState) -> Connection {
    Connection { state, ..connection.clone() }
}

fn not_theirs() -> Result<Connection, Refusal> {
    Err(Refusal::OwnedByAnotherTenant)
}

#[test]
fn a_consent_waits_for_a_disconnection() {
    let connected = with_state(&reserve(None, &consent("acme"), &request("a", 0)).unwrap(), ConnectionState::Active);
    let lease = connected.lease.granted("disconnect", at(2));
    let ending = Connection { lease, pending: None, ..with_state(&connected, ConnectionState::Revoked) };

    assert_eq!(reserve(Some(&ending), &consent("acme"), &request("b", 1)), Err(Refusal::BeingDisconnected));
    assert_eq!(reserve(Some(&ending), &consent("other"), &request("b", 1)), Err(Refusal::BeingDisconnected));

    let released =
        Connection { lease: LeaseSlot { owner: None, deadline: None, ..ending.lease.clone() }, ..ending.clone() };
    assert!(reserve(Some(&released), &consent("acme"), &request("b", 1)).is_ok());
    assert!(reserve(Some(&ending), &consent("acme"), &request("b", 2)).is_ok(), "the lease has expired");
    let pending = Connection { pending: Some(consent("acme").grant()), ..ending };
    assert!(reserve(Some(&pending), &consent("acme"), &request("b", 1)).is_ok(), "another consent holds the lease");
}

#[test]
fn a_new_connection_requires_reauth_until_its_tokens_are_stored() {
    let row = reserve(None, &consent("acme"), &request("a", 0)).unwrap();
    assert_eq!(row.state, ConnectionState::ReauthRequired { reason: "not_connected_yet".to_owned() });
    assert_eq!((row.token_version, row.pending), (None, Some(consent("acme").grant())));
    assert_eq!(row.lease.lease().unwrap().owner, "a");
}

#[test]
fn a_reservation_keeps_the_tenants_connection() {
    let first = with_state(&reserve(None, &consent("acme"), &request("a", 0)).unwrap(), ConnectionState::Active);
    let again = Consent { app: "v3".to_owned(), ..consent("acme") };

    let row = reserve(Some(&first), &again, &request("b", 0)).unwrap();

    let expected = Connection { lease: row.lease.clone(), pending: Some(again.grant()), ..first.clone() };
    assert_eq!(row, expected);
    let lease = row.lease.lease().unwrap();
    assert_eq!((lease.owner.as_str(), lease.fence), ("b", first.lease.fence + 1));
}

#[test]
fn only_an_ended_connection_passes_to_another_tenant() {
    let theirs = reserve(None, &consent("acme"), &request("a", 0)).unwrap();
    let reauth = |reason: &str| ConnectionState::ReauthRequired { reason: reason.to_owned() };
    for state in [ConnectionState::Active, ConnectionState::Uncertain, reauth(grants::APP_SUNSET)] {
        assert_eq!(reserve(Some(&with_state(&theirs, state)), &consent("other"), &request("b", 600)), not_theirs());
    }
    assert_eq!(reserve(Some(&theirs), &consent("other"), &request("b", 14)), not_theirs());

    let revoked = with_state(&theirs, ConnectionState::Revoked);
    let ended = with_state(&theirs, reauth("grant_ended"));
    for (over, minute) in [(&theirs, 15), (&revoked, 0), (&ended, 0)] {
        let row = reserve(Some(over), &consent("other"), &request("b", minute)).unwrap();
        assert_eq!((row.tenant.as_str(), row.created_at), ("other", at(minute)));
        assert_eq!(row.lease.fence, over.lease.fence + 1, "an earlier holder loses the lease");
    }
}
