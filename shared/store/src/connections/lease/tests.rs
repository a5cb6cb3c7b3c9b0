use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// What workers do with one lease over time.
#[derive(Clone, Debug)]
enum Deed {
    Claim { worker: u8, length: i64 },
    Settle { worker: u8 },
    Pass { seconds: i64 },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0..4_u8, 1..30_i64).prop_map(|(worker, length)| Deed::Claim { worker, length }),
        (0..4_u8).prop_map(|worker| Deed::Settle { worker }),
        (1..20_i64).prop_map(|seconds| Deed::Pass { seconds }),
    ]
}

proptest! {
    #[test]
    fn nobody_is_granted_a_lease_that_has_not_ended(deeds in prop::collection::vec(deed(), 1..60)) {
        let (mut slot, mut now) = (LeaseSlot::default(), at(0));
        let mut held: [Option<Lease>; 4] = [const { None }; 4];
        let mut last_fence = 0;
        for deed in deeds {
            match deed {
                Deed::Pass { seconds } => now = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap(),
                Deed::Claim { worker, length } if slot.is_free(now) => {
                    let unfinished = slot.lease().filter(|lease| lease.deadline > now);
                    prop_assert_eq!(unfinished, None);
                    let deadline = now.saturating_add(SignedDuration::from_secs(length)).unwrap();
                    slot = slot.granted(&format!("worker-{worker}"), deadline);
                    prop_assert!(slot.fence > last_fence);
                    last_fence = slot.fence;
                    held[usize::from(worker)] = slot.lease();
                }
                Deed::Claim { .. } => {}
                Deed::Settle { worker } => {
                    let Some(lease) = held[usize::from(worker)].take() else { continue };
                    let is_newest = lease.fence == last_fence;
                    prop_assert_eq!(slot.is_held_by(&lease), is_newest);
                    if is_newest {
                        slot = slot.released();
                    }
                }
            }
        }
    }
}

#[test]
fn a_lease_that_was_given_back_is_nobodys() {
    let slot = LeaseSlot::default().granted("a", at(10));
    let lease = slot.lease().unwrap();
    assert!(!slot.released().is_held_by(&lease));
    assert!(slot.released().is_free(at(0)));
}

#[test]
fn a_lease_ends_at_its_deadline() {
    let slot = LeaseSlot::default().granted("a", at(10));
    assert!(!slot.is_free(at(9)));
    assert!(slot.is_free(at(10)));
}

#[test]
fn a_late_holder_keeps_it_until_another_takes_it() {
    let slot = LeaseSlot::default().granted("a", at(10));
    let late = slot.lease().unwrap();
    assert!(slot.is_held_by(&late));
    assert!(!slot.granted("b", at(30)).is_held_by(&late));
}

#[test]
fn the_same_owner_again_is_another_grant() {
    let slot = LeaseSlot::default().granted("a", at(10));
    let first = slot.lease().unwrap();
    assert!(!slot.granted("a", at(30)).is_held_by(&first));
}
