//! The pages in a real browser, from the connect link through the simulated org's consent page to the last page.

use jiff::SignedDuration;
use org_simulator::{AppPolicy, ObjectPermissions};
use serde_json::{Value, json};
use store::ConnectionState;

use crate::chromium::{Chromium, Key};
use crate::harness::{Served, TestContext};
use crate::page_checks::{check_page, tab_to};

/// Logs in as a user on the simulated org's consent page, and presses the button of the decision.
async fn decide(browser: &mut Chromium, username: &str, decision: &str) {
    assert!(browser.text().await.contains("asks for access"), "{}", browser.text().await);
    browser.evaluate(&format!("document.querySelector('#username').value = {username:?}")).await;
    browser.take_problems();
    browser.click(decision).await;
}

#[test]
fn a_team_connects_with_the_keyboard_alone() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        browser.open(&served.url(&served.context.team_link("acme").await)).await;
        check_page(&mut browser, "connect-team").await;

        tab_to(&mut browser, "Continue to Salesforce").await;
        browser.press_enter().await;
        assert!(browser.text().await.contains("asks for access"));
        while browser.evaluate("document.activeElement.tagName").await != "SELECT" {
            browser.press(Key::Tab).await;
        }
        while browser.evaluate("document.activeElement.value").await != served.context.admin().as_str() {
            browser.press(Key::Down).await;
        }
        while browser.evaluate("document.activeElement.value").await != "allow" {
            browser.press(Key::Tab).await;
        }
        browser.take_problems();
        browser.press_enter().await;

        let page = browser.text().await;
        assert!(page.contains("Ferry is connected to your Salesforce org"), "{page}");
        check_page(&mut browser, "connected-team").await;
        assert_eq!(served.context.team().await.unwrap().state, ConnectionState::Active);
        let shown = browser.evaluate("document.querySelector('#webhook').value").await;
        served.context.secrets.note(shown.as_str().unwrap());
        served.context.secrets.assert_not_logged();
    });
}

#[test]
fn a_rep_connects_and_sees_their_connection() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        served.context.connect_team("acme").await;
        browser.open(&served.url(&served.context.personal_link("acme").await)).await;
        check_page(&mut browser, "connect-personal").await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &served.context.rep(), "Allow").await;

        let page = browser.text().await;

        assert!(page.contains("Ferry is connected to your Salesforce user"), "{page}");
        check_page(&mut browser, "connected-personal").await;
        let reps = served.context.reps().await.unwrap();
        assert_eq!(reps.state, ConnectionState::Active);
    });
}

#[test]
fn a_refused_consent_explains_the_next_step() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        let policy = |policy: AppPolicy| context.org.set_app_policy(context.org.client_id(), policy).unwrap();
        let cases = [
            ("denied", "Deny", AppPolicy::default(), "You chose Deny in Salesforce"),
            (
                "not-installed",
                "Allow",
                AppPolicy { installed: false, ..AppPolicy::default() },
                "Install the Ferry package",
            ),
            ("blocked", "Allow", AppPolicy { blocked: true, ..AppPolicy::default() }, "has blocked Ferry"),
            ("not-approved", "Allow", AppPolicy { admin_approved_only: true, ..AppPolicy::default() }, "not approved"),
        ];
        for (name, decision, settings, text) in cases {
            policy(settings);
            browser.open(&served.url(&context.team_link("acme").await)).await;
            browser.click("Continue to Salesforce").await;
            decide(&mut browser, &context.admin(), decision).await;

            let page = browser.text().await;

            assert!(page.contains(text), "{name}: {page}");
            check_page(&mut browser, name).await;
        }
        assert!(context.is_untouched(context.org_id()).await);
    });
}

#[test]
fn an_expired_link_and_a_reload_explain_the_next_step() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        let old = context.team_link("acme").await;
        context.pass(SignedDuration::from_mins(15));
        browser.open(&served.url(&old)).await;
        assert!(browser.text().await.contains("can no longer be used"));
        check_page(&mut browser, "expired-link").await;

        browser.open(&served.url(&context.team_link("acme").await)).await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &context.admin(), "Allow").await;
        assert!(browser.text().await.contains("Connected"));
        let callback = browser.url().await;
        browser.open(&callback).await;
        assert!(browser.text().await.contains("This step cannot be repeated"));
        check_page(&mut browser, "reloaded").await;
        assert_eq!(context.team().await.unwrap().state, ConnectionState::Active);
    });
}

#[test]
fn an_admin_sees_reconnects_and_disconnects_with_the_keyboard() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        for (name, state) in [("amy@acme.example", "grant_ended"), ("bob@acme.example", "displaced")] {
            context.connect_another(name, state).await;
        }
        browser.open(&served.url(&context.admin_link("acme").await)).await;
        check_page(&mut browser, "admin-link").await;
        tab_to(&mut browser, "Show the connections").await;
        browser.press_enter().await;
        let page = browser.text().await;
        for text in ["Salesforce connections of acme", "Team", "rep-1", "Must be reconnected", "Connected"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        check_page(&mut browser, "connections").await;

        tab_to(&mut browser, "Reconnect amy@acme.example").await;
        browser.press_enter().await;
        assert!(browser.text().await.contains("Send this link to amy@acme.example"));
        check_page(&mut browser, "invitation").await;
        let link = browser.evaluate("document.querySelector('#link').value").await;
        context.secrets.note(link.as_str().unwrap().rsplit('/').next().unwrap());
        browser.click("Back to the connections").await;

        tab_to(&mut browser, "Disconnect rep-1").await;
        browser.press_enter().await;
        check_page(&mut browser, "confirm").await;
        tab_to(&mut browser, "Disconnect").await;
        browser.press_enter().await;
        assert!(browser.text().await.contains("rep-1 is disconnected"), "{}", browser.text().await);
        check_page(&mut browser, "disconnected").await;
        assert_eq!(context.reps().await.unwrap().state, ConnectionState::Revoked);

        browser.click("Back to the connections").await;
        browser.click("Reconnect Team").await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &context.admin(), "Allow").await;
        assert!(browser.text().await.contains("the earlier one still works"), "{}", browser.text().await);
        check_page(&mut browser, "reconnected").await;
        browser.click("Back to the connections").await;
        browser.click("Sign out").await;
        assert!(browser.text().await.contains("Your session has ended"));
        check_page(&mut browser, "signed-out").await;
        context.secrets.assert_not_logged();
    });
}

