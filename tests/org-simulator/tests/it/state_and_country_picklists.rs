use org_simulator::{Clock, Features, Options, Simulator};
use serde_json::{Value, json};

use crate::support::{ADMIN, ApiResponse, START, TestContext};

async fn context() -> TestContext {
    let clock = Clock::manual(START.parse().unwrap());
    let features = Features { state_and_country_picklists: true, ..Features::default() };
    let org = Simulator::start(Options { clock, features, ..Options::default() }).await.unwrap();
    TestContext::of(org, ADMIN)
}

/// Returns the billing country with its code, and the state with its code.
fn place(context: &TestContext, id: &str) -> [Value; 4] {
    let account = context.org.record("Account", id).unwrap();
    ["BillingCountry", "BillingCountryCode", "BillingState", "BillingStateCode"].map(|name| account[name].clone())
}

async fn created(context: &TestContext, mut body: Value) -> String {
    body["Name"] = json!("x");
    let made = context.post("sobjects/Account", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

fn refused(response: &ApiResponse) -> (&str, &str, &Value) {
    (response.code(), response.body[0]["message"].as_str().unwrap(), &response.body[0]["fields"])
}

#[tokio::test]
async fn a_code_sets_its_text_and_a_text_its_code() {
    let context = context().await;
    let texas = ["United States", "US", "Texas", "TX"].map(|text| json!(text));
    let by_code = created(&context, json!({"BillingCountryCode": "us", "BillingStateCode": "TX"})).await;
    assert_eq!(place(&context, &by_code), texas);
    let by_text = created(&context, json!({"BillingCountry": "united states", "BillingState": "Texas"})).await;
    assert_eq!(place(&context, &by_text), texas);

    let path = format!("sobjects/Account/{by_code}");
    let address = &context.get(&path).await.body["BillingAddress"];
    assert_eq!((&address["countryCode"], &address["stateCode"]), (&json!("US"), &json!("TX")));
    // Without its country, an address has no state.
    assert_eq!(context.patch(&path, json!({"BillingCountryCode": null})).await.status, 204);
    assert_eq!(place(&context, &by_code), [Value::Null, Value::Null, Value::Null, Value::Null]);
    let found = context.query("SELECT Id FROM Account WHERE BillingStateCode = 'TX'").await;
    assert_eq!(found.body["totalSize"], 1);
}

#[tokio::test]
async fn unknown_states_and_countries_are_refused() {
    let context = context().await;
    let post = async |body: Value| {
        let mut body = body;
        body["Name"] = json!("x");
        context.post("sobjects/Account", body).await
    };
    let cases = [
        (
            json!({"BillingCountry": "Freedonia"}),
            "There's a problem with this country, even though it may appear correct. Please select a country/territory from the \
             list of valid countries.: Billing Country",
            "BillingCountry",
        ),
        (
            json!({"BillingCountryCode": "US", "BillingState": "Bavaria"}),
            "There's a problem with this state, even though it may appear correct. Please select a state from the list of valid \
             states.: Billing State/Province",
            "BillingState",
        ),
        (
            json!({"BillingState": "Texas"}),
            "A country/territory must be specified before specifying a state value for field: Billing State/Province",
            "BillingState",
        ),
        (
            json!({"BillingCountryCode": "CA", "BillingStateCode": "TX"}),
            "The existing country/territory doesn't recognize the state value for field: Billing State/Province Code",
            "BillingStateCode",
        ),
        (
            json!({"BillingCountryCode": "US", "BillingStateCode": "EP"}),
            "The BillingStateCode field contains EP, which isn't an available state. Your administrator can add it for you.",
            "BillingStateCode",
        ),
        (
            json!({"BillingCountryCode": "ZZ"}),
            "The BillingCountryCode field contains ZZ, which isn't an available country/territory. Your administrator can add it \
             for you.",
            "BillingCountryCode",
        ),
    ];
    for (body, message, field) in cases {
        let response = post(body).await;
        assert_eq!(refused(&response), ("FIELD_INTEGRITY_EXCEPTION", message, &json!([field])));
    }
}

#[tokio::test]
async fn a_code_and_a_text_that_differ() {
    let context = context().await;
    // Of a new record, the code decides; a change is refused.
    let id = created(&context, json!({"BillingCountryCode": "DE", "BillingCountry": "France"})).await;
    assert_eq!(place(&context, &id)[..2], [json!("Germany"), json!("DE")]);
    let path = format!("sobjects/Account/{id}");
    let response = context.patch(&path, json!({"BillingCountryCode": "FR", "BillingCountry": "Canada"})).await;
    assert_eq!(response.code(), "FIELD_INTEGRITY_EXCEPTION");
    // The text that the record already has does not count.
    let response = context.patch(&path, json!({"BillingCountryCode": "FR", "BillingCountry": "Germany"})).await;
    assert_eq!((response.status, &place(&context, &id)[0]), (204, &json!("France")));
}

#[tokio::test]
async fn a_new_country_must_have_the_state() {
    let context = context().await;
    let id = created(&context, json!({"BillingCountryCode": "US", "BillingStateCode": "NY"})).await;
    let path = format!("sobjects/Account/{id}");
    let response = context.patch(&path, json!({"BillingCountry": "Canada"})).await;
    assert_eq!(refused(&response).2, &json!(["BillingStateCode"]));
    assert_eq!(context.patch(&path, json!({"BillingCountry": "Canada", "BillingState": "Ontario"})).await.status, 204);
    assert_eq!(place(&context, &id)[3], "ON");
}

#[tokio::test]
async fn older_texts_stay_until_they_change() {
    let context = context().await;
    // The seed was there before the picklists: "UK" is no name of a country, "Norway" is one.
    let [uk, norway] = ["Harbourline Logistics", "Fjordglass Optics"];
    let (uk, norway) = (context.id_of("Account", uk).await, context.id_of("Account", norway).await);
    assert_eq!(place(&context, &uk)[..2], [json!("UK"), Value::Null]);
    assert_eq!(place(&context, &norway)[..2], [json!("Norway"), json!("NO")]);
    let path = format!("sobjects/Account/{uk}");
    assert_eq!(context.patch(&path, json!({"BillingCountry": "UK", "BillingCity": "Leeds"})).await.status, 204);
    assert_eq!(context.patch(&path, json!({"BillingCountry": "Britain"})).await.code(), "FIELD_INTEGRITY_EXCEPTION");
}

#[tokio::test]
async fn describe_shows_the_states_of_each_country() {
    let context = context().await;
    let describe = context.get("sobjects/Contact/describe").await.body;
    let field = |name: &str| {
        let fields = describe["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap_or(&Value::Null).clone()
    };
    let (country, state) = (field("MailingCountryCode"), field("MailingStateCode"));
    assert_eq!((&state["controllerName"], &state["dependentPicklist"]), (&json!("MailingCountryCode"), &json!(true)));
    assert_eq!((&state["compoundFieldName"], &state["restrictedPicklist"]), (&json!("MailingAddress"), &json!(true)));
    assert_eq!((&country["dependentPicklist"], &field("OtherStateCode")["type"]), (&json!(false), &json!("picklist")));
    let countries = country["picklistValues"].as_array().unwrap();
    assert_eq!((&countries[0]["value"], &countries[0]["label"]), (&json!("AU"), &json!("Australia")));
    // Australia is the first country: the highest bit.
    let wales = &state["picklistValues"][0];
    assert_eq!((&wales["value"], &wales["validFor"]), (&json!("NSW"), &json!("gAA=")));

    let plain = TestContext::new().await;
    let refused = plain.post("sobjects/Account", json!({"Name": "x", "BillingCountryCode": "US"})).await;
    assert_eq!(refused.code(), "INVALID_FIELD");
}

#[tokio::test]
async fn the_addresses_of_a_person_have_codes_too() {
    let clock = Clock::manual(START.parse().unwrap());
    let features = Features { state_and_country_picklists: true, person_accounts: true, ..Features::default() };
    let org = Simulator::start(Options { clock, features, ..Options::default() }).await.unwrap();
    let context = TestContext::of(org, ADMIN);
    let types = context.query("SELECT Id FROM RecordType WHERE DeveloperName = 'PersonAccount'").await;
    let person = &types.body["records"][0]["Id"];
    let body = json!({"RecordTypeId": person, "LastName": "Vogt", "PersonMailingCountryCode": "JP", "PersonMailingState": "Tokyo"});
    let made = context.post("sobjects/Account", body).await;
    let account = context.org.record("Account", made.body["id"].as_str().unwrap()).unwrap();
    let contact = context.org.record("Contact", account["PersonContactId"].as_str().unwrap()).unwrap();
    let codes = ["MailingCountry", "MailingCountryCode", "MailingStateCode"].map(|name| contact[name].clone());
    assert_eq!(codes, [json!("Japan"), json!("JP"), json!("13")]);
}

/// Converts a lead to an account that exists, and returns the place of the account.
async fn converted(context: &TestContext, account: Value) -> [Value; 4] {
    let account = created(context, account).await;
    let lead =
        json!({"LastName": "Vogt", "Company": "Vogt", "Country": "United States", "State": "Texas", "City": "Austin"});
    let lead = context.post("sobjects/Lead", lead).await.body["id"].as_str().unwrap().to_owned();
    let body = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\"><e:Header>\
         <SessionHeader><sessionId>{}</sessionId></SessionHeader></e:Header><e:Body><convertLead><leadConverts>\
         <accountId>{account}</accountId><convertedStatus>Closed - Converted</convertedStatus>\
         <doNotCreateOpportunity>true</doNotCreateOpportunity><leadId>{lead}</leadId>\
         <overwriteLeadSource>false</overwriteLeadSource><sendNotificationEmail>false</sendNotificationEmail>\
         </leadConverts></convertLead></e:Body></e:Envelope>",
        context.token()
    );
    let url = format!("{}/services/Soap/u/66.0", context.org.url());
    let response = context.plain(context.http.post(url).header("content-type", "text/xml").body(body)).await;
    let text = String::from_utf8(response.bytes).unwrap();
    assert!(text.contains("<success>true</success>"), "{text}");
    place(context, &account)
}

#[tokio::test]
async fn a_converted_lead_brings_its_state_with_its_country() {
    let context = context().await;
    let texas = ["United States", "US", "Texas", "TX"].map(|text| json!(text));
    assert_eq!(converted(&context, json!({})).await, texas);
    let canada = [json!("Canada"), json!("CA"), Value::Null, Value::Null];
    assert_eq!(converted(&context, json!({"BillingCountryCode": "CA"})).await, canada, "the account has an address");
}
