use futures::future::join_all;
use jiff::SignedDuration;
use store::{
    Connected, Connection, ConnectionId, ConnectionKind, ConnectionState, Connections, Error, Lease, LeaseClaim,
    LeaseRequest, LeaseSlot, Settlement,
};

use crate::world::{at, org, run, tables};

async fn connections() -> Connections {
    let (client, tables) = tables().await;
    Connections::new(client, tables.name("connections"))
}

fn connected(kind: ConnectionKind, version: char) -> Connected {
    Connected {
        org_id: org(),
        kind,
        tenant: "acme".parse().unwrap(),
        user_id: "0055e000001AbCd".parse().unwrap(),
        app: "v2".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        token_version: version.to_string().repeat(36).parse().unwrap(),
        now: at(0),
    }
}

async fn with_team() -> (Connections, Connection) {
    let connections = connections().await;
    let team = connections.upsert_connected(&connected(ConnectionKind::Team, 'a')).await.unwrap();
    (connections, team)
}

fn wish(owner: &str, seconds: i64) -> LeaseRequest {
    LeaseRequest { owner: owner.to_owned(), now: at(seconds), length: SignedDuration::from_secs(30), seen_fence: None }
}

async fn take(connections: &Connections, owner: &str, seconds: i64) -> Lease {
    match connections.claim_lease(org(), &ConnectionId::team(), &wish(owner, seconds)).await.unwrap() {
        LeaseClaim::Granted(lease) => lease,
        LeaseClaim::Held(slot) => panic!("held by {slot:?}"),
    }
}

fn held(claim: &LeaseClaim) -> Option<Lease> {
    match claim {
        LeaseClaim::Granted(lease) => panic!("granted {lease:?}"),
        LeaseClaim::Held(slot) => slot.lease(),
    }
}

fn refreshed(version: char, seconds: i64) -> Settlement {
    Settlement::Refreshed {
        instance_url: "https://acme2.my.salesforce.com".to_owned(),
        token_version: version.to_string().repeat(36).parse().unwrap(),
        now: at(seconds),
    }
}

#[test]
fn a_connection_comes_back_as_it_was_stored() {
    run(async {
        let (connections, team) = with_team().await;
        let rep = ConnectionKind::Personal { platform_user: "rep 1".parse().unwrap() };
        let personal = connections.upsert_connected(&connected(rep.clone(), 'b')).await.unwrap();

        assert_eq!(team.state, ConnectionState::Active);
        assert_eq!(personal.kind, rep);
        assert_eq!(connections.load(org(), &team.connection_id).await.unwrap(), Some(team.clone()));
        assert_eq!(connections.list(org()).await.unwrap(), [personal, team]);
    });
}

#[test]
fn a_reconnect_keeps_the_id_and_the_first_time_and_heals_the_state() {
    run(async {
        let (connections, team) = with_team().await;
        let ended = ConnectionState::ReauthRequired { reason: "invalid_grant".to_owned() };
        let marked = connections.mark_state(org(), &team.connection_id, &ended, at(5)).await.unwrap();
        assert_eq!(marked.state, ended);

        let again = Connected { now: at(60), ..connected(ConnectionKind::Team, 'c') };
        let healed = connections.upsert_connected(&again).await.unwrap();

        assert_eq!((healed.state, healed.created_at, healed.connected_at), (ConnectionState::Active, at(0), at(60)));
        assert_eq!(connections.list(org()).await.unwrap().len(), 1);
    });
}

#[test]
fn another_tenant_cannot_take_a_connection_over() {
    run(async {
        let (connections, team) = with_team().await;
        let evil = Connected { tenant: "evil".parse().unwrap(), ..connected(ConnectionKind::Team, 'e') };

        let refused = connections.upsert_connected(&evil).await;

        assert!(matches!(refused, Err(Error::OwnedByAnotherTenant { .. })), "{refused:?}");
        assert_eq!(connections.load(org(), &team.connection_id).await.unwrap(), Some(team));
    });
}

#[test]
fn of_sixteen_who_want_the_lease_one_gets_it_and_the_others_see_who() {
    run(async {
        let (connections, team) = with_team().await;

        let wishes: Vec<_> = (0..16).map(|n| wish(&format!("worker-{n}"), 0)).collect();
        let claims =
            join_all(wishes.iter().map(|wish| connections.claim_lease(org(), &team.connection_id, wish))).await;

        let mut granted = Vec::new();
        let mut held = Vec::new();
        for claim in claims {
            match claim.unwrap() {
                LeaseClaim::Granted(lease) => granted.push(lease),
                LeaseClaim::Held(slot) => held.extend(slot.lease()),
            }
        }
        let [holder] = granted.as_slice() else { panic!("granted {granted:?}") };
        assert_eq!(held, vec![holder.clone(); 15]);
    });
}

