//! An org whose edition has no outbound messages, over the deployed stack.

use end_to_end::{Connected, Method, eventually};
use local::stack;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_outbound_messages_a_poll_finds_an_edit() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let simulator = org.stack.simulator();
    simulator.set_edition("Professional Edition");
    let admin = simulator.users().into_iter().find(|user| user.is_admin).unwrap();
    let first_copy = copied_at(&org).await.unwrap();
    let link = json!({
        "tenant": "acme", "kind": "team", "environment": "production", "my_domain_url": simulator.url(),
    });
    let link = org.platform(Method::POST, "/v1/connect-links", &link).await.unwrap();
    org.consent(link["url"].as_str().unwrap(), &admin).await.unwrap();
    let changes = org.get(&org.path("/health")).await.unwrap()["changes"].clone();
    assert_eq!((&changes["by"], &changes["edition"]), (&json!("polling"), &json!("Professional Edition")), "{changes}");

    // The backfill of the reconnect must end first, so that it does not find the edit.
    eventually("the copy after the reconnect", async || Ok(copied_at(&org).await? != first_copy)).await.unwrap();
    let id = org.create("Account", &json!({ "Name": "Found by a poll" })).unwrap();
    assert!(simulator.outbound_messages().is_empty());
    let lambda = aws_sdk_lambda::Client::new(org.stack.sdk_config());
    let poll = lambda.invoke().function_name(org.stack.output("RefreshFunction").unwrap());
    poll.payload(br#"{"kind":"poll"}"#.to_vec().into()).send().await.unwrap();

    eventually("the poll", async || {
        let name = org.mirrored("Account", &id, "Name").await?;
        let health = org.get(&org.path("/health")).await?;
        let polls = &health["changes"]["polls"];
        Ok(name == Some(json!("Found by a poll")) && !polls["last_completed"].is_null() && polls["overdue"] == false)
    })
    .await
    .unwrap();
}

/// Returns the time at which the last backfill ended, for the object that is copied last.
async fn copied_at(org: &Connected) -> anyhow::Result<Value> {
    let health = org.get(&org.path("/health")).await?;
    let mut scans = health["sync"].as_array().into_iter().flatten();
    Ok(scans.find(|scan| scan["scan"] == "backfill/User").map_or(Value::Null, |scan| scan["finished_at"].clone()))
}
