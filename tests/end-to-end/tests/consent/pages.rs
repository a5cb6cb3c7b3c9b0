//! The pages in a real browser, from the connect link through the simulated org's consent page to the last page.

use jiff::SignedDuration;
use org_simulator::{AppPolicy, ObjectPermissions};
use serde_json::{Value, json};
use store::ConnectionState;

use crate::chromium::{Chromium, Key};
use crate::looking::{look, tab_to};
use crate::stage::Served;

/// Lets the user of this name log in on the simulated org's consent page, and decides.
async fn decide(browser: &mut Chromium, username: &str, decision: &str) {
    assert!(browser.text().await.contains("asks for access"), "{}", browser.text().await);
    browser.evaluate(&format!("document.querySelector('#username').value = {username:?}")).await;
    browser.take_complaints();
    browser.click(decision).await;
}

#[test]
fn a_team_connects_with_the_keyboard_alone() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        browser.open(&served.url(&served.stage.team_link("acme").await)).await;
        look(&mut browser, "connect-team").await;

        tab_to(&mut browser, "Continue to Salesforce").await;
        browser.go_on().await;
        assert!(browser.text().await.contains("asks for access"));
        while browser.evaluate("document.activeElement.tagName").await != "SELECT" {
            browser.press(Key::Tab).await;
        }
        while browser.evaluate("document.activeElement.value").await != served.stage.admin().as_str() {
            browser.press(Key::Down).await;
        }
        while browser.evaluate("document.activeElement.value").await != "allow" {
            browser.press(Key::Tab).await;
        }
        browser.take_complaints();
        browser.go_on().await;

        let page = browser.text().await;
        assert!(page.contains("Ferry is connected to your Salesforce org"), "{page}");
        look(&mut browser, "connected-team").await;
        assert_eq!(served.stage.team().await.unwrap().state, ConnectionState::Active);
        let shown = browser.evaluate("document.querySelector('#webhook').value").await;
        served.stage.secrets.note(shown.as_str().unwrap());
        served.stage.secrets.assert_not_logged();
    });
}

#[test]
fn a_rep_connects_and_sees_that_it_is_theirs() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        served.stage.connect_team("acme").await;
        browser.open(&served.url(&served.stage.personal_link("acme").await)).await;
        look(&mut browser, "connect-personal").await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &served.stage.rep(), "Allow").await;

        let page = browser.text().await;

        assert!(page.contains("Ferry is connected to your Salesforce user"), "{page}");
        look(&mut browser, "connected-personal").await;
        let reps = served.stage.reps().await.unwrap();
        assert_eq!(reps.state, ConnectionState::Active);
    });
}

#[test]
fn who_says_no_or_has_no_package_is_told_what_to_do() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let stage = &served.stage;
        let policy = |policy: AppPolicy| stage.org.set_app_policy(stage.org.client_id(), policy).unwrap();
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
        for (name, decision, settings, told) in cases {
            policy(settings);
            browser.open(&served.url(&stage.team_link("acme").await)).await;
            browser.click("Continue to Salesforce").await;
            decide(&mut browser, &stage.admin(), decision).await;

            let page = browser.text().await;

            assert!(page.contains(told), "{name}: {page}");
            look(&mut browser, name).await;
        }
        assert!(stage.is_untouched(stage.org_id()).await);
    });
}

#[test]
fn an_old_link_and_a_reloaded_answer_say_what_to_do() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let stage = &served.stage;
        let old = stage.team_link("acme").await;
        stage.pass(SignedDuration::from_mins(15));
        browser.open(&served.url(&old)).await;
        assert!(browser.text().await.contains("can no longer be used"));
        look(&mut browser, "expired-link").await;

        browser.open(&served.url(&stage.team_link("acme").await)).await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &stage.admin(), "Allow").await;
        assert!(browser.text().await.contains("Connected"));
        let answer = browser.url().await;
        browser.open(&answer).await;
        assert!(browser.text().await.contains("already behind you"));
        look(&mut browser, "reloaded").await;
        assert_eq!(stage.team().await.unwrap().state, ConnectionState::Active);
    });
}