#[test]
fn a_lease_can_be_taken_at_its_deadline_and_the_late_holder_changes_nothing() {
    run(async {
        let (connections, team) = with_team().await;
        let first = take(&connections, "first", 0).await;
        let too_early = connections.claim_lease(org(), &team.connection_id, &wish("second", 29)).await.unwrap();
        assert_eq!(held(&too_early), Some(first.clone()));
        let second = take(&connections, "second", 30).await;
        assert!(second.fence > first.fence);

        let late = connections.settle(org(), &team.connection_id, &first, &refreshed('x', 31)).await;
        assert!(matches!(late, Err(Error::LeaseLost { .. })), "{late:?}");
        let settled = connections.settle(org(), &team.connection_id, &second, &refreshed('b', 32)).await.unwrap();

        assert_eq!(settled.token_version.as_str(), "b".repeat(36));
        assert_eq!((settled.refreshed_at, settled.lease.owner), (Some(at(32)), None));
    });
}

#[test]
fn a_lease_that_was_given_back_is_free_at_once() {
    run(async {
        let (connections, team) = with_team().await;
        let first = take(&connections, "first", 0).await;
        let after = connections.settle(org(), &team.connection_id, &first, &Settlement::Released).await.unwrap();
        assert_eq!(after.token_version, team.token_version);

        let second = take(&connections, "second", 1).await;
        assert_eq!(second.fence, first.fence + 1);
    });
}

#[test]
fn a_lease_that_somebody_has_had_since_the_look_is_not_granted() {
    run(async {
        let (connections, team) = with_team().await;
        let seen_fence = Some(team.lease.fence);
        let first = take(&connections, "first", 0).await;
        connections.settle(org(), &team.connection_id, &first, &Settlement::Released).await.unwrap();

        let late = LeaseRequest { seen_fence, ..wish("second", 1) };
        let claim = connections.claim_lease(org(), &team.connection_id, &late).await.unwrap();
        assert_eq!(claim, LeaseClaim::Held(LeaseSlot { owner: None, deadline: None, fence: first.fence }));

        let again = LeaseRequest { seen_fence: Some(first.fence), ..late };
        let claim = connections.claim_lease(org(), &team.connection_id, &again).await.unwrap();
        assert!(matches!(claim, LeaseClaim::Granted(_)), "{claim:?}");
    });
}

#[test]
fn a_renewed_lease_holds_longer_and_only_for_its_holder() {
    run(async {
        let (connections, team) = with_team().await;
        let lease = take(&connections, "first", 0).await;
        let renewed = connections.renew_lease(org(), &team.connection_id, &lease, at(90)).await.unwrap();
        assert_eq!(renewed, Lease { deadline: at(90), ..lease.clone() });

        let claim = connections.claim_lease(org(), &team.connection_id, &wish("second", 60)).await.unwrap();
        assert_eq!(held(&claim), Some(renewed));
        let stranger = Lease { owner: "stranger".to_owned(), ..lease };
        let refused = connections.renew_lease(org(), &team.connection_id, &stranger, at(900)).await;
        assert!(matches!(refused, Err(Error::LeaseLost { .. })), "{refused:?}");
    });
}

#[test]
fn a_reconnect_makes_a_running_refresh_void() {
    run(async {
        let (connections, team) = with_team().await;
        let lease = take(&connections, "first", 0).await;
        connections.upsert_connected(&connected(ConnectionKind::Team, 'n')).await.unwrap();

        let late = connections.settle(org(), &team.connection_id, &lease, &refreshed('x', 5)).await;

        assert!(matches!(late, Err(Error::LeaseLost { .. })), "{late:?}");
        let known = connections.load(org(), &team.connection_id).await.unwrap().unwrap();
        assert_eq!(known.token_version.as_str(), "n".repeat(36));
    });
}

#[test]
fn a_failed_refresh_is_noted_with_its_reason() {
    run(async {
        let (connections, team) = with_team().await;
        let lease = take(&connections, "first", 0).await;
        let state = ConnectionState::ReauthRequired { reason: "expired".to_owned() };

        let settlement = Settlement::State { state: state.clone(), now: at(3) };
        let settled = connections.settle(org(), &team.connection_id, &lease, &settlement).await.unwrap();

        assert_eq!((settled.state, settled.lease.deadline), (state, None));
    });
}

#[test]
fn a_connection_that_was_never_made_has_no_lease_and_no_state() {
    run(async {
        let connections = connections().await;
        let claim = connections.claim_lease(org(), &ConnectionId::team(), &wish("first", 0)).await;
        assert!(matches!(claim, Err(Error::NotFound { .. })), "{claim:?}");
        let marked = connections.mark_state(org(), &ConnectionId::team(), &ConnectionState::Revoked, at(0)).await;
        assert!(matches!(marked, Err(Error::NotFound { .. })), "{marked:?}");
        assert_eq!(connections.list(org()).await.unwrap(), []);
    });
}
