use futures::future::join_all;
use jiff::SignedDuration;
use salesforce::Condition;
use store::{
    ConditionState, Connection, ConnectionId, ConnectionKind, ConnectionState, Connections, Consent, Error, Lease,
    LeaseClaim, LeaseOutcome, LeaseRequest, LeaseSlot, TokenVersion,
};

use crate::harness::{at, org, run, tables};

async fn connections() -> Connections {
    let (client, tables) = tables().await;
    Connections::new(client, tables.name("connections"))
}

fn consent(kind: ConnectionKind) -> Consent {
    Consent {
        org_id: org(),
        kind,
        tenant: "acme".parse().unwrap(),
        user_id: "0055e000001AbCd".parse().unwrap(),
        app: "v2".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        granted_at: at(0),
        username: None,
        rights: None,
    }
}

fn version(letter: char) -> TokenVersion {
    letter.to_string().repeat(36).parse().unwrap()
}

/// Runs a consent from the reservation to the activation.
async fn connect(connections: &Connections, consent: &Consent, letter: char, seconds: i64) -> Connection {
    let reserved = connections.reserve(consent, &request("consent", seconds)).await.unwrap();
    connections.connect(consent, &version(letter), &reserved.lease, at(seconds)).await.unwrap()
}

async fn with_team() -> (Connections, Connection) {
    let connections = connections().await;
    let team = connect(&connections, &consent(ConnectionKind::Team), 'a', 0).await;
    (connections, team)
}

fn request(owner: &str, seconds: i64) -> LeaseRequest {
    LeaseRequest { owner: owner.to_owned(), now: at(seconds), length: SignedDuration::from_secs(30), seen_fence: None }
}

async fn take(connections: &Connections, owner: &str, seconds: i64) -> Lease {
    match connections.claim_lease(org(), &ConnectionId::team(), &request(owner, seconds)).await.unwrap() {
        LeaseClaim::Granted(lease) => lease,
        LeaseClaim::Held(slot) => panic!("held by {slot:?}"),
    }
}

/// Ends a refresh with `state`.
async fn set_state(connections: &Connections, state: ConnectionState, seconds: i64) -> Connection {
    let lease = take(connections, "refresh", seconds).await;
    let outcome = LeaseOutcome::StateChanged { state, now: at(seconds) };
    connections.release_lease(org(), &ConnectionId::team(), &lease, &outcome).await.unwrap()
}

fn held(claim: &LeaseClaim) -> Option<Lease> {
    match claim {
        LeaseClaim::Granted(lease) => panic!("granted {lease:?}"),
        LeaseClaim::Held(slot) => slot.lease(),
    }
}

fn refreshed(version: char, seconds: i64) -> LeaseOutcome {
    LeaseOutcome::Refreshed {
        instance_url: "https://acme2.my.salesforce.com".to_owned(),
        token_version: self::version(version),
        grant: None,
        condition: None,
        now: at(seconds),
    }
}

#[test]
fn a_connection_is_loaded_as_stored() {
    run(async {
        let (connections, team) = with_team().await;
        let rep = ConnectionKind::Personal { platform_user: "rep 1".parse().unwrap() };
        let personal = connect(&connections, &consent(rep.clone()), 'b', 0).await;

        assert_eq!(team.state, ConnectionState::Active);
        assert_eq!(personal.kind, rep);
        assert_eq!(connections.load(org(), &team.connection_id).await.unwrap(), Some(team.clone()));
        assert_eq!(connections.list(org()).await.unwrap(), [personal, team]);
    });
}

#[test]
fn a_reconnect_keeps_the_id_and_activates_the_connection() {
    run(async {
        let (connections, _) = with_team().await;
        let ended = ConnectionState::ReauthRequired { reason: "invalid_grant".to_owned() };
        let marked = set_state(&connections, ended.clone(), 5).await;
        assert_eq!(marked.state, ended);

        let again = connect(&connections, &consent(ConnectionKind::Team), 'c', 60).await;

        assert_eq!((again.state, again.created_at, again.connected_at), (ConnectionState::Active, at(0), at(60)));
        assert_eq!(connections.list(org()).await.unwrap().len(), 1);
    });
}

#[test]
fn another_tenant_cannot_take_over_a_connection() {
    run(async {
        let (connections, team) = with_team().await;
        let evil = Consent { tenant: "evil".parse().unwrap(), ..consent(ConnectionKind::Team) };

        let refused = connections.reserve(&evil, &request("evil", 900)).await;

        assert!(matches!(refused, Err(Error::OwnedByAnotherTenant { .. })), "{refused:?}");
        assert_eq!(connections.load(org(), &team.connection_id).await.unwrap(), Some(team));
    });
}

