use std::fs;

use org_simulator::Error;
use serde_json::json;

use crate::support::{Scene, recorded};

#[tokio::test]
async fn the_whole_collection_is_loaded_and_counted() {
    let Some(dir) = recorded("crm-data") else { return };
    let scene = Scene::new().await;
    let before = scene.org.record_counts();

    let report = scene.org.load_crm_data(&dir).unwrap();

    let loaded = |object: &str| report.loaded.get(object).copied().unwrap_or_default();
    assert_eq!((loaded("Account"), loaded("Contact"), loaded("Lead")), (125, 43, 11));
    assert_eq!(loaded("Opportunity"), 8_800 + 3_000 + 31 + 20 + 1);
    assert_eq!((loaded("User"), loaded("Product2"), loaded("Task"), loaded("Case")), (35, 7, 2, 1));
    assert_eq!(report.refused, [("Space__c: the plan names Space__cs.json, which is not there".to_owned(), 1)].into());
    let after = scene.org.record_counts();
    assert_eq!(after["Opportunity"], before["Opportunity"] + loaded("Opportunity"));
    assert!(scene.org.outbound_messages().is_empty());
}

#[tokio::test]
async fn the_pipeline_belongs_to_its_agents_and_accounts() {
    let Some(dir) = recorded("crm-data") else { return };
    let scene = Scene::new().await;
    scene.org.load_crm_data(&dir).unwrap();

    let won = scene.get("sobjects/Opportunity/Source_Opportunity_Id__c/1C1I7A6R").await.body;
    let open = scene.query("SELECT StageName, CloseDate, AccountId, Owner.Name FROM Opportunity WHERE Source_Opportunity_Id__c = 'H9N9DP3D'").await.body;
    let recorded_row = scene.get("sobjects/Account/001dM00003jU9GyQAK").await.body;
    let visits = scene
        .query("SELECT Name, Broker__r.Name, Price__c FROM Property__c WHERE Name = 'Stunning Victorian'")
        .await
        .body;
    let upserted = scene.query("SELECT COUNT() FROM Opportunity WHERE StageName = 'GENERATED'").await.body;

    assert_eq!(
        (&won["StageName"], &won["Amount"], &won["CloseDate"], &won["Name"]),
        (&json!("Closed Won"), &json!(1054.0), &json!("2017-03-01"), &json!("Cancity - GTX Plus Basic"))
    );
    assert_eq!(open["records"][0]["Owner"]["Name"], "Vicki Laflamme");
    assert_eq!(
        (&open["records"][0]["CloseDate"], &open["records"][0]["AccountId"]),
        (&json!("2017-09-29"), &json!(null))
    );
    assert_eq!(recorded_row["Name"], "Burlington Textiles Corp of America");
    assert_eq!(visits["records"][0]["Broker__r"]["Name"], "Caroline Kingsley");
    assert_eq!(upserted["totalSize"], 3_000);
}

#[tokio::test]
async fn keyset_pagination_returns_every_record() {
    let Some(dir) = recorded("crm-data") else { return };
    let scene = Scene::new().await;
    scene.org.load_crm_data(&dir).unwrap();
    let total = scene.org.record_counts()["Opportunity"];
    let mut seen = 0;
    let mut from = ("2000-01-01T00:00:00Z".to_owned(), "006000000000000".to_owned());
    loop {
        let (stamp, id) = &from;
        let page = scene.query(&format!("SELECT Id, SystemModstamp FROM Opportunity WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}') ORDER BY SystemModstamp, Id LIMIT 2000")).await;
        let records = page.body["records"].as_array().unwrap();
        let Some(last) = records.last() else { break };
        seen += records.len();
        from = (last["SystemModstamp"].as_str().unwrap().to_owned(), last["Id"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, total);
}

#[tokio::test]
async fn a_second_load_reports_existing_rows() {
    let Some(dir) = recorded("crm-data/developer-edition") else { return };
    let scene = Scene::new().await;
    let parent = dir.parent().unwrap();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("developer-edition")).unwrap();
    fs::copy(parent.join("developer-edition/accounts.json"), copy.path().join("developer-edition/accounts.json"))
        .unwrap();

    scene.org.load_crm_data(copy.path()).unwrap();
    let again = scene.org.load_crm_data(copy.path()).unwrap();

    assert!(again.loaded.is_empty());
    assert_eq!(again.refused["Account: a record with this id is already there"], 13);
}

#[tokio::test]
async fn invalid_rows_are_reported_and_the_rest_is_loaded() {
    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("sobject-trees/set");
    fs::create_dir_all(&tree).unwrap();
    let records = json!({"records": [
        {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Good"},
        {"attributes": {"type": "Account", "referenceId": "b"}, "Phone": "no name"},
        {"attributes": {"type": "Nope", "referenceId": "c"}, "Name": "x"},
    ]});
    fs::write(tree.join("records.json"), records.to_string()).unwrap();
    fs::write(dir.path().join("notes.txt"), "x").unwrap();

    let report = scene.org.load_crm_data(dir.path()).unwrap();

    assert_eq!(report.loaded, [("Account".to_owned(), 1)].into());
    let reasons: Vec<&str> = report.refused.keys().map(String::as_str).collect();
    assert_eq!(reasons.len(), 3);
    assert_eq!(reasons[0], "Account: REQUIRED_FIELD_MISSING: Required fields are missing: [Name]");
    assert!(reasons[1].starts_with("Nope: INVALID_TYPE"));
    assert_eq!(reasons[2], "notes.txt: not a known kind of CRM data");
}

#[tokio::test]
async fn a_folder_of_something_else_is_an_error() {
    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(scene.org.load_crm_data(dir.path()), Err(Error::Layout { .. })));
    assert!(matches!(scene.org.load_crm_data(&dir.path().join("missing")), Err(Error::Read { .. })));
}
