//! Binding an org to a tenant: by a consent of an administrator of that very org, and by nothing that anyone else says.

use http::{Request, StatusCode};
use onboarding::Deps;
use serde_json::json;
use store::{ConnectionState, Environment, Org, OrgState};
use tower::ServiceExt as _;

use crate::harness::TestContext;

impl TestContext {
    async fn stored_org(&self) -> Option<Org> {
        self.callback.orgs.load(self.org_id()).await.unwrap()
    }

    /// Sends an install notice, as anyone can.
    async fn announce(&self, body: &serde_json::Value) -> StatusCode {
        let deps: Deps = self.onboarding.clone();
        let request = Request::post("/webhooks/salesforce/installs").header("content-type", "application/json");
        let request = request.body(axum::body::Body::from(body.to_string())).unwrap();
        onboarding::router(deps).oneshot(request).await.unwrap().status()
    }
}

#[test]
fn a_user_who_is_no_admin_cannot_bind_an_org() {
    harness::run(async {
        let context = TestContext::new().await;
        context.grant(&context.rep(), &["ViewAllData"]);

        let page = context.try_team("mallory", &context.rep()).await;

        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.has_code("administrator_needed"), "{}", page.html);
        assert!(page.shows("An administrator must connect this org once"), "{}", page.html);
        assert!(context.is_untouched(context.org_id()).await);
        assert_eq!(context.stored_org().await, None);

        context.connect_team("acme").await;
        let page = context.try_team("acme", &context.rep()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        assert_eq!(context.team().await.unwrap().username, Some(context.rep()));
    });
}

#[test]
fn an_uninstalled_org_can_be_bound_by_its_admin_again() {
    harness::run(async {
        for state in [OrgState::Uninstalled, OrgState::Disconnected] {
            let context = TestContext::new().await;
            context.connect_team("acme").await;
            context.connect_rep("acme").await;
            context.grant(&context.rep(), &["ViewAllData"]);
            let admin = context.admin();

            let page = context.try_team("globex", &admin).await;
            assert!(page.has_code("org_owned_by_another_tenant"), "an active org: {}", page.html);
            let now = context.clock.now();
            context.callback.orgs.set_state(context.org_id(), state, now).await.unwrap();
            let page = context.try_team("globex", &admin).await;
            assert!(page.has_code("org_owned_by_another_tenant"), "live connections: {}", page.html);
            let disconnect = connecting::disconnect::Disconnect {
                orgs: context.callback.orgs.clone(),
                connections: context.callback.connections.clone(),
                connection_manager: context.callback.connection_manager.clone(),
                clock: context.clock.clone(),
            };
            disconnect.org(context.org_id()).await.unwrap().unwrap();
            let page = context.try_team("globex", &context.rep()).await;
            assert!(page.has_code("org_owned_by_another_tenant"), "no administrator: {}", page.html);
            assert_eq!(context.team().await.unwrap().state, ConnectionState::Revoked);

            let page = context.try_team("globex", &admin).await;

            assert_eq!(page.status, StatusCode::OK, "{}", page.html);
            let org = context.stored_org().await.unwrap();
            assert_eq!((org.state, org.tenant.unwrap().as_str()), (OrgState::Active, "globex"));
            assert_eq!(context.team().await.unwrap().tenant.as_str(), "globex");
            assert_eq!(context.reps().await, None, "nothing of the former tenant is left");
            context.secrets.assert_not_logged();
        }
    });
}

#[test]
fn a_team_user_who_does_not_see_everything_is_refused() {
    harness::run(async {
        let mut context = TestContext::new().await;
        context.connect_team("acme").await;

        let page = context.try_team("acme", &context.rep()).await;

        assert!(page.has_code("missing_permissions"), "{}", page.html);
        let grant = "View All Data, or View Setup and Configuration with View All Records on Account";
        assert!(page.shows(grant), "{}", page.html);
        assert_eq!(context.team().await.unwrap().username, Some(context.admin()));

        context.allow_limited_team();
        let page = context.try_team("acme", &context.rep()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        assert!(page.shows("may not see every record") && page.shows("<li>Account</li>"), "{}", page.html);
        assert_eq!(context.team().await.unwrap().rights.unwrap().access(), "limited");
    });
}

#[test]
fn a_quarantine_does_not_block_the_admin() {
    harness::run(async {
        let context = TestContext::new().await;
        let announced = json!({
            "organization_id": context.org_id(), "is_sandbox": true, "org_domain_url": "https://evil.my.salesforce.com",
        });
        assert_eq!(context.announce(&announced).await, StatusCode::ACCEPTED);
        let (quarantined, now) = (OrgState::Quarantined, context.clock.now());
        context.callback.orgs.set_state(context.org_id(), quarantined, now).await.unwrap();

        context.connect_team("acme").await;

        let org = context.stored_org().await.unwrap();
        assert_eq!((org.state, org.environment), (OrgState::Active, Environment::Production));
        assert_eq!(org.my_domain_url.as_deref(), Some(context.org.url()));
        assert_eq!(context.announce(&announced).await, StatusCode::ACCEPTED);
        let after = context.stored_org().await.unwrap();
        assert_eq!((after.environment, after.my_domain_url), (org.environment, org.my_domain_url));
    });
}
