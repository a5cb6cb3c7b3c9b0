//! `ferry dead-letters`.

use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::{ChangeHint, DeadLetters, RefreshTask};

use crate::stack::{ORG, Stack, run};

const OTHER: &str = "00D79000000exLEEAY";
const DEAD: &str = "RecordUpsertDeadLetters";

fn hint(org: &str, record: &str) -> String {
    json!({
        "org_id": org, "delivery_id": "04l5e00000Gx7QzAAJ", "source": "outbound_message", "put_off": 96,
        "record": { "object": "Account", "record_id": record }, "received_at": "2026-11-21T10:00:00.000Z",
    })
    .to_string()
}

impl Stack {
    /// Sends a message to a dead-letter queue with a reason, as a function does.
    async fn dead_letter(&self, queue: &str, group: &str, body: &str, reason: &str) {
        let text =
            |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap();
        let send =
            self.sqs().send_message().queue_url(self.queue_url(queue)).message_group_id(group).message_body(body);
        let send = send.message_attributes("reason", text(reason));
        send.message_attributes("failed_at", text("2026-11-22T08:30:00.000Z")).send().await.unwrap();
    }

    /// Returns the number of messages in a queue, invisible ones included.
    async fn depth(&self, url: &str) -> usize {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesNotVisible as Held,
        };
        let request = self.sqs().get_queue_attributes().queue_url(url).attribute_names(Waiting).attribute_names(Held);
        let attributes = request.send().await.unwrap().attributes.unwrap();
        [Waiting, Held].iter().map(|name| attributes[name].parse::<usize>().unwrap()).sum()
    }

    /// Has SQS move a message to the dead letters, as if its function crashed on every receive.
    async fn exhaust_receives(&self, body: &str) {
        let (sqs, url) = (self.sqs(), self.queue_url("RecordUpsertQueue"));
        sqs.send_message().queue_url(url).message_group_id(ORG).message_body(body).send().await.unwrap();
        for _ in 0..=6 {
            let receive = sqs.receive_message().queue_url(url).visibility_timeout(0).wait_time_seconds(0);
            receive.send().await.unwrap();
        }
        assert_eq!(self.depth(url).await, 0);
    }
}

#[test]
fn list_shows_reasons_and_keeps_the_messages() {
    run(async {
        let stack = Stack::create().await;
        stack.dead_letter(DEAD, OTHER, &hint(OTHER, "0015e00000ZkM3iAAF"), "row_too_large").await;
        stack.exhaust_receives(&hint(ORG, "0015e00000ZkM3hAAF")).await;

        let listed = stack.json(&["dead-letters", "list", "--queue", "record-upsert"]);
        let reasons: Vec<&Value> =
            listed["dead_letters"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
        assert_eq!(reasons, ["row_too_large", "the function crashed or timed out, 6 times"]);
        assert_eq!(
            (&listed["dead_letters"][0]["failed_at"], &listed["more"]),
            (&json!("2026-11-22T08:30:00Z"), &json!(false))
        );
        let table = stack.succeed(&["dead-letters", "list", "--queue", "record-upsert", "--org", &ORG[..15]]);
        assert!(table.contains("0015e00000ZkM3hAAF") && !table.contains(OTHER), "{table}");
        assert!(table.contains(&format!("1 dead letter in record-upsert-dead-letters of org {ORG}.")), "{table}");
        let one = stack.succeed(&["dead-letters", "list", "--queue", "record-upsert", "--limit", "1"]);
        assert!(one.contains("may hold more"), "{one}");
        assert!(
            stack
                .succeed(&["dead-letters", "list", "--queue", "note-write"])
                .starts_with("No dead letters in note-write-dead-letters.")
        );

        assert_eq!(stack.drain::<ChangeHint>(DEAD).await.len(), 2);
    });
}

#[test]
fn without_a_queue_the_letters_of_all_are_counted_and_none_is_changed() {
    run(async {
        let stack = Stack::create().await;
        stack.dead_letter(DEAD, ORG, &hint(ORG, "0015e00000ZkM3hAAF"), "row_too_large").await;
        stack.dead_letter("NoteWriteDeadLetters", ORG, "{}", "x").await;
        stack.dead_letter("NoteWriteDeadLetters", OTHER, "{}", "x").await;

        let queues = stack.json(&["dead-letters", "list"])["queues"].take();

        let numbers: Vec<(&str, u64)> = queues
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["queue"].as_str().unwrap(), one["dead_letters"].as_u64().unwrap()))
            .collect();
        let expected = [
            ("record-upsert", 1),
            ("pipeline-refresh", 0),
            ("record-write", 0),
            ("note-write", 2),
            ("file-write", 0),
            ("data-erasure", 0),
            ("event-delivery", 0),
            ("change-event", 0),
            ("record-events", 0),
        ];
        assert_eq!(numbers, expected);
        let table = stack.succeed(&["dead-letters", "list"]);
        assert!(table.ends_with("`cargo ferry dead-letters list --queue note-write`.\n"), "{table}");
        let (code, refused) = stack.fail(&["dead-letters", "list", "--org", ORG]);
        assert!(code == 2 && refused.contains("--queue"), "{refused}");
        for command in ["redrive", "drop"] {
            let (code, refused) = stack.fail(&["dead-letters", command]);
            assert!(code == 2 && refused.contains("--queue"), "{refused}");
        }
        assert_eq!(stack.drain::<ChangeHint>(DEAD).await.len(), 1);
    });
}

