use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use org_simulator::{
    DeliveryState, Error, Features, OutboundDisturbance, OutboundMessage, OutboundSettings, PackageInstall,
};
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, JORDAN, TestContext, fields};

const ACK: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
     <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>";

/// An endpoint that stores the messages it receives and responds as set.
#[derive(Clone)]
struct Endpoint {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
    response: Arc<Mutex<(u16, String)>>,
}

impl Endpoint {
    #[expect(clippy::disallowed_methods, reason = "the endpoint serves beside the test")]
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/SECRET", listener.local_addr().unwrap());
        let endpoint = Self { url, received: Arc::default(), response: Arc::new(Mutex::new((200, ACK.to_owned()))) };
        let app = Router::new().route("/hooks/SECRET", post(receive)).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        endpoint
    }

    fn response(&self, status: u16, body: &str) {
        *self.response.lock().unwrap() = (status, body.to_owned());
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn definition(&self, fields: &[&str]) -> OutboundMessage {
        let fields = fields.iter().map(|f| (*f).to_owned()).collect();
        OutboundMessage {
            name: "Notify".to_owned(),
            object: "Opportunity".to_owned(),
            fields,
            endpoint_url: self.url.clone(),
        }
    }
}

async fn receive(State(endpoint): State<Endpoint>, body: String) -> (StatusCode, String) {
    endpoint.received.lock().unwrap().push(body);
    let (status, response) = endpoint.response.lock().unwrap().clone();
    (StatusCode::from_u16(status).unwrap(), response)
}

async fn opportunity(context: &TestContext) -> String {
    context.id_of("Opportunity", "Quillfeather & Sons - press optics").await
}

#[tokio::test]
async fn a_change_is_sent_as_it_is_recorded_from_real_orgs() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    let action = context
        .org
        .define_outbound_message(&endpoint.definition(&[
            "StageName",
            "Id",
            "Amount",
            "CloseDate",
            "IsClosed",
            "Name",
            "LastModifiedDate",
            "NextStep",
        ]))
        .unwrap();
    let id = opportunity(&context).await;
    context.org.update_record(ADMIN, "Opportunity", &id, &fields(json!({"Amount": 15000, "NextStep": null}))).unwrap();

    let tried = context.org.deliver_outbound_messages().await;

    let org = context.org.org_id();
    let soap = |kind: &str| format!("{}/services/Soap/{kind}/66.0/{}", context.org.url(), &org[..15]);
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n \
         <soapenv:Body>\n  <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">\n   <OrganizationId>{org}</OrganizationId>\n   <ActionId>{action}</ActionId>\n   <SessionId xsi:nil=\"true\"/>\n   \
         <EnterpriseUrl>{}</EnterpriseUrl>\n   <PartnerUrl>{}</PartnerUrl>\n   <Notification>\n    <Id>{}</Id>\n    <sObject xsi:type=\"sf:Opportunity\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\n     \
         <sf:Id>{id}</sf:Id>\n     <sf:Amount>15000.0</sf:Amount>\n     <sf:CloseDate>2027-02-15</sf:CloseDate>\n     <sf:IsClosed>false</sf:IsClosed>\n     <sf:LastModifiedDate>2026-11-22T10:00:00.000Z</sf:LastModifiedDate>\n     \
         <sf:Name>Quillfeather &amp; Sons - press optics</sf:Name>\n     <sf:StageName>Needs Analysis</sf:StageName>\n    </sObject>\n   </Notification>\n  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>",
        soap("c"),
        soap("u"),
        tried[0].notification_id
    );
    assert_eq!(endpoint.received(), [expected]);
    assert_eq!((tried[0].state, tried[0].attempts), (DeliveryState::Delivered, 1));
    assert!(context.org.deliver_outbound_messages().await.is_empty());
}

