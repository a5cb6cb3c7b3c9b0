//! The history of tracked fields: `AccountHistory`, `ContactHistory`, `LeadHistory` and `OpportunityFieldHistory`.

use org_simulator::ObjectPermissions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, ApiResponse, CASEY, TestContext, fields};

async fn track(context: &TestContext, object: &str, fields: Value) -> ApiResponse {
    context.admin(Method::PUT, &format!("objects/{object}/history"), Some(json!({"fields": fields}))).await
}

/// Returns the rows of a record's history as field, data type, old and new value.
async fn history(context: &TestContext, object: &str, id: &str) -> Vec<[Value; 4]> {
    let name = if object == "Opportunity" { "OpportunityFieldHistory".to_owned() } else { format!("{object}History") };
    let soql = format!("SELECT Field, DataType, OldValue, NewValue FROM {name} WHERE {object}Id = '{id}' ORDER BY Id");
    let found = context.query(&soql).await;
    assert_eq!(found.status, 200, "{}", found.body);
    let cells = ["Field", "DataType", "OldValue", "NewValue"];
    found.body["records"].as_array().unwrap().iter().map(|row| cells.map(|cell| row[cell].clone())).collect()
}

fn row(field: &str, kind: &str, old: Value, new: Value) -> [Value; 4] {
    [json!(field), json!(kind), old, new]
}

