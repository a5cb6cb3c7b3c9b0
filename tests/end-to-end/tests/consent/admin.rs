//! The connections page of a tenant's admin, and the kill switch of the platform.

use http::header::{LOCATION, SET_COOKIE};
use http::{Method, Request, StatusCode};
use jiff::SignedDuration;
use org_simulator::{Effect, Fault, Simulator};
use serde_json::{Value, json};
use store::{Connection, ConnectionKind, ConnectionState, OrgState};

use crate::harness::{PUBLIC_URL, TestContext};
use crate::visitor::{Visitor, send};

#[test]
fn a_link_opens_a_session_once_and_the_session_ends() {
    harness::run(async {
        let context = TestContext::new().await;
        let (mut admin, mut thief) = (Visitor::new(&context), Visitor::new(&context));
        let link = context.admin_link("acme").await;
        assert_eq!(thief.get("/connections").await.status, StatusCode::FORBIDDEN);
        for _ in 0..2 {
            assert!(admin.get(&link).await.shows("Show the connections"), "opening the page does not use the link up");
        }

        let opened = admin.press(&link).await;

        assert_eq!((opened.status, opened.header(LOCATION)), (StatusCode::SEE_OTHER, "/connections"));
        let cookie = opened.header(SET_COOKIE);
        assert!(cookie.starts_with("__Host-ferry-admin="), "{cookie}");
        assert!(cookie.ends_with("; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"));
        assert_eq!(admin.get("/connections").await.status, StatusCode::OK);
        assert!(thief.press(&link).await.has_code("admin_link_used_or_expired"));
        assert!(thief.get("/connections").await.has_code("signed_out"));
        context.pass(SignedDuration::from_hours(1));
        assert!(admin.get("/connections").await.has_code("signed_out"));
        let old = context.admin_link("acme").await;
        context.pass(SignedDuration::from_mins(15));
        assert!(admin.press(&old).await.has_code("admin_link_used_or_expired"));
        context.secrets.assert_not_logged();
    });
}

#[test]
fn an_admin_sees_only_the_connections_of_the_tenant() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        let mut acme = context.signed_in("acme").await;
        let mut other = context.signed_in("other").await;

        let page = acme.get("/connections").await;

        assert!(page.shows("Salesforce connections of acme") && page.shows(context.org_id().as_str()), "{}", page.html);
        assert!(page.shows("<strong>Team</strong>") && page.shows("<strong>rep-1</strong>"));
        assert!(page.shows(&context.admin()) && page.shows(&context.rep()), "{}", page.html);
        assert!(page.shows("installPackage.apexp"));
        assert!(other.get("/connections").await.shows("No Salesforce org is connected yet"));
        for method in [Method::GET, Method::POST] {
            let form = form_of(&other.get("/connections").await.html);
            let path = format!("/connections/{}/team/disconnect", context.org_id());
            let page = other.submit(method, &path, &form).await;
            assert!(page.has_code("no_such_connection"), "{}", page.html);
        }
        let path = format!("/connections/{}/team/reconnect", context.org_id());
        let form = form_of(&other.get("/connections").await.html);
        assert!(other.submit(Method::POST, &path, &form).await.has_code("no_such_connection"));
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Active);
    });
}

#[test]
fn a_form_of_another_session_changes_nothing() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        let mut admin = context.signed_in("acme").await;
        let mut another = context.signed_in("acme").await;
        let own = form_of(&admin.get("/connections").await.html);
        let theirs = form_of(&another.get("/connections").await.html);
        assert_ne!(own, theirs);
        let path = format!("/connections/{}/team/disconnect", context.org_id());
        for form in ["", "csrf=", "csrf=AAAA", &theirs] {
            assert!(admin.submit(Method::POST, &path, form).await.has_code("form_not_ours"), "{form}");
        }
        let cross_site = Request::post(&path).header("sec-fetch-site", "cross-site");
        assert!(admin.send_with(cross_site, &own).await.has_code("form_not_ours"));
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Active);

        assert!(admin.submit(Method::POST, &path, &own).await.shows("Team is disconnected"));

        assert_eq!(context.team().await.unwrap().state, ConnectionState::Revoked);
        context.secrets.assert_not_logged();
    });
}

#[test]
fn an_admin_disconnects_a_rep_after_a_confirmation() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        let mut admin = context.signed_in("acme").await;
        let id = context.reps().await.unwrap().connection_id;
        let path = format!("/connections/{}/{id}/disconnect", context.org_id());

        let confirmation = admin.get(&path).await;
        let done = admin.submit(Method::POST, &path, &form_of(&confirmation.html)).await;

        assert!(confirmation.shows("Disconnect rep-1 from"), "{}", confirmation.html);
        assert!(done.shows("rep-1 is disconnected"), "{}", done.html);
        assert_eq!(context.reps().await.unwrap().state, ConnectionState::Revoked);
        assert!(context.broker.vault.load(context.org_id(), &id).await.unwrap().is_none(), "the tokens are deleted");
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Active);
        assert!(admin.get("/connections").await.shows("Disconnected"));
    });
}