#[tokio::test]
async fn a_message_has_the_record_at_the_time_of_sending() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Amount"])).unwrap();
    let id = opportunity(&context).await;
    for amount in [1, 2] {
        context.org.update_record(ADMIN, "Opportunity", &id, &fields(json!({"Amount": amount}))).unwrap();
    }
    context.org.deliver_outbound_messages().await;
    let body = endpoint.received().pop().unwrap();
    assert_eq!((body.matches("<Notification>").count(), body.matches("<sf:Amount>2.0</sf:Amount>").count()), (2, 2));

    context.org.update_record(ADMIN, "Opportunity", &id, &fields(json!({"Amount": 3}))).unwrap();
    context.org.delete_record(ADMIN, "Opportunity", &id).unwrap();
    context.org.deliver_outbound_messages().await;

    let body = endpoint.received().pop().unwrap();
    assert!(body.contains(&format!("<sf:Id>{id}</sf:Id>\n    </sObject>")), "{body}");
}

#[tokio::test]
async fn a_retry_has_the_same_notification_id() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    let id = opportunity(&context).await;
    context.org.update_record(ADMIN, "Opportunity", &id, &fields(json!({"Amount": 1}))).unwrap();
    for (status, body, outcome) in [
        (503, "", "status 503"),
        (200, "{}", "status 200 without an Ack"),
        (200, &ACK.replace("true", "false"), "status 200 with Ack false"),
    ] {
        endpoint.response(status, body);
        let tried = context.org.deliver_outbound_messages().await;
        assert_eq!((tried[0].state, tried[0].last_outcome.as_deref()), (DeliveryState::Pending, Some(outcome)));
        assert!(context.org.deliver_outbound_messages().await.is_empty(), "it waits for its pause");
        context.org.advance_clock(jiff::SignedDuration::from_mins(4));
    }
    endpoint.response(200, ACK);

    let tried = context.org.deliver_outbound_messages().await;

    assert_eq!((tried[0].state, tried[0].attempts), (DeliveryState::Delivered, 4));
    let ids: std::collections::BTreeSet<String> =
        endpoint.received().iter().map(|body| body.split("<Id>").nth(1).unwrap()[..18].to_owned()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn delivery_is_given_up_after_a_day() {
    let context = TestContext::new().await;
    let definition = OutboundMessage {
        endpoint_url: "http://127.0.0.1:1/".to_owned(),
        ..Endpoint::start().await.definition(&["Name"])
    };
    context.org.define_outbound_message(&definition).unwrap();
    let id = opportunity(&context).await;
    context.org.update_record(ADMIN, "Opportunity", &id, &fields(json!({"Amount": 1}))).unwrap();
    while let Some(next) = context.org.outbound_messages()[0].next_attempt_at {
        context.org.advance_clock(next.duration_since(context.org.clock().now()));
        context.org.deliver_outbound_messages().await;
    }
    let last = context.org.outbound_messages().remove(0);
    assert_eq!(last.state, DeliveryState::Dropped);
    assert!(last.attempts > 15, "{}", last.attempts);
}

#[tokio::test]
async fn a_rolled_back_write_queues_no_notification() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    let record = |name: &str| json!({"attributes": {"type": "Opportunity"}, "Name": name, "StageName": "Prospecting", "CloseDate": "2027-01-01"});
    let body = json!({"allOrNone": true, "records": [record("A"), {"attributes": {"type": "Opportunity"}}]});
    context.post("composite/sobjects", body).await;
    assert!(context.org.outbound_messages().is_empty());
    context
        .post("composite/sobjects", json!({"records": [record("A"), {"attributes": {"type": "Opportunity"}}]}))
        .await;
    assert_eq!(context.org.outbound_messages().len(), 1);
}

