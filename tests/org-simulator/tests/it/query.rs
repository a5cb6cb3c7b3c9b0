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
async fn a_result_has_pages() {
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
async fn another_users_locator_is_invalid() {
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
async fn query_all_returns_the_recycle_bin() {
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

#[tokio::test]
async fn more_children_have_a_page_url_of_their_own() {
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    for n in 0..205 {
        let contact = json!({"LastName": format!("C{n:03}"), "AccountId": account});
        scene.org.create_record(CASEY, "Contact", &fields(contact)).unwrap();
    }
    let query = "query?q=SELECT+Id,(SELECT+LastName+FROM+Contacts+ORDER+BY+LastName)+FROM+Account+WHERE+Name='Fjordglass+Optics'";
    let answer = scene.call_with(Method::GET, query, None, &[("sforce-query-options", "batchSize=200")]).await;
    assert_eq!(answer.body["done"], true);
    let contacts = &answer.body["records"][0]["Contacts"];
    assert_eq!((contacts["done"].as_bool(), contacts["records"].as_array().unwrap().len()), (Some(false), 200));
    let next = contacts["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap();
    let rest = scene.get(next).await;
    assert_eq!(rest.body["totalSize"], contacts["totalSize"]);
    assert_eq!(rest.body["done"], true);
    let shown = 200 + rest.body["records"].as_array().unwrap().len();
    assert_eq!(contacts["totalSize"], shown);
}

#[tokio::test]
async fn a_locator_lasts_two_days_and_a_user_has_ten() {
    let scene = with_leads(201).await;
    let size = [("sforce-query-options", "batchSize=200")];
    let open = async || {
        let answer = scene.call_with(Method::GET, "query?q=SELECT+Id+FROM+Lead", None, &size).await;
        answer.body["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap().to_owned()
    };
    let first = open().await;
    assert_eq!(scene.get(&first).await.status, 200);
    let second = open().await;
    for _ in 0..9 {
        open().await;
    }
    assert_eq!(scene.get(&first).await.code(), "INVALID_QUERY_LOCATOR");
    assert_eq!(scene.get(&second).await.status, 200);
    scene.admin(Method::POST, "clock", Some(json!({"advance_seconds": 48 * 3600}))).await;
    let mut scene = scene;
    scene.log_in(crate::support::ADMIN);
    assert_eq!(scene.get(&second).await.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn columns_and_explain_describe_a_query() {
    let scene = Scene::new().await;
    let path = "query?columns=true&q=SELECT+Id,Account.Name,(SELECT+Id+FROM+Cases)+FROM+Contact";
    let body = scene.get(path).await.body;
    assert_eq!(
        (&body["entityName"], &body["keyPrefix"], &body["idSelected"]),
        (&json!("Contact"), &json!("003"), &json!(true))
    );
    let columns = &body["columnMetadata"];
    assert_eq!((&columns[0]["columnName"], &columns[0]["apexType"]), (&json!("Id"), &json!("Id")));
    assert_eq!(
        (&columns[1]["joinColumns"][0]["columnName"], &columns[1]["aggregate"]),
        (&json!("Name"), &json!(false))
    );
    assert_eq!((&columns[2]["columnName"], &columns[2]["aggregate"]), (&json!("Cases"), &json!(true)));
    let groups =
        scene.get("query?columns=true&q=SELECT+StageName,COUNT(Id)+FROM+Opportunity+GROUP+BY+StageName").await.body;
    assert_eq!(groups["columnMetadata"][1]["displayName"], "count(Id)");
    let plans = scene.get("query?explain=SELECT+Id+FROM+Account").await.body;
    assert_eq!(plans["plans"][0]["leadingOperationType"], "TableScan");
    assert_eq!(plans["plans"][0]["sobjectCardinality"], 5);
}

#[tokio::test]
async fn groups_have_no_second_page() {
    let scene = with_leads(2_001).await;
    let all = scene.query("SELECT LastName, COUNT(Id) FROM Lead GROUP BY LastName").await;
    assert_eq!(all.code(), "EXCEEDED_ID_LIMIT");
    let some = scene.query("SELECT LastName, COUNT(Id) FROM Lead GROUP BY LastName LIMIT 2000").await;
    assert_eq!((&some.body["totalSize"], &some.body["done"]), (&json!(2_000), &json!(true)));
}

#[tokio::test]
async fn a_search_finds_words_in_the_fields_it_names() {
    let scene = Scene::new().await;
    let records = async |path: &str| scene.get(path).await.body["searchRecords"].as_array().unwrap().clone();
    let found = records("search?q=FIND+{fjordglass}+IN+NAME+FIELDS+RETURNING+Account(Id,Name),Contact").await;
    assert_eq!((found.len(), &found[0]["Name"]), (1, &json!("Fjordglass Optics")));
    assert_eq!(found[0]["attributes"]["type"], "Account");
    assert!(records("search?q=FIND+{fjordglass}+IN+EMAIL+FIELDS").await.is_empty());
    let by_parameters = records("parameterizedSearch?q=Fjordglass&sobject=Account&Account.fields=Name").await;
    assert_eq!(by_parameters[0]["Name"], "Fjordglass Optics");
    let body = json!({"q": "Fjordglass", "in": "NAME", "sobjects": [{"name": "Account", "fields": ["Id", "Name"], "limit": 1}]});
    assert_eq!(scene.post("parameterizedSearch", body).await.body["searchRecords"][0]["Name"], "Fjordglass Optics");
    assert_eq!(scene.get("search?q=FIND+fjordglass").await.code(), "MALFORMED_SEARCH");
    assert_eq!(scene.get("search?q=FIND+{a}").await.code(), "MALFORMED_SEARCH");
    assert_eq!(scene.get("search?q=FIND+{fjordglass}+RETURNING+Nope").await.code(), "INVALID_TYPE");
}
