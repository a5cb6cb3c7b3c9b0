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
    /// Puts a message into a queue, as a function does that knows why it gives up.
    async fn give_up(&self, queue: &str, group: &str, body: &str, reason: &str) {
        let text =
            |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap();
        let send =
            self.sqs().send_message().queue_url(self.queue_url(queue)).message_group_id(group).message_body(body);
        let send = send.message_attributes("reason", text(reason));
        send.message_attributes("failed_at", text("2026-11-22T08:30:00.000Z")).send().await.unwrap();
    }

    /// How many messages are in a queue, also those that somebody holds.
    async fn depth(&self, url: &str) -> usize {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesNotVisible as Held,
        };
        let request = self.sqs().get_queue_attributes().queue_url(url).attribute_names(Waiting).attribute_names(Held);
        let attributes = request.send().await.unwrap().attributes.unwrap();
        [Waiting, Held].iter().map(|name| attributes[name].parse::<usize>().unwrap()).sum()
    }

    /// Has SQS move a message to the dead letters, as when its function dies on it each time.
    async fn let_die(&self, body: &str) {
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
fn listing_shows_why_and_leaves_all_as_it_is() {
    run(async {
        let stack = Stack::set().await;
        stack.give_up(DEAD, OTHER, &hint(OTHER, "0015e00000ZkM3iAAF"), "row_too_large").await;
        stack.let_die(&hint(ORG, "0015e00000ZkM3hAAF")).await;

        let listed = stack.json(&["dead-letters", "list"]);
        let reasons: Vec<&Value> =
            listed["dead_letters"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
        assert_eq!(reasons, ["row_too_large", "the function died or ran out of time, 6 times"]);
        assert_eq!(
            (&listed["dead_letters"][0]["failed_at"], &listed["more"]),
            (&json!("2026-11-22T08:30:00Z"), &json!(false))
        );
        let table = stack.says(&["dead-letters", "list", "--org", &ORG[..15]]);
        assert!(table.contains("0015e00000ZkM3hAAF") && !table.contains(OTHER), "{table}");
        assert!(table.contains(&format!("1 dead letter of record-upsert for org {ORG}.")), "{table}");
        let one = stack.says(&["dead-letters", "list", "--limit", "1"]);
        assert!(one.contains("There may be more"), "{one}");
        assert!(
            stack
                .says(&["dead-letters", "list", "--queue", "note-write"])
                .starts_with("No dead letters of note-write.")
        );

        assert_eq!(stack.drain::<ChangeHint>(DEAD).await.len(), 2);
    });
}

#[test]
fn what_is_sent_back_is_in_its_queue_and_nothing_else_is() {
    run(async {
        let stack = Stack::set().await;
        stack.give_up(DEAD, OTHER, &hint(OTHER, "0015e00000ZkM3iAAF"), "row_too_large").await;
        stack.give_up(DEAD, ORG, &hint(ORG, "0015e00000ZkM3hAAF"), "row_too_large").await;

        let said = stack.says(&["dead-letters", "redrive", "--org", ORG]);

        assert!(
            said.starts_with(&format!("1 dead letter is back in the queue {}-record-upsert.", stack.name)),
            "{said}"
        );
        let back: Vec<ChangeHint> = stack.drain("RecordUpsertQueue").await;
        assert_eq!(back.iter().map(|hint| (hint.org_id.as_str(), hint.deferrals)).collect::<Vec<_>>(), [(ORG, 0)]);
        let left: Vec<ChangeHint> = stack.drain(DEAD).await;
        assert_eq!(left.iter().map(|hint| hint.org_id.as_str()).collect::<Vec<_>>(), [OTHER]);
    });
}

#[test]
fn notices_of_failed_invocations_are_kept_where_tasks_go_back() {
    run(async {
        let stack = Stack::set().await;
        let dead = "PipelineRefreshDeadLetters";
        let task = json!({ "org_id": ORG, "kind": "nightly", "requested_at": "2026-11-21T10:00:00.000Z" }).to_string();
        stack.give_up(dead, ORG, &task, "x").await;
        stack.give_up(dead, ORG, r#"{"kind":"nightly"}"#, "x").await;

        let said = stack.says(&["dead-letters", "redrive", "--queue", "pipeline-refresh"]);

        assert!(
            said.contains("1 dead letter is back") && said.contains("1 is kept: no message of the queue"),
            "{said}"
        );
        assert_eq!(stack.drain::<RefreshTask>("PipelineRefreshQueue").await.len(), 1);
        assert_eq!(stack.drain::<Value>(dead).await, [json!({ "kind": "nightly" })]);
        for queue in ["record-events", "change-event"] {
            assert!(stack.says(&["dead-letters", "list", "--queue", queue]).starts_with("No dead letters"));
            let (code, refused) = stack.fails(&["dead-letters", "redrive", "--queue", queue]);
            assert!(code == 2 && refused.contains("no queue takes the dead letters"), "{refused}");
        }
    });
}

#[test]
fn nothing_is_dropped_unasked_and_what_is_dropped_is_shown() {
    run(async {
        let stack = Stack::set().await;
        stack.give_up(DEAD, OTHER, &hint(OTHER, "0015e00000ZkM3iAAF"), "row_too_large").await;
        stack.give_up(DEAD, ORG, &hint(ORG, "0015e00000ZkM3hAAF"), "row_too_large").await;

        let (code, asked) = stack.fails(&["dead-letters", "drop", "--org", ORG]);
        assert!(code == 2 && asked.contains("add --yes") && asked.contains("0015e00000ZkM3hAAF"), "{asked}");
        assert_eq!(stack.json(&["dead-letters", "list"])["dead_letters"].as_array().unwrap().len(), 2);

        let dropped = stack.says(&["dead-letters", "drop", "--org", ORG, "--yes"]);
        assert!(dropped.contains("0015e00000ZkM3hAAF") && dropped.contains(" dropped."), "{dropped}");
        let left = stack.drain::<ChangeHint>(DEAD).await;
        assert_eq!(left.iter().map(|hint| hint.org_id.as_str()).collect::<Vec<_>>(), [OTHER]);
        assert!(stack.says(&["dead-letters", "drop", "--yes"]).starts_with("No dead letters of record-upsert."));
    });
}

/// Wherever the command is killed, the message is in one of the two queues.
#[test]
fn a_redrive_killed_at_every_point_loses_nothing() {
    run(async {
        let stack = Stack::set().await;
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