#[tokio::test]
async fn messages_go_to_loopback_addresses_only() {
    let context = TestContext::new().await;
    let definition = OutboundMessage {
        name: "N".to_owned(),
        object: "Account".to_owned(),
        fields: Vec::new(),
        endpoint_url: "https://hooks.example.com/x".to_owned(),
    };
    assert!(matches!(context.org.define_outbound_message(&definition), Err(Error::NotLoopback { .. })));
    let unknown = OutboundMessage {
        fields: vec!["Nope".to_owned()],
        endpoint_url: "http://127.0.0.1:1/".to_owned(),
        ..definition
    };
    assert!(
        matches!(context.org.define_outbound_message(&unknown), Err(Error::Refused { code, .. }) if code == "INVALID_FIELD")
    );
}

#[tokio::test]
async fn an_installation_calls_the_callout_url() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    endpoint.response(202, "{\"state\":\"claimed\"}");
    let install = PackageInstall {
        callout_url: endpoint.url.clone(),
        package_version: "2.1.0".to_owned(),
        previous_version: None,
        is_push: false,
    };

    let response = context.org.install_package(&install).await.unwrap();

    assert_eq!((response.status, &response.body), (202, &json!({"state": "claimed"})));
    let sent: Value = serde_json::from_str(&endpoint.received()[0]).unwrap();
    let admin = context.org.users().remove(0);
    let expected = json!({
        "organization_id": context.org.org_id(), "installer_id": admin.id, "package_version": "2.1.0", "previous_version": null, "is_upgrade": false,
        "is_push": false, "org_domain_url": context.org.url(), "is_sandbox": false, "instance_name": "SIM1", "organization_type": "Enterprise Edition",
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn messages_are_sent_automatically() {
    let endpoint = Endpoint::start().await;
    let options = org_simulator::Options { send_outbound_messages: true, ..org_simulator::Options::default() };
    let org = org_simulator::Simulator::start(options).await.unwrap();
    org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    org.create_record(
        ADMIN,
        "Opportunity",
        &fields(json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2027-01-01"})),
    )
    .unwrap();
    let delivered = async {
        while org.outbound_messages()[0].state != DeliveryState::Delivered {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), delivered).await.unwrap();
    org.stop().await;
}

async fn change(context: &TestContext, user: &str, amount: u32) -> String {
    let id = opportunity(context).await;
    context.org.update_record(user, "Opportunity", &id, &fields(json!({"Amount": amount}))).unwrap();
    id
}

fn settings(settings: OutboundSettings) -> OutboundSettings {
    OutboundSettings { api_version: "59.0".to_owned(), ..settings }
}

#[tokio::test]
async fn settings_choose_api_version_and_session_id() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    let old = OutboundSettings { include_session_id: true, ..OutboundSettings::default() };
    context.org.configure_outbound_message("Notify", settings(old)).unwrap();
    change(&context, ADMIN, 1).await;
    context.org.deliver_outbound_messages().await;
    let body = endpoint.received().pop().unwrap();
    let between = |start: &str, end: &str| body.split(start).nth(1).unwrap().split(end).next().unwrap().to_owned();
    let org = &context.org.org_id()[..15];
    assert_eq!(between("<PartnerUrl>", "</"), format!("{}/services/Soap/u/59.0/{org}", context.org.url()));
    let session = between("<SessionId>", "</SessionId>");
    let limits = context.http.get(format!("{}/services/data/v66.0/limits", context.org.url())).bearer_auth(session);
    assert_eq!(context.plain(limits).await.status, 200);

    let unknown = OutboundSettings { api_version: "5.0".to_owned(), ..OutboundSettings::default() };
    assert!(context.org.configure_outbound_message("Notify", unknown).is_err());
    assert!(context.org.configure_outbound_message("Nope", OutboundSettings::default()).is_err());
}

#[tokio::test]
async fn without_activation_or_permission_nothing_is_sent() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    let inactive = OutboundSettings { active: false, ..OutboundSettings::default() };
    context.org.configure_outbound_message("Notify", inactive).unwrap();
    change(&context, ADMIN, 1).await;
    assert!(context.org.outbound_messages().is_empty());
    context.org.configure_outbound_message("Notify", OutboundSettings::default()).unwrap();
    context.org.set_sends_outbound_messages(ADMIN, false).unwrap();
    change(&context, ADMIN, 2).await;
    assert!(context.org.outbound_messages().is_empty(), "what the integration itself writes does not come back");
    change(&context, CASEY, 3).await;
    context.org.set_sends_outbound_messages(ADMIN, true).unwrap();
    change(&context, ADMIN, 4).await;
    assert_eq!(context.org.outbound_messages().len(), 2);
    context.org.set_features(Features { outbound_messages: false, ..Features::default() });
    change(&context, ADMIN, 5).await;
    assert_eq!(context.org.outbound_messages().len(), 2, "not every edition has outbound messages");
    assert!(context.org.define_outbound_message(&endpoint.definition(&["Name"])).is_err());
    assert_eq!(context.admin(reqwest::Method::DELETE, "outbound-messages/Notify", None).await.status, 200);
    assert!(context.org.outbound_messages().iter().all(|delivery| delivery.state == DeliveryState::Dropped));
}

#[tokio::test]
async fn the_integration_user_limits_what_is_sent() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Amount"])).unwrap();
    let seen_by =
        |user: &str| OutboundSettings { integration_user: Some(user.to_owned()), ..OutboundSettings::default() };
    context.org.set_private("Opportunity", true).unwrap();
    for (user, sees) in [(ADMIN, true), (JORDAN, false)] {
        context.org.configure_outbound_message("Notify", seen_by(user)).unwrap();
        change(&context, ADMIN, 5).await;
        context.org.deliver_outbound_messages().await;
        assert_eq!(endpoint.received().pop().unwrap().contains("<sf:Amount>"), sees, "{user}");
    }
}

