use reqwest::Method;
use serde_json::json;

use crate::support::{CASEY, Scene, fields};

async fn with_leads(count: usize) -> Scene {
    let scene = Scene::new().await;
    for n in 0..count {
        scene
            .org
            .create_record(CASEY, "Lead", &fields(json!({"LastName": format!("L{n}"), "Company": "Paging"})))
            .unwrap();
    }
    scene
}

#[tokio::test]
async fn a_result_is_walked_page_by_page() {
    let scene = with_leads(450).await;
    let size = [("sforce-query-options", "batchSize=200")];
    let path = "query?q=SELECT+Id+FROM+Lead+WHERE+Company+=+'Paging'";
    let mut answer = scene.call_with(Method::GET, path, None, &size).await;
    let mut pages = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    loop {
        assert_eq!(answer.body["totalSize"], 450);
        let records = answer.body["records"].as_array().unwrap();
        pages.push(records.len());
        ids.extend(records.iter().map(|r| r["Id"].as_str().unwrap().to_owned()));
        let Some(next) = answer.body["nextRecordsUrl"].as_str() else { break };
        assert_eq!(answer.body["done"], false);
        answer = scene.get(next.strip_prefix("/services/data/v66.0/").unwrap()).await;
    }
    assert_eq!((pages, ids.len(), &answer.body["done"]), (vec![200, 200, 50], 450, &json!(true)));
}

#[tokio::test]
async fn a_batch_size_below_the_least_is_raised() {
    let scene = with_leads(201).await;
    let answer = scene
        .call_with(Method::GET, "query?q=SELECT+Id+FROM+Lead", None, &[("sforce-query-options", "batchSize=1")])
        .await;
    assert_eq!(answer.body["records"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn a_locator_that_is_not_the_users_is_invalid() {
    let mut scene = with_leads(201).await;
    let first = scene
        .call_with(Method::GET, "query?q=SELECT+Id+FROM+Lead", None, &[("sforce-query-options", "batchSize=200")])
        .await;
    let next = first.body["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap().to_owned();
    assert_eq!(scene.get("query/01gnone-2000").await.code(), "INVALID_QUERY_LOCATOR");
    scene.log_in(CASEY);
    assert_eq!(scene.get(&next).await.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn count_has_a_total_and_no_records() {
    let scene = Scene::new().await;
    assert_eq!(
        scene.query("SELECT COUNT() FROM Account").await.body,
        json!({"totalSize": 5, "done": true, "records": []})
    );
}

#[tokio::test]
async fn query_all_shows_the_recycle_bin() {
    let scene = Scene::new().await;
    let id = scene.id_of("Account", "Fjordglass Optics").await;
    scene.delete(&format!("sobjects/Account/{id}")).await;
    let all = scene.get("queryAll?q=SELECT+Id,IsDeleted+FROM+Account+WHERE+IsDeleted+=+true").await;
    assert_eq!(all.body["records"][0]["Id"], json!(id));
    assert_eq!(scene.query("SELECT COUNT() FROM Account").await.body["totalSize"], 4);
}

#[tokio::test]
async fn setup_objects_are_queried_like_others() {
    let scene = Scene::new().await;
    let stages = scene
        .query("SELECT MasterLabel, ApiName, SortOrder, DefaultProbability FROM OpportunityStage ORDER BY SortOrder")
        .await;
    assert_eq!(stages.body["records"][0]["ApiName"], "Prospecting");
    assert_eq!(stages.body["totalSize"], 10);
    let types = scene.query("SELECT DeveloperName, BusinessProcessId FROM RecordType WHERE SobjectType = 'Opportunity' AND IsActive = true").await;
    assert_eq!(types.body["totalSize"], 2);
    let converted = scene.query("SELECT ApiName FROM LeadStatus WHERE IsConverted = true").await;
    assert_eq!(converted.body["records"][0]["ApiName"], "Closed - Converted");
    let org = scene.query("SELECT Id, IsSandbox, InstanceName FROM Organization").await;
    assert_eq!(org.body["records"][0]["Id"], json!(scene.org.org_id()));
    let users = scene.query("SELECT Username, Profile.Name FROM User WHERE IsActive = true ORDER BY Username").await;
    assert_eq!(users.body["records"][0]["Profile"]["Name"], "System Administrator");
}
