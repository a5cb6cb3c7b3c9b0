//! The events that the functions are invoked with, as their sources send them.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use end_to_end::{Connected, Method};
use local::issuer::TENANT_SCOPE;
use serde_json::{Value, json};
use store::{BusEvent, Erasure, EventDeliveries, EventKind, MirrorRecord, WaitingEvent};

const TENANT: &str = "acme";
/// An org that is not stored.
const OTHER_ORG: &str = "00D5e000000KQ2eEAG";

/// Makes events about one connected org.
pub(crate) struct Events {
    pub(crate) org: String,
    account: String,
    org_url: String,
    public_url: String,
    webhook_path: String,
    claims: Value,
    /// The fingerprint of the access token that the vault holds.
    fingerprint: String,
    /// A task for an event that waits for an endpoint, which answers 410.
    delivery: Value,
    /// Makes each request another one.
    number: AtomicU64,
}

impl Events {
    pub(crate) async fn prepare(connected: &Connected) -> Self {
        let (stack, simulator) = (&connected.stack, connected.stack.simulator());
        let token = stack.token(TENANT, TENANT_SCOPE).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        Self {
            org: simulator.org_id(),
            account: connected.create("Account", &json!({ "Name": "Acme" })).unwrap(),
            org_url: simulator.url().to_owned(),
            public_url: stack.url().to_owned(),
            webhook_path: connected.webhook_url.trim_start_matches(stack.url()).to_owned(),
            claims: texts(&claims),
            fingerprint: stored_fingerprint(connected).await,
            delivery: waiting_delivery(connected).await,
            number: AtomicU64::new(0),
        }
    }

