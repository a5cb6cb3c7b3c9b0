//! The permissions of the deployed functions, which the emulator enforces.

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use end_to_end::{Connected, Method};
use local::stack;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_denied_to_all_but_the_broker_even_with_permission() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(org.stack.sdk_config());
    let secret = format!("ferry/{}/tokens/{}/team", stack::NAME, org.stack.simulator().org_id());
    let policy = async || {
        let policy = secrets.get_resource_policy().secret_id(&secret).send().await.unwrap().resource_policy;
        serde_json::from_str::<Value>(&policy.expect("a policy")).unwrap()
    };
    let ours = policy().await;
    let readers = &ours["Statement"][0]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
    assert!(readers[0].as_str().unwrap().contains("TokenBrokerRole"), "{readers}");
    assert!(readers[1].as_str().unwrap().contains("ConnectionManagerRole"), "{readers}");

    // The stack was created again: the broker's role has the permission, and the policy names other roles.
    let mut earlier = ours.clone();
    earlier["Statement"][0]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"] =
        json!(["arn:aws:iam::000000000000:role/of-an-earlier-stack"]);
    secrets.put_resource_policy().secret_id(&secret).resource_policy(earlier.to_string()).send().await.unwrap();
    let described = org.platform(Method::GET, &org.path("/objects/Account"), &json!(null)).await.unwrap();

    assert!(described.is_object(), "{described}");
    assert_eq!(policy().await, ours, "the read was denied, the policy set anew, and the read repeated");
}

/// Returns a client with the rights of a function's role, which an attacker has stolen.
async fn stolen_role(org: &Connected, function: &str) -> DynamoDb {
    let config = org.stack.sdk_config();
    let lambda = aws_sdk_lambda::Client::new(config);
    let name = format!("{}-{function}", stack::NAME);
    let role = lambda.get_function_configuration().function_name(name).send().await.unwrap().role.unwrap();
    let form = [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", &role), ("RoleSessionName", "stolen")];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // The emulator reads whose key signed a request, and does not verify the signature.
    let signed =
        "AWS4-HMAC-SHA256 Credential=test/20261129/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let request = http.post(config.endpoint_url().unwrap()).header("authorization", signed).form(&form);
    let response = request.send().await.unwrap().text().await.unwrap();
    let document = roxmltree::Document::parse(&response).unwrap();
    let text = |name| document.descendants().find(|node| node.has_tag_name(name)).and_then(|node| node.text());
    let field = |name| text(name).unwrap_or_else(|| panic!("no {name} in {response}"));
    let (id, secret, token) = (field("AccessKeyId"), field("SecretAccessKey"), field("SessionToken"));
    let credentials = Credentials::new(id, secret, Some(token.to_owned()), None, "test");
    DynamoDb::from_conf(aws_sdk_dynamodb::Config::from(config).to_builder().credentials_provider(credentials).build())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_role_cannot_give_an_org_another_owner() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let (table, id) = (org.stack.output("OrgsTable").unwrap(), org.stack.simulator().org_id());
    for function in ["outbound-message", "oauth-callback", "data-erasure"] {
        let role = stolen_role(&org, function).await;
        let update = |name: &str| {
            let update = role.update_item().table_name(table).key("org_id", text(id.as_str()));
            update.update_expression("SET #name = :value").expression_attribute_names("#name", name)
        };

        let own =
            update("updated_at").expression_attribute_values(":value", text("2026-11-29T12:00:00.000Z")).send().await;
        assert!(own.is_ok(), "{function} has lost its own right, so this test shows nothing: {own:?}");
        let taken = update("tenant").expression_attribute_values(":value", text("mallory")).send().await;
        assert_eq!(taken.unwrap_err().code(), Some("AccessDeniedException"), "{function}");
        let replaced = role.put_item().table_name(table).item("org_id", text(id.as_str())).send().await;
        assert_eq!(replaced.unwrap_err().code(), Some("AccessDeniedException"), "{function}");
    }
    let owner = DynamoDb::new(org.stack.sdk_config()).get_item().table_name(table).key("org_id", text(id.as_str()));
    assert_ne!(owner.send().await.unwrap().item.unwrap()["tenant"], text("mallory"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_role_cannot_open_a_session_of_an_admin() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let table = org.stack.output("AuthorizationsTable").unwrap();
    let batch = |role: &DynamoDb, id: &str| {
        let put = PutRequest::builder().item("authorization_id", text(id)).build().unwrap();
        let put = WriteRequest::builder().put_request(put).build();
        role.batch_write_item().request_items(table, vec![put]).send()
    };

    let erasure = stolen_role(&org, "data-erasure").await;
    let events = stolen_role(&org, "record-events").await;
    assert!(batch(&erasure, "ticket#of-a-link").await.is_ok(), "the role has its own right");
    for id in ["admin-session#forged", "admin-link#forged"] {
        let stored = batch(&erasure, id).await;
        assert_eq!(stored.unwrap_err().code(), Some("AccessDeniedException"), "data-erasure, {id}");
        let stored = events.put_item().table_name(table).item("authorization_id", text(id)).send().await;
        assert_eq!(stored.unwrap_err().code(), Some("AccessDeniedException"), "record-events, {id}");
    }
}