#[tokio::test]
async fn a_test_can_order_duplicates_and_disorder() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    context.org.disturb_outbound_messages(OutboundDisturbance {
        duplicates: 1,
        shuffle: Some(1),
        batch: 1,
        omit_deleted: true,
    });
    let mut id = String::new();
    for amount in 0..8 {
        id = change(&context, ADMIN, amount).await;
    }
    let tried = context.org.deliver_outbound_messages().await;
    assert_eq!(tried.iter().filter(|d| d.state == DeliveryState::Delivered && d.attempts == 1).count(), 8);
    let ids: Vec<String> =
        endpoint.received().iter().map(|body| body.split("<Id>").nth(1).unwrap()[..18].to_owned()).collect();
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(ids.len(), 16);
    assert!(ids != sorted && sorted.chunks(2).all(|pair| pair[0] == pair[1]), "{ids:?}");

    change(&context, ADMIN, 9).await;
    context.org.delete_record(ADMIN, "Opportunity", &id).unwrap();
    context.org.deliver_outbound_messages().await;
    assert!(!endpoint.received().pop().unwrap().contains("sObject"));
}

#[tokio::test]
async fn failed_deliveries_can_be_read_and_filtered() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    context.org.define_outbound_message(&endpoint.definition(&["Name"])).unwrap();
    let fault = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server</faultcode>\
         <faultstring>busy</faultstring></s:Fault></s:Body></s:Envelope>";
    let id = change(&context, ADMIN, 1).await;
    endpoint.response(500, fault);
    assert_eq!(context.org.deliver_outbound_messages().await.len(), 1);
    let path = format!("outbound-messages?state=pending&record={id}&limit=1");
    let status = context.admin(reqwest::Method::GET, &path, None).await.body;
    assert_eq!(status["deliveries"][0]["last_outcome"], "status 500 with a SOAP fault: busy");
    let delivered = context.admin(reqwest::Method::GET, "outbound-messages?state=delivered", None).await.body;
    assert_eq!((&delivered["total"], &delivered["deliveries"]), (&json!(0), &json!([])));
    let misspelt = context.admin(reqwest::Method::GET, "outbound-messages?sate=pending", None).await;
    assert_eq!(misspelt.status, 400);
}

