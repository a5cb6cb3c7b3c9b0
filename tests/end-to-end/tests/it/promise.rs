//! The views that a rep needs, one call each, over the deployed stack: read as the rep, and by the platform without one.

use end_to_end::{Connected, Method};
use local::stack;
use serde_json::{Value, json};

const REP: &str = "rep-1";
const VISIT: &str = "Visit__c";

/// The ids of a customer's records.
struct Customer {
    account: String,
    contact: String,
    opportunity: String,
}

/// Creates a company with a person, a deal in which the person has a role, and interactions.
fn customer(org: &Connected) -> Customer {
    let create = |object: &str, fields: Value| org.create(object, &fields).unwrap();
    let account = create("Account", json!({ "Name": "Fjordglass" }));
    let person =
        json!({ "FirstName": "Ingrid", "LastName": "Moe", "Email": "ingrid@fjordglass.example", "AccountId": account });
    let contact = create("Contact", person);
    let deal = json!({
        "Name": "Lenses", "StageName": "Prospecting", "CloseDate": "2027-03-31", "Amount": 1000.5, "AccountId": account,
    });
    let opportunity = create("Opportunity", deal);
    let role =
        json!({ "OpportunityId": opportunity, "ContactId": contact, "Role": "Decision Maker", "IsPrimary": true });
    create("OpportunityContactRole", role);
    create("Task", json!({ "Subject": "Call", "WhoId": contact, "WhatId": account, "ActivityDate": "2026-11-20" }));
    let meeting = json!({
        "Subject": "Meeting", "WhoId": contact, "WhatId": opportunity, "ActivityDateTime": "2026-11-21T10:00:00Z",
        "DurationInMinutes": 30,
    });
    create("Event", meeting);
    Customer { account, contact, opportunity }
}

/// Returns a field of each record of a part of a view.
fn all<'a>(part: &'a Value, pointer: &str) -> Vec<&'a str> {
    let records = part["records"].as_array().unwrap_or_else(|| panic!("no records in {part}"));
    records.iter().filter_map(|record| record.pointer(pointer)?.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_view_a_rep_needs_is_one_call() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let simulator = org.stack.simulator();
    let rep = simulator.users().into_iter().find(|user| !user.is_admin).unwrap();
    org.connect_rep(REP, &rep).await.unwrap();
    let customer = customer(&org);
    let read = async |path: String| {
        let separator = if path.contains('?') { '&' } else { '?' };
        org.get(&org.path(&format!("{path}{separator}as={REP}"))).await.unwrap()
    };

    // An account with its contacts and recent interactions.
    let account = read(format!("/accounts/{}", customer.account)).await;
    assert_eq!(account["fields"]["Name"], "Fjordglass");
    assert_eq!(all(&account["contacts"], "/fields/LastName"), ["Moe"]);
    assert_eq!(all(&account["opportunities"], "/fields/Name"), ["Lenses"]);
    assert_eq!(all(&account["interactions"], "/fields/Subject"), ["Meeting", "Call"]);

    // A contact with the communication history.
    let contact = read(format!("/contacts/{}", customer.contact)).await;
    assert_eq!(contact["account"]["fields"]["Name"], "Fjordglass", "{contact}");
    assert_eq!(all(&contact["interactions"], "/fields/Subject"), ["Meeting", "Call"]);

    // A deal with stage, value, contacts and company.
    let deal = read(format!("/opportunities/{}", customer.opportunity)).await;
    assert_eq!((&deal["fields"]["StageName"], &deal["fields"]["Amount"]), (&json!("Prospecting"), &json!(1000.5)));
    assert_eq!(all(&deal["contacts"], "/role"), ["Decision Maker"]);
    assert_eq!(deal["account"]["fields"]["Name"], "Fjordglass");
    assert_eq!((&deal["stage"]["api_name"], &deal["stage"]["position"]), (&json!("Prospecting"), &json!(1)), "{deal}");

    // The platform itself, without a rep: what is mirrored says how fresh it is.
    let path = org.path(&format!("/records/Account/{}/refresh", customer.account));
    org.platform(Method::POST, &path, &Value::Null).await.unwrap();
    let mirrored = org.get(&org.path(&format!("/accounts/{}", customer.account))).await.unwrap();
    assert_eq!((&mirrored["source"], &mirrored["freshness"]["complete"]), (&json!("mirror"), &json!(true)));

    // The record types as pipelines, with their stages.
    let pipelines = org.get(&org.path("/pipelines")).await.unwrap();
    let stages = pipelines["pipelines"][0]["stages"].as_array().unwrap();
    assert!(stages.iter().any(|stage| stage["api_name"] == "Prospecting"), "{pipelines}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_object_is_found_formed_listed_and_read() {
    let org = Connected::start(stack::Options::default()).await.unwrap();
    let visit = json!({ "name": VISIT, "fields": [
        { "name": "Account__c", "type": "reference", "reference_to": ["Account"], "master_detail": true,
            "child_relationship": "Visits" },
        { "name": "Purpose__c", "type": "picklist", "picklist": ["Demo", "Review"], "required": true, "restricted": true },
    ] });
    org.stack.simulator().define_object(visit).unwrap();
    let account = org.create("Account", &json!({ "Name": "Fjordglass" })).unwrap();
    let id = org.create(VISIT, &json!({ "Account__c": account, "Purpose__c": "Demo" })).unwrap();
    let get = async |path: &str| org.get(&org.path(path)).await.unwrap();

    let objects = get("/objects").await;
    assert!(objects["objects"].as_array().unwrap().iter().any(|object| object["name"] == VISIT), "{objects}");

    let form = get("/objects/visit__c/form").await;
    let required = form["required"].as_array().unwrap();
    assert!(required.contains(&json!("Account__c")) && required.contains(&json!("Purpose__c")), "{form}");

    let list = get(&format!("/records/{VISIT}")).await;
    assert_eq!((&list["source"], all(&list, "/id")), (&json!("team"), vec![id.as_str()]));
    assert_eq!(get(&format!("/records/{VISIT}/{id}")).await["fields"]["Purpose__c"], "Demo");
}