#[test]
fn an_admin_sees_reconnects_and_disconnects_with_the_keyboard() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let stage = &served.stage;
        stage.connect_team("acme").await;
        stage.connect_rep("acme").await;
        for (name, state) in [("amy@acme.example", "grant_ended"), ("bob@acme.example", "displaced")] {
            stage.connect_another(name, state).await;
        }
        browser.open(&served.url(&stage.admin_link("acme").await)).await;
        look(&mut browser, "admin-link").await;
        tab_to(&mut browser, "Show the connections").await;
        browser.go_on().await;
        let page = browser.text().await;
        for told in ["Salesforce connections of acme", "Team", "rep-1", "Must be reconnected", "Connected"] {
            assert!(page.contains(told), "{told}: {page}");
        }
        look(&mut browser, "connections").await;

        tab_to(&mut browser, "Reconnect amy@acme.example").await;
        browser.go_on().await;
        assert!(browser.text().await.contains("Send this link to amy@acme.example"));
        look(&mut browser, "invitation").await;
        let link = browser.evaluate("document.querySelector('#link').value").await;
        stage.secrets.note(link.as_str().unwrap().rsplit('/').next().unwrap());
        browser.click("Back to the connections").await;

        tab_to(&mut browser, "Disconnect rep-1").await;
        browser.go_on().await;
        look(&mut browser, "confirm").await;
        tab_to(&mut browser, "Disconnect").await;
        browser.go_on().await;
        assert!(browser.text().await.contains("rep-1 is disconnected"), "{}", browser.text().await);
        look(&mut browser, "disconnected").await;
        assert_eq!(stage.reps().await.unwrap().state, ConnectionState::Revoked);

        browser.click("Back to the connections").await;
        browser.click("Reconnect Team").await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &stage.admin(), "Allow").await;
        assert!(browser.text().await.contains("stays good"), "{}", browser.text().await);
        look(&mut browser, "reconnected").await;
        browser.click("Back to the connections").await;
        browser.click("Close this page for good").await;
        assert!(browser.text().await.contains("Your session has ended"));
        look(&mut browser, "signed-out").await;
        stage.secrets.assert_not_logged();
    });
}

#[test]
fn no_script_gets_at_the_cookies() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        browser.open(&served.url(&served.stage.admin_link("acme").await)).await;
        browser.click("Show the connections").await;
        assert_eq!(browser.evaluate("document.cookie").await, json!(""));

        let run = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = true\">'); \
                   const script = document.createElement('script'); script.textContent = 'window.ran = true'; \
                   document.body.append(script); window.ran === undefined";
        assert_eq!(browser.evaluate(run).await, Value::Bool(true), "the policy lets no script run");
        assert!(!browser.take_complaints().is_empty(), "and the browser says so");
    });
}

#[test]
fn a_sixth_connection_of_one_user_says_whose_it_ended() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let stage = &served.stage;
        stage.connect_team("acme").await;
        for name in ["amy", "bob", "cat", "dan"] {
            stage.connect_as(name).await;
            stage.pass(SignedDuration::from_mins(1));
        }
        let mut shown = Vec::new();
        for name in ["eve", "fay"] {
            browser.open(&served.url(&stage.link(&stage.personal_of(name)).await)).await;
            browser.click("Continue to Salesforce").await;
            decide(&mut browser, &stage.rep(), "Allow").await;
            shown.push(browser.text().await);
            look(&mut browser, &format!("connected-{name}")).await;
        }

        assert!(shown[0].contains("the next one ends the oldest"), "{}", shown[0]);
        assert!(shown[1].contains("the oldest was ended") && shown[1].contains("amy"), "{}", shown[1]);
        assert!(!shown[1].contains("bob"), "{}", shown[1]);
        browser.open(&served.url(&stage.admin_link("acme").await)).await;
        browser.click("Show the connections").await;
        let page = browser.text().await;
        assert!(page.contains("Salesforce keeps five, so this one was ended"), "{page}");
        stage.secrets.assert_not_logged();
    });
}

#[test]
fn who_is_on_an_older_app_is_asked_to_move() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let stage = &served.stage;
        stage.connect_team("acme").await;
        stage.connect_rep("acme").await;
        stage.release_another_app().await;

        browser.open(&served.url(&stage.admin_link("acme").await)).await;
        browser.click("Show the connections").await;

        let page = browser.text().await;
        assert!(page.contains("2 connections need to move") && page.contains("Needs to move"), "{page}");
        look(&mut browser, "connections-older-app").await;
    });
}

#[test]
fn a_user_who_may_not_do_enough_is_told_what_is_missing() {
    world::run(async {
        let Some(mut browser) = Chromium::start().await else { return };
        let served = Served::start().await;
        let stage = &served.stage;
        let readonly = ObjectPermissions { no_create: true, no_edit: true, ..ObjectPermissions::default() };
        stage.org.limit_profile("System Administrator", "Opportunity", &readonly).unwrap();
        browser.open(&served.url(&stage.team_link("acme").await)).await;
        browser.click("Continue to Salesforce").await;
        decide(&mut browser, &stage.admin(), "Allow").await;

        let page = browser.text().await;

        assert!(page.contains("Your user may not do enough in Salesforce") && page.contains("Opportunity"), "{page}");
        look(&mut browser, "missing-permissions").await;
        assert!(stage.team().await.is_none_or(|team| team.state != ConnectionState::Active));
        stage.secrets.assert_not_logged();
    });
}