#[test]
fn an_unfinished_disconnect_is_shown_and_can_be_repeated() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        context.connect_team("acme").await;
        let mut admin = context.signed_in("acme").await;
        let path = format!("/connections/{}/team/disconnect", context.org_id());
        let form = form_of(&admin.get(&path).await.html);
        context.org.fault(fault("/services/oauth2/revoke", Effect::InternalError));

        let half = admin.submit(Method::POST, &path, &form).await;
        context.org.clear_faults();
        let whole = admin.submit(Method::POST, &path, &form_of(&half.html)).await;

        assert!(half.shows("Disconnecting is not finished") && half.shows("Try again"), "{}", half.html);
        assert!(whole.shows("Team is disconnected"), "{}", whole.html);
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Revoked);
    });
}

/// Reconnecting keeps the connection's id and age.
#[test]
fn an_admin_reconnects_the_connection_that_was_chosen() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        let (team, rep) = (context.team().await.unwrap(), context.reps().await.unwrap());
        let mut admin = context.signed_in("acme").await;
        let form = form_of(&admin.get("/connections").await.html);
        context.pass(SignedDuration::from_mins(1));

        let to = admin.submit(Method::POST, &reconnect_path(&team), &form).await;
        let link = to.header(LOCATION).strip_prefix(PUBLIC_URL).unwrap().to_owned();
        let started = admin.begin(&link).await;
        let back = admin.consent(&started, &context.admin()).await;
        assert_eq!(admin.get(&back).await.status, StatusCode::OK);

        let reconnected = context.team().await.unwrap();
        assert_eq!((&reconnected.connection_id, reconnected.created_at), (&team.connection_id, team.created_at));
        assert!(reconnected.connected_at > team.connected_at);
        let invitation = admin.submit(Method::POST, &reconnect_path(&rep), &form).await;
        assert!(invitation.shows("Send this link to rep-1"), "{}", invitation.html);
        let (_, link) = invitation.html.split_once(&format!("{PUBLIC_URL}/connect/")).unwrap();
        let link = format!("/connect/{}", &link[..43]);
        context.secrets.note(&link[9..]);
        let mut reps_browser = Visitor::new(&context);
        assert!(reps_browser.get(&link).await.shows("rep-1"));
        let started = reps_browser.begin(&link).await;
        let elsewhere = reps_browser.consent(&started, &crate::harness::admin_of(&context.other_org)).await;
        assert!(reps_browser.get(&elsewhere).await.has_code("wrong_org"), "a rep reconnects only in the same org");
        context.secrets.assert_not_logged();
    });
}

/// The new grant is stored and the old one revoked. The connection keeps its id.
#[test]
fn a_connection_on_an_older_app_moves_with_reconnect() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        let before = context.team().await.unwrap();
        let (tokens, _) = context.broker.vault.load(context.org_id(), &before.connection_id).await.unwrap().unwrap();
        context.release_another_app().await;
        let mut admin = context.signed_in("acme").await;
        let page = admin.get("/connections").await;
        assert!(page.shows("1 connection needs to move"), "{}", page.html);

        let to = admin.submit(Method::POST, &reconnect_path(&before), &form_of(&page.html)).await;
        let started = admin.begin(to.header(LOCATION).strip_prefix(PUBLIC_URL).unwrap()).await;
        let back = admin.consent(&started, &context.admin()).await;
        assert_eq!(admin.get(&back).await.status, StatusCode::OK);

        let moved = context.team().await.unwrap();
        assert_eq!((before.app.as_str(), moved.app.as_str()), ("v2", "v3"));
        assert_eq!((&moved.connection_id, moved.created_at), (&before.connection_id, before.created_at));
        assert!(!admin.get("/connections").await.shows("to move"));
        assert!(!context.accepts(&tokens.access_token).await, "the old grant is revoked");
        let (tokens, _) = context.broker.vault.load(context.org_id(), &before.connection_id).await.unwrap().unwrap();
        assert!(context.accepts(&tokens.access_token).await, "the new grant works");
    });
}

