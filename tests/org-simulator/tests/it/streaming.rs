//! The Streaming API: CometD clients that receive change events.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, TestContext, fields};

const ACCOUNTS: &str = "/data/AccountChangeEvent";

/// A client of the Streaming API.
struct Client {
    url: String,
    http: reqwest::Client,
    token: String,
    id: String,
}

impl Client {
    /// Makes the handshake.
    async fn of(context: &TestContext) -> Self {
        let url = format!("{}/cometd/66.0", context.org.url());
        let (http, token) = (context.http.clone(), context.token().to_owned());
        let mut client = Self { url, http, token, id: String::new() };
        let hello = json!({"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"], "id": "1"});
        let reply = client.send(hello).await.remove(0);
        assert_eq!((&reply["successful"], &reply["id"]), (&json!(true), &json!("1")), "{reply}");
        assert_eq!(reply["supportedConnectionTypes"], json!(["long-polling"]));
        client.id = reply["clientId"].as_str().unwrap().to_owned();
        client
    }

    async fn send(&self, message: Value) -> Vec<Value> {
        let request =
            self.http.post(&self.url).header("authorization", format!("OAuth {}", self.token)).json(&[message]);
        let response = tokio::time::timeout(Duration::from_secs(60), request.send()).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    async fn of_client(&self, channel: &str, more: Value) -> Vec<Value> {
        let mut message = json!({"channel": channel, "clientId": self.id});
        message.as_object_mut().unwrap().extend(fields(more));
        self.send(message).await
    }

    async fn subscribe(&self, channel: &str, replay: i64) -> Value {
        let ext = json!({"replay": {channel: replay}});
        self.of_client("/meta/subscribe", json!({"subscription": channel, "ext": ext})).await.remove(0)
    }

    /// Waits for events for at most that time.
    async fn connect(&self, timeout_ms: u64) -> Vec<Value> {
        self.of_client("/meta/connect", json!({"connectionType": "long-polling", "advice": {"timeout": timeout_ms}}))
            .await
    }

    /// Returns the events that are there, without waiting: the channel and the name of the account.
    async fn received(&self) -> Vec<(String, String)> {
        let mut messages = self.connect(0).await;
        let reply = messages.pop().unwrap();
        assert_eq!(reply["successful"], true, "{reply}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        messages.iter().map(|event| (text(&event["channel"]), text(&event["data"]["payload"]["Name"]))).collect()
    }
}

async fn capturing() -> TestContext {
    let context = TestContext::new().await;
    context.org.capture_changes("ChangeEvents", &["Account"]).unwrap();
    context
}

fn create(context: &TestContext, name: &str) {
    context.org.create_record(ADMIN, "Account", &fields(json!({"Name": name}))).unwrap();
}

fn account(name: &str) -> (String, String) {
    (ACCOUNTS.to_owned(), name.to_owned())
}

#[tokio::test]
async fn a_waiting_request_is_answered_by_the_next_change() {
    let context = capturing().await;
    let client = Client::of(&context).await;
    assert_eq!(client.subscribe(ACCOUNTS, -1).await["successful"], true);
    let change = context.post("sobjects/Account", json!({"Name": "Acme"}));
    let (messages, made) = tokio::join!(client.connect(50_000), change);
    let data = &messages[0]["data"];
    assert_eq!(messages[0]["channel"], ACCOUNTS);
    assert_eq!(data["payload"]["ChangeEventHeader"]["recordIds"], json!([made.body["id"]]));
    assert_eq!((&data["event"]["replayId"], &data["payload"]["Name"]), (&json!(1), &json!("Acme")));
    assert_eq!(data["schema"].as_str().unwrap().len(), 22);
    assert_eq!(messages[1]["advice"], json!({"interval": 0, "timeout": 110_000, "reconnect": "retry"}));
    assert!(client.received().await.is_empty(), "an event is sent once");
}

#[tokio::test]
async fn a_request_without_events_ends_with_its_timeout() {
    let context = capturing().await;
    let client = Client::of(&context).await;
    client.subscribe(ACCOUNTS, -1).await;
    let messages = client.connect(30).await;
    assert_eq!((messages.len(), &messages[0]["channel"]), (1, &json!("/meta/connect")));
}

#[tokio::test]
async fn a_subscription_begins_at_its_replay_id() {
    let context = capturing().await;
    for name in ["A", "B", "C"] {
        create(&context, name);
    }
    for (replay, expected) in [(-2, vec!["A", "B", "C"]), (1, vec!["B", "C"]), (3, vec![]), (-1, vec![])] {
        let client = Client::of(&context).await;
        assert_eq!(client.subscribe(ACCOUNTS, replay).await["successful"], true);
        assert_eq!(client.received().await, expected.into_iter().map(account).collect::<Vec<_>>(), "{replay}");
    }
}

#[tokio::test]
async fn a_replay_id_that_is_not_kept_is_refused() {
    let mut context = capturing().await;
    create(&context, "A");
    context.org.advance_clock(SignedDuration::from_hours(73));
    create(&context, "B");
    context.log_in(ADMIN);
    let client = Client::of(&context).await;
    for replay in [1, 7, -3] {
        let refused = client.subscribe(ACCOUNTS, replay).await;
        let error = refused["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("400::The replayId {{{replay}}} you provided was invalid.")), "{error}");
        assert_eq!((&refused["successful"], &refused["subscription"]), (&json!(false), &json!(ACCOUNTS)));
    }
    assert!(client.received().await.is_empty());
}

#[tokio::test]
async fn every_channel_of_an_event_has_it() {
    let context = capturing().await;
    context.org.capture_changes("Two__chn", &["Contact"]).unwrap();
    let client = Client::of(&context).await;
    for channel in [ACCOUNTS, "/data/ChangeEvents", "/data/ContactChangeEvent", "/data/Two__chn"] {
        assert_eq!(client.subscribe(channel, -1).await["successful"], true, "{channel}");
    }
    create(&context, "A");
    assert_eq!(client.received().await, [account("A"), ("/data/ChangeEvents".to_owned(), "A".to_owned())]);
    let contact = fields(json!({"LastName": "Vogt"}));
    context.org.create_record(ADMIN, "Contact", &contact).unwrap();
    let channels: Vec<Value> = client.connect(0).await.iter().map(|message| message["channel"].clone()).collect();
    assert_eq!(
        channels,
        ["/data/ContactChangeEvent", "/data/Two__chn", "/meta/connect"],
        "it is not selected for the standard channel"
    );
}

#[tokio::test]
async fn a_client_ends_a_subscription_and_itself() {
    let context = capturing().await;
    let client = Client::of(&context).await;
    client.subscribe(ACCOUNTS, -1).await;
    let ended = client.of_client("/meta/unsubscribe", json!({"subscription": ACCOUNTS})).await;
    assert_eq!((&ended[0]["successful"], &ended[0]["subscription"]), (&json!(true), &json!(ACCOUNTS)));
    create(&context, "A");
    assert!(client.received().await.is_empty());
    assert_eq!(client.of_client("/meta/disconnect", json!({})).await[0]["successful"], true);
    let reply = client.connect(0).await.remove(0);
    assert_eq!((&reply["error"], &reply["advice"]["reconnect"]), (&json!("403::Unknown client"), &json!("handshake")));
}

#[tokio::test]
async fn a_client_that_does_not_connect_for_40_seconds_is_forgotten() {
    let context = capturing().await;
    let client = Client::of(&context).await;
    context.org.advance_clock(SignedDuration::from_secs(40));
    assert_eq!(client.connect(0).await[0]["successful"], true);
    context.org.advance_clock(SignedDuration::from_secs(41));
    assert_eq!(client.connect(0).await[0]["error"], "403::Unknown client");
}

#[tokio::test]
async fn a_client_belongs_to_its_user() {
    let mut context = capturing().await;
    let mut client = Client::of(&context).await;
    context.log_in(CASEY);
    client.token = context.token().to_owned();
    assert_eq!(client.connect(0).await[0]["error"], "403::Unknown client");
}

#[tokio::test]
async fn an_invalid_session_is_denied() {
    let context = capturing().await;
    let mut client = Client::of(&context).await;
    context.org.expire_sessions(ADMIN).unwrap();
    let reply = client.connect(0).await.remove(0);
    assert_eq!(
        (&reply["error"], &reply["advice"]["reconnect"]),
        (&json!("401::Authentication invalid"), &json!("none"))
    );
    client.id.clear();
    let reply = client.send(json!({"channel": "/meta/handshake"})).await.remove(0);
    assert_eq!(reply["error"], "403::Handshake denied");
    assert_eq!(reply["ext"]["sfdc"]["failureReason"], "401::Authentication invalid");
}

#[tokio::test]
async fn a_channel_needs_its_permission_and_must_exist() {
    let mut context = capturing().await;
    let client = Client::of(&context).await;
    for (channel, error) in [
        (
            "/data/NopeChangeEvent",
            "400::The channel you requested to subscribe to does not exist {/data/NopeChangeEvent}",
        ),
        ("/topic/Accounts", "400::The channel you requested to subscribe to does not exist {/topic/Accounts}"),
        ("data/ChangeEvents", "400::Channel subscriptions must start with a leading '/'"),
        ("", "400::Channel name not specified"),
    ] {
        assert_eq!(client.subscribe(channel, -1).await["error"], error);
    }
    context.log_in(CASEY);
    let client = Client::of(&context).await;
    let denied = "403:denied_by_security_policy:create_denied";
    assert_eq!(client.subscribe(ACCOUNTS, -1).await["error"], denied);
    let granted = serde_json::from_value(json!({"view_all": ["Account"]})).unwrap();
    context.org.assign_permission_set(CASEY, &granted).unwrap();
    assert_eq!(client.subscribe(ACCOUNTS, -1).await["successful"], true);
    assert_eq!(client.subscribe("/data/ChangeEvents", -1).await["error"], denied);

    let hidden = serde_json::from_value(json!({"hidden_fields": ["Phone"]})).unwrap();
    context.org.limit_profile("Standard User", "Account", &hidden).unwrap();
    context.org.create_record(ADMIN, "Account", &fields(json!({"Name": "A", "Phone": "1"}))).unwrap();
    let event = client.connect(0).await.remove(0);
    assert_eq!((&event["data"]["payload"]["Name"], &event["data"]["payload"]["Phone"]), (&json!("A"), &Value::Null));
}

#[tokio::test]
async fn the_path_has_a_supported_version() {
    let context = capturing().await;
    for (path, begin) in
        [("cometd", "400::API version"), ("cometd/", "400::API version"), ("cometd/22.0", "400::Unsupported API")]
    {
        let request = context.http.post(format!("{}/{path}", context.org.url())).bearer_auth(context.token());
        let response = context.plain(request.json(&json!({"channel": "/meta/handshake"}))).await;
        assert_eq!(response.status, 400);
        assert!(response.body[0]["error"].as_str().unwrap().starts_with(begin), "{}", response.body);
    }
    let mut client = Client::of(&context).await;
    client.url += "/connect";
    assert_eq!(client.connect(0).await[0]["successful"], true);
}

#[tokio::test]
async fn a_newer_request_of_a_client_ends_the_earlier_one() {
    let context = capturing().await;
    let client = Client::of(&context).await;
    client.subscribe(ACCOUNTS, -1).await;
    let both = async { tokio::join!(client.connect(50_000), client.connect(30)) };
    let (first, second) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
}

#[tokio::test]
async fn a_stop_ends_the_waiting_requests() {
    let context = capturing().await;
    let client = Client::of(&context).await;
    client.subscribe(ACCOUNTS, -1).await;
    let both = async {
        tokio::join!(client.connect(50_000), async {
            context.get("limits").await;
            context.org.stop().await;
        })
    };
    let (messages, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!(messages[0]["successful"], true);
}
