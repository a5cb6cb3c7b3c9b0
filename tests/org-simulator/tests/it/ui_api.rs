use serde_json::{Value, json};

use crate::support::Scene;

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
async fn another_objects_record_type_is_refused() {
    let scene = Scene::new().await;
    let renewal = record_type(&scene, "Renewal").await;
    assert_eq!(scene.get(&format!("ui-api/object-info/Account/picklist-values/{renewal}")).await.status, 400);
    assert_eq!(scene.get("ui-api/object-info/Opportunity/picklist-values/012000000000000AAA/Nope").await.status, 404);
}
