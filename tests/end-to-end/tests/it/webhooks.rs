//! A change in the org reaches a server of the platform that is not on AWS, over the deployed stack.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use end_to_end::{Connected, Method, eventually};
use local::{EventCatalogue, stack};
use serde_json::{Value, json};

type Received = Arc<Mutex<Vec<(String, Value)>>>;

async fn receive(State(received): State<Received>, headers: http::HeaderMap, body: String) {
    let signature = headers["webhook-signature"].to_str().unwrap().to_owned();
    received.lock().unwrap().push((signature, serde_json::from_str(&body).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_a_server_of_the_platform() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ferry", listener.local_addr().unwrap());
    let router = Router::new().fallback(receive).with_state(Arc::clone(&received));
    #[expect(clippy::disallowed_methods, reason = "the server ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    let endpoint = json!({ "url": url, "events": ["record.changed"] });
    let created = org.platform(Method::POST, "/v1/webhook-endpoints", &endpoint).await.unwrap();
    let path = format!("/v1/webhook-endpoints/{}", created["id"].as_str().unwrap());
    org.platform(Method::POST, &format!("{path}/test"), &json!(null)).await.unwrap();

    let record = json!({ "Ferry_External_Id__c": "W-1", "Name": "Webhook" });
    let body = json!({ "external_id_field": "Ferry_External_Id__c", "records": [record] });
    let written = org.platform(Method::POST, &org.path("/records/Account"), &body).await.unwrap();
    let subject = format!("Account/{}", written["records"][0]["id"].as_str().unwrap());

    eventually("the change and the test event", async || {
        let received = received.lock().unwrap();
        let has = |name: &str, value: &str| received.iter().any(|(_, event)| event[name] == value);
        Ok(has("subject", &subject) && has("type", "webhook_endpoint.test"))
    })
    .await
    .unwrap();
    for (signature, event) in received.lock().unwrap().iter() {
        assert!(signature.starts_with("v1,"), "{signature}");
        EventCatalogue::get().unwrap().check(event).unwrap();
    }
    let shown = org.platform(Method::GET, &format!("{path}/deliveries?state=delivered"), &json!(null)).await.unwrap();
    assert!(shown["deliveries"].as_array().unwrap().iter().any(|one| one["subject"] == *subject), "{shown}");
}
