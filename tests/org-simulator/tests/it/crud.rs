use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, TestContext, fields};

async fn made(context: &TestContext, object: &str, body: Value) -> String {
    let response = context.post(&format!("sobjects/{object}"), body).await;
    response.body["id"].as_str().unwrap_or_else(|| panic!("{}", response.body)).to_owned()
}

#[tokio::test]
async fn an_upsert_by_id_never_creates_that_id() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let path = format!("sobjects/Account/Id/{id}");

    let updated = context.patch(&format!("{path}?updateOnly=true"), json!({"Phone": "1"})).await;
    let absent = context.patch("sobjects/Account/Id/0015e0000000zzz", json!({"Name": "x"})).await;
    let created = context.post("sobjects/Account/Id", json!({"Name": "No id given"})).await;

    assert_eq!((updated.status, &updated.body["created"], &updated.body["id"]), (200, &json!(false), &json!(id)));
    assert_eq!((absent.status, absent.code()), (404, "NOT_FOUND"));
    assert_eq!(created.status, 201);
    assert_eq!(
        context.patch(&format!("sobjects/Account/{id}"), json!({"Id": id, "Name": "x"})).await.code(),
        "INVALID_FIELD"
    );
    let with_id = context.post("sobjects/Account", json!({"Id": id, "Name": "x"})).await;
    assert_eq!(
        (with_id.code(), &with_id.body[0]["message"]),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", &json!("cannot specify Id in an insert call"))
    );
}

#[tokio::test]
async fn in_old_versions_an_updating_upsert_has_no_body() {
    let context = TestContext::new().await;
    let url = |version: &str| {
        format!("{}/services/data/v{version}/sobjects/Account/Ferry_External_Id__c/ACC-1001", context.org.url())
    };
    for (version, status) in [("45.0", 204), ("46.0", 200)] {
        let request = context.http.patch(url(version)).bearer_auth(context.token()).json(&json!({"Phone": "1"}));
        assert_eq!(context.plain(request).await.status, status, "{version}");
    }
}

