//! Views of accounts, contacts, leads and opportunities.

use serde_json::{Value, json};

use crate::harness::{TestContext, run};
use crate::world::{PROFILES, Profile};

fn names<'a>(part: &'a Value, field: &str) -> Vec<&'a str> {
    let records = part["records"].as_array().unwrap_or_else(|| panic!("no records: {part}"));
    records.iter().map(|record| record["fields"][field].as_str().unwrap_or_default()).collect()
}

#[test]
fn an_account_has_its_people_deals_notes_and_interactions() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/accounts/{}", world.account)).await;

        assert_eq!((&view["source"], &view["label"]), (&json!("salesforce"), &json!("Account")));
        assert_eq!(view["owner"]["id"], context.rep.id);
        assert!(view["owner"]["name"].is_string(), "{view}");
        assert!(view["url"].as_str().unwrap().ends_with(&format!("/lightning/r/Account/{}/view", world.account)));
        assert_eq!((&view["fields"]["Phone"], &view["is_person_account"]), (&json!("+47 555 0100"), &json!(false)));
        assert_eq!(view["parent"]["fields"]["Name"], "Fjord Group");
        assert_eq!(names(&view["contacts"], "LastName"), ["Moe"]);
        assert_eq!(names(&view["opportunities"], "Name"), ["Lenses", "Prisms"]);
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        // The meetings and calls with the account's contact count, too.
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Meeting", "Offer", "Call", "Call"]);
        assert_eq!(view["interactions"]["next"], Value::Null);
        assert_eq!(view["interactions"]["records"][0]["at"], "2026-11-22T09:00:00.000Z");
    });
}

#[test]
fn a_contact_has_its_account_deals_and_communication() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/contacts/{}", world.contact)).await;

        assert_eq!(view["account"]["fields"]["Name"], "Fjordglass");
        assert_eq!(names(&view["accounts"], "Name"), ["Fjordglass"]);
        assert_eq!(view["accounts"]["records"][0]["is_direct"], true);
        let deal = &view["opportunities"]["records"][0];
        assert_eq!((&deal["fields"]["Name"], &deal["role"]), (&json!("Lenses"), &json!("Decision Maker")));
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        let history = names(&view["interactions"], "Subject");
        assert_eq!(history, ["Meeting", "Meeting", "Offer", "Offer", "Call", "Call"]);
    });
}

#[test]
fn a_lead_has_its_history_notes_and_interactions() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/leads/{}", world.lead)).await;

        assert_eq!((&view["fields"]["Company"], &view["is_converted"]), (&json!("Nordlys"), &json!(false)));
        assert_eq!(view["converted"], Value::Null);
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Offer", "Call"]);
    });
}

#[test]
fn an_opportunity_has_its_stage_people_and_amount() {
    run(async {
        let context = TestContext::new().await;
        let world = context.customer();

        let view = context.view(&format!("/opportunities/{}", world.opportunity)).await;

        assert_eq!(view["amount"], json!({"value": 1000.5, "currency": null}));
        assert_eq!((&view["stage"]["api_name"], &view["stage"]["pipeline"]), (&json!("Prospecting"), &Value::Null));
        assert_eq!(view["account"]["fields"]["Name"], "Fjordglass");
        let person = &view["contacts"]["records"][0];
        assert_eq!((&person["fields"]["LastName"], &person["role"]), (&json!("Moe"), &json!("Decision Maker")));
        assert_eq!((&view["products"]["count"], &view["products"]["total"]), (&json!(0), &json!(0.0)));
        assert_eq!(names(&view["history"], "StageName"), ["Prospecting"]);
        assert_eq!(names(&view["notes"], "Title"), ["Minutes"]);
        assert_eq!(names(&view["interactions"], "Subject"), ["Meeting", "Offer", "Call"]);
    });
}

#[test]
fn a_profile_sees_in_a_view_what_it_sees_in_salesforce() {
    run(async {
        for profile in PROFILES {
            let context = TestContext::new().await;
            let world = context.customer();
            context.limit_rep(profile);
            let account = context.view(&format!("/accounts/{}", world.account)).await;
            let contact = context.view(&format!("/contacts/{}", world.contact)).await;
            let opportunity = context.view(&format!("/opportunities/{}", world.opportunity)).await;
            let lead = context.view(&format!("/leads/{}", world.lead)).await;

            let shows = profile != Profile::WithoutTwoFields;
            let has = |fields: &Value, field: &str| fields["fields"].get(field).is_some();
            assert_eq!(has(&account, "Phone"), shows, "{profile:?}");
            assert_eq!(has(&contact["account"], "Phone"), shows, "{profile:?}");
            assert_eq!(has(&opportunity["account"], "Phone"), shows, "{profile:?}");
            assert_eq!(has(&contact, "Email"), shows, "{profile:?}");
            assert_eq!(has(&account["contacts"]["records"][0], "Email"), shows, "{profile:?}");
            assert_eq!(has(&opportunity["contacts"]["records"][0], "Email"), shows, "{profile:?}");
            assert_eq!(account["interactions"]["records"].as_array().unwrap().len(), 5, "{profile:?}");
            assert_eq!(names(&lead["interactions"], "Subject").len(), 3, "{profile:?}");
        }
    });
}