    fn next(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    fn request(&self, method: &str, path: &str, content_type: &str, body: &str) -> Value {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": {
                "content-type": content_type, "idempotency-key": format!("silence-{}", self.next()), "host": "ferry.example.com",
            },
            "requestContext": {
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test" },
                "accountId": "000000000000", "apiId": "api", "domainName": "ferry.example.com", "domainPrefix": "ferry",
                "requestId": "id", "routeKey": "$default", "stage": "$default", "time": "29/Nov/2026:10:00:00 +0000",
                "timeEpoch": 1_795_946_400_000_u64,
                "authorizer": { "jwt": { "claims": self.claims, "scopes": null } },
            },
            "body": body, "isBase64Encoded": false,
        })
    }

    fn json(&self, method: &str, path: &str, body: &Value) -> Value {
        self.request(method, path, "application/json", &body.to_string())
    }

    fn of_org(&self, rest: &str) -> String {
        format!("/v1/orgs/{}{rest}", self.org)
    }

    fn connection(&self, operation: &str) -> Value {
        json!({ "operation": operation, "org_id": self.org, "connection_id": "team" })
    }

    pub(crate) fn install(&self) -> Value {
        self.json("POST", "/webhooks/salesforce/installs", &json!({ "organization_id": self.org }))
    }

    pub(crate) fn team_connected(&self) -> Value {
        json!({
            "event": "team_connected", "org_id": self.org, "tenant": TENANT, "environment": "production",
            "login_url": self.org_url,
        })
    }

    pub(crate) fn connect_link(&self) -> Value {
        let link =
            json!({ "tenant": TENANT, "kind": "team", "environment": "production", "my_domain_url": self.org_url });
        self.json("POST", "/v1/connect-links", &link)
    }

    pub(crate) fn disconnect(&self) -> Value {
        self.json("DELETE", &self.of_org("/connections/team"), &Value::Null)
    }

    pub(crate) fn access_token(&self) -> Value {
        self.connection("access_token")
    }

    pub(crate) fn refresh(&self) -> Value {
        let mut request = self.access_token();
        request["refused_fingerprint"] = json!(self.fingerprint);
        request
    }

    pub(crate) fn revoke(&self) -> Value {
        self.connection("revoke")
    }

    pub(crate) fn exchange_code(&self) -> Value {
        json!({
            "operation": "exchange_code", "kind": "team", "tenant": TENANT, "app": "v2", "login_url": self.org_url,
            "redirect_uri": format!("{}/oauth/callback", self.public_url), "code": "code", "code_verifier": "verifier",
        })
    }

    pub(crate) fn outbound_message(&self) -> Value {
        let message = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
                xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
            <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
            <OrganizationId>{}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId><SessionId xsi:nil="true"/>
            <Notification><Id>04l5e0000000001AAA</Id><sObject xsi:type="sf:Account" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
            <sf:Id>{}</sf:Id></sObject></Notification></notifications></soapenv:Body></soapenv:Envelope>"#,
            self.org, self.account
        );
        self.request("POST", &self.webhook_path, "text/xml; charset=utf-8", &message)
    }

    pub(crate) fn change_event(&self) -> Value {
        let header = json!({
            "entityName": "Account", "recordIds": [self.account], "changeType": "UPDATE", "transactionKey": "silence",
            "sequenceNumber": 1, "changedFields": ["Name"],
        });
        json!({
            "version": "0", "id": "5c42b99e-e005-43b3-c744-07990c50d2cc", "detail-type": "AccountChangeEvent",
            "source": format!("aws.partner/salesforce.com/{}/0YL5e000000CaRkGAK", self.org), "account": "000000000000",
            "time": "2026-11-22T10:00:00Z", "region": "us-east-1", "resources": [],
            "detail": { "payload": { "ChangeEventHeader": header } },
        })
    }

    pub(crate) fn hint(&self) -> Value {
        let record = json!({ "object": "Account", "record_id": self.account });
        message(&json!({
            "org_id": self.org, "delivery_id": format!("silence-{}", self.next()), "source": "outbound_message",
            "record": record, "received_at": now(),
        }))
    }

    /// Returns a message that becomes a dead letter.
    pub(crate) fn unreadable_hint(&self) -> Value {
        message(&json!({ "org_id": self.org }))
    }

    pub(crate) fn stream(&self) -> Value {
        let row = |name: &str| {
            let record = MirrorRecord {
                org_id: self.org.parse().unwrap(),
                object: "Account".parse().unwrap(),
                record_id: self.account.parse().unwrap(),
                fields: json!({ "Name": name }).as_object().unwrap().clone(),
                system_modstamp: "2026-11-22T10:15:30Z".parse().unwrap(),
                // Read for the present tenant of the org.
                read_at: salesforce::Clock::system().now(),
                deleted: false,
                master_record_id: None,
                deletion_reason: None,
                erased: false,
                outdated_since: None,
                carried: store::records::Carried::default(),
            };
            let item: serde_dynamo::Item = serde_dynamo::to_item(record).unwrap();
            serde_json::to_value(item).unwrap()
        };
        let change = json!({
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/ferry-records/stream/2026-11-22T10:00:00.000",
            "awsRegion": "us-east-1", "eventID": "change", "eventName": "MODIFY",
            "dynamodb": {
                "Keys": {}, "OldImage": row("Acme"), "NewImage": row("Acme Inc"), "SequenceNumber": "1", "SizeBytes": 1,
            },
        });
        json!({ "Records": [change] })
    }

    /// Returns an event of the bus for the tenant's endpoints.
    pub(crate) fn bus_event(&self) -> Value {
        let detail = bus_event(&self.org, "0015e00000ZkM3hAAF", &format!("silence-{}", self.next()));
        message(&json!({ "version": "0", "source": "ferry", "detail-type": detail.kind, "detail": detail }))
    }

    pub(crate) fn delivery_task(&self) -> Value {
        message(&self.delivery)
    }

    pub(crate) fn write(&self) -> Value {
        let name = format!("Written {}", self.next());
        let record = json!({ "Ferry_External_Id__c": name, "Name": name });
        let body = json!({ "external_id_field": "Ferry_External_Id__c", "records": [record] });
        self.json("POST", &self.of_org("/records/Account"), &body)
    }

    pub(crate) fn note(&self) -> Value {
        let title = format!("Call {}", self.next());
        self.json("POST", &self.of_org("/notes"), &json!({ "title": title, "text": "Met", "links": [self.account] }))
    }

    pub(crate) fn file(&self) -> Value {
        let title = format!("Deck {}", self.next());
        let file =
            json!({ "title": title, "file_name": "deck.pdf", "content_base64": "aGVsbG8=", "links": [self.account] });
        self.json("POST", &self.of_org("/files"), &file)
    }

    pub(crate) fn health(&self) -> Value {
        self.json("GET", &self.of_org("/health"), &Value::Null)
    }

    pub(crate) fn describe(&self) -> Value {
        self.json("GET", &self.of_org("/objects/Account"), &Value::Null)
    }

    pub(crate) fn settings(&self) -> Value {
        self.json("GET", &self.of_org("/settings"), &Value::Null)
    }

    pub(crate) fn changed_settings(&self) -> Value {
        let body = json!({ "fields": { "Account": ["Name"] } });
        let mut request = self.json("PUT", &self.of_org("/settings"), &body);
        request["headers"]["if-match"] = json!("\"0\"");
        request
    }

    pub(crate) fn refresh_task(&self) -> Value {
        message(&json!({ "org_id": self.org, "kind": "incremental", "object": "Account", "requested_at": now() }))
    }

    pub(crate) fn nightly(&self) -> Value {
        json!({ "kind": "nightly" })
    }

    pub(crate) fn erase_org(&self) -> Value {
        self.json("DELETE", &self.of_org("/data"), &Value::Null)
    }

    /// Returns an erasure of which only the connections are left.
    pub(crate) fn erasure(&self) -> Erasure {
        let now = salesforce::Clock::system().now();
        let checkpoint = Some(json!({ "step": "connections" }).to_string());
        Erasure { begins_at: now, checkpoint, ..Erasure::requested(self.org.parse().unwrap(), None, now) }
    }

    /// Returns the erasure of another org, of which the contents of files are left.
    pub(crate) fn erasure_of_files(&self) -> Erasure {
        let now = salesforce::Clock::system().now();
        let checkpoint = Some(json!({ "step": "staged_files" }).to_string());
        Erasure { begins_at: now, checkpoint, ..Erasure::requested(OTHER_ORG.parse().unwrap(), None, now) }
    }

    pub(crate) fn staged_files_task(&self) -> Value {
        message(&json!({ "org_id": OTHER_ORG, "erasure_id": self.erasure_of_files().erasure_id }))
    }

    pub(crate) fn erasure_task(&self) -> Value {
        message(&json!({ "org_id": self.org, "erasure_id": self.erasure().erasure_id }))
    }
}