#[tokio::test]
async fn a_record_links_to_its_parent_and_children() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Harbourline Logistics").await;
    let contact = made(&context, "Contact", json!({"LastName": "Below", "AccountId": id})).await;
    let alone = made(&context, "Contact", json!({"LastName": "Alone"})).await;

    let parent = context.get(&format!("sobjects/Contact/{contact}/Account?fields=Name")).await;
    let children = context.get(&format!("sobjects/Account/{id}/Contacts?fields=LastName")).await;

    assert_eq!(
        (&parent.body["Name"], &parent.body["attributes"]["type"]),
        (&json!("Harbourline Logistics"), &json!("Account"))
    );
    assert_eq!((&children.body["totalSize"], &children.body["done"]), (&json!(3), &json!(true)));
    assert!(children.body["records"].as_array().unwrap().iter().any(|c| c["LastName"] == "Below"));
    assert_eq!(context.get(&format!("sobjects/Contact/{alone}/Account")).await.status, 404);
    assert_eq!(context.get(&format!("sobjects/Account/{id}/Nothings")).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_parent_is_changed_and_deleted_through_its_child() {
    let context = TestContext::new().await;
    let account = made(&context, "Account", json!({"Name": "Parent"})).await;
    let contact = made(&context, "Contact", json!({"LastName": "Child", "AccountId": account})).await;
    let path = format!("sobjects/Contact/{contact}/Account");
    assert_eq!(context.patch(&path, json!({"Phone": "5"})).await.status, 204);
    assert_eq!(context.org.record("Account", &account).unwrap()["Phone"], "5");
    assert_eq!(context.patch(&path, json!({"Nope": "5"})).await.code(), "INVALID_FIELD");
    let orphan = made(&context, "Contact", json!({"LastName": "Alone"})).await;
    assert_eq!(context.patch(&format!("sobjects/Contact/{orphan}/Account"), json!({"Phone": "5"})).await.status, 404);
    assert_eq!(context.delete(&path).await.status, 204);
    assert_eq!(context.get(&format!("sobjects/Account/{account}")).await.code(), "ENTITY_IS_DELETED");
}

#[tokio::test]
async fn a_custom_record_without_a_name_is_named_by_its_id() {
    let context = TestContext::new().await;
    context.admin(reqwest::Method::POST, "objects", Some(json!({"name": "Bare__c"}))).await;
    let id = made(&context, "Bare__c", json!({})).await;
    let path = format!("sobjects/Bare__c/{id}");
    assert_eq!(context.get(&path).await.body["Name"], id[..15]);
    assert_eq!(context.patch(&path, json!({"Name": "Given"})).await.status, 204);
    assert_eq!(context.get(&path).await.body["Name"], "Given");
    assert_eq!(context.patch(&path, json!({"Name": null})).await.status, 204);
    assert_eq!(context.get(&path).await.body["Name"], id[..15]);
}

#[tokio::test]
async fn an_address_is_read_as_one_and_written_by_its_parts() {
    let context = TestContext::new().await;
    let id = made(&context, "Account", json!({"Name": "x", "BillingCity": "Oslo", "BillingLatitude": 59.913})).await;

    let read = context.get(&format!("sobjects/Account/{id}")).await.body;
    let queried =
        context.query(&format!("SELECT BillingAddress, ShippingAddress FROM Account WHERE Id = '{id}'")).await;

    assert_eq!(
        (&read["BillingAddress"]["city"], &read["BillingAddress"]["latitude"]),
        (&json!("Oslo"), &json!(59.913))
    );
    assert_eq!(queried.body["records"][0]["BillingAddress"], read["BillingAddress"]);
    assert_eq!(queried.body["records"][0]["ShippingAddress"], Value::Null);
    let refused = context.patch(&format!("sobjects/Account/{id}"), json!({"BillingAddress": {"city": "Bergen"}})).await;
    assert_eq!(refused.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    let described = context.get("sobjects/Account/describe").await.body;
    let field =
        |name: &str| described["fields"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap().clone();
    assert_eq!(
        (&field("BillingAddress")["type"], &field("BillingCity")["compoundFieldName"]),
        (&json!("address"), &json!("BillingAddress"))
    );
}

#[tokio::test]
async fn case_numbers_are_unique() {
    let mut context = TestContext::new().await;
    let number = async |context: &TestContext| {
        let id = made(context, "Case", json!({"Subject": "x"})).await;
        let number = context.org.record("Case", &id).unwrap()["CaseNumber"].as_str().unwrap().to_owned();
        context.delete(&format!("sobjects/Case/{id}")).await;
        number
    };
    let first = number(&context).await;
    context.org.advance_clock(SignedDuration::from_hours(16 * 24));
    context.log_in(ADMIN);
    assert_eq!((first.as_str(), number(&context).await.as_str()), ("00001000", "00001001"));
}

#[tokio::test]
async fn the_recycle_bin_is_emptied_after_fifteen_days() {
    let mut context = TestContext::new().await;
    let id = made(&context, "Account", json!({"Name": "Binned"})).await;
    made(&context, "Contact", json!({"LastName": "Binned", "AccountId": id})).await;
    context.delete(&format!("sobjects/Account/{id}")).await;
    let left = async |context: &TestContext| {
        let found =
            context.get("queryAll?q=SELECT%20COUNT()%20FROM%20Contact%20WHERE%20LastName%20%3D%20'Binned'").await;
        (context.org.record("Account", &id).is_some(), found.body["totalSize"].clone())
    };

    context.org.advance_clock(SignedDuration::from_hours(15 * 24 - 1));
    context.log_in(ADMIN);
    assert_eq!(left(&context).await, (true, json!(1)));
    context.org.advance_clock(SignedDuration::from_hours(2));
    context.log_in(ADMIN);
    context.get("limits").await;

    assert_eq!(left(&context).await, (false, json!(0)));
    assert!(context.org.undelete_record(ADMIN, "Account", &id).is_err());
    assert_eq!(context.get(&format!("sobjects/Account/{id}")).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn an_undelete_restores_what_was_deleted_together() {
    let context = TestContext::new().await;
    let account = context.org.create_record(ADMIN, "Account", &fields(json!({"Name": "Parent"}))).unwrap();
    let contact = |name: &str| {
        context.org.create_record(ADMIN, "Contact", &fields(json!({"LastName": name, "AccountId": account}))).unwrap()
    };
    let (before, along) = (contact("Before"), contact("Along"));
    context.delete(&format!("sobjects/Contact/{before}")).await;
    context.delete(&format!("sobjects/Account/{account}")).await;
    context.org.undelete_record(ADMIN, "Account", &account).unwrap();
    let deleted = |id: &str| context.org.record("Contact", id).unwrap()["IsDeleted"].clone();
    assert_eq!((deleted(&before), deleted(&along)), (json!(true), json!(false)));
}

#[tokio::test]
async fn more_than_ten_chunks_of_types_are_rejected() {
    let context = TestContext::new().await;
    let record = |n: usize| {
        let object = if n.is_multiple_of(2) { "Account" } else { "Contact" };
        json!({"attributes": {"type": object}, "Name": "x", "LastName": "x"})
    };
    let records: Vec<Value> = (0..11).map(record).collect();
    let refused = context.call(Method::POST, "composite/sobjects", Some(json!({"records": records}))).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body[0]["message"].as_str().unwrap().starts_with("Cannot have more than 10 chunks"));
    let fewer = context.post("composite/sobjects", json!({"records": &records[..10]})).await;
    assert_eq!((fewer.status, fewer.body.as_array().unwrap().len()), (200, 10));
}

#[tokio::test]
async fn a_custom_object_numbers_its_records_and_fills_in_defaults() {
    let context = TestContext::new().await;
    let object = json!({"name": "Ticket__c", "fields": [
        {"name": "Name", "type": "string", "auto_number": "T-{0000}"},
        {"name": "Level__c", "type": "picklist", "picklist": ["Low", "High"], "default": "Low", "restricted": true},
        {"name": "About__c", "type": "reference", "reference_to": ["Account", "Contact"]},
    ]});
    assert_eq!(context.admin(Method::POST, "objects", Some(object)).await.status, 200);

    let named = json!({"About__r": {"attributes": {"type": "Account"}, "Ferry_External_Id__c": "ACC-1001"}});
    let first = made(&context, "Ticket__c", named).await;
    made(&context, "Ticket__c", json!({"Level__c": "High"})).await;

    let rows = context.query("SELECT Name, Level__c FROM Ticket__c ORDER BY Name").await.body["records"].clone();
    let shown: Vec<_> = rows.as_array().unwrap().iter().map(|r| (r["Name"].clone(), r["Level__c"].clone())).collect();
    assert_eq!(shown, [(json!("T-0001"), json!("Low")), (json!("T-0002"), json!("High"))]);
    let account = context.id_of("Account", "Harbourline Logistics").await;
    assert_eq!(context.org.record("Ticket__c", &first).unwrap()["About__c"], account);
    assert_eq!(
        context.post("sobjects/Ticket__c", json!({"Name": "x"})).await.code(),
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
    let described = context.get("sobjects/Ticket__c/describe").await.body["fields"].clone();
    let name = described.as_array().unwrap().iter().find(|field| field["name"] == "Name").unwrap();
    assert_eq!(
        (&name["autoNumber"], &name["nameField"], &name["createable"]),
        (&json!(true), &json!(true), &json!(false))
    );
}

#[tokio::test]
async fn an_empty_required_picklist_of_a_new_record_has_its_default() {
    let context = TestContext::new().await;
    let lead =
        |status: Value| json!({"LastName": "Vogt", "Company": "Vogt & Sons", "Status": status, "LeadSource": ""});
    for empty in [json!(""), Value::Null] {
        let made = context.post("sobjects/Lead", lead(empty)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = made.body["id"].as_str().unwrap();
        let read = context.get(&format!("sobjects/Lead/{id}")).await.body;
        assert_eq!((&read["Status"], &read["LeadSource"]), (&json!("Open - Not Contacted"), &Value::Null));
        let emptied = context.patch(&format!("sobjects/Lead/{id}"), json!({"Status": ""})).await;
        assert_eq!(emptied.code(), "REQUIRED_FIELD_MISSING");
    }
}
