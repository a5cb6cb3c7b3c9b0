//! Attacks with a connect link or with the callback. Each is refused, connects nothing, and logs none of its values.

use http::header::LOCATION;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use serde_json::json;
use store::OrgState;

use crate::harness::{CALLBACK, PUBLIC_URL, TestContext, admin_of};
use crate::visitor::{self, Page, Visitor, parameter};

/// A made-up value with the form of a code or a state.
const MADE_UP: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn a_state_is_accepted_once() {
    harness::run(async {
        let context = TestContext::new().await;
        let mut visitor = Visitor::new(&context);
        let started = visitor.begin(&context.team_link("acme").await).await;
        let back = visitor.consent(&started, &context.admin()).await;
        assert_eq!(visitor.get(&back).await.status, StatusCode::OK);
        let connected = context.team().await;

        let again = visitor.get(&back).await;
        let fresh_code = visitor.consent(&started, &context.admin()).await;
        let with_a_fresh_code = visitor.get(&fresh_code).await;

        for page in [again, with_a_fresh_code] {
            assert_eq!(page.status, StatusCode::CONFLICT);
            assert!(page.has_code("consent_used_or_expired"), "{}", page.html);
        }
        assert_eq!(context.team().await, connected);
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_state_that_was_not_issued_is_refused() {
    harness::run(async {
        let context = TestContext::new().await;
        let mut visitor = Visitor::new(&context);
        let link = context.team_link("acme").await;
        let ticket = link.rsplit('/').next().unwrap().to_owned();
        let started = visitor.begin(&link).await;
        let code = parameter(&visitor.consent(&started, &context.admin()).await, "code");
        let nonce = started.parameter("nonce");
        for state in [MADE_UP, &ticket, &nonce, &started.state().to_lowercase()] {
            let page = visitor.get(&callback(&code, state)).await;

            assert!(page.has_code("consent_used_or_expired"), "{}", page.html);
            assert!(!page.shows(state) && !page.shows(&code));
        }
        assert!(context.is_untouched(context.org_id()).await);
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_state_that_is_too_old_connects_nothing() {
    harness::run(async {
        let context = TestContext::new().await;
        let mut visitor = Visitor::new(&context);
        let started = visitor.begin(&context.team_link("acme").await).await;
        let back = visitor.consent(&started, &context.admin()).await;
        context.pass(SignedDuration::from_mins(15));

        let page = visitor.get(&back).await;

        assert!(page.has_code("consent_used_or_expired"), "{}", page.html);
        assert!(context.is_untouched(context.org_id()).await);
        context.secrets.assert_not_logged();
    });
}

/// The attacker consents, stops at the callback, and lets the victim open it: the victim would then work in the attacker's org.
#[test]
fn a_state_of_another_browser_connects_nothing() {
    harness::run(async {
        let context = TestContext::new().await;
        let (mut attacker, mut victim) = (Visitor::new(&context), Visitor::new(&context));
        let bait = attacker.begin(&context.team_link("acme").await).await;
        let bait = attacker.consent(&bait, &context.admin()).await;

        let without_cookie = victim.get(&bait).await;

        assert!(without_cookie.has_code("other_browser"), "{}", without_cookie.html);
        let own = victim.begin(&context.team_link("acme").await).await;
        let bait = attacker.begin(&context.team_link("acme").await).await;
        let bait = attacker.consent(&bait, &context.admin()).await;
        let with_a_cookie = victim.get(&bait).await;
        assert!(with_a_cookie.has_code("other_browser"), "{}", with_a_cookie.html);
        assert!(context.is_untouched(context.org_id()).await);
        assert!(attacker.get(&bait).await.has_code("consent_used_or_expired"), "the state is used up");
        let back = victim.consent(&own, &context.admin()).await;
        assert_eq!(victim.get(&back).await.status, StatusCode::OK, "the victim's own consent succeeds");
        context.secrets.assert_not_logged();
    });
}

/// One person connects for two tenants in one browser, so both states have the right cookie.
#[test]
fn a_state_connects_only_for_its_own_tenant() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        let connected = context.team().await.unwrap();
        let mut visitor = Visitor::new(&context);
        let acme = visitor.begin(&context.team_link("acme").await).await;
        let other = visitor.begin(&context.team_link("other").await).await;
        let acme_code = parameter(&visitor.consent(&acme, &context.admin()).await, "code");
        let revoked = context.requests("POST /services/oauth2/revoke");

        let swapped = visitor.get(&callback(&acme_code, &other.state())).await;

        assert!(is_refused(&swapped), "{}", swapped.html);
        let other = visitor.begin(&context.team_link("other").await).await;
        let back = visitor.consent(&other, &context.admin()).await;
        let foreign = visitor.get(&back).await;
        assert!(foreign.has_code("org_owned_by_another_tenant"), "{}", foreign.html);
        assert_eq!(context.team().await.unwrap(), connected);
        assert_eq!(context.callback.orgs.load(context.org_id()).await.unwrap().unwrap().tenant, Some(connected.tenant));
        assert_eq!(context.requests("POST /services/oauth2/revoke"), revoked + 1, "the grant is revoked");
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_code_of_another_consent_user_or_app_connects_nothing() {
    harness::run(async {
        let context = TestContext::new().await;
        context.org.add_app("Other", "other-app", "the-secret-of-the-other-app", CALLBACK);
        let (mut victim, mut attacker) = (Visitor::new(&context), Visitor::new(&context));
        let theirs = victim.begin(&context.team_link("acme").await).await;
        let of_another_app = theirs.0.replace(&theirs.parameter("client_id"), "other-app");
        let without_challenge = without(&theirs.0, "code_challenge");
        for stolen in [&theirs.0, &of_another_app, &without_challenge] {
            for username in [context.admin(), context.rep()] {
                let code = parameter(&visitor::consent(stolen, &username).await, "code");
                context.secrets.note(&code);
                let own = attacker.begin(&context.team_link("acme").await).await;

                let page = attacker.get(&callback(&code, &own.state())).await;

                assert!(is_refused(&page), "{stolen}: {}", page.html);
                assert!(!page.shows(&code));
            }
        }
        assert!(context.is_untouched(context.org_id()).await);
        context.secrets.assert_not_logged();
    });
}

#[test]
fn redirects_ignore_every_address_in_a_request() {
    harness::run(async {
        let context = TestContext::new().await;
        let mut visitor = Visitor::new(&context);
        let evil = "https%3A%2F%2Fevil.example%2F";
        let parameters = ["redirect_uri", "next", "return_to", "startURL", "RelayState", "retURL", "login_url"];
        let parameters: String = parameters.iter().map(|name| format!("&{name}={evil}")).collect();
        let link = context.team_link("acme").await;

        let request = Request::post(format!("{link}?x=1{parameters}")).header("host", "evil.example");
        let request = request.header("origin", PUBLIC_URL);
        let started = visitor.send(request.header("x-forwarded-host", "evil.example")).await;

        let to = started.header(LOCATION).to_owned();
        assert!(to.starts_with(&format!("{}/services/oauth2/authorize?", context.org.login_url())), "{to}");
        assert_eq!(parameter(&to, "redirect_uri"), CALLBACK);
        assert!(!to.contains("evil.example"));
        let back = visitor::consent(&to, &context.admin()).await;
        let back = back.strip_prefix(PUBLIC_URL).unwrap();
        let finished = visitor.send(Request::get(format!("{back}{parameters}")).header("host", "evil.example")).await;
        assert_eq!((finished.status, finished.header(LOCATION)), (StatusCode::OK, ""));
        assert!(!finished.shows("evil.example"));
        for path in
            ["/oauth/callback//evil.example", "//evil.example", "/connect//evil.example", "/connect/%2F%2Fevil.example"]
        {
            let page = visitor.send(Request::get(format!("{PUBLIC_URL}{path}"))).await;
            assert_eq!((page.status, page.header(LOCATION)), (StatusCode::NOT_FOUND, ""), "{path}");
        }
    });
}

#[test]
fn a_connect_link_works_once_and_expires() {
    harness::run(async {
        let context = TestContext::new().await;
        let (mut first, mut second) = (Visitor::new(&context), Visitor::new(&context));
        let link = context.team_link("acme").await;

        let (one, two) = tokio::join!(first.press(&link), second.press(&link));

        let mut statuses = [one.status, two.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::NOT_FOUND], "one of two concurrent requests gets it");
        assert!(first.get(&link).await.has_code("link_used_or_expired"));
        assert!(second.press(&link).await.has_code("link_used_or_expired"));
        let old = context.team_link("acme").await;
        context.pass(SignedDuration::from_mins(15));
        assert!(first.get(&old).await.has_code("link_used_or_expired"));
        assert!(first.press(&old).await.has_code("link_used_or_expired"));
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_personal_connection_needs_an_org_of_the_tenant() {
    harness::run(async {
        let context = TestContext::new().await;
        assert_eq!(context.request_link(&context.personal("acme")).await.0, StatusCode::NOT_FOUND, "an unknown org");
        context.connect_team("acme").await;
        assert_eq!(
            context.request_link(&context.personal("other")).await.0,
            StatusCode::NOT_FOUND,
            "an org of another tenant"
        );
        let revoked = context.requests("POST /services/oauth2/revoke");

        let mut visitor = Visitor::new(&context);
        let started = visitor.begin(&context.personal_link("acme").await).await;
        let elsewhere = visitor.consent(&started, &admin_of(&context.other_org)).await;
        let page = visitor.get(&elsewhere).await;
        assert!(page.has_code("wrong_org"), "{}", page.html);

        let started = visitor.begin(&context.personal_link("acme").await).await;
        let back = visitor.consent(&started, &context.rep()).await;
        let now = context.clock.now();
        context.callback.orgs.set_state(context.org_id(), OrgState::Uninstalled, now).await.unwrap();
        let page = visitor.get(&back).await;
        assert!(page.has_code("wrong_org"), "{}", page.html);

        assert_eq!(context.reps().await, None);
        let other_org = context.other_org.org_id().parse().unwrap();
        assert!(context.is_untouched(other_org).await);
        let revocations = |org: &org_simulator::Simulator| {
            org.request_log().iter().filter(|line| line.starts_with("POST /services/oauth2/revoke 200")).count()
        };
        assert_eq!(revocations(&context.org) - revoked, 2, "both grants are revoked");
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_link_for_one_org_does_not_connect_another() {
    harness::run(async {
        let context = TestContext::new().await;
        let request =
            json!({"tenant": "acme", "kind": "team", "environment": "production", "org_id": context.org_id()});
        let mut visitor = Visitor::new(&context);
        let started = visitor.begin(&context.link(&request).await).await;
        let elsewhere = visitor.consent(&started, &admin_of(&context.other_org)).await;

        let page = visitor.get(&elsewhere).await;

        assert!(page.has_code("wrong_org"), "{}", page.html);
        assert!(context.is_untouched(context.other_org.org_id().parse().unwrap()).await);
        context.secrets.assert_not_logged();
    });
}

/// Returns whether the code was refused, and Ferry's own setup is not blamed for it. Salesforce returns `invalid_request` for a wrong
/// code verifier and `invalid_grant` for a code of another app.
fn is_refused(page: &Page) -> bool {
    page.has_code("code_refused")
}

fn callback(code: &str, state: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/oauth/callback?{}", query.append_pair("code", code).append_pair("state", state).finish())
}

/// Returns a URL without the parameters whose names begin with `name`.
fn without(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(known, _)| !known.starts_with(name)).collect();
    url.query_pairs_mut().clear().extend_pairs(others);
    url.into()
}
