//! The vendor's License Management Org, simulated, over HTTP.

use harness::run;
use http::StatusCode;
use onboarding::router;
use org_simulator::{OrgKind, OrgOptions, OutboundMessage, PackageInstall, Simulator};
use salesforce::OrgId;
use store::{ConnectionId, ConnectionKind, ConnectionState, Environment, LicenseStatus, OrgState, WebhookSecret};
use tokio::net::TcpListener;

use crate::harness::TestContext;

/// A License Management Org beside the customer's, whose messages go to the function.
struct Vendor {
    context: TestContext,
    org: Simulator,
    base: String,
    secret: String,
}

impl Vendor {
    async fn new() -> Self {
        let context = TestContext::new().await;
        let options = OrgOptions { kind: OrgKind::LicenseManagement, ..OrgOptions::default() };
        let org = context.simulator.add_org(options).await.unwrap();
        org.prepare_license_management();
        let secret = WebhookSecret::generate(&mut rand::rng());
        let (id, hash) = (org.org_id().parse().unwrap(), secret.hash(context.deps.clock.now()));
        context.deps.orgs.register_license_management(id, None, hash).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let function = router(context.deps.clone());
        #[expect(clippy::disallowed_methods, reason = "a server of a test ends with the test")]
        tokio::spawn(async move { axum::serve(listener, function).await });
        let fields = ["Id", "Name", "sfLma__Subscriber_Org_ID__c", "sfLma__License_Status__c", "sfLma__Is_Sandbox__c"];
        let more = ["sfLma__Package_Version_Number__c", "sfLma__Expiration_Date__c", "LastModifiedDate"];
        let message = OutboundMessage {
            name: "Licence".to_owned(),
            object: "sfLma__License__c".to_owned(),
            fields: fields.iter().chain(&more).map(|name| (*name).to_owned()).collect(),
            endpoint_url: format!("{base}/webhooks/licenses/{}/{}", org.org_id(), secret.reveal()),
        };
        org.define_outbound_message(&message).unwrap();
        Self { context, org, base, secret: secret.reveal().to_owned() }
    }

    async fn install(&self, customer: &Simulator, version: &str, before: Option<&str>, is_push: bool) {
        let install = PackageInstall {
            callout_url: format!("{}/webhooks/salesforce/installs", self.base),
            package_version: version.to_owned(),
            previous_version: before.map(str::to_owned),
            is_push,
        };
        assert_eq!(customer.install_package(&install).await.unwrap().status, 202);
    }

    /// Sends what the License Management Org has to send; all of it is acknowledged.
    async fn deliver(&self) {
        self.org.deliver_outbound_messages().await;
        let messages = self.org.outbound_messages();
        assert!(!messages.is_empty());
        for message in messages {
            assert_eq!(message.last_outcome.as_deref(), Some("acknowledged"), "{message:?}");
        }
    }

    async fn post(&self, org: &str, secret: &str, body: String) -> u16 {
        use axum::body::Body;
        let uri = format!("/webhooks/licenses/{org}/{secret}");
        let request = http::Request::post(uri).header("content-type", "text/xml").body(Body::from(body)).unwrap();
        self.context.send(request).await.0.as_u16()
    }
}

fn message(org: &str, customer: &str, status: &str, at: &str) -> String {
    format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{org}</OrganizationId><ActionId>04k5e000000CaRkAAK</ActionId><Notification><Id>04l5e00000Gx7Qz</Id><sObject xsi:type="sf:sfLma__License__c" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>a0a5e00000AbCdE</sf:Id><sf:sfLma__Subscriber_Org_ID__c>{customer}</sf:sfLma__Subscriber_Org_ID__c><sf:sfLma__License_Status__c>{status}</sf:sfLma__License_Status__c><sf:LastModifiedDate>{at}</sf:LastModifiedDate></sObject></Notification></notifications></s:Body></s:Envelope>"#
    )
}