async fn lead(context: &TestContext) -> String {
    let body = json!({"LastName": "Vogt", "Company": "Vogt & Sons"});
    context.post("sobjects/Lead", body).await.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn changes_of_tracked_fields_are_rows() {
    let context = TestContext::new().await;
    let id = lead(&context).await;
    let path = format!("sobjects/Lead/{id}");
    let change = async |body: Value| assert_eq!(context.patch(&path, body).await.status, 204);
    change(json!({"Status": "Working - Contacted"})).await;
    assert!(history(&context, "Lead", &id).await.is_empty(), "nothing is tracked at first");

    let tracked = json!(["Status", "AnnualRevenue", "DoNotCall", "Description", "OwnerId"]);
    assert_eq!(track(&context, "Lead", tracked).await.status, 200);
    change(json!({"Status": "Open - Not Contacted", "Rating": "Hot"})).await;
    change(json!({"Status": "Open - Not Contacted"})).await;
    change(json!({"AnnualRevenue": 10.5, "DoNotCall": true, "Description": "long"})).await;
    let casey = context.query(&format!("SELECT Id FROM User WHERE Username = '{CASEY}'")).await;
    let casey = casey.body["records"][0]["Id"].clone();
    let owner = context.get(&path).await.body["OwnerId"].clone();
    change(json!({"OwnerId": casey})).await;
    let expected = [
        row("Status", "DynamicEnum", json!("Working - Contacted"), json!("Open - Not Contacted")),
        row("Description", "StringPlusClob", Value::Null, Value::Null),
        row("AnnualRevenue", "Currency", Value::Null, json!(10.5)),
        row("DoNotCall", "Boolean", json!(false), json!(true)),
        row("Owner", "Text", json!("Robin Achterberg"), json!("Casey Morrow")),
        row("Owner", "EntityId", owner, casey),
    ];
    assert_eq!(history(&context, "Lead", &id).await, expected);

    let new = lead(&context).await;
    assert_eq!(history(&context, "Lead", &new).await, [row("created", "Text", Value::Null, Value::Null)]);
    track(&context, "Lead", json!([])).await;
    change(json!({"Status": "Working - Contacted"})).await;
    assert_eq!(history(&context, "Lead", &id).await.len(), expected.len());
}

#[tokio::test]
async fn a_history_is_read_from_its_record_and_shares_its_fate() {
    let context = TestContext::new().await;
    context.org.track_fields("Opportunity", &["StageName", "CloseDate"]).unwrap();
    let id = context.id_of("Opportunity", "Harbourline - renewal 2027").await;
    let path = format!("sobjects/Opportunity/{id}");
    context.patch(&path, json!({"StageName": "Closed Won", "CloseDate": "2026-11-30"})).await;
    let soql = format!(
        "SELECT Id, (SELECT Id, Field, NewValue, CreatedDate, CreatedBy.Name FROM Histories) FROM Opportunity WHERE Id = '{id}'"
    );
    let found = context.query(&soql).await;
    let rows = found.body["records"][0]["Histories"]["records"].as_array().unwrap();
    let fields_of: Vec<_> = rows.iter().map(|row| (&row["Field"], &row["NewValue"])).collect();
    assert_eq!(
        fields_of,
        [(&json!("StageName"), &json!("Closed Won")), (&json!("CloseDate"), &json!("2026-11-30"))],
        "{}",
        found.body
    );
    assert_eq!(rows[0]["CreatedBy"]["Name"], "Robin Achterberg");
    let row_id = rows[0]["Id"].as_str().unwrap();
    assert!(row_id.starts_with("017"), "{row_id}");
    let row_path = format!("sobjects/OpportunityFieldHistory/{row_id}");
    assert_eq!(context.get(&row_path).await.body["Field"], "StageName");
    assert_eq!(context.delete(&row_path).await.code(), "INSUFFICIENT_ACCESS_OR_READONLY");
    let filtered = context.query("SELECT Id FROM OpportunityFieldHistory WHERE NewValue = 'Closed Won'").await;
    assert_eq!(filtered.code(), "INVALID_FIELD");
    let changed = context.query("SELECT LastModifiedDate FROM OpportunityFieldHistory").await;
    assert_eq!(changed.code(), "INVALID_FIELD");

    context.delete(&path).await;
    assert!(history(&context, "Opportunity", &id).await.is_empty());
}

#[tokio::test]
async fn a_history_hides_fields_that_the_user_may_not_read() {
    let mut context = TestContext::new().await;
    context.org.track_fields("Lead", &["Status", "Rating"]).unwrap();
    let id = lead(&context).await;
    context.patch(&format!("sobjects/Lead/{id}"), json!({"Status": "Working - Contacted", "Rating": "Hot"})).await;
    let permissions = ObjectPermissions { hidden_fields: vec!["Rating".to_owned()], ..ObjectPermissions::default() };
    context.org.limit_profile("Standard User", "Lead", &permissions).unwrap();
    context.log_in(CASEY);
    let seen: Vec<Value> = history(&context, "Lead", &id).await.into_iter().map(|[field, ..]| field).collect();
    assert_eq!(seen, ["created", "Status"]);
}

#[tokio::test]
async fn a_conversion_is_an_event_of_all_its_records() {
    let context = TestContext::new().await;
    for (object, field) in [("Lead", "Status"), ("Account", "Name"), ("Contact", "Email"), ("Opportunity", "Amount")] {
        context.org.track_fields(object, &[field]).unwrap();
    }
    let body = fields(json!({"LastName": "Vogt", "Company": "Vogt & Sons"}));
    let id = context.org.create_record(ADMIN, "Lead", &body).unwrap();
    let envelope = format!(
        "<Envelope><Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></Header><Body><convertLead><leadConverts>\
         <convertedStatus>Closed - Converted</convertedStatus><leadId>{id}</leadId></leadConverts></convertLead></Body></Envelope>",
        context.token()
    );
    let url = format!("{}/services/Soap/u/64.0", context.org.url());
    let request = context.http.post(url).header("content-type", "text/xml").header("SOAPAction", "\"\"");
    assert_eq!(context.plain(request.body(envelope)).await.status, 200);
    let lead = context.get(&format!("sobjects/Lead/{id}")).await.body;
    let events = history(&context, "Lead", &id).await;
    let names: Vec<_> = events.iter().map(|[field, ..]| field.as_str().unwrap()).collect();
    assert_eq!(names, ["created", "Status", "leadConverted"]);
    for object in ["Account", "Contact", "Opportunity"] {
        let id = lead[format!("Converted{object}Id")].as_str().unwrap();
        let event = format!("{}CreatedFromLead", object.to_lowercase());
        assert_eq!(history(&context, object, id).await, [row(&event, "Text", Value::Null, Value::Null)]);
    }
}

#[tokio::test]
async fn an_owner_by_assignment_rule_and_an_amount_by_products_are_changes() {
    let context = TestContext::new().await;
    context.org.track_fields("Lead", &["OwnerId"]).unwrap();
    context.org.track_fields("Opportunity", &["Amount"]).unwrap();
    let id = lead(&context).await;
    let rule =
        json!({"name": "All", "object": "Lead", "active": true, "entries": [{"owner": CASEY, "condition": null}]});
    assert_eq!(context.admin(Method::POST, "assignment-rules", Some(rule)).await.status, 200);
    context.patch(&format!("sobjects/Lead/{id}"), json!({"Rating": "Hot"})).await;
    let names: Vec<_> = history(&context, "Lead", &id).await.into_iter().map(|[field, ..]| field).collect();
    assert_eq!(names, ["created", "Owner", "Owner"]);

    let made = async |object: &str, body: Value| {
        context.post(&format!("sobjects/{object}"), body).await.body["id"].as_str().unwrap().to_owned()
    };
    let sale = made("Opportunity", json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-12-01"})).await;
    let product = made("Product2", json!({"Name": "x"})).await;
    let book = context.id_of("Pricebook2", "Standard Price Book").await;
    let price = json!({"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 5, "IsActive": true});
    let price = made("PricebookEntry", price).await;
    let item = json!({"OpportunityId": sale, "PricebookEntryId": price, "Quantity": 2, "UnitPrice": 5});
    made("OpportunityLineItem", item).await;
    let amount = row("Amount", "Currency", Value::Null, json!(10.0));
    assert_eq!(history(&context, "Opportunity", &sale).await.last(), Some(&amount));
}

#[tokio::test]
async fn fields_that_cannot_be_tracked_are_refused() {
    let context = TestContext::new().await;
    let twenty_one: Vec<String> = (0..21).map(|n| format!("F{n}__c")).collect();
    for (object, fields, status, message) in [
        ("Task", json!(["Subject"]), 404, "the object with a history Task does not exist"),
        ("Lead", json!(["Nothing"]), 404, "the field Lead.Nothing does not exist"),
        ("Lead", json!(["CreatedById"]), 400, "the history is invalid: Lead.CreatedById cannot be tracked"),
        ("Lead", json!(["Address"]), 400, "the history is invalid: Lead.Address cannot be tracked"),
        ("Lead", json!(twenty_one), 400, "the history is invalid: at most 20 fields of an object can be tracked"),
    ] {
        let refused = track(&context, object, fields).await;
        assert_eq!((refused.status, &refused.body["error"]), (status, &json!(message)), "{message}");
    }
}
