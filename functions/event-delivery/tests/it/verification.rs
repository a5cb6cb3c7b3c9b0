//! The code of `docs/platform-webhooks.md`, run on a request that the function sent.

use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use local::workspace::Workspace;
use serde_json::json;

use crate::harness::{RECORDS, Received, TestContext, run};

/// Returns the block of a language in the page.
fn documented(language: &str) -> String {
    let page = std::fs::read_to_string(Workspace::here().root().join("docs/platform-webhooks.md")).unwrap();
    let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Runs a program with the request as JSON in its first argument, and returns whether it printed `true` for it and `false` for a
/// changed body.
fn verifies(program: &PathBuf, flag: &str, code: &str, received: &Received, secret: &str) {
    let headers: serde_json::Map<_, _> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| (name.to_owned(), json!(received.header(name))))
        .into_iter()
        .collect();
    for (body, expected) in [(received.body.clone(), "true"), (received.body.replace("acme", "evil"), "false")] {
        let input = json!({ "secret": secret, "headers": headers, "body": body }).to_string();
        let output = Command::new(program).args([flag, code, &input]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.trim().to_lowercase(), expected, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the documented code reads the time of the machine")]
fn the_documented_code_verifies_a_request() {
    run(async {
        let context = TestContext::new().await;
        let (id, secret) = context.endpoint(&json!({})).await;
        // The documented code compares the time of the attempt with the machine's.
        context.pass(Timestamp::now().duration_since(context.clock.now()));
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.work(&id).await;
        let [received] = &context.platform.received()[..] else { panic!("one request") };

        let python = "\nimport json, sys\nr = json.loads(sys.argv[1])\nprint(verify(r['secret'], r['headers'], r['body'].encode()))";
        verifies(&"python3".into(), "-c", &(documented("python") + python), received, &secret);

        let node = Workspace::here().root().join("target/openapi/venv/bin/node");
        if !node.exists() {
            return;
        }
        let script = "\nconst r = JSON.parse(process.argv[1]);\nconsole.log(verify(r.secret, r.headers, r.body));";
        verifies(&node, "-e", &(documented("javascript") + script), received, &secret);
    });
}
