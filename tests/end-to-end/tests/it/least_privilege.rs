//! The permissions of the deployed functions, which the emulator enforces.

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