#[test]
fn a_package_is_followed_from_install_to_uninstall() {
    run(async {
        let vendor = Vendor::new().await;
        let (context, customer) = (&vendor.context, &vendor.context.simulator);

        vendor.install(customer, "1.0.0", None, false).await;
        vendor.deliver().await;
        let claimed = context.org().await.unwrap();
        assert_eq!((claimed.state, claimed.tenant.is_none()), (OrgState::Claimed, true));
        let license = claimed.license.unwrap().newest;
        assert_eq!((license.status, license.package_version.as_deref()), (LicenseStatus::Active, Some("1.0.0")));

        context.team_connected("acme").await.unwrap();
        context.connect(ConnectionKind::Team).await;
        context.connect(context.reps()).await;
        vendor.install(customer, "1.1.0", Some("1.0.0"), true).await;
        vendor.deliver().await;
        let upgraded = context.org().await.unwrap();
        assert_eq!(upgraded.license.as_ref().unwrap().newest.package_version.as_deref(), Some("1.1.0"));
        assert_eq!((upgraded.state, upgraded.webhook_secrets.len()), (OrgState::Active, 1));

        customer.uninstall_package().unwrap();
        vendor.deliver().await;
        let gone = context.org().await.unwrap();
        assert_eq!((gone.state, gone.webhook_secrets.len()), (OrgState::Uninstalled, 0));
        assert_eq!(gone.tenant.unwrap().as_str(), "acme");
        for connection in context.deps.connections.list(context.org).await.unwrap() {
            assert_eq!(connection.state, ConnectionState::Revoked, "{}", connection.connection_id);
        }

        vendor.install(customer, "1.1.0", None, false).await;
        vendor.deliver().await;
        assert_eq!(context.org().await.unwrap().state, OrgState::Uninstalled, "its admin has to connect it again");
        context.team_connected("acme").await.unwrap();
        assert_eq!(context.org().await.unwrap().state, OrgState::Active);
    });
}

#[test]
fn a_sandbox_is_claimed_as_one() {
    run(async {
        let vendor = Vendor::new().await;
        let options = OrgOptions { kind: OrgKind::Sandbox, name: "qa".to_owned(), ..OrgOptions::default() };
        let sandbox = vendor.context.simulator.add_org(options).await.unwrap();

        vendor.install(&sandbox, "1.0.0", None, false).await;
        vendor.deliver().await;

        let org = vendor.context.load(sandbox.org_id().parse().unwrap()).await.unwrap();
        assert_eq!((org.state, org.environment), (OrgState::Claimed, Environment::Sandbox));
    });
}

#[test]
fn a_late_uninstallation_keeps_newer_connections() {
    run(async {
        let vendor = Vendor::new().await;
        let (context, lmo) = (&vendor.context, vendor.org.org_id());
        context.team_connected("acme").await.unwrap();
        context.connect(ConnectionKind::Team).await;
        let customer = context.org.to_string();

        for _ in 0..2 {
            let late = message(&lmo, &customer[..15], "Uninstalled", "2001-01-01T00:00:00.000Z");
            assert_eq!(vendor.post(&lmo, &vendor.secret, late).await, 200);
        }

        assert_eq!(context.org().await.unwrap().state, OrgState::Active);
        let team = context.deps.connections.load(context.org, &ConnectionId::team()).await.unwrap().unwrap();
        assert_eq!(team.state, ConnectionState::Active);
    });
}

#[test]
fn a_suspended_license_is_recorded_only() {
    run(async {
        let vendor = Vendor::new().await;
        let (context, lmo) = (&vendor.context, vendor.org.org_id());
        context.team_connected("acme").await.unwrap();

        let suspended = message(&lmo, context.org.as_str(), "Suspended", "2126-01-01T00:00:00.000Z");
        assert_eq!(vendor.post(&lmo, &vendor.secret, suspended).await, 200);

        let org = context.org().await.unwrap();
        assert_eq!((org.state, org.license.unwrap().newest.status), (OrgState::Active, LicenseStatus::Suspended));
    });
}

#[test]
fn license_messages_need_the_secret() {
    run(async {
        let vendor = Vendor::new().await;
        let (context, lmo) = (&vendor.context, vendor.org.org_id());
        context.team_connected("acme").await.unwrap();
        let before = context.org().await;
        let customer = context.org.to_string();
        let gone = |org: &str| message(org, &customer, "Uninstalled", "2126-01-01T00:00:00.000Z");
        let (right, wrong) = (vendor.secret.as_str(), "A".repeat(43));

        for (org, secret, body, status) in [
            (lmo.as_str(), wrong.as_str(), gone(&lmo), 404),
            (customer.as_str(), right, gone(&lmo), 404),
            ("nobody", right, gone(&lmo), 404),
            (lmo.as_str(), right, gone(&customer), 403),
            (lmo.as_str(), right, "<a/>".to_owned(), 400),
            (lmo.as_str(), right, " ".repeat(6 * 1024 * 1024 + 1), 413),
        ] {
            assert_eq!(vendor.post(org, secret, body).await, status);
        }

        assert_eq!(context.org().await, before);
    });
}

#[test]
fn without_a_registration_no_license_address_exists() {
    run(async {
        let context = TestContext::new().await;
        let org: OrgId = context.org;
        let uri = format!("/webhooks/licenses/{org}/{}", "A".repeat(43));
        let body = message(org.as_str(), org.as_str(), "Active", "2026-01-01T00:00:00.000Z");
        let request = http::Request::post(uri).header("content-type", "text/xml").body(body.into()).unwrap();

        assert_eq!(context.send(request).await.0, StatusCode::NOT_FOUND);
        assert_eq!(context.org().await, None);
    });
}
