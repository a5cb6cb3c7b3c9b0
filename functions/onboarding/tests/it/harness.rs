//! The test context: the function, an unknown org, and tables of its own.

use std::ops::Deref;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use connecting::onboarding::{Event, TeamConnected};
use http::{Request, StatusCode};
use onboarding::{Deps, Error, Reply, handle, router};
use org_simulator::OutboundMessage;
use salesforce::OrgId;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use store::{ConnectionId, ConnectionKind, Environment, Org, Queue, UserRights};
use tower::ServiceExt as _;

/// The simulator sends to this machine only; nothing listens there.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:9";

pub(crate) struct TestContext {
    pub(crate) deps: Deps,
    context: harness::TestContext,
}

impl Deref for TestContext {
    type Target = harness::TestContext;

    fn deref(&self) -> &harness::TestContext {
        &self.context
    }
}

impl TestContext {
    pub(crate) async fn new() -> Self {
        let context = harness::TestContext::new().await;
        let queue = context.queue_url("BackfillQueue");
        let deps = Deps {
            orgs: context.orgs.clone(),
            connections: context.connections.clone(),
            salesforce: context.salesforce.clone(),
            connection_manager: context.connection_manager(),
            refreshes: Queue::new(context.sqs(), queue, context.clock.clone()),
            webhook_url: PUBLIC_URL.to_owned(),
            client: soap_receiver::RequiredClient::default(),
            setup_timeout: Duration::from_secs(30),
            clock: context.clock.clone(),
        };
        Self { deps, context }
    }

    /// An admin of the org has connected it.
    pub(crate) async fn team_connected(&self, tenant: &str) -> Result<Reply, Error> {
        self.team_connected_with(tenant, UserRights { administrator: true, limited_objects: Vec::new() }).await
    }

    /// A user of the org with these rights has connected it.
    pub(crate) async fn team_connected_with(&self, tenant: &str, rights: UserRights) -> Result<Reply, Error> {
        self.connect_as(tenant, ConnectionKind::Team, Some(rights)).await;
        self.announce_team(tenant).await
    }

    /// Reports a team connection, as `oauth-callback` does after a consent.
    pub(crate) async fn announce_team(&self, tenant: &str) -> Result<Reply, Error> {
        let connected = TeamConnected {
            org_id: self.org,
            tenant: tenant.parse().unwrap(),
            environment: Environment::Production,
            login_url: "https://login.salesforce.com".to_owned(),
        };
        handle(&self.deps, Event::TeamConnected(connected)).await
    }

    /// Sends the request and gives the status and the body.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = router(self.deps.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    pub(crate) async fn org(&self) -> Option<Org> {
        self.load(self.org).await
    }

    pub(crate) async fn load(&self, org: OrgId) -> Option<Org> {
        self.deps.orgs.load(org).await.unwrap()
    }

    /// Puts outbound messages into the org, as the package brings them.
    pub(crate) fn install_messages(&self, names: &[&str]) {
        for name in names {
            let message = OutboundMessage {
                name: (*name).to_owned(),
                object: "Account".to_owned(),
                fields: vec!["Id".to_owned()],
                endpoint_url: format!("{PUBLIC_URL}/webhooks/salesforce/unset/unset"),
            };
            self.simulator.define_outbound_message(&message).unwrap();
        }
    }

    /// The secrets in the addresses of the org's outbound messages, as the org has them; the whole address where it is
    /// another one.
    pub(crate) async fn secrets_in_org(&self) -> Vec<String> {
        let client = self.salesforce.client(self.org, &ConnectionId::team());
        let mut secrets = Vec::new();
        for id in client.list_outbound_message_definitions(|_| true).await.unwrap().unwrap() {
            let definition = client.fetch_outbound_message_definition(&id).await.unwrap();
            let url = definition.endpoint_url.expose_secret();
            let base = format!("{PUBLIC_URL}/webhooks/salesforce/{}/", self.org);
            secrets.push(url.strip_prefix(&base).unwrap_or(url).to_owned());
        }
        secrets
    }

    /// The bodies of the refresh tasks that are queued now.
    pub(crate) async fn queued(&self) -> Vec<Value> {
        let url = self.queue_url("BackfillQueue");
        let receive = self.sqs().receive_message().queue_url(url).max_number_of_messages(10).send();
        let messages = receive.await.unwrap().messages.unwrap_or_default();
        messages.iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()).collect()
    }
}
