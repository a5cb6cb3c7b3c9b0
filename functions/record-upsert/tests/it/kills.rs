//! A killed function loses nothing that was acknowledged.

use std::pin::pin;
use std::task::Poll;

use record_upsert::handle;
use salesforce::RecordId;
use store::DeliveryOutcome;

use crate::world::{World, batch, run};

/// Polls `work` up to `polls` times and then drops it, as a process that is killed at that point. Whether it had finished.
async fn killed_after<F: Future>(work: F, polls: usize) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_batch_killed_at_every_point_ends_in_the_org_s_state_with_every_outcome_written_down() {
    run(async {
        let world = World::new().await;
        let accounts: Vec<RecordId> = (0..30).map(|n| world.account(&format!("Account {n}"))).collect();
        world.delete(accounts[0]);
        let hints: Vec<_> = accounts.iter().map(|id| world.hint(*id)).collect();

        let mut kills = 0;
        while !killed_after(handle(&world.deps, batch(&hints)), kills).await {
            world.rename(accounts[1], &format!("Renamed {kills}"));
            kills += 1;
        }

        assert!(kills > 3, "killed {kills} times");
        assert!(world.mirrored(accounts[0]).await.unwrap().deleted);
        for id in &accounts[1..] {
            let in_org = world.simulator.record("Account", id.as_str()).unwrap();
            assert_eq!(world.mirrored(*id).await.unwrap().fields.get("Name"), in_org.get("Name"));
        }
        for hint in &hints {
            let outcome = world.outcome(hint).await;
            assert!(!matches!(outcome, None | Some(DeliveryOutcome::Failed { .. })), "{outcome:?}");
        }
    });
}