#[tokio::test]
async fn a_silent_endpoint_does_not_delay_others() {
    let (context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let definition = endpoint.definition(&["Name"]);
    context
        .org
        .define_outbound_message(&OutboundMessage {
            name: "Silent".to_owned(),
            endpoint_url: url,
            ..definition.clone()
        })
        .unwrap();
    context.org.define_outbound_message(&definition).unwrap();
    context.org.set_callout_timeout(std::time::Duration::from_millis(300));
    change(&context, ADMIN, 1).await;
    let start = tokio::time::Instant::now();
    let tried = context.org.deliver_outbound_messages().await;
    assert!(start.elapsed() >= std::time::Duration::from_millis(300));
    assert!(tried[0].last_outcome.as_deref().unwrap().starts_with("timeout: "), "{tried:?}");
    assert_eq!((tried[1].state, endpoint.received().len()), (DeliveryState::Delivered, 1));
}

#[tokio::test]
async fn the_tooling_api_changes_an_endpoint() {
    let (mut context, endpoint) = (TestContext::new().await, Endpoint::start().await);
    let old = OutboundMessage { endpoint_url: "http://127.0.0.1:1/".to_owned(), ..endpoint.definition(&["Name"]) };
    let action = context.org.define_outbound_message(&old).unwrap();
    let soql = "tooling/query?q=SELECT+Id,Name,FullName,EndpointUrl,ApiVersion+FROM+WorkflowOutboundMessage+WHERE+Name='Notify'";
    let found = context.get(soql).await.body;
    assert_eq!((&found["size"], &found["entityTypeName"]), (&json!(1), &json!("WorkflowOutboundMessage")));
    let listed = context.get("tooling/sobjects").await.body;
    let url = "/services/data/v66.0/tooling/sobjects/WorkflowOutboundMessage";
    let is_listed = |object: &Value| object["name"] == "WorkflowOutboundMessage" && object["urls"]["sobject"] == url;
    assert!(listed["sobjects"].as_array().unwrap().iter().any(is_listed), "{listed}");
    let row = &found["records"][0];
    assert_eq!(
        (&row["Id"], &row["FullName"], &row["EndpointUrl"]),
        (&json!(action), &json!("Opportunity.Notify"), &json!("http://127.0.0.1:1/"))
    );

    let path = format!("tooling/sobjects/WorkflowOutboundMessage/{action}");
    let mut metadata = context.get(&path).await.body["Metadata"].clone();
    metadata["endpointUrl"] = json!(endpoint.url);
    metadata["includeSessionId"] = json!(true);
    assert_eq!(context.patch(&path, json!({"Metadata": metadata})).await.status, 204);
    change(&context, ADMIN, 1).await;
    assert_eq!(context.org.deliver_outbound_messages().await[0].state, DeliveryState::Delivered);
    assert!(endpoint.received()[0].contains("<SessionId xsi:nil=\"true\"/>"), "the flag is ignored");

    let created = json!({"FullName": "Account.Tell", "Metadata": {"apiVersion": 60.0, "endpointUrl": endpoint.url, "fields": ["Id", "Name"], "integrationUser": ADMIN, "name": "Tell"}});
    let made = context.post("tooling/sobjects/WorkflowOutboundMessage", created.clone()).await;
    assert_eq!((made.status, &made.body["success"]), (201, &json!(true)));
    assert_eq!(
        context.post("tooling/sobjects/WorkflowOutboundMessage", created).await.code(),
        "DUPLICATE_DEVELOPER_NAME"
    );
    let unknown = json!({"Metadata": {"endPoint": "x"}});
    assert_eq!(context.patch(&path, unknown).await.code(), "JSON_PARSER_ERROR");
    assert_eq!(context.delete(&path).await.status, 204);
    assert_eq!(context.get(&path).await.status, 404);
    context.log_in(CASEY);
    assert_eq!(context.get(soql).await.status, 403);
}
