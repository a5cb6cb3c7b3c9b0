use serde_json::{Value, json};

use crate::support::{CASEY, Scene};

async fn record_type(scene: &Scene, name: &str) -> String {
    let found = scene.query(&format!("SELECT Id FROM RecordType WHERE DeveloperName = '{name}'")).await;
    found.body["records"][0]["Id"].as_str().unwrap().to_owned()
}

async fn stages(scene: &Scene, record_type: &str) -> Vec<String> {
    let answer = scene.get(&format!("ui-api/object-info/Opportunity/picklist-values/{record_type}/StageName")).await;
    answer.body["values"].as_array().unwrap().iter().map(|v| v["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_record_type_has_its_own_stages_and_the_master_has_all() {
    let scene = Scene::new().await;
    let renewal = stages(&scene, &record_type(&scene, "Renewal").await).await;
    assert_eq!(renewal, ["Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"]);
    assert_eq!(stages(&scene, &record_type(&scene, "New_Business").await).await.len(), 9);
    assert_eq!(stages(&scene, "012000000000000AAA").await.len(), 10);
}

#[tokio::test]
async fn a_stage_carries_its_attributes_with_salesforces_misspelling() {
    let scene = Scene::new().await;
    let answer = scene.get("ui-api/object-info/Opportunity/picklist-values/012000000000000AAA").await;
    let stage = &answer.body["picklistFieldValues"]["StageName"];
    let attributes = json!({"closed": false, "defaultProbability": 10.0, "forecastCategoryName": "Pipeline", "picklistAtrributesValueType": "OpportunityStage", "won": false});
    assert_eq!(
        stage["values"][0],
        json!({"attributes": attributes, "label": "Prospecting", "validFor": [], "value": "Prospecting"})
    );
    assert_eq!(
        stage["url"],
        "/services/data/v66.0/ui-api/object-info/Opportunity/picklist-values/012000000000000AAA/StageName"
    );
    assert_eq!(answer.body["picklistFieldValues"]["Type"]["values"][0]["attributes"], Value::Null);
}

#[tokio::test]
async fn object_info_lists_the_record_types_and_the_default() {
    let scene = Scene::new().await;
    let info = scene.get("ui-api/object-info/Opportunity").await.body;
    let new_business = record_type(&scene, "New_Business").await;
    assert_eq!(info["defaultRecordTypeId"], json!(new_business));
    assert_eq!(info["recordTypeInfos"].as_object().unwrap().len(), 3);
    assert_eq!(info["recordTypeInfos"]["012000000000000AAA"]["master"], true);
    assert_eq!(info["fields"]["StageName"]["dataType"], "Picklist");
}

#[tokio::test]
async fn another_objects_record_type_is_rejected() {
    let scene = Scene::new().await;
    let renewal = record_type(&scene, "Renewal").await;
    assert_eq!(scene.get(&format!("ui-api/object-info/Account/picklist-values/{renewal}")).await.status, 400);
    assert_eq!(scene.get("ui-api/object-info/Opportunity/picklist-values/012000000000000AAA/Nope").await.status, 404);
}

/// Standard users do not see the next step, cannot set the amount and cannot choose the record type Renewal.
fn limit_opportunities(scene: &Scene) {
    let permissions = org_simulator::ObjectPermissions {
        hidden_fields: vec!["NextStep".to_owned()],
        locked_fields: vec!["Amount".to_owned()],
        hidden_record_types: vec!["Renewal".to_owned()],
        ..org_simulator::ObjectPermissions::default()
    };
    scene.org.limit_profile("Standard User", "Opportunity", &permissions).unwrap();
}

#[tokio::test]
async fn hidden_data_does_not_exist_in_ui_api() {
    let mut scene = Scene::new().await;
    let renewal = record_type(&scene, "Renewal").await;
    limit_opportunities(&scene);
    scene.log_in(CASEY);
    let info = scene.get("ui-api/object-info/Opportunity").await.body;
    assert_eq!(info["fields"]["NextStep"], Value::Null);
    assert_eq!(
        (&info["fields"]["Amount"]["updateable"], &info["fields"]["StageName"]["updateable"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(info["recordTypeInfos"][&renewal]["available"], false);
    assert_eq!(scene.get(&format!("ui-api/object-info/Opportunity/picklist-values/{renewal}")).await.status, 400);
}

#[tokio::test]
async fn a_dependent_picklist_lists_valid_combinations() {
    let scene = Scene::new().await;
    let dependency = json!({"controller": "Country__c", "valid_for": {"Lyon": ["France"], "Turin": ["Italy"], "Menton": ["France", "Italy"]}});
    let fields = json!([
        {"name": "Country__c", "type": "picklist", "picklist": ["France", "Italy"]},
        {"name": "Town__c", "type": "picklist", "picklist": ["Lyon", "Turin", "Menton", "Nowhere"], "dependency": dependency},
    ]);
    scene.admin(reqwest::Method::POST, "objects", Some(json!({"name": "Account", "fields": fields}))).await;
    let town = scene.get("ui-api/object-info/Account/picklist-values/012000000000000AAA/Town__c").await.body;
    assert_eq!(town["controllerValues"], json!({"France": 0, "Italy": 1}));
    let valid: Vec<&Value> = town["values"].as_array().unwrap().iter().map(|value| &value["validFor"]).collect();
    assert_eq!(valid, [&json!([0]), &json!([1]), &json!([0, 1]), &json!([])]);
    let info = scene.get("ui-api/object-info/Account").await.body;
    assert_eq!(info["dependentFields"], json!({"Country__c": {"Town__c": {}}}));
    assert_eq!(info["fields"]["Town__c"]["controllerName"], "Country__c");
}

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted_over_ui_api() {
    let scene = Scene::new().await;
    let body = json!({"apiName": "Account", "fields": {"Name": "Universal Lenses"}});
    let made = scene.post("ui-api/records", body).await;
    assert_eq!((made.status, &made.body["fields"]["Name"]["value"]), (201, &json!("Universal Lenses")));
    assert_eq!(made.body["fields"]["Owner"]["displayValue"], "Robin Achterberg");
    assert_eq!(
        made.body["fields"]["CreatedDate"],
        json!({"displayValue": "11/22/2026 10:00 AM", "value": "2026-11-22T10:00:00.000Z"})
    );
    let path = format!("ui-api/records/{}", made.body["id"].as_str().unwrap());
    let read =
        scene.get(&format!("{path}?fields=Account.Name,Account.Owner.Email&optionalFields=Account.Nope")).await.body;
    assert_eq!(read["fields"].as_object().unwrap().len(), 2);
    assert_eq!(read["fields"]["Owner"]["value"]["fields"]["Email"]["value"], "admin@larkspur.example");
    assert_eq!(scene.get(&format!("{path}?fields=Account.Nope")).await.code(), "INVALID_FIELD");
    let changed = scene.patch(&path, json!({"fields": {"Phone": "1"}})).await;
    assert_eq!((changed.status, &changed.body["fields"]["Phone"]["value"]), (200, &json!("1")));
    assert_eq!(scene.delete(&path).await.status, 204);
    assert_eq!(scene.get(&path).await.code(), "ENTITY_IS_DELETED");
}

#[tokio::test]
async fn a_compound_field_shows_its_parts() {
    let scene = Scene::new().await;
    let made = scene.post("sobjects/Account", json!({"Name": "Aardwolf Aerials", "BillingCity": "Oslo"})).await.body;
    let id = made["id"].as_str().unwrap();
    let record = scene.get(&format!("ui-api/records/{id}?fields=Account.BillingAddress")).await.body;
    assert_eq!(record["fields"]["BillingAddress"]["value"]["city"], "Oslo");
}

fn layout_items(defaults: &Value) -> Vec<&Value> {
    let sections = defaults["layout"]["sections"].as_array().unwrap().iter();
    let rows = sections.flat_map(|section| section["layoutRows"].as_array().unwrap());
    rows.flat_map(|row| row["layoutItems"].as_array().unwrap()).collect()
}

#[tokio::test]
async fn a_new_record_has_default_values_and_visible_fields() {
    let mut scene = Scene::new().await;
    let renewal = record_type(&scene, "Renewal").await;
    let new_business = record_type(&scene, "New_Business").await;
    limit_opportunities(&scene);
    let path = "ui-api/record-defaults/create/Opportunity";
    let admin = scene.get(&format!("{path}?recordTypeId={renewal}&formFactor=Small")).await.body;
    assert_eq!(admin["record"]["recordTypeId"], json!(renewal));
    assert!(admin["record"]["fields"].get("NextStep").is_some());

    scene.log_in(CASEY);
    let own = scene.get(&format!("{path}?optionalFields=Opportunity.IsWon,NextStep")).await.body;
    let casey = scene.org.users().into_iter().find(|user| user.username == CASEY).unwrap();
    let record = &own["record"];
    assert_eq!((&record["id"], &record["recordTypeId"]), (&Value::Null, &json!(new_business)));
    assert_eq!(record["fields"]["OwnerId"]["value"], json!(casey.id));
    assert_eq!(record["fields"]["IsWon"]["value"], false);
    assert!(record["fields"].get("NextStep").is_none());
    let items = layout_items(&own);
    let item = |name: &str| items.iter().find(|item| item["layoutComponents"][0]["apiName"] == name);
    assert!(item("NextStep").is_none());
    assert_eq!(item("Amount").unwrap()["editableForNew"], false);
    assert_eq!(
        (&item("StageName").unwrap()["editableForNew"], &item("StageName").unwrap()["required"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(scene.get(&format!("{path}?recordTypeId={renewal}")).await.status, 400);
    assert_eq!(scene.get(&format!("{path}?formFactor=Huge")).await.status, 400);
    assert_eq!(scene.get("ui-api/record-defaults/create/Nope").await.status, 400);
    assert_eq!(scene.get("ui-api/record-defaults/clone/Opportunity").await.status, 404);
}

#[tokio::test]
async fn a_compound_name_is_one_item_and_gaps_are_filled() {
    let scene = Scene::new().await;
    let contact = scene.get("ui-api/record-defaults/create/Contact").await.body;
    let name = layout_items(&contact).into_iter().find(|item| item["lookupIdApiName"] == "Id").unwrap();
    let parts: Vec<&Value> = name["layoutComponents"].as_array().unwrap().iter().map(|part| &part["apiName"]).collect();
    assert_eq!(parts, ["LastName", "FirstName", "Salutation"]);
    assert_eq!(
        (&name["label"], &name["required"]),
        (&contact["objectInfos"]["Contact"]["fields"]["Name"]["label"], &json!(true))
    );
    for section in contact["layout"]["sections"].as_array().unwrap() {
        let rows = section["layoutRows"].as_array().unwrap();
        assert_eq!(section["rows"], rows.len());
        assert!(rows.iter().all(|row| section["columns"] == row["layoutItems"].as_array().unwrap().len()));
    }
}