#[test]
fn redrive_sends_the_selected_letters_only() {
    run(async {
        let stack = Stack::create().await;
        stack.dead_letter(DEAD, OTHER, &hint(OTHER, "0015e00000ZkM3iAAF"), "row_too_large").await;
        stack.dead_letter(DEAD, ORG, &hint(ORG, "0015e00000ZkM3hAAF"), "row_too_large").await;

        let said = stack.succeed(&["dead-letters", "redrive", "--queue", "record-upsert", "--org", ORG]);

        assert!(
            said.starts_with(&format!("1 dead letter was sent to the queue {}-record-upsert.", stack.name)),
            "{said}"
        );
        let back: Vec<ChangeHint> = stack.drain("RecordUpsertQueue").await;
        assert_eq!(
            back.iter().map(|hint| (hint.org_id.as_str(), hint.deferrals.count)).collect::<Vec<_>>(),
            [(ORG, 0)]
        );
        let left: Vec<ChangeHint> = stack.drain(DEAD).await;
        assert_eq!(left.iter().map(|hint| hint.org_id.as_str()).collect::<Vec<_>>(), [OTHER]);
    });
}

#[test]
fn redrive_leaves_notices_of_failed_invocations() {
    run(async {
        let stack = Stack::create().await;
        let dead = "PipelineRefreshDeadLetters";
        let task = json!({ "org_id": ORG, "kind": "nightly", "requested_at": "2026-11-21T10:00:00.000Z" }).to_string();
        stack.dead_letter(dead, ORG, &task, "x").await;
        stack.dead_letter(dead, ORG, r#"{"kind":"nightly"}"#, "x").await;

        let said = stack.succeed(&["dead-letters", "redrive", "--queue", "pipeline-refresh"]);

        assert!(said.contains("1 dead letter was sent") && said.contains("1 was left in place"), "{said}");
        assert_eq!(stack.drain::<RefreshTask>("PipelineRefreshQueue").await.len(), 1);
        assert_eq!(stack.drain::<Value>(dead).await, [json!({ "kind": "nightly" })]);
        for queue in ["record-events", "change-event"] {
            assert!(stack.succeed(&["dead-letters", "list", "--queue", queue]).starts_with("No dead letters"));
            let (code, refused) = stack.fail(&["dead-letters", "redrive", "--queue", queue]);
            assert!(code == 2 && refused.contains("could not redrive dead letters"), "{refused}");
        }
    });
}

#[test]
fn drop_prompts_and_prints_what_it_deletes() {
    run(async {
        let stack = Stack::create().await;
        stack.dead_letter(DEAD, OTHER, &hint(OTHER, "0015e00000ZkM3iAAF"), "row_too_large").await;
        stack.dead_letter(DEAD, ORG, &hint(ORG, "0015e00000ZkM3hAAF"), "row_too_large").await;

        let (code, said) = stack.fail(&["dead-letters", "drop", "--queue", "record-upsert", "--org", ORG]);
        assert!(code == 2 && said.contains("add --yes") && said.contains("0015e00000ZkM3hAAF"), "{said}");
        assert_eq!(
            stack.json(&["dead-letters", "list", "--queue", "record-upsert"])["dead_letters"].as_array().unwrap().len(),
            2
        );

        let dropped = stack.succeed(&["dead-letters", "drop", "--queue", "record-upsert", "--org", ORG, "--yes"]);
        assert!(dropped.contains("0015e00000ZkM3hAAF") && dropped.contains(" deleted."), "{dropped}");
        let left = stack.drain::<ChangeHint>(DEAD).await;
        assert_eq!(left.iter().map(|hint| hint.org_id.as_str()).collect::<Vec<_>>(), [OTHER]);
        assert!(
            stack
                .succeed(&["dead-letters", "drop", "--queue", "record-upsert", "--yes"])
                .starts_with("No dead letters in record-upsert-dead-letters.")
        );
    });
}

/// After a kill at any poll, the message is in at least one of the two queues.
#[test]
fn a_redrive_killed_at_every_point_loses_nothing() {
    run(async {
        let stack = Stack::create().await;
        let sqs = stack.sqs();
        for polls in 0.. {
            let (source, dead) = (format!("{}-k{polls}", stack.name), format!("{}-k{polls}-dead-letters", stack.name));
            let mut urls = Vec::new();
            for name in [&source, &dead] {
                urls.push(sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap());
            }
            sqs.send_message().queue_url(&urls[1]).message_body("{}").send().await.unwrap();
            let queue = DeadLetters::from_name(sqs.clone(), &dead).await.unwrap();
            let letters = queue.receive(1, SignedDuration::from_secs(60)).await.unwrap();

            let finished = harness::killed_after(queue.redrive(&letters, &source), polls).await;

            let (sent, left) = (stack.depth(&urls[0]).await, stack.depth(&urls[1]).await);
            assert!(sent + left >= 1, "lost after {polls} polls");
            if finished {
                assert!(polls > 0 && (sent, left) == (1, 0), "{polls} polls: {sent} sent, {left} left");
                break;
            }
        }
    });
}
