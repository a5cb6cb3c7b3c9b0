use org_simulator::{Clock, Features, Options, Seed, Simulator};
use serde_json::{Value, json};

use crate::support::{ADMIN, START, TestContext};

/// Starts an org with dollars (the corporate currency), euros at 0.9 and pounds at 0.8 for a dollar.
async fn context() -> TestContext {
    let clock = Clock::manual(START.parse().unwrap());
    let features = Features { multi_currency: true, ..Features::default() };
    let org = Simulator::start(Options { clock, features, seed: Seed::None, ..Options::default() }).await.unwrap();
    TestContext::of(org, ADMIN)
}

async fn created(context: &TestContext, object: &str, body: Value) -> String {
    let made = context.post(&format!("sobjects/{object}"), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

async fn opportunity(context: &TestContext, name: &str, amount: f64, currency: &str) -> String {
    let body = json!({
        "Name": name, "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": amount, "CurrencyIsoCode": currency,
    });
    created(context, "Opportunity", body).await
}

/// Returns the values of a field of the rows that a query finds.
async fn values(context: &TestContext, soql: &str, field: &str) -> Vec<Value> {
    let found = context.query(soql).await;
    assert_eq!(found.status, 200, "{soql}: {}", found.body);
    found.body["records"].as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}

async fn set_currency(context: &TestContext, currency: &str) {
    let user = context.query(&format!("SELECT Id FROM User WHERE Username = '{ADMIN}'")).await;
    let path = format!("sobjects/User/{}", user.body["records"][0]["Id"].as_str().unwrap());
    assert_eq!(context.patch(&path, json!({"DefaultCurrencyIsoCode": currency})).await.status, 204);
}

fn close(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-6)
}

#[tokio::test]
async fn amounts_are_converted_to_the_users_currency() {
    let context = context().await;
    opportunity(&context, "a", 900.0, "EUR").await;
    let soql = "SELECT Amount, convertCurrency(Amount) converted, FORMAT(Amount) shown, FORMAT(convertCurrency(Amount)) both \
                FROM Opportunity";
    let row = context.query(soql).await.body["records"][0].clone();
    assert!(close(&row["Amount"], 900.0) && close(&row["converted"], 1_000.0), "{row}");
    assert_eq!((&row["shown"], &row["both"]), (&json!("EUR 900.00"), &json!("USD 1,000.00")));

    set_currency(&context, "GBP").await;
    let amounts = values(&context, "SELECT convertCurrency(Amount) FROM Opportunity", "Amount").await;
    assert!(close(&amounts[0], 800.0), "{amounts:?}");
    // A new record has the user's currency.
    let own = created(&context, "Account", json!({"Name": "x", "AnnualRevenue": 80})).await;
    assert_eq!(context.org.record("Account", &own).unwrap()["CurrencyIsoCode"], "GBP");
    let contact = created(&context, "Contact", json!({"LastName": "x", "AccountId": own})).await;
    let soql = format!("SELECT convertCurrency(Account.AnnualRevenue) FROM Contact WHERE Id = '{contact}'");
    let account = values(&context, &soql, "Account").await;
    assert!(close(&account[0]["AnnualRevenue"], 80.0), "{account:?}");
}

#[tokio::test]
async fn a_conversion_is_refused_where_there_is_none() {
    let context = context().await;
    for (soql, code) in [
        ("SELECT convertCurrency(Probability) FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE convertCurrency(Amount) > 1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity ORDER BY convertCurrency(Amount)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Amount > XXX1", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Probability > USD1", "MALFORMED_QUERY"),
        ("SELECT MAX(Amount) FROM Opportunity GROUP BY Name HAVING MAX(Amount) > USD1", "MALFORMED_QUERY"),
    ] {
        assert_eq!(context.query(soql).await.code(), code, "{soql}");
    }
    let plain = TestContext::new().await;
    for (soql, code) in [
        ("SELECT convertCurrency(Amount) FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Amount > USD1", "MALFORMED_QUERY"),
        ("SELECT CurrencyIsoCode FROM Opportunity", "INVALID_FIELD"),
    ] {
        assert_eq!(plain.query(soql).await.code(), code, "{soql}");
    }
}

#[tokio::test]
async fn amounts_are_compared_in_one_currency_if_asked() {
    let context = context().await;
    for (name, amount, currency) in [("dollars", 980.0, "USD"), ("euros", 900.0, "EUR"), ("pounds", 810.0, "GBP")] {
        opportunity(&context, name, amount, currency).await;
    }
    let names = async |clause: &str| {
        let found = values(&context, &format!("SELECT Name FROM Opportunity {clause}"), "Name").await;
        found.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("WHERE Amount > USD990.5 ORDER BY Name").await, ["euros", "pounds"]);
    assert_eq!(names("WHERE Amount <= eur900 ORDER BY Name").await, ["dollars", "euros"]);
    // Without a code, the numbers are compared; the order is always that of the converted amounts.
    assert_eq!(names("WHERE Amount > 890 ORDER BY Name").await, ["dollars", "euros"]);
    assert_eq!(names("ORDER BY Amount DESC").await, ["pounds", "euros", "dollars"]);
}

#[tokio::test]
async fn aggregates_are_in_the_corporate_currency() {
    let context = context().await;
    set_currency(&context, "GBP").await;
    opportunity(&context, "a", 900.0, "EUR").await;
    opportunity(&context, "b", 80.0, "GBP").await;
    let soql = "SELECT SUM(Amount) total, MAX(Amount) most, FORMAT(MIN(Amount)) least FROM Opportunity";
    let row = context.query(soql).await.body["records"][0].clone();
    assert!(close(&row["total"], 1_100.0) && close(&row["most"], 1_000.0), "{row}");
    assert_eq!(row["least"], "USD 100.00");
}

#[tokio::test]
async fn a_summary_is_in_the_currency_of_its_record() {
    let context = context().await;
    let rollup = json!({"object": "Opportunity", "reference": "AccountId", "function": "SUM", "field": "Amount"});
    let body = json!({"name": "Account", "fields": [{"name": "Total__c", "type": "currency", "rollup": rollup}]});
    assert_eq!(context.admin(reqwest::Method::POST, "objects", Some(body)).await.status, 200);
    let account = created(&context, "Account", json!({"Name": "x", "CurrencyIsoCode": "GBP"})).await;
    for (amount, currency) in [(900.0, "EUR"), (100.0, "USD"), (20.0, "GBP")] {
        let id = opportunity(&context, "x", amount, currency).await;
        context.patch(&format!("sobjects/Opportunity/{id}"), json!({"AccountId": account})).await;
    }
    let total = values(&context, "SELECT Total__c FROM Account", "Total__c").await;
    assert!(close(&total[0], 800.0 + 80.0 + 20.0), "{total:?}");
}

#[tokio::test]
async fn products_have_the_currency_of_their_opportunity() {
    let context = context().await;
    let id = opportunity(&context, "x", 1.0, "EUR").await;
    let product = created(&context, "Product2", json!({"Name": "Sensor", "IsActive": true})).await;
    let book = values(&context, "SELECT Id FROM Pricebook2 WHERE IsStandard = true", "Id").await[0].clone();
    let mut entries = Vec::new();
    for currency in ["USD", "EUR"] {
        let price = json!({
            "Product2Id": product, "Pricebook2Id": book, "UnitPrice": 10, "IsActive": true, "CurrencyIsoCode": currency,
        });
        entries.push(created(&context, "PricebookEntry", price).await);
    }
    let item = |entry: &str| json!({"OpportunityId": id, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 5});
    let refused = context.post("sobjects/OpportunityLineItem", item(&entries[0])).await;
    assert_eq!(refused.code(), "FIELD_INTEGRITY_EXCEPTION");
    let message = refused.body[0]["message"].as_str().unwrap();
    assert!(message.contains("pricebook entry currency code does not match opportunity currency code"), "{message}");
    let made = created(&context, "OpportunityLineItem", item(&entries[1])).await;
    assert_eq!(context.org.record("OpportunityLineItem", &made).unwrap()["CurrencyIsoCode"], "EUR");
    let history = values(&context, "SELECT CurrencyIsoCode FROM OpportunityHistory", "CurrencyIsoCode").await;
    assert!(!history.is_empty() && history.iter().all(|code| code == "EUR"), "{history:?}");
}
