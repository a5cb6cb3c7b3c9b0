//! `ferry replay-events`, as far as it invokes no function. The rest is a scenario of `tests/end-to-end`.

use serde_json::json;

use crate::stack::{ORG, Stack, run};

#[test]
fn an_empty_bucket_and_an_empty_mirror_publish_nothing() {
    run(async {
        let stack = Stack::create().await;

        assert_eq!(stack.succeed(&["replay-events"]).trim(), "No batch of a stream has failed.");
        let said = stack.succeed(&["replay-events", "--from-mirror", "--org", ORG, "--dry-run"]);
        assert_eq!(said.trim(), format!("0 records of org {ORG}.\nDry run: nothing was published."));
    });
}

#[test]
fn an_object_that_is_no_batch_stays_and_is_reported() {
    run(async {
        let stack = Stack::create().await;
        stack.store_failed_batch("aws/lambda/mapping/shard/2026/11/22/object", "{}").await;
        // What Lambda did not store is not read.
        stack.store_failed_batch("other/object", "{}").await;

        for _ in 0..2 {
            let output = stack.ferry(&["replay-events", "--yes", "--json"]);
            let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((output.status.code(), &said["objects_unreadable"]), (Some(3), &json!(1)), "{said}");
        }
    });
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    run(async {
        let stack = Stack::create().await;
        stack.store_failed_batch("aws/lambda/mapping/shard/2026/11/22/object", "{}").await;

        let (code, refused) = stack.fail(&["replay-events"]);
        assert!(code == 2 && refused.contains("add --yes"), "{refused}");
        let (code, refused) = stack.fail(&["replay-events", "--from-mirror", "--org", "00D79000000exLEEAY", "--yes"]);
        assert!(code == 2 && refused.contains("is unknown"), "{refused}");
        let (code, _) = stack.fail(&["replay-events", "--org", ORG]);
        assert_eq!(code, 2, "an org is for the mirror");
    });
}
