//! The limits of a caller: it obtains no operation of the other function, no client secret, and no token past the broker.

use std::time::Duration;

use runtime::token_broker::{Operation, RefusalCode, Request, Response, RetryHint};
use serde_json::Value;
use store::{ConnectionId, Protection, TokenVault};
use token_broker::handle;

use crate::harness::{READER, TestContext, V1_CLIENT_SECRET};

async fn policy(context: &TestContext) -> Option<Value> {
    let request = context.secrets.get_resource_policy().secret_id(context.secret_name());
    let policy = request.send().await.unwrap().resource_policy?;
    Some(serde_json::from_str(&policy).unwrap())
}

#[tokio::test]
async fn an_operation_that_is_not_served_changes_nothing() {
    let mut context = TestContext::connected().await;
    context.deps.operations = vec![Operation::AccessToken, Operation::KeepAlive, Operation::Status, Operation::Apps];
    context.requests.take();

    let reply = handle(&context.deps, Request::Revoke(context.team())).await.unwrap();

    let Response::Refused(refusal) = reply.answer else { panic!("{:?}", reply.answer) };
    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert_eq!(refusal.reason, "this function does not serve the operation revoke");
    let pause_ms = u64::try_from(Duration::from_secs(30).as_millis()).unwrap();
    assert_eq!(refusal.retry, RetryHint::After { pause_ms }, "an earlier caller tries again after a deployment");
    assert!(context.requests.take().is_empty());
    assert!(context.token(None).await.is_ok());
    context.deps.operations = vec![Operation::ExchangeCode, Operation::Revoke, Operation::Apps];
    assert_eq!(context.refused(None).await, RefusalCode::Unavailable);
    context.revoke().await.unwrap();
}

#[tokio::test]
async fn the_list_of_apps_has_no_client_secret() {
    let context = TestContext::new().await;

    let reply = handle(&context.deps, Request::Apps).await.unwrap();

    let text = serde_json::to_string(&reply).unwrap();
    assert!(!text.contains(V1_CLIENT_SECRET) && !text.contains(context.org.client_secret()), "{text}");
    let Response::Apps(apps) = reply.answer else { panic!("{text}") };
    let names: Vec<_> = apps.apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["v1", "v2"]);
    assert_eq!(apps.apps[1].client_id, context.org.client_id());
}

#[tokio::test]
async fn a_new_secret_denies_its_tokens_to_others() {
    let context = TestContext::connected().await;
    let statement = policy(&context).await.expect("a policy")["Statement"][0].clone();
    assert_eq!((&statement["Effect"], &statement["Principal"]), (&"Deny".into(), &"*".into()));
    assert_eq!(statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"][0], READER);
}

#[tokio::test]
async fn a_secret_without_a_policy_gets_it_at_a_refresh_once() {
    let mut context = TestContext::new().await;
    let (vault, prefix) = (context.deps.vault.clone(), context.token_prefix());
    context.deps.vault = TokenVault::new(context.secrets.clone(), prefix);
    context.connect_team().await;
    assert_eq!(policy(&context).await, None);
    context.deps.vault = vault;
    let mut token = context.token(None).await.unwrap();

    let mut puts = Vec::new();
    for _ in 0..2 {
        assert!(context.is_accepted(&token).await);
        context.requests.take();
        token = context.token(Some(&token)).await.unwrap();
        puts.push(context.requests.take().get("PutResourcePolicy").copied().unwrap_or_default());
    }

    assert_eq!(puts, [1, 0], "the tokens are marked");
    assert!(policy(&context).await.is_some());
}

#[tokio::test]
async fn another_key_is_set_at_the_next_refresh() {
    let mut context = TestContext::connected().await;
    let key = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555";
    let protection = Protection { readers: vec![READER.to_owned()], kms_key: Some(key.to_owned()) };
    context.deps.vault = context.deps.vault.clone().with_protection(protection);
    let old = context.token(None).await.unwrap();

    context.token(Some(&old)).await.unwrap();

    let secret = context.secrets.describe_secret().secret_id(context.secret_name()).send().await.unwrap();
    assert_eq!(secret.kms_key_id.as_deref(), Some(key));
    let (tokens, _) = context.deps.vault.load(context.org_id(), &ConnectionId::team()).await.unwrap().unwrap();
    assert!(tokens.protection.is_some());
}
