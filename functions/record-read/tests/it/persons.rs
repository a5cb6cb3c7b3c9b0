//! Person accounts: the contact of a person is no contact of its own, in the mirror and in Salesforce alike.

use http::StatusCode;
use runtime::Schemas;
use serde_json::{Value, json};

use crate::harness::{REP, TestContext, run};

const COMPANY: &str = "001000000000001AAA";
const PERSON: &str = "001000000000002AAA";
const OF_PERSON: &str = "003000000000002AAA";

fn last_names(page: &Value) -> Vec<&str> {
    let rows = page["records"].as_array().unwrap_or_else(|| panic!("{page}"));
    rows.iter().map(|row| row["fields"]["LastName"].as_str().unwrap_or_else(|| panic!("{row}"))).collect()
}

impl TestContext {
    async fn read(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn read_as_rep(&self, path: &str) -> Value {
        let (status, body) = self.get_as(REP, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn mirror_contact(&self, id: &str, last_name: &str, account: &str, is_person: bool) {
        let fields = json!({
            "LastName": last_name, "Name": last_name, "AccountId": account, "IsPersonAccount": is_person,
            "SystemModstamp": "2026-11-22T09:00:00.000+0000",
        });
        self.mirror("Contact", id, fields).await;
    }
}

#[test]
fn the_mirror_does_not_list_the_contact_of_a_person() {
    run(async {
        let context = TestContext::new().await;
        for (id, is_person) in [(COMPANY, false), (PERSON, true)] {
            let fields = json!({
                "Name": "An account", "IsPersonAccount": is_person, "SystemModstamp": "2026-11-22T09:00:00.000+0000",
            });
            context.mirror("Account", id, fields).await;
        }
        context.mirror_contact("003000000000001AAA", "Moe", COMPANY, false).await;
        context.mirror_contact(OF_PERSON, "Lee", PERSON, true).await;

        for path in ["/records/Contact", "/records/Contact?sort=-modified"] {
            assert_eq!(last_names(&context.read(path).await), ["Moe"], "{path}");
        }
        assert_eq!(last_names(&context.read(&format!("/records/Contact?account={PERSON}")).await), [""; 0]);
        let asked = context.read("/records/Contact?field.ispersonaccount=true").await;
        assert_eq!(last_names(&asked), ["Lee"]);
        for (account, expected) in [(COMPANY, &["Moe"][..]), (PERSON, &[])] {
            let view = context.read(&format!("/accounts/{account}?expand=contacts")).await;
            assert_eq!(last_names(&view["contacts"]), expected);
        }
    });
}

#[test]
fn the_contact_of_a_person_names_its_account() {
    run(async {
        let context = TestContext::new().await;
        context.mirror_contact("003000000000001AAA", "Moe", COMPANY, false).await;
        context.mirror_contact(OF_PERSON, "Lee", PERSON, true).await;

        let person = context.read(&format!("/records/Contact/{OF_PERSON}")).await;
        assert_eq!(person["person_account"], PERSON);
        let listed = context.read("/records/Contact?field.IsPersonAccount=true&fields=LastName").await;
        let person = &listed["records"][0];
        assert_eq!((&person["person_account"], &person["fields"]), (&json!(PERSON), &json!({ "LastName": "Lee" })));
        let contact = context.read("/records/Contact/003000000000001AAA").await;
        assert_eq!(contact.get("person_account"), None);
        let view = context.read(&format!("/contacts/{OF_PERSON}?expand=none")).await;
        assert_eq!(view["person_account"], PERSON);
    });
}

#[test]
fn a_live_list_leaves_out_the_contact_of_a_person() {
    run(async {
        let mut context = TestContext::with_person_accounts().await;
        context.deps.schemas = Schemas::default();
        let types = context.read("/records/RecordType").await;
        let types = types["records"].as_array().unwrap();
        let of_persons = types.iter().find(|row| row["fields"]["DeveloperName"] == "PersonAccount").unwrap();
        let person = json!({ "RecordTypeId": of_persons["id"], "LastName": "Lee" });
        let person = context.create(&context.admin, "Account", &person);
        let company = context.create(&context.admin, "Account", &json!({ "Name": "A company" }));
        context.create(&context.admin, "Contact", &json!({ "LastName": "Moe", "AccountId": company }));

        let listed = context.read_as_rep("/records/Contact?limit=200").await;
        assert!(last_names(&listed).contains(&"Moe") && !last_names(&listed).contains(&"Lee"), "{listed}");
        let asked = context.read_as_rep("/records/Contact?field.IsPersonAccount=true").await;
        assert_eq!(last_names(&asked), ["Lee"]);
        assert_eq!(asked["records"][0]["person_account"], person);
        let view = context.read_as_rep(&format!("/accounts/{person}?expand=contacts")).await;
        assert_eq!((last_names(&view["contacts"]), &view["is_person_account"]), (vec![], &json!(true)));
    });
}
