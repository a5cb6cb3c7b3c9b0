use org_simulator::{Clock, Features, Options, OutboundMessage, Simulator};
use serde_json::{Value, json};

use crate::support::{ADMIN, START, TestContext};

async fn context(features: Features) -> TestContext {
    let clock = Clock::manual(START.parse().unwrap());
    let org = Simulator::start(Options { clock, features, ..Options::default() }).await.unwrap();
    TestContext::of(org, ADMIN)
}

#[tokio::test]
async fn a_person_account_is_an_account_and_a_contact() {
    let context = context(Features { person_accounts: true, ..Features::default() }).await;
    let types = context
        .query("SELECT Id FROM RecordType WHERE SobjectType = 'Account' AND DeveloperName = 'PersonAccount'")
        .await;
    let person = types.body["records"][0]["Id"].clone();
    let body =
        json!({"RecordTypeId": person, "FirstName": "Ida", "LastName": "Vogt", "PersonEmail": "ida@vogt.example"});

    let created = context.post("sobjects/Account", body).await;

    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.body["id"].as_str().unwrap();
    let account = context.org.record("Account", id).unwrap();
    assert_eq!((&account["Name"], &account["IsPersonAccount"]), (&json!("Ida Vogt"), &json!(true)));
    let twin = account["PersonContactId"].as_str().unwrap();
    let contact = context.org.record("Contact", twin).unwrap();
    assert_eq!(
        (&contact["Name"], &contact["Email"], &contact["AccountId"], &contact["IsPersonAccount"]),
        (&json!("Ida Vogt"), &json!("ida@vogt.example"), &json!(id), &json!(true))
    );

    let path = format!("sobjects/Account/{id}");
    assert_eq!(context.patch(&path, json!({"LastName": "Meier", "PersonEmail": null})).await.status, 204);
    let contact = context.org.record("Contact", twin).unwrap();
    assert_eq!((&contact["Name"], &contact["Email"]), (&json!("Ida Meier"), &Value::Null));
    assert_eq!(context.org.record("Account", id).unwrap()["Name"], "Ida Meier");
    assert_eq!(context.patch(&path, json!({"Name": "x"})).await.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(context.patch(&path, json!({"LastName": null})).await.code(), "REQUIRED_FIELD_MISSING");
    assert_eq!(context.patch(&format!("sobjects/Contact/{twin}"), json!({"Title": "x"})).await.status, 403);
    context.delete(&path).await;
    assert_eq!(context.org.record("Contact", twin).unwrap()["IsDeleted"], true);
}

#[tokio::test]
async fn a_business_account_has_no_persons_fields() {
    let context = context(Features { person_accounts: true, ..Features::default() }).await;
    let refused = context.post("sobjects/Account", json!({"Name": "x", "PersonEmail": "a@b.example"})).await;
    assert_eq!(
        (refused.code(), &refused.body[0]["fields"]),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", &json!(["PersonEmail"]))
    );
    let made = context.post("sobjects/Account", json!({"Name": "x"})).await;
    let account = context.org.record("Account", made.body["id"].as_str().unwrap()).unwrap();
    assert_eq!((&account["IsPersonAccount"], &account["PersonContactId"]), (&json!(false), &Value::Null));
    let plain = TestContext::new().await;
    assert_eq!(
        plain
            .get(&format!(
                "sobjects/Account/{}?fields=IsPersonAccount",
                plain.id_of("Account", "Fjordglass Optics").await
            ))
            .await
            .code(),
        "INVALID_FIELD"
    );
}

#[tokio::test]
async fn records_of_a_multi_currency_org_have_a_currency() {
    let context = context(Features { multi_currency: true, ..Features::default() }).await;
    let body = |currency: Option<&str>| {
        let mut body = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-12-01"});
        if let Some(currency) = currency {
            body["CurrencyIsoCode"] = json!(currency);
        }
        body
    };
    let currency = async |given: Option<&str>| {
        let made = context.post("sobjects/Opportunity", body(given)).await;
        context.org.record("Opportunity", made.body["id"].as_str().unwrap()).unwrap()["CurrencyIsoCode"].clone()
    };
    assert_eq!((currency(None).await, currency(Some("EUR")).await), (json!("USD"), json!("EUR")));
    let refused = context.post("sobjects/Opportunity", body(Some("XXX"))).await;
    assert_eq!(refused.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let types = context.query("SELECT IsoCode, ConversionRate FROM CurrencyType WHERE IsCorporate = true").await.body;
    assert_eq!((&types["totalSize"], &types["records"][0]["IsoCode"]), (&json!(1), &json!("USD")));
    let plain = TestContext::new().await;
    assert_eq!(plain.query("SELECT IsoCode FROM CurrencyType").await.code(), "INVALID_TYPE");
}

#[tokio::test]
async fn without_enhanced_notes_the_object_does_not_exist() {
    let context = context(Features { enhanced_notes: false, ..Features::default() }).await;
    assert_eq!(context.post("sobjects/ContentNote", json!({"Title": "x"})).await.code(), "NOT_FOUND");
    let names: Vec<Value> =
        context.get("sobjects").await.body["sobjects"].as_array().unwrap().iter().map(|o| o["name"].clone()).collect();
    assert!(!names.contains(&json!("ContentNote")) && names.contains(&json!("Account")));
}

#[tokio::test]
async fn merged_person_accounts_merge_their_contacts() {
    let context = context(Features { person_accounts: true, ..Features::default() }).await;
    let types = context.query("SELECT Id FROM RecordType WHERE DeveloperName = 'PersonAccount'").await;
    let person = types.body["records"][0]["Id"].clone();
    let make = async |last: &str| {
        let made = context.post("sobjects/Account", json!({"RecordTypeId": person, "LastName": last})).await;
        let id = made.body["id"].as_str().unwrap().to_owned();
        let twin = context.org.record("Account", &id).unwrap()["PersonContactId"].as_str().unwrap().to_owned();
        (id, twin)
    };
    let ((master, master_twin), (loser, loser_twin)) = (make("Master").await, make("Loser").await);
    let task = context.post("sobjects/Task", json!({"Subject": "x", "WhoId": loser_twin})).await.body["id"].clone();
    let merge = format!(
        "<Envelope><Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></Header><Body><merge><request><masterRecord><type>Account</type>\
         <Id>{master}</Id></masterRecord><recordToMergeIds>{loser}</recordToMergeIds></request></merge></Body></Envelope>",
        context.token()
    );
    let url = format!("{}/services/Soap/u/64.0", context.org.url());
    let response = context.plain(context.http.post(url).header("content-type", "text/xml").body(merge)).await;
    assert_eq!(response.status, 200);

    assert_eq!(context.org.record("Task", task.as_str().unwrap()).unwrap()["WhoId"], master_twin);
    assert_eq!(context.org.record("Contact", &loser_twin).unwrap()["IsDeleted"], true);
    assert_eq!(context.org.record("Account", &loser).unwrap()["PersonContactId"], loser_twin);
    assert_eq!(context.org.record("Account", &master).unwrap()["PersonContactId"], master_twin);
}

#[tokio::test]
async fn a_lead_without_a_company_becomes_a_person() {
    let context = context(Features { person_accounts: true, ..Features::default() }).await;
    let lead = context.post("sobjects/Lead", json!({"LastName": "Vogt", "Email": "v@vogt.example"})).await;
    let lead = lead.body["id"].as_str().unwrap().to_owned();
    let convert = format!(
        "<Envelope><Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></Header><Body><convertLead><leadConverts>\
         <convertedStatus>Closed - Converted</convertedStatus><leadId>{lead}</leadId></leadConverts></convertLead></Body></Envelope>",
        context.token()
    );
    let url = format!("{}/services/Soap/u/64.0", context.org.url());
    context.plain(context.http.post(url).header("content-type", "text/xml").body(convert)).await;
    let lead = context.org.record("Lead", &lead).unwrap();
    assert_eq!(lead["IsConverted"], true);
    let account = context.org.record("Account", lead["ConvertedAccountId"].as_str().unwrap()).unwrap();
    assert_eq!((&account["Name"], &account["PersonEmail"]), (&json!("Vogt"), &json!("v@vogt.example")));
    assert_eq!(account["PersonContactId"], lead["ConvertedContactId"]);
}

/// Editions below Enterprise have no outbound messages (Salesforce Help, "Outbound Message Considerations").
#[tokio::test]
async fn smaller_editions_have_no_outbound_messages() {
    let context = TestContext::new().await;
    let message = OutboundMessage {
        name: "Account_Changed".to_owned(),
        object: "Account".to_owned(),
        fields: vec!["Id".to_owned()],
        endpoint_url: "http://127.0.0.1:9/".to_owned(),
    };
    context.org.define_outbound_message(&message).unwrap();
    for (edition, sent) in [("Professional Edition", 0), ("Enterprise Edition", 1)] {
        context.org.set_edition(edition);
        let organization = context.query("SELECT OrganizationType FROM Organization").await;
        assert_eq!(organization.body["records"][0]["OrganizationType"], edition);
        context.post("sobjects/Account", json!({"Name": "x"})).await;
        assert_eq!(context.org.outbound_messages().len(), sent, "{edition}");
    }
}
