//! A model of the conditional writes on a lease, compared with the emulator.

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use store::{
    ConnectionId, ConnectionKind, ConnectionState, Connections, Consent, Error, Lease, LeaseClaim, LeaseOutcome,
    LeaseRequest, LeaseSlot,
};

use crate::harness::{at, block_on, org, tables};

/// The lease attributes of a connection, as the conditional writes must leave them.
#[derive(Clone, Debug, Default)]
struct Model(LeaseSlot);

impl Model {
    /// Returns whether the lease may be claimed. With `seen_fence`, it must not have been held since.
    fn is_free(&self, now: i64, seen_fence: Option<u64>) -> bool {
        self.0.deadline.is_none_or(|deadline| deadline <= at(now))
            && seen_fence.is_none_or(|fence| fence == self.0.fence)
    }

    /// Returns whether `lease` is the one that was granted last. A holder whose deadline has passed keeps it until
    /// another caller claims it, so that tokens which arrive late are not lost.
    fn is_held_by(&self, lease: &Lease) -> bool {
        self.0.fence == lease.fence && self.0.owner.as_ref() == Some(&lease.owner)
    }

    fn claim(&mut self, request: &LeaseRequest, now: i64) -> LeaseClaim {
        if !self.is_free(now, request.seen_fence) {
            return LeaseClaim::Held(self.0.clone());
        }
        self.0 = self.0.granted(&request.owner, request.now + request.length);
        LeaseClaim::Granted(self.0.lease().unwrap())
    }

    fn release(&mut self, lease: &Lease) -> bool {
        let is_holder = self.is_held_by(lease);
        if is_holder {
            self.0 = LeaseSlot { owner: None, deadline: None, fence: self.0.fence };
        }
        is_holder
    }
}

/// A step of one of a few workers.
#[derive(Clone, Debug)]
enum Action {
    Claim { worker: usize, seconds: i64, as_seen: bool },
    Release { worker: usize },
    Wait { seconds: i64 },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..3_usize, 1..30_i64, any::<bool>())
            .prop_map(|(worker, seconds, as_seen)| Action::Claim { worker, seconds, as_seen }),
        2 => (0..3_usize).prop_map(|worker| Action::Release { worker }),
        1 => (1..20_i64).prop_map(|seconds| Action::Wait { seconds }),
    ]
}

async fn connect(connections: &Connections, rep: u64) -> (ConnectionId, Model) {
    let consent = Consent {
        org_id: org(),
        kind: ConnectionKind::Personal { platform_user: format!("rep {rep}").parse().unwrap() },
        tenant: "acme".parse().unwrap(),
        user_id: "0055e000001AbCd".parse().unwrap(),
        app: "v2".to_owned(),
        login_url: "https://login.salesforce.com".to_owned(),
        instance_url: "https://acme.my.salesforce.com".to_owned(),
        granted_at: at(0),
        username: None,
        rights: None,
    };
    let reserved = connections.reserve(&consent, &request("consent".to_owned(), 0, 30)).await.unwrap();
    let version = "a".repeat(36).parse().unwrap();
    let connection = connections.connect(&consent, &version, &reserved.lease, at(0)).await.unwrap();
    (connection.connection_id, Model(connection.lease))
}

fn request(owner: String, now: i64, seconds: i64) -> LeaseRequest {
    LeaseRequest { owner, now: at(now), length: SignedDuration::from_secs(seconds), seen_fence: None }
}

/// Runs the actions on a connection and on the model, and checks that both agree on every step.
async fn compare(connections: &Connections, rep: u64, actions: &[Action]) {
    let (id, mut model) = connect(connections, rep).await;
    let (mut now, mut leases, mut seen) = (1, [const { None::<Lease> }; 3], [model.0.fence; 3]);
    for (step, action) in actions.iter().enumerate() {
        match *action {
            Action::Wait { seconds } => now += seconds,
            Action::Claim { worker, seconds, as_seen } => {
                let seen_fence = as_seen.then_some(seen[worker]);
                let request = LeaseRequest { seen_fence, ..request(format!("{worker}/{step}"), now, seconds) };
                let holder = model.0.lease();
                let claim = connections.claim_lease(org(), &id, &request).await.unwrap();
                assert_eq!(claim, model.claim(&request, now), "step {step}");
                if let LeaseClaim::Granted(lease) = claim {
                    assert!(holder.is_none_or(|holder| holder.deadline <= at(now) && holder.fence < lease.fence));
                    leases[worker] = Some(lease);
                }
                seen[worker] = model.0.fence;
            }
            Action::Release { worker } => {
                let Some(lease) = leases[worker].take() else { continue };
                let outcome = LeaseOutcome::StateChanged { state: ConnectionState::Active, now: at(now) };
                let released = connections.release_lease(org(), &id, &lease, &outcome).await;
                assert!(matches!(released, Ok(_) | Err(Error::LeaseLost { .. })), "{released:?}");
                assert_eq!(released.is_ok(), model.release(&lease), "step {step}");
            }
        }
        let stored = connections.load(org(), &id).await.unwrap().unwrap();
        assert_eq!(stored.lease, model.0, "step {step}");
    }
}

#[test]
fn a_lease_has_one_holder_until_its_deadline() {
    let (client, tables) = block_on(tables());
    let connections = Connections::new(client, tables.name("connections"));
    let config = ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() };
    let strategy = (any::<u64>(), prop::collection::vec(action(), 1..30));
    let compared = TestRunner::new(config).run(&strategy, |(rep, actions)| {
        block_on(compare(&connections, rep, &actions));
        Ok(())
    });
    compared.unwrap();
}

fn granted(owner: &str, now: i64, seconds: i64) -> (Model, Lease) {
    let mut model = Model::default();
    match model.claim(&request(owner.to_owned(), now, seconds), now) {
        LeaseClaim::Granted(lease) => (model, lease),
        LeaseClaim::Held(slot) => panic!("held by {slot:?}"),
    }
}

#[test]
fn a_released_lease_has_no_holder() {
    let (mut model, lease) = granted("a", 0, 10);
    assert!(model.release(&lease));
    assert!(!model.is_held_by(&lease) && model.is_free(0, None));
}

#[test]
fn a_lease_ends_at_its_deadline() {
    let (model, _) = granted("a", 0, 10);
    assert!(!model.is_free(9, None));
    assert!(model.is_free(10, None));
}

#[test]
fn a_late_holder_keeps_the_lease_until_it_is_claimed() {
    let (mut model, late) = granted("a", 0, 10);
    assert!(model.is_held_by(&late));
    model.claim(&request("b".to_owned(), 10, 20), 10);
    assert!(!model.is_held_by(&late));
}

#[test]
fn the_same_owner_gets_a_new_fence() {
    let (mut model, first) = granted("a", 0, 10);
    model.claim(&request("a".to_owned(), 10, 20), 10);
    assert!(!model.is_held_by(&first));
}
