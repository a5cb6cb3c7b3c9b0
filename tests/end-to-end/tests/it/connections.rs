//! A dead connection is reported with a link that reconnects it, and the kill switch ends all connections of an org.

use anyhow::Result;
use end_to_end::{Connected, Method, eventually};
use local::{Subscription, stack};
use serde_json::{Value, json};
use store::Erasures;

const REP: &str = "rep-1";

async fn write(org: &Connected, name: &str) -> Value {
    let body = json!({ "external_id_field": "Ferry_External_Id__c", "records": [{ "Ferry_External_Id__c": name, "Name": name }] });
    let path = org.path(&format!("/records/Account?as={REP}"));
    org.platform(Method::POST, &path, &body).await.unwrap()
}

async fn reps_connection(org: &Connected) -> Value {
    let connections = org.platform(Method::GET, &org.path("/connections"), &json!(null)).await.unwrap();
    let mut connections = connections["connections"].as_array().unwrap().clone().into_iter();
    connections.find(|connection| connection["platform_user"] == REP).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_connection_is_reported_and_the_kill_switch_ends_all() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let pattern = json!({ "type": ["connection.reauth_required", "connection.connected", "connection.disconnected"] });
    let events = Subscription::to(&org.stack, "platform", &pattern).await.unwrap();
    let simulator = org.stack.simulator();
    let rep = simulator.users().into_iter().find(|user| !user.is_admin).unwrap();
    org.connect_rep(REP, &rep).await.unwrap();
    assert_eq!(write(&org, "A-1").await["owner_choice"], "rep");
    let before = reps_connection(&org).await;

    simulator.revoke_grants(&rep.username).unwrap();
    let written = write(&org, "A-2").await;
    assert_eq!(
        (&written["owner_choice"], &written["records"][0]["success"]),
        (&json!("team_with_owner"), &json!(true))
    );
    let id = written["records"][0]["id"].as_str().unwrap();
    assert_eq!(simulator.record("Account", id).unwrap()["OwnerId"], rep.id.as_str());
    let event = events.event(|event| event["detail-type"] == "connection.reauth_required").await.unwrap();
    let data = &event["detail"]["data"];
    assert_eq!((&data["platform_user"], &data["reason"]), (&json!(REP), &json!("grant_ended")));

    org.consent(data["connect_url"].as_str().unwrap(), &rep).await.unwrap();
    let after = reps_connection(&org).await;
    assert_eq!((&after["state"], &after["connection_id"]), (&json!("active"), &before["connection_id"]));
    assert_eq!(write(&org, "A-3").await["owner_choice"], "rep");

    assert_eq!(after["on_newest_app"], true);
    let page = org.connections_page().await.unwrap();
    assert!(page.contains(simulator.org_id().as_str()) && page.contains(REP), "{page}");

    let ended = org.platform(Method::DELETE, &org.path(""), &json!(null)).await.unwrap();
    assert_eq!(ended["state"], "disconnected");
    let ends: Vec<_> = ended["connections"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(ends, ["ended", "ended"]);
    let again = org.platform(Method::DELETE, &org.path(""), &json!(null)).await.unwrap();
    assert_eq!(again, ended, "a repeated request changes nothing");
    events.event(|event| event["detail-type"] == "connection.disconnected").await.unwrap();
    let refused = org.post(&org.webhook_url, "text/xml", "<a/>".to_owned()).await.unwrap();
    assert_eq!(refused.status(), 404, "the org's webhook is closed");
    eventually("no secret is left", async || secrets_left(&org).await.map(|left| left.is_empty())).await.unwrap();
    erase(&org).await.unwrap();
}

/// Erases a person and then all of the disconnected org, with the permissions of the function's role.
async fn erase(org: &Connected) -> Result<()> {
    let person = json!({ "record_id": "0035e00000ZkM3hAAF" });
    let person = org.platform(Method::POST, &org.path("/erasures"), &person).await?;
    finished(org, &person).await?;

    let erasure = org.platform(Method::DELETE, &org.path("/data"), &json!(null)).await?;
    // The function waits for invocations that began before the disconnect: here they have ended.
    let erasures = Erasures::new(aws_sdk_dynamodb::Client::new(org.stack.sdk_config()), "ferry-erasures");
    let (org_id, id) = (org.stack.simulator().org_id().parse()?, erasure["erasure_id"].as_str().unwrap().parse()?);
    let mut stored = erasures.load(org_id, id).await?.unwrap();
    let requested_at = stored.requested_at;
    stored.begins_at = requested_at;
    erasures.save(&mut stored, requested_at).await?;
    org.platform(Method::DELETE, &org.path("/data"), &json!(null)).await?;
    let done = finished(org, &erasure).await?;
    assert_eq!((&done["deleted"]["connections"], &done["deleted"]["writes"]), (&json!(2), &json!(3)), "{done}");
    assert!(done["deleted"]["records"].as_u64().unwrap() > 0, "{done}");
    let connections = org.get(&org.path("/connections")).await?;
    assert_eq!(connections["connections"], json!([]));
    Ok(())
}

/// Waits until the erasure is finished, and returns it.
async fn finished(org: &Connected, erasure: &Value) -> Result<Value> {
    let path = org.path(&format!("/erasures/{}", erasure["erasure_id"].as_str().unwrap()));
    eventually("the erasure is finished", async || Ok(org.get(&path).await?["state"] == "finished")).await?;
    org.get(&path).await
}

/// Returns the names of the org's token secrets.
async fn secrets_left(org: &Connected) -> Result<Vec<String>> {
    let secrets = aws_sdk_secretsmanager::Client::new(org.stack.sdk_config());
    let names = secrets.list_secrets().send().await?.secret_list.unwrap_or_default();
    let names = names.into_iter().filter_map(|secret| secret.name);
    Ok(names.filter(|name| name.contains("/tokens/") && name.contains(&org.stack.simulator().org_id())).collect())
}
