//! The mirror after a deletion, a restoration, a merge and a conversion by the platform.

use harness::run;
use http::Method;
use salesforce::{ObjectName, RecordId};
use serde_json::{Value, json};

use crate::harness::TestContext;

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const CONTACT: ObjectName = ObjectName::from_static("Contact");
const LEAD: ObjectName = ObjectName::from_static("Lead");
const OPPORTUNITY: ObjectName = ObjectName::from_static("Opportunity");

impl TestContext {
    fn account(&self, name: &str) -> RecordId {
        self.create(&self.rep, "Account", &json!({ "Name": name })).parse().unwrap()
    }
}

#[test]
fn the_mirror_shows_what_was_deleted_and_restored() {
    run(async {
        let context = TestContext::new().await;
        let account = context.account("Acme");
        let path = format!("records/Account/{account}");

        context.request("d", Method::DELETE, &path, None).await;
        context.settle(&ACCOUNT, account).await;
        assert!(context.mirrored(&ACCOUNT, account).await.unwrap().deleted);

        // A restoration has a later `SystemModstamp`, which has whole seconds.
        context.pass(jiff::SignedDuration::from_secs(2));
        context.request("u", Method::POST, &format!("{path}/undelete"), None).await;
        let events = context.settle(&ACCOUNT, account).await;
        assert!(!context.mirrored(&ACCOUNT, account).await.unwrap().deleted);
        assert_eq!(events[0]["type"], "record.restored", "{events:?}");
    });
}

#[test]
fn the_mirror_shows_into_which_record_others_were_merged() {
    run(async {
        let context = TestContext::new().await;
        let [stays, merged] = ["A", "B"].map(|name| context.account(name));
        let contact = context.create(&context.rep, "Contact", &json!({ "LastName": "Doe", "AccountId": merged }));

        let body = json!({ "merged_ids": [merged] });
        context.request("m", Method::POST, &format!("records/Account/{stays}/merge"), Some(body)).await;
        context.settle(&ACCOUNT, merged).await;

        let row = context.mirrored(&ACCOUNT, merged).await.unwrap();
        assert_eq!((row.deleted, row.master_record_id), (true, Some(stays)));
        let contact = context.mirrored(&CONTACT, contact.parse().unwrap()).await.unwrap();
        assert_eq!(contact.fields["AccountId"], json!(stays));
    });
}

#[test]
fn the_mirror_shows_the_lead_and_what_it_became() {
    run(async {
        let context = TestContext::new().await;
        let lead = context.create(&context.rep, "Lead", &json!({ "LastName": "Vogt", "Company": "Vogt AG" }));

        let path = format!("leads/{lead}/convert");
        let converted = context.request("c", Method::POST, &path, Some(json!({}))).await;
        context.settle(&LEAD, lead.parse().unwrap()).await;

        let row = context.mirrored(&LEAD, lead.parse().unwrap()).await.unwrap();
        assert_eq!(row.fields["ConvertedAccountId"], converted["account_id"]);
        let id = |member: &str| -> RecordId { converted[member].as_str().unwrap().parse().unwrap() };
        for (object, member) in [(ACCOUNT, "account_id"), (CONTACT, "contact_id"), (OPPORTUNITY, "opportunity_id")] {
            let row = context.mirrored(&object, id(member)).await;
            assert!(row.is_some_and(|row| row.fields["Name"] != Value::Null), "{member}");
        }
    });
}
