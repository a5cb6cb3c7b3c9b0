//! Formulas and roll-up summaries: values that change while the system fields of their record do not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CASEY, TestContext};

async fn define(context: &TestContext, object: &str, fields: Value) {
    let made = context.admin(Method::POST, "objects", Some(json!({"name": object, "fields": fields}))).await;
    assert_eq!(made.status, 200, "{}", made.body);
}

/// Returns the id of a new record.
async fn create(context: &TestContext, object: &str, body: Value) -> String {
    let made = context.post(&format!("sobjects/{object}"), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

async fn first(context: &TestContext, query: &str) -> Value {
    let found = context.query(query).await;
    assert_eq!(found.status, 200, "{query}: {}", found.body);
    found.body["records"][0].clone()
}

#[tokio::test]
async fn a_formula_changes_without_a_modstamp() {
    let context = TestContext::new().await;
    define(
        &context,
        "Contact",
        json!([
            {"name": "Company__c", "type": "string", "formula": "Account.Name"},
            {"name": "Age__c", "type": "double", "formula": "TODAY() - Birthdate"},
            {"name": "Due__c", "type": "date", "formula": "Birthdate + 7"},
        ]),
    )
    .await;
    let account = create(&context, "Account", json!({"Name": "Before"})).await;
    let contact =
        create(&context, "Contact", json!({"LastName": "Lee", "AccountId": account, "Birthdate": "2026-11-20"})).await;
    let query = format!("SELECT Company__c, Age__c, Due__c, SystemModstamp FROM Contact WHERE Id = '{contact}'");
    let before = first(&context, &query).await;
    assert_eq!((&before["Company__c"], &before["Age__c"]), (&json!("Before"), &json!(2.0)));
    assert_eq!(before["Due__c"], "2026-11-27");

    context.admin(Method::POST, "clock", Some(json!({"advance_seconds": 86_400}))).await;
    let mut context = context;
    context.log_in(crate::support::ADMIN);
    context.patch(&format!("sobjects/Account/{account}"), json!({"Name": "After"})).await;

    let after = first(&context, &query).await;
    assert_eq!((&after["Company__c"], &after["Age__c"]), (&json!("After"), &json!(3.0)));
    assert_eq!(after["SystemModstamp"], before["SystemModstamp"]);
    let read = context.get(&format!("sobjects/Contact/{contact}")).await.body;
    assert_eq!(read["Company__c"], "After");
}

#[tokio::test]
async fn a_formula_is_filtered_and_sorted_but_only_dates_are_grouped() {
    let context = TestContext::new().await;
    define(
        &context,
        "Account",
        json!([
            {"name": "Shout__c", "type": "string", "formula": "Name & '!'"},
            {"name": "Since__c", "type": "date", "formula": "TODAY()"},
            {"name": "Big__c", "type": "boolean", "formula": "NumberOfEmployees > 100000"},
        ]),
    )
    .await;
    create(&context, "Account", json!({"Name": "Zz", "NumberOfEmployees": 500_000})).await;
    assert_eq!(first(&context, "SELECT Name FROM Account WHERE Shout__c = 'zz!'").await["Name"], "Zz");
    assert_eq!(first(&context, "SELECT Name FROM Account ORDER BY Shout__c DESC").await["Name"], "Zz");
    assert_eq!(
        first(&context, "SELECT Name FROM Account WHERE Since__c = TODAY AND Big__c = true").await["Name"],
        "Zz"
    );
    let grouped = context.query("SELECT Since__c, Big__c, COUNT(Id) n FROM Account GROUP BY Since__c, Big__c").await;
    assert_eq!(grouped.body["totalSize"], 2, "{}", grouped.body);
    let refused = context.query("SELECT COUNT(Id) FROM Account GROUP BY Shout__c").await;
    assert_eq!(refused.code(), "MALFORMED_QUERY");

    let describe = context.get("sobjects/Account/describe").await.body;
    let field = |name: &str| {
        let fields = describe["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap().clone()
    };
    let shout = field("Shout__c");
    for (flag, expected) in [
        ("calculated", true),
        ("createable", false),
        ("updateable", false),
        ("nillable", true),
        ("defaultedOnCreate", false),
        ("filterable", true),
        ("sortable", true),
        ("groupable", false),
    ] {
        assert_eq!(shout[flag], expected, "{flag}");
    }
    assert_eq!((&shout["length"], &shout["calculatedFormula"]), (&json!(1_300), &json!("Name & '!'")));
    assert_eq!(field("Since__c")["groupable"], true);
    let written = context.post("sobjects/Account", json!({"Name": "A", "Shout__c": "x"})).await;
    assert_eq!(written.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
}

#[tokio::test]
async fn a_summary_follows_its_details() {
    let context = TestContext::new().await;
    define(&context, "Invoice__c", json!([])).await;
    let master =
        json!({"name": "Invoice__c", "type": "reference", "reference_to": ["Invoice__c"], "master_detail": true});
    define(&context, "Line__c", json!([master, {"name": "Amount__c", "type": "currency"}])).await;
    let over = |function: &str, field: Value| json!({"object": "Line__c", "reference": "Invoice__c", "function": function, "field": field});
    define(
        &context,
        "Invoice__c",
        json!([
            {"name": "Lines__c", "type": "double", "rollup": over("COUNT", Value::Null)},
            {"name": "Total__c", "type": "currency", "rollup": over("SUM", json!("Amount__c"))},
            {"name": "Least__c", "type": "currency", "rollup": over("MIN", json!("Amount__c"))},
            {"name": "Most__c", "type": "currency", "rollup": over("MAX", json!("Amount__c"))},
        ]),
    )
    .await;
    let invoice = create(&context, "Invoice__c", json!({"Name": "I-1"})).await;
    let query =
        format!("SELECT Lines__c, Total__c, Least__c, Most__c, SystemModstamp FROM Invoice__c WHERE Id = '{invoice}'");
    let empty = first(&context, &query).await;
    assert_eq!((&empty["Lines__c"], &empty["Total__c"]), (&json!(0.0), &json!(0.0)));
    assert_eq!((&empty["Least__c"], &empty["Most__c"]), (&json!(null), &json!(null)));

    let mut lines = Vec::new();
    for amount in [10.0, 2.5] {
        lines.push(create(&context, "Line__c", json!({"Name": "L", "Invoice__c": invoice, "Amount__c": amount})).await);
    }
    let full = first(&context, &query).await;
    assert_eq!((&full["Lines__c"], &full["Total__c"]), (&json!(2.0), &json!(12.5)));
    assert_eq!((&full["Least__c"], &full["Most__c"]), (&json!(2.5), &json!(10.0)));
    assert_eq!(full["SystemModstamp"], empty["SystemModstamp"]);
    assert_eq!(first(&context, "SELECT Name FROM Invoice__c WHERE Total__c > 12").await["Name"], "I-1");

    context.delete(&format!("sobjects/Line__c/{}", lines[0])).await;
    assert_eq!(first(&context, &query).await["Total__c"], 2.5);
    context.delete(&format!("sobjects/Invoice__c/{invoice}")).await;
    assert_eq!(context.query("SELECT COUNT() FROM Line__c").await.body["totalSize"], 0);
}

#[tokio::test]
async fn a_summary_counts_only_the_details_of_its_filter() {
    let context = TestContext::new().await;
    let rollup = |function: &str, field: Value| {
        let won = json!([
            {"field": "StageName", "operation": "equals", "value": "Closed Won"},
            {"field": "Amount", "operation": "greaterThan", "value": "10"},
        ]);
        json!({"object": "Opportunity", "reference": "AccountId", "function": function, "field": field, "filter": won})
    };
    define(
        &context,
        "Account",
        json!([
            {"name": "Won__c", "type": "double", "rollup": rollup("COUNT", Value::Null)},
            {"name": "Earned__c", "type": "currency", "rollup": rollup("SUM", json!("Amount"))},
        ]),
    )
    .await;
    let account = create(&context, "Account", json!({"Name": "A"})).await;
    let mut made = Vec::new();
    for (stage, amount) in [("Closed Won", 20.0), ("Closed Won", 5.0), ("Prospecting", 40.0)] {
        let body = json!({
            "Name": "x", "StageName": stage, "CloseDate": "2026-12-01", "AccountId": account, "Amount": amount,
        });
        made.push(create(&context, "Opportunity", body).await);
    }
    let query = format!("SELECT Won__c, Earned__c FROM Account WHERE Id = '{account}'");
    let row = first(&context, &query).await;
    assert_eq!((&row["Won__c"], &row["Earned__c"]), (&json!(1.0), &json!(20.0)));
    context.patch(&format!("sobjects/Opportunity/{}", made[2]), json!({"StageName": "Closed Won"})).await;
    let row = first(&context, &query).await;
    assert_eq!((&row["Won__c"], &row["Earned__c"]), (&json!(2.0), &json!(60.0)));

    let mut wrong = rollup("COUNT", Value::Null);
    wrong["filter"][0]["field"] = json!("Nope");
    let body = json!({"name": "Account", "fields": [{"name": "X__c", "type": "double", "rollup": wrong}]});
    assert_eq!(context.admin(Method::POST, "objects", Some(body)).await.status, 400);
}

#[tokio::test]
async fn blanks_are_zero_if_the_formula_says_so() {
    let context = TestContext::new().await;
    let sum = "AnnualRevenue + NumberOfEmployees";
    define(
        &context,
        "Account",
        json!([
            {"name": "Blank__c", "type": "double", "formula": sum},
            {"name": "Zero__c", "type": "double", "formula": sum, "blanks_as_zero": true},
            {"name": "IsBlank__c", "type": "boolean", "formula": "ISBLANK(AnnualRevenue)", "blanks_as_zero": true},
            {"name": "NoSite__c", "type": "boolean", "formula": "ISBLANK(Site)", "blanks_as_zero": true},
        ]),
    )
    .await;
    let id = create(&context, "Account", json!({"Name": "A", "NumberOfEmployees": 7})).await;
    let query = format!("SELECT Blank__c, Zero__c, IsBlank__c, NoSite__c FROM Account WHERE Id = '{id}'");
    let row = first(&context, &query).await;
    assert_eq!((&row["Blank__c"], &row["Zero__c"]), (&Value::Null, &json!(7.0)));
    // A blank number is zero, and no blank; a blank text stays one.
    assert_eq!((&row["IsBlank__c"], &row["NoSite__c"]), (&json!(false), &json!(true)));
    let describe = context.get("sobjects/Account/describe").await.body;
    let fields = describe["fields"].as_array().unwrap();
    let flag =
        |name: &str| fields.iter().find(|field| field["name"] == name).unwrap()["formulaTreatNullNumberAsZero"].clone();
    assert_eq!((flag("Blank__c"), flag("Zero__c")), (json!(false), json!(true)));
}

#[tokio::test]
async fn a_detail_needs_its_master_and_has_no_owner() {
    let context = TestContext::new().await;
    let master = json!({"name": "Account__c", "type": "reference", "reference_to": ["Account"], "master_detail": true});
    define(&context, "Visit__c", json!([master])).await;
    let alone = context.post("sobjects/Visit__c", json!({"Name": "V"})).await;
    assert_eq!(alone.code(), "REQUIRED_FIELD_MISSING");
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let visit = create(&context, "Visit__c", json!({"Name": "V", "Account__c": account})).await;
    let moved = context.patch(&format!("sobjects/Visit__c/{visit}"), json!({"Account__c": account})).await;
    assert_eq!(moved.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(context.query("SELECT OwnerId FROM Visit__c").await.code(), "INVALID_FIELD");
    let describe = context.get("sobjects/Visit__c/describe").await.body;
    let fields = describe["fields"].as_array().unwrap();
    let reference = fields.iter().find(|field| field["name"] == "Account__c").unwrap();
    assert_eq!((&reference["cascadeDelete"], &reference["relationshipOrder"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn a_formula_shows_values_that_its_reader_cannot_see() {
    let mut context = TestContext::new().await;
    define(&context, "Contact", json!([{"name": "Company__c", "type": "string", "formula": "Account.Name"}])).await;
    let account = create(&context, "Account", json!({"Name": "Hidden"})).await;
    create(&context, "Contact", json!({"LastName": "Lee", "AccountId": account})).await;
    context.admin(Method::POST, "settings", Some(json!({"sharing": {"Account": "private"}}))).await;
    context.log_in(CASEY);
    let row = first(&context, "SELECT Company__c, Account.Name FROM Contact WHERE LastName = 'Lee'").await;
    assert_eq!((&row["Company__c"], &row["Account"]), (&json!("Hidden"), &json!(null)));
}
