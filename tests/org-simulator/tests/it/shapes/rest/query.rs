//! Query results, list views and recent items, beside the recordings of `rest/query`.

use serde_json::{Value, json};

use crate::shapes::{
    Comparison::{self, ByTest, Get, Query, Rows},
    assert_rows, assert_shape, query_of, query_path, read,
};
use crate::support::Scene;

pub(in crate::shapes) const RECORDINGS: &[(&str, Comparison)] = &[
    (
        "rest/query/accounts-many-fields-raw.json",
        Rows(
            "FROM Account",
            &[
                "CleanStatus",
                "DunsNumber",
                "Jigsaw",
                "NaicsCode",
                "NaicsDesc",
                "RecordTypeId",
                "SicDesc",
                "Tradestyle",
                "BillingGeocodeAccuracy",
                "BillingLatitude",
                "BillingLongitude",
                "ShippingGeocodeAccuracy",
                "ShippingLatitude",
                "ShippingLongitude",
                "YearStarted",
            ],
        ),
    ),
    ("rest/query/accounts-page-1-of-2.json", ByTest("pages_come_as_recorded")),
    ("rest/query/accounts-page-2-of-2.json", ByTest("pages_come_as_recorded")),
    ("rest/query/cases-26-developer-edition.json", ByTest("rows_come_as_recorded")),
    ("rest/query/child-to-parent.json", Query("SELECT FirstName, Account.Name FROM Contact")),
    ("rest/query/contacts-20-developer-edition.json", Rows("FROM Contact ORDER BY SystemModstamp ASC", &[])),
    ("rest/query/contacts-dev-edition-few-fields.json", Rows("FROM Contact", &["AssistantName"])),
    (
        "rest/query/contacts-with-opportunities-subquery.json",
        Query("SELECT FirstName, (SELECT Name FROM Opportunities) FROM Contact"),
    ),
    ("rest/query/count-id-aggregate.json", Query("SELECT count(Id) FROM Account")),
    ("rest/query/count.json", Query("SELECT COUNT() FROM Contact")),
    ("rest/query/empty.json", Query("SELECT Id, FirstName, LastName FROM Contact WHERE Id = '003000000000000AAA'")),
    ("rest/query/group-by.json", Query("SELECT LeadSource, COUNT(Name) FROM Lead GROUP BY LeadSource")),
    ("rest/query/list-view-results.json", ByTest("list_views_come_as_recorded")),
    (
        "rest/query/nested-contacts-in-accounts.json",
        Query("SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Fjordglass Optics'"),
    ),
    ("rest/query/opportunities-31-developer-edition.json", Rows("FROM Opportunity ORDER BY SystemModstamp ASC", &[])),
    ("rest/query/opportunity-account-null.json", Rows("FROM Opportunity", &[])),
    ("rest/query/parameterized-search-empty.json", Get("parameterizedSearch?q=Nowhere&sObject=Account", &[])),
    ("rest/query/query-all-accounts.json", Get("queryAll?q=SELECT+Id,+Name+FROM+Account+LIMIT+5", &[])),
    ("rest/query/recent-items.json", ByTest("recent_items_are_listed_as_recorded")),
    ("rest/query/record-count.json", ByTest("describe_global_versions_and_limits_have_the_recorded_keys")),
    (
        "rest/query/record-type-ids.json",
        Query("SELECT Id, DeveloperName FROM RecordType WHERE SObjectType='Opportunity'"),
    ),
    (
        "rest/query/record-types-seven-french-names.json",
        Query("SELECT ID, Name FROM RECORDTYPE where sobjecttype = 'opportunity'"),
    ),
    (
        "rest/query/users-profile-null.json",
        Query(
            "SELECT Id, Username, Email, FirstName, LastName, IsActive, ProfileId, Profile.Name, SystemModstamp FROM User ORDER BY SystemModstamp ASC",
        ),
    ),
];

