//! What comes again, what is parked, and that neither holds up the rest.

use aws_lambda_events::sqs::SqsEvent;
use org_simulator::{Effect, Fault};
use record_upsert::handle;
use serde_json::json;
use store::DeliveryOutcome;

use crate::world::{DISCONNECTED, World, record_of, run};

fn fault(path: &str, times: u32, effect: Effect) -> Fault {
    Fault { path_prefix: format!("/services/data/v66.0/{path}"), method: None, times, effect }
}

#[test]
fn an_org_under_maintenance_gets_its_messages_again_and_loses_none() {
    run(async {
        let world = World::new().await;
        let hint = world.hint(world.account("Acme"));
        world.simulator.fault(fault("composite/sobjects", 100, Effect::Unavailable));

        assert_eq!(world.receive(std::slice::from_ref(&hint)).await, [0]);
        assert!(matches!(world.outcome(&hint).await, Some(DeliveryOutcome::PutOff { .. })));
        assert_eq!(world.mirrored(record_of(&hint)).await, None);

        world.simulator.clear_faults();
        assert!(world.receive(std::slice::from_ref(&hint)).await.is_empty());
        assert_eq!(world.outcome(&hint).await, Some(DeliveryOutcome::Applied));
    });
}

#[test]
fn an_org_that_must_reconnect_is_parked_while_the_others_go_on() {
    run(async {
        let world = World::new().await;
        let good = world.hint(world.account("Acme"));
        let parked = world.hint_of(DISCONNECTED.parse().unwrap(), record_of(&good));

        assert!(world.receive(&[parked.clone(), good.clone()]).await.is_empty());

        assert_eq!(world.outcome(&good).await, Some(DeliveryOutcome::Applied));
        assert!(matches!(world.outcome(&parked).await, Some(DeliveryOutcome::Failed { .. })));
    });
}

#[test]
fn an_org_without_calls_left_gets_its_messages_again() {
    run(async {
        let world = World::new().await;
        let hint = world.hint(world.account("Acme"));
        world.simulator.fault(fault("sobjects", 1, Effect::RequestLimitExceeded));

        assert_eq!(world.receive(std::slice::from_ref(&hint)).await, [0]);
        assert!(world.receive(&[hint]).await.is_empty());
    });
}

#[test]
fn a_message_that_says_nothing_becomes_a_dead_letter_and_the_others_are_read() {
    run(async {
        let world = World::new().await;
        let hint = world.hint(world.account("Acme"));
        let event: SqsEvent = serde_json::from_value(json!({ "Records": [
            { "messageId": "poison", "body": "not a hint" },
            { "messageId": "good", "body": serde_json::to_string(&hint).unwrap() },
        ]}))
        .unwrap();

        let answer = handle(&world.deps, event).await.unwrap();

        assert_eq!(answer.failed, ["poison"]);
        assert_eq!(world.outcome(&hint).await, Some(DeliveryOutcome::Applied));
    });
}