fn bus_event(org: &str, account: &str, id: &str) -> BusEvent {
    let org = org.parse().unwrap();
    let mut event = BusEvent::new(org, EventKind::RecordDeleted, format!("Account/{account}"), id);
    event.data = json!({ "org_id": org, "tenant": TENANT });
    event
}

/// Creates an endpoint that answers 410, and stores an event that waits for it, of a record that has no other event. Returns the
/// event's task.
async fn waiting_delivery(connected: &Connected) -> Value {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let gone = Router::new().fallback(async || http::StatusCode::GONE);
    #[expect(clippy::disallowed_methods, reason = "the server ends with the test")]
    tokio::spawn(async move { axum::serve(listener, gone).await });
    let created = connected.platform(Method::POST, "/v1/webhook-endpoints", &json!({ "url": url })).await.unwrap();
    let dynamodb = aws_sdk_dynamodb::Client::new(connected.stack.sdk_config());
    let deliveries = EventDeliveries::new(dynamodb, connected.stack.output("EventDeliveriesTable").unwrap());
    let endpoint = created["id"].as_str().unwrap().parse().unwrap();
    let event = bus_event(&connected.stack.simulator().org_id(), "0015e00000AbCdEAAV", "waiting");
    let waiting = WaitingEvent::new(endpoint, &event, salesforce::Clock::system().now()).unwrap();
    deliveries.accept(&waiting).await.unwrap();
    serde_json::to_value(waiting.task(TENANT.parse().unwrap())).unwrap()
}

/// Returns the event of a queue with one message.
fn message(body: &Value) -> Value {
    json!({ "Records": [{
        "messageId": "message", "receiptHandle": "handle", "body": body.to_string(), "attributes": {}, "messageAttributes": {},
        "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    }] })
}

/// Returns the claims as API Gateway passes them: all are texts.
fn texts(claims: &Value) -> Value {
    let claims = claims.as_object().unwrap().iter();
    claims
        .map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| json!(value.to_string()), |text| json!(text)))
        })
        .collect()
}

fn now() -> String {
    format!("{:.3}", salesforce::Clock::system().now())
}

async fn stored_fingerprint(connected: &Connected) -> String {
    let secrets = aws_sdk_secretsmanager::Client::new(connected.stack.sdk_config());
    let name = format!("ferry/ferry/tokens/{}/team", connected.stack.simulator().org_id());
    let secret = secrets.get_secret_value().secret_id(name).send().await.unwrap().secret_string.unwrap();
    let secret: Value = serde_json::from_str(&secret).unwrap();
    let token = secret["access_token"].as_str().unwrap().to_owned();
    salesforce::Fingerprint::from_token(&token.into()).to_string()
}