#[tokio::test]
async fn pages_come_as_recorded() {
    let Some(theirs) = read("rest/query/accounts-page-1-of-2.json") else { return };
    let scene = Scene::new().await;
    for at in 0..2 {
        let records: Vec<Value> =
            (0..200).map(|n| json!({"attributes": {"type": "Account"}, "Name": format!("P{at}-{n}")})).collect();
        assert_eq!(scene.post("composite/sobjects", json!({"records": records})).await.status, 200);
    }
    let path = query_path(&query_of(&theirs, "FROM Account ORDER BY SystemModstamp ASC", &[]));
    let first =
        scene.call_with(reqwest::Method::GET, &path, None, &[("Sforce-Query-Options", "batchSize=250")]).await.body;
    assert_shape(&first, &theirs, "page 1", &[]);
    assert_rows(&first["records"], &theirs["records"], "page 1");
    let locator = first["nextRecordsUrl"].as_str().unwrap();
    assert!(locator.rsplit('-').next().unwrap().parse::<usize>().is_ok(), "{locator}");
    let next = scene.get(locator.strip_prefix("/services/data/v66.0/").unwrap()).await.body;
    let theirs = read("rest/query/accounts-page-2-of-2.json").unwrap();
    assert_shape(&next, &theirs, "page 2", &[]);
    assert_eq!(
        (next.get("nextRecordsUrl"), &next["done"], &next["totalSize"]),
        (None, &json!(true), &first["totalSize"])
    );
}

#[tokio::test]
async fn rows_come_as_recorded() {
    let Some(theirs) = read("rest/query/cases-26-developer-edition.json") else { return };
    let scene = Scene::new().await;
    scene.post("sobjects/Case", json!({"Subject": "Lens cracked", "Origin": "Web"})).await;
    let path = query_path(&query_of(&theirs, "FROM Case", &[]));
    let response = scene.get(&path).await;
    assert_eq!(response.status, 200, "{}", response.body);
    assert_shape(&response.body, &theirs, "cases", &[]);
    assert_rows(&response.body["records"], &theirs["records"], "cases");
}

#[tokio::test]
async fn recent_items_are_listed_as_recorded() {
    let Some(theirs) = read("rest/query/recent-items.json") else { return };
    let scene = Scene::new().await;
    scene.id_of("Account", "Fjordglass Optics").await;
    assert_eq!(scene.get("recent").await.body, json!([]), "a query does not add to the recent items");
    scene.post("sobjects/Account", json!({"Name": "Tidewater Kites"})).await;
    let ours = scene.get("recent").await.body;
    assert_shape(&ours, &theirs, "recent", &[]);
    assert_rows(&ours, &theirs, "recent");
}

#[tokio::test]
async fn list_views_come_as_recorded() {
    let Some(theirs) = read("rest/query/list-view-results.json") else { return };
    let scene = Scene::new().await;
    let views = scene.get("sobjects/Account/listviews").await.body;
    let mine =
        views["listviews"].as_array().unwrap().iter().find(|view| view["developerName"] == "MyAccounts").unwrap();
    scene.post("sobjects/Account", json!({"Name": "Aardwolf Aerials"})).await;
    let results = mine["resultsUrl"].as_str().unwrap().trim_start_matches("/services/data/v66.0/");
    let ours = scene.get(results).await.body;
    assert_shape(&ours, &theirs, "results", &[]);
    assert_rows(&json!([ours]), &json!([theirs]), "results");
    let paths = |body: &Value| -> Vec<Value> {
        body["columns"].as_array().unwrap().iter().map(|column| column["fieldNameOrPath"].clone()).collect()
    };
    assert_eq!(paths(&ours), paths(&theirs));
    let list = scene.get("ui-api/list-ui/Contact/AllContacts?pageSize=10").await.body;
    // The recording is of another list view and of an older API version: only its own keys are compared.
    let theirs = read("ui-api/list-ui-contacts.json").unwrap();
    assert_shape(&list, &theirs, "list-ui", &["filteredByInfo"]);
}
