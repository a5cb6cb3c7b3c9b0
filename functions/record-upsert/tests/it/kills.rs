//! A killed function loses nothing that was acknowledged.

use record_upsert::handle;
use salesforce::RecordId;
use store::DeliveryOutcome;

use crate::world::{World, batch, run};

#[test]
fn a_batch_killed_at_every_point_ends_in_the_org_s_state_with_every_outcome_written_down() {
    run(async {
        let world = World::new().await;
        let accounts: Vec<RecordId> = (0..30).map(|n| world.account(&format!("Account {n}"))).collect();
        world.delete("Account", accounts[0].as_str());
        let hints: Vec<_> = accounts.iter().map(|id| world.hint(*id)).collect();

        let mut kills = 0;
        while !world::killed_after(handle(&world.deps, batch(&hints)), kills).await {
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
            assert!(
                !matches!(outcome, None | Some(DeliveryOutcome::Failed { .. } | DeliveryOutcome::PutOff { .. })),
                "{outcome:?}"
            );
        }
    });
}