/// A personal connection needs an active org.
#[test]
fn in_a_disconnected_org_only_the_team_can_reconnect() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        delete(&context, &format!("/v1/orgs/{}", context.org_id())).await;
        let (team, rep) = (context.team().await.unwrap(), context.reps().await.unwrap());
        let mut admin = context.signed_in("acme").await;

        let page = admin.get("/connections").await;

        assert!(page.shows("This org was disconnected"), "{}", page.html);
        assert!(page.shows(&reconnect_path(&team)) && !page.shows(&reconnect_path(&rep)), "{}", page.html);
        let form = form_of(&page.html);
        assert!(admin.submit(Method::POST, &reconnect_path(&rep), &form).await.has_code("no_such_connection"));
        assert_eq!(admin.submit(Method::POST, &reconnect_path(&team), &form).await.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn signing_out_ends_the_session() {
    harness::run(async {
        let context = TestContext::new().await;
        let mut admin = context.signed_in("acme").await;
        let form = form_of(&admin.get("/connections").await.html);
        let cookie = admin.cookie("__Host-ferry-admin");

        let ended = admin.submit(Method::POST, "/connections/sign-out", &form).await;

        assert!(ended.header(SET_COOKIE).starts_with("__Host-ferry-admin=; Max-Age=0"));
        admin.set_cookie("__Host-ferry-admin", &cookie);
        assert!(admin.get("/connections").await.has_code("signed_out"), "the session is deleted on the server too");
    });
}

#[test]
fn the_kill_switch_of_a_connection_or_an_org_is_idempotent() {
    harness::run(async {
        let context = TestContext::new().await;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        let id = context.reps().await.unwrap().connection_id;
        let one = format!("/v1/orgs/{}/connections/{id}", context.org_id());
        let all = format!("/v1/orgs/{}", context.org_id());

        for _ in 0..2 {
            let (status, report) = delete(&context, &one).await;
            assert_eq!((status, &report["outcome"]), (StatusCode::OK, &json!("ended")), "{report}");
        }
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Active);
        for _ in 0..2 {
            let (status, report) = delete(&context, &all).await;
            assert_eq!((status, &report["state"]), (StatusCode::OK, &json!("disconnected")), "{report}");
            let ends: Vec<_> = report["connections"].as_array().unwrap().iter().map(|end| &end["outcome"]).collect();
            assert_eq!(ends, ["ended", "ended"]);
        }

        let org = context.callback.orgs.load(context.org_id()).await.unwrap().unwrap();
        assert_eq!((org.state, org.tenant.unwrap().as_str()), (OrgState::Disconnected, "acme"));
        for kind in [ConnectionKind::Team, ConnectionKind::Personal { platform_user: "rep-1".parse().unwrap() }] {
            let tokens = context.broker.vault.load(context.org_id(), &kind.connection_id()).await.unwrap();
            assert!(tokens.is_none(), "the tokens are deleted");
        }
        let unknown = format!("/v1/orgs/{}/connections/{id}", context.other_org.org_id());
        assert_eq!(delete(&context, &unknown).await.0, StatusCode::NOT_FOUND);
        assert_eq!(
            delete(&context, &format!("/v1/orgs/{}", context.other_org.org_id())).await.0,
            StatusCode::NOT_FOUND
        );
        assert_eq!(delete(&context, "/v1/orgs/nonsense").await.0, StatusCode::BAD_REQUEST);
        context.connect_team("acme").await;
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Active, "the org can be connected again");
        context.secrets.assert_not_logged();
    });
}

#[test]
fn an_unreachable_salesforce_is_reported_by_connection() {
    harness::run(async {
        let context = TestContext::signing_in_at(Simulator::url).await;
        context.connect_team("acme").await;
        context.org.fault(fault("/services/oauth2/revoke", Effect::Unavailable));

        let (status, report) = delete(&context, &format!("/v1/orgs/{}", context.org_id())).await;

        assert_eq!(status, StatusCode::OK);
        assert_eq!(report["connections"][0]["outcome"], "unfinished", "{report}");
        assert_eq!(report["connections"][0]["repeat"], true);
        assert!(report["connections"][0]["reason"].as_str().unwrap().len() > 10);
        context.org.clear_faults();
        let (_, report) = delete(&context, &format!("/v1/orgs/{}", context.org_id())).await;
        assert_eq!(report["connections"][0]["outcome"], "ended", "{report}");
    });
}

async fn delete(context: &TestContext, path: &str) -> (StatusCode, Value) {
    let request = Request::delete(path).extension(harness::token("acme", None, harness::ALL_SCOPES));
    let page = send(context.router(), request.body(axum::body::Body::empty()).unwrap()).await;
    let body = serde_json::from_str(&page.html).unwrap();
    harness::contract::check("DELETE", path, page.status, &body);
    (page.status, body)
}

fn fault(path_prefix: &str, effect: Effect) -> Fault {
    Fault { path_prefix: path_prefix.to_owned(), method: None, times: 100, effect }
}

fn reconnect_path(connection: &Connection) -> String {
    format!("/connections/{}/{}/reconnect", connection.org_id, connection.connection_id)
}

/// Returns the body of the page's form.
fn form_of(html: &str) -> String {
    let (_, rest) = html.split_once("name=\"csrf\" value=\"").expect("a form");
    format!("csrf={}", rest.split('"').next().unwrap())
}