#[test]
fn one_of_sixteen_callers_gets_the_lease() {
    run(async {
        let (connections, team) = with_team().await;

        let requests: Vec<_> = (0..16).map(|n| request(&format!("worker-{n}"), 0)).collect();
        let claims =
            join_all(requests.iter().map(|one| connections.claim_lease(org(), &team.connection_id, one))).await;

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
fn a_late_holder_of_an_expired_lease_changes_nothing() {
    run(async {
        let (connections, team) = with_team().await;
        let first = take(&connections, "first", 0).await;
        let too_early = connections.claim_lease(org(), &team.connection_id, &request("second", 29)).await.unwrap();
        assert_eq!(held(&too_early), Some(first.clone()));
        let second = take(&connections, "second", 30).await;
        assert!(second.fence > first.fence);

        let late = connections.release_lease(org(), &team.connection_id, &first, &refreshed('x', 31)).await;
        assert!(matches!(late, Err(Error::LeaseLost { .. })), "{late:?}");
        let settled =
            connections.release_lease(org(), &team.connection_id, &second, &refreshed('b', 32)).await.unwrap();

        assert_eq!(settled.token_version, Some(version('b')));
        assert_eq!((settled.refreshed_at, settled.lease.owner), (Some(at(32)), None));
    });
}

#[test]
fn a_released_lease_is_free_at_once() {
    run(async {
        let (connections, team) = with_team().await;
        let first = take(&connections, "first", 0).await;
        let after =
            connections.release_lease(org(), &team.connection_id, &first, &LeaseOutcome::Unchanged).await.unwrap();
        assert_eq!(after.token_version, team.token_version);

        let second = take(&connections, "second", 1).await;
        assert_eq!(second.fence, first.fence + 1);
    });
}

#[test]
fn a_lease_held_since_the_read_is_not_granted() {
    run(async {
        let (connections, team) = with_team().await;
        let seen_fence = Some(team.lease.fence);
        let first = take(&connections, "first", 0).await;
        connections.release_lease(org(), &team.connection_id, &first, &LeaseOutcome::Unchanged).await.unwrap();

        let late = LeaseRequest { seen_fence, ..request("second", 1) };
        let claim = connections.claim_lease(org(), &team.connection_id, &late).await.unwrap();
        assert_eq!(claim, LeaseClaim::Held(LeaseSlot { owner: None, deadline: None, fence: first.fence }));

        let again = LeaseRequest { seen_fence: Some(first.fence), ..late };
        let claim = connections.claim_lease(org(), &team.connection_id, &again).await.unwrap();
        assert!(matches!(claim, LeaseClaim::Granted(_)), "{claim:?}");
    });
}

#[test]
fn a_reconnect_voids_a_running_refresh() {
    run(async {
        let (connections, team) = with_team().await;
        let lease = take(&connections, "first", 0).await;
        connect(&connections, &consent(ConnectionKind::Team), 'n', 1).await;

        let late = connections.release_lease(org(), &team.connection_id, &lease, &refreshed('x', 5)).await;

        assert!(matches!(late, Err(Error::LeaseLost { .. })), "{late:?}");
        let known = connections.load(org(), &team.connection_id).await.unwrap().unwrap();
        assert_eq!(known.token_version, Some(version('n')));
    });
}

#[test]
fn a_failed_refresh_stores_its_reason() {
    run(async {
        let (connections, team) = with_team().await;
        let lease = take(&connections, "first", 0).await;
        let state = ConnectionState::ReauthRequired { reason: "expired".to_owned() };

        let settlement = LeaseOutcome::StateChanged { state: state.clone(), now: at(3) };
        let settled = connections.release_lease(org(), &team.connection_id, &lease, &settlement).await.unwrap();

        assert_eq!((settled.state, settled.lease.deadline), (state, None));
    });
}

#[test]
fn a_missing_connection_has_no_lease() {
    run(async {
        let connections = connections().await;
        let claim = connections.claim_lease(org(), &ConnectionId::team(), &request("first", 0)).await;
        assert!(matches!(claim, Err(Error::NotFound { .. })), "{claim:?}");
        assert_eq!(connections.list(org()).await.unwrap(), []);
    });
}

#[test]
fn one_of_two_tenants_reserves_a_new_connection() {
    run(async {
        let connections = connections().await;
        let consents = ["acme", "other"]
            .map(|tenant| Consent { tenant: tenant.parse().unwrap(), ..consent(ConnectionKind::Team) });
        let request = request("consent", 0);

        let (first, second) =
            tokio::join!(connections.reserve(&consents[0], &request), connections.reserve(&consents[1], &request));

        let refused = [first.as_ref().err(), second.as_ref().err()];
        let refused: Vec<_> = refused.into_iter().flatten().collect();
        assert!(matches!(refused.as_slice(), [Error::OwnedByAnotherTenant { .. }]), "{first:?} {second:?}");
        let row = connections.load(org(), &ConnectionId::team()).await.unwrap().unwrap();
        assert_eq!(row.state, ConnectionState::ReauthRequired { reason: "not_connected_yet".to_owned() });
    });
}

#[test]
fn the_last_of_two_consents_connects() {
    run(async {
        let (connections, team) = with_team().await;
        let consent = consent(ConnectionKind::Team);
        let early = connections.reserve(&consent, &request("early", 1)).await.unwrap();
        let late = connections.reserve(&consent, &request("late", 1)).await.unwrap();
        assert_eq!(late.before.unwrap().token_version, team.token_version);

        let refused = connections.connect(&consent, &version('e'), &early.lease, at(2)).await;
        assert!(matches!(refused, Err(Error::LeaseLost { .. })), "{refused:?}");
        let connected = connections.connect(&consent, &version('l'), &late.lease, at(2)).await.unwrap();
        assert_eq!((connected.pending, connected.lease.owner), (None, None));
        let again = connections.connect(&consent, &version('l'), &late.lease, at(2)).await.unwrap();
        assert_eq!(again.token_version, Some(version('l')), "a call whose response was lost may be repeated");
    });
}

#[test]
fn a_cancelled_reservation_restores_the_connection() {
    run(async {
        let (connections, team) = with_team().await;
        let consent = consent(ConnectionKind::Team);
        let reserved = connections.reserve(&consent, &request("consent", 1)).await.unwrap();
        connections.cancel_reservation(&consent, &reserved.lease).await.unwrap();

        let row = connections.load(org(), &team.connection_id).await.unwrap().unwrap();
        assert_eq!(row, Connection { lease: row.lease.clone(), ..team });
        assert_eq!(row.lease.owner, None);
    });
}

#[test]
fn only_the_grant_in_use_is_marked_as_displaced() {
    run(async {
        let (connections, team) = with_team().await;
        let lease = take(&connections, "refresh", 1).await;
        assert!(connections.mark_displaced(&team, at(2)).await.unwrap());
        let late = connections.release_lease(org(), &team.connection_id, &lease, &refreshed('x', 3)).await;
        assert!(matches!(late, Err(Error::LeaseLost { .. })), "{late:?}");
        let row = connections.load(org(), &team.connection_id).await.unwrap().unwrap();
        assert_eq!(row.state, ConnectionState::ReauthRequired { reason: "displaced".to_owned() });
        assert!(!connections.mark_displaced(&row, at(3)).await.unwrap());

        let again = connect(&connections, &consent(ConnectionKind::Team), 'n', 4).await;
        assert!(!connections.mark_displaced(&team, at(5)).await.unwrap(), "another grant");
        let reserved = connections.reserve(&consent(ConnectionKind::Team), &request("consent", 6)).await.unwrap();
        assert!(!connections.mark_displaced(&again, at(7)).await.unwrap(), "a consent is pending");
        assert!(
            connections.mark_displaced(&again, reserved.lease.deadline).await.unwrap(),
            "the consent was abandoned"
        );
    });
}

/// An earlier version stored `condition_told`.
#[test]
fn the_condition_of_an_earlier_version_is_read_and_replaced() {
    run(async {
        let (client, tables) = tables().await;
        let connections = Connections::new(client.clone(), tables.name("connections"));
        connect(&connections, &consent(ConnectionKind::Team), 'a', 0).await;
        let condition = ConditionState::found(None, Condition::AppBlocked, at(10));
        let failed = |condition| LeaseOutcome::Failed { is_uncertain: false, condition, now: at(20) };
        let settle = async |outcome: LeaseOutcome, seconds| {
            let lease = take(&connections, "refresh", seconds).await;
            connections.release_lease(org(), &ConnectionId::team(), &lease, &outcome).await.unwrap()
        };
        settle(failed(condition), 10).await;
        let stored = client.scan().table_name(tables.name("connections")).send().await.unwrap().items.unwrap();
        let [row] = &stored[..] else { panic!("{stored:?}") };
        let mut earlier = row.clone();
        let reported = earlier.remove("condition_reported").unwrap();
        earlier.insert("condition_told".to_owned(), reported);
        let put = client.put_item().table_name(tables.name("connections")).set_item(Some(earlier));
        put.send().await.unwrap();

        let read = connections.load(org(), &ConnectionId::team()).await.unwrap().unwrap();
        assert_eq!((read.condition, read.is_blocked()), (Some(condition), true));

        let replaced = settle(failed(ConditionState::found(None, Condition::LoginRestricted, at(20))), 20).await;
        assert!(!replaced.is_blocked(), "the former name is removed");
        let refreshed = settle(
            LeaseOutcome::Refreshed {
                instance_url: "https://acme.my.salesforce.com".to_owned(),
                token_version: version('b'),
                grant: None,
                condition: None,
                now: at(30),
            },
            30,
        );
        assert_eq!(refreshed.await.condition, None);
        let stored = client.scan().table_name(tables.name("connections")).send().await.unwrap().items.unwrap();
        assert!(!stored[0].keys().any(|name| name.starts_with("condition")), "{stored:?}");
    });
}
