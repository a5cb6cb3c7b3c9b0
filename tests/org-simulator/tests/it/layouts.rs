//! Layouts and compact layouts of the REST API, and layouts and batches of the UI API.

use serde_json::{Value, json};

use crate::support::TestContext;

/// Returns the items of sections from left to right and top to bottom, without empty spaces.
fn items<'a>(sections: &'a Value) -> impl Iterator<Item = &'a Value> {
    let list = |value: &'a Value| value.as_array().unwrap().iter();
    let rows = list(sections).flat_map(move |section| list(&section["layoutRows"]));
    rows.flat_map(move |row| list(&row["layoutItems"])).filter(|item| item["label"] != "")
}

#[tokio::test]
async fn a_layout_has_sections_of_rows_of_described_fields() {
    let context = TestContext::new().await;
    let body = context.get("sobjects/Account/describe/layouts").await.body;
    let layout = &body["layouts"][0];
    let headings: Vec<&Value> =
        layout["detailLayoutSections"].as_array().unwrap().iter().map(|section| &section["heading"]).collect();
    let expected = ["Account Information", "Address Information", "Description Information", "System Information"];
    assert_eq!(headings, expected);
    let edit = &layout["editLayoutSections"];
    let required = items(edit).filter(|item| item["required"] == true);
    let required: Vec<&Value> = required.map(|item| &item["layoutComponents"][0]["value"]).collect();
    assert_eq!(required, ["Name"]);
    let tabs: Vec<u64> = items(edit).map(|item| item["layoutComponents"][0]["tabOrder"].as_u64().unwrap()).collect();
    assert!(tabs.is_sorted() && tabs.len() > 10, "{tabs:?}");
    for item in items(edit) {
        let component = &item["layoutComponents"][0];
        assert_eq!((&component["type"], &component["details"]["name"]), (&json!("Field"), &component["value"]));
    }
    let address = items(edit).find(|item| item["layoutComponents"][0]["value"] == "BillingAddress").unwrap();
    assert_eq!(address["layoutComponents"][0]["fieldType"], "address");
    assert_eq!(address["layoutComponents"][0]["components"][0]["value"], "BillingStreet");
    let created =
        items(&layout["detailLayoutSections"]).find(|item| item["layoutComponents"][0]["value"] == "CreatedById");
    assert_eq!(created.unwrap()["editableForUpdate"], false);
    for section in edit.as_array().unwrap() {
        for row in section["layoutRows"].as_array().unwrap() {
            assert_eq!(json!(row["layoutItems"].as_array().unwrap().len()), section["columns"]);
        }
    }
    assert_eq!(body["recordTypeMappings"][0]["layoutId"], layout["id"]);
}

#[tokio::test]
async fn several_record_types_have_their_layouts_one_by_one() {
    let context = TestContext::new().await;
    let body = context.get("sobjects/Opportunity/describe/layouts").await.body;
    assert_eq!((&body["layouts"], &body["recordTypeSelectorRequired"]), (&Value::Null, &json!([true])));
    let mappings = body["recordTypeMappings"].as_array().unwrap();
    assert_eq!(mappings.len(), 3);
    for mapping in mappings {
        let url = mapping["urls"]["layout"].as_str().unwrap();
        let layout = context.get(url.strip_prefix("/services/data/v66.0/").unwrap()).await.body;
        assert_eq!(layout["id"], mapping["layoutId"]);
        let required = items(&layout["editLayoutSections"]).filter(|item| item["required"] == true);
        let required: Vec<&Value> = required.map(|item| &item["layoutComponents"][0]["value"]).collect();
        assert_eq!(required, ["Name", "StageName", "CloseDate"]);
    }
    for unknown in ["012000000000001AAA", "x"] {
        assert_eq!(context.get(&format!("sobjects/Opportunity/describe/layouts/{unknown}")).await.status, 404);
    }
}

#[tokio::test]
async fn an_object_has_the_system_compact_layout() {
    let context = TestContext::new().await;
    let body = context.get("sobjects/Lead/describe/compactLayouts").await.body;
    let layout = &body["compactLayouts"][0];
    assert_eq!((&layout["name"], &layout["objectType"]), (&json!("SYSTEM"), &json!("Lead")));
    assert_eq!(layout["fieldItems"][0]["layoutComponents"][0]["value"], "Name");
    assert_eq!(body["recordTypeCompactLayoutMappings"][0]["compactLayoutName"], "SYSTEM");
    let url = body["recordTypeCompactLayoutMappings"][0]["urls"]["compactLayout"].as_str().unwrap();
    let one = context.get(url.strip_prefix("/services/data/v66.0/").unwrap()).await.body;
    assert_eq!(&one, layout);
}

#[tokio::test]
async fn a_layout_of_the_ui_api_depends_on_its_mode() {
    let context = TestContext::new().await;
    let labels = async |query: &str| {
        let body = context.get(&format!("ui-api/layout/Case?{query}")).await.body;
        let labels: Vec<String> =
            items(&body["sections"]).map(|item| item["label"].as_str().unwrap().to_owned()).collect();
        (body["mode"].as_str().unwrap().to_owned(), labels)
    };
    let ((view, viewed), (create, created)) = (labels("").await, labels("mode=Create").await);
    assert_eq!((view.as_str(), create.as_str()), ("View", "Create"));
    let number = "Case Number".to_owned();
    assert!(viewed.contains(&number) && !created.contains(&number), "{viewed:?} {created:?}");
    assert_eq!(labels("layoutType=Compact").await.1, [number]);
    for wrong in ["mode=Nope", "layoutType=Nope"] {
        assert_eq!(context.get(&format!("ui-api/layout/Case?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_batch_has_a_status_for_each_record() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let lead = context.post("sobjects/Lead", json!({"LastName": "x", "Company": "y"})).await.body["id"].clone();
    let path = format!("ui-api/records/batch/{account},{},001000000000000AAA", lead.as_str().unwrap());
    let body = context.get(&format!("{path}?fields=Account.Name,Lead.Company,Id")).await.body;
    let statuses: Vec<&Value> =
        body["results"].as_array().unwrap().iter().map(|result| &result["statusCode"]).collect();
    assert_eq!((&body["hasErrors"], statuses), (&json!(true), vec![&json!(200), &json!(200), &json!(404)]));
    let fields = |at: usize| -> Vec<String> {
        body["results"][at]["result"]["fields"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        (fields(0), fields(1)),
        (vec!["Name".to_owned(), "Id".to_owned()], vec!["Company".to_owned(), "Id".to_owned()])
    );
    assert_eq!(body["results"][2]["result"][0]["errorCode"], "NOT_FOUND");
    let one = context.get(&format!("ui-api/records/batch/{account}?fields=Account.Nope")).await.body;
    assert_eq!((&one["hasErrors"], &one["results"][0]["statusCode"]), (&json!(true), &json!(400)));
}