#[test]
fn scripts_neither_run_nor_read_cookies() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        browser.open(&served.url(&served.context.admin_link("acme").await)).await;
        browser.click("Show the connections").await;
        assert_eq!(browser.evaluate("document.cookie").await, json!(""));

        let run = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = true\">'); \
                   const script = document.createElement('script'); script.textContent = 'window.ran = true'; \
                   document.body.append(script); window.ran === undefined";
        assert_eq!(browser.evaluate(run).await, Value::Bool(true), "the policy blocks scripts");
        assert!(!browser.take_problems().is_empty(), "the browser reports it");
    });
}

#[test]
fn a_sixth_connection_of_a_user_names_the_one_it_ended() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        context.connect_team("acme").await;
        for name in ["amy", "bob", "cat", "dan"] {
            context.connect_as(name).await;
            context.pass(SignedDuration::from_mins(1));
        }
        let mut shown = Vec::new();
        for name in ["eve", "fay"] {
            browser.open(&served.url(&context.link(&context.personal_of(name)).await)).await;
            browser.click("Continue to Salesforce").await;
            decide(&mut browser, &context.rep(), "Allow").await;
            shown.push(browser.text().await);
            check_page(&mut browser, &format!("connected-{name}")).await;
        }

        assert!(shown[0].contains("If this user connects again"), "{}", shown[0]);
        assert!(shown[1].contains("the oldest was ended") && shown[1].contains("amy"), "{}", shown[1]);
        assert!(!shown[1].contains("bob"), "{}", shown[1]);
        browser.open(&served.url(&context.admin_link("acme").await)).await;
        browser.click("Show the connections").await;
        let page = browser.text().await;
        assert!(page.contains("Salesforce keeps five, so this one was ended"), "{page}");
        context.secrets.assert_not_logged();
    });
}

#[test]
fn connections_on_an_older_app_are_asked_to_move() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        context.connect_team("acme").await;
        context.connect_rep("acme").await;
        context.release_another_app().await;

        browser.open(&served.url(&context.admin_link("acme").await)).await;
        browser.click("Show the connections").await;

        let page = browser.text().await;
        assert!(page.contains("2 connections need to move") && page.contains("Needs to move"), "{page}");
        check_page(&mut browser, "connections-older-app").await;
    });
}

#[test]
fn missing_permissions_of_a_user_are_listed() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        let readonly = ObjectPermissions { no_create: true, no_edit: true, ..ObjectPermissions::default() };
        context.org.limit_profile("System Administrator", "Opportunity", &readonly).unwrap();
        browser.open(&served.url(&context.team_link("acme").await)).await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &context.admin(), "Allow").await;

        let page = browser.text().await;

        assert!(page.contains("Your user lacks permissions in Salesforce") && page.contains("Opportunity"), "{page}");
        check_page(&mut browser, "missing-permissions").await;
        assert!(context.team().await.is_none_or(|team| team.state != ConnectionState::Active));
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_user_who_may_not_connect_the_team_learns_what_to_do() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let context = &served.context;
        let cases: [(&str, &[&str], &str); 2] = [
            ("does-not-see-everything", &[], "View All Records on Account, Contact, Lead, Opportunity"),
            ("administrator-needed", &["ViewAllData"], "An administrator must connect this org once"),
        ];
        for (name, granted, text) in cases {
            context.grant(&context.rep(), granted);
            browser.open(&served.url(&context.team_link("acme").await)).await;
            browser.click("Continue to Salesforce").await;
            decide(&mut browser, &context.rep(), "Allow").await;

            let page = browser.text().await;

            assert!(page.contains(text), "{name}: {page}");
            check_page(&mut browser, name).await;
        }
        assert!(context.is_untouched(context.org_id()).await);
        context.secrets.assert_not_logged();
    });
}

#[test]
fn a_team_with_limited_access_is_warned() {
    harness::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start_with(TestContext::allow_limited_team).await;
        let context = &served.context;
        context.grant(&context.rep(), &["CustomizeApplication"]);
        browser.open(&served.url(&context.team_link("acme").await)).await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &context.rep(), "Allow").await;

        let page = browser.text().await;

        assert!(page.contains("may not see every record") && page.contains("Opportunity"), "{page}");
        check_page(&mut browser, "connected-limited").await;
        let shown = browser.evaluate("document.querySelector('#webhook').value").await;
        context.secrets.note(shown.as_str().unwrap());
        context.secrets.assert_not_logged();
    });
}
