use reqwest::Method;
use serde_json::json;

use crate::support::{CASEY, TestContext, fields};

async fn with_leads(count: usize) -> TestContext {
    let context = TestContext::new().await;
    for n in 0..count {
        context
            .org
            .create_record(CASEY, "Lead", &fields(json!({"LastName": format!("L{n}"), "Company": "Paging"})))
            .unwrap();
    }
    context
}

#[tokio::test]
async fn a_result_has_pages() {
    let context = with_leads(450).await;
    let size = [("sforce-query-options", "batchSize=200")];
    let path = "query?q=SELECT+Id+FROM+Lead+WHERE+Company+=+'Paging'";
    let mut response = context.call_with(Method::GET, path, None, &size).await;
    let mut pages = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    loop {
        assert_eq!(response.body["totalSize"], 450);
        let records = response.body["records"].as_array().unwrap();
        pages.push(records.len());
        ids.extend(records.iter().map(|r| r["Id"].as_str().unwrap().to_owned()));
        let Some(next) = response.body["nextRecordsUrl"].as_str() else { break };
        assert_eq!(response.body["done"], false);
        response = context.get(next.strip_prefix("/services/data/v66.0/").unwrap()).await;
    }
    assert_eq!((pages, ids.len(), &response.body["done"]), (vec![200, 200, 50], 450, &json!(true)));
}

#[tokio::test]
async fn a_batch_size_below_the_least_is_raised() {
    let context = with_leads(201).await;
    let response = context
        .call_with(Method::GET, "query?q=SELECT+Id+FROM+Lead", None, &[("sforce-query-options", "batchSize=1")])
        .await;
    assert_eq!(response.body["records"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn another_users_locator_is_invalid() {
    let mut context = with_leads(201).await;
    let first = context
        .call_with(Method::GET, "query?q=SELECT+Id+FROM+Lead", None, &[("sforce-query-options", "batchSize=200")])
        .await;
    let next = first.body["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap().to_owned();
    assert_eq!(context.get("query/01gnone-2000").await.code(), "INVALID_QUERY_LOCATOR");
    context.log_in(CASEY);
    assert_eq!(context.get(&next).await.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn count_has_a_total_and_no_records() {
    let context = TestContext::new().await;
    assert_eq!(
        context.query("SELECT COUNT() FROM Account").await.body,
        json!({"totalSize": 5, "done": true, "records": []})
    );
}

#[tokio::test]
async fn query_all_returns_the_recycle_bin() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    context.delete(&format!("sobjects/Account/{id}")).await;
    let all = context.get("queryAll?q=SELECT+Id,IsDeleted+FROM+Account+WHERE+IsDeleted+=+true").await;
    assert_eq!(all.body["records"][0]["Id"], json!(id));
    assert_eq!(context.query("SELECT COUNT() FROM Account").await.body["totalSize"], 4);
}

#[tokio::test]
async fn setup_objects_are_queried_like_others() {
    let context = TestContext::new().await;
    let stages = context
        .query("SELECT MasterLabel, ApiName, SortOrder, DefaultProbability FROM OpportunityStage ORDER BY SortOrder")
        .await;
    assert_eq!(stages.body["records"][0]["ApiName"], "Prospecting");
    assert_eq!(stages.body["totalSize"], 10);
    let types = context.query("SELECT DeveloperName, BusinessProcessId FROM RecordType WHERE SobjectType = 'Opportunity' AND IsActive = true").await;
    assert_eq!(types.body["totalSize"], 2);
    let converted = context.query("SELECT ApiName FROM LeadStatus WHERE IsConverted = true").await;
    assert_eq!(converted.body["records"][0]["ApiName"], "Closed - Converted");
    let org = context.query("SELECT Id, IsSandbox, InstanceName FROM Organization").await;
    assert_eq!(org.body["records"][0]["Id"], json!(context.org.org_id()));
    let users = context.query("SELECT Username, Profile.Name FROM User WHERE IsActive = true ORDER BY Username").await;
    assert_eq!(users.body["records"][0]["Profile"]["Name"], "System Administrator");
}

#[tokio::test]
async fn more_children_have_a_page_url_of_their_own() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    for n in 0..205 {
        let contact = json!({"LastName": format!("C{n:03}"), "AccountId": account});
        context.org.create_record(CASEY, "Contact", &fields(contact)).unwrap();
    }
    let query = "query?q=SELECT+Id,(SELECT+LastName+FROM+Contacts+ORDER+BY+LastName)+FROM+Account+WHERE+Name='Fjordglass+Optics'";
    let response = context.call_with(Method::GET, query, None, &[("sforce-query-options", "batchSize=200")]).await;
    assert_eq!(response.body["done"], true);
    let contacts = &response.body["records"][0]["Contacts"];
    assert_eq!((contacts["done"].as_bool(), contacts["records"].as_array().unwrap().len()), (Some(false), 200));
    let next = contacts["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap();
    let rest = context.get(next).await;
    assert_eq!(rest.body["totalSize"], contacts["totalSize"]);
    assert_eq!(rest.body["done"], true);
    let shown = 200 + rest.body["records"].as_array().unwrap().len();
    assert_eq!(contacts["totalSize"], shown);
}

#[tokio::test]
async fn a_locator_lasts_two_days_and_a_user_has_ten() {
    let context = with_leads(201).await;
    let size = [("sforce-query-options", "batchSize=200")];
    let open = async || {
        let response = context.call_with(Method::GET, "query?q=SELECT+Id+FROM+Lead", None, &size).await;
        response.body["nextRecordsUrl"].as_str().unwrap().strip_prefix("/services/data/v66.0/").unwrap().to_owned()
    };
    let first = open().await;
    assert_eq!(context.get(&first).await.status, 200);
    let second = open().await;
    for _ in 0..9 {
        open().await;
    }
    assert_eq!(context.get(&first).await.code(), "INVALID_QUERY_LOCATOR");
    assert_eq!(context.get(&second).await.status, 200);
    context.admin(Method::POST, "clock", Some(json!({"advance_seconds": 48 * 3600}))).await;
    let mut context = context;
    context.log_in(crate::support::ADMIN);
    assert_eq!(context.get(&second).await.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn columns_and_explain_describe_a_query() {
    let context = TestContext::new().await;
    let path = "query?columns=true&q=SELECT+Id,Account.Name,(SELECT+Id+FROM+Cases)+FROM+Contact";
    let body = context.get(path).await.body;
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
        context.get("query?columns=true&q=SELECT+StageName,COUNT(Id)+FROM+Opportunity+GROUP+BY+StageName").await.body;
    assert_eq!(groups["columnMetadata"][1]["displayName"], "count(Id)");
    let plans = context.get("query?explain=SELECT+Id+FROM+Account").await.body;
    assert_eq!(plans["plans"][0]["leadingOperationType"], "TableScan");
    assert_eq!(plans["plans"][0]["sobjectCardinality"], 5);
}

#[tokio::test]
async fn groups_have_no_second_page() {
    let context = with_leads(2_001).await;
    let all = context.query("SELECT LastName, COUNT(Id) FROM Lead GROUP BY LastName").await;
    assert_eq!(all.code(), "EXCEEDED_ID_LIMIT");
    let text = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
    assert_eq!(all.body[0]["message"], text);
    let some = context.query("SELECT LastName, COUNT(Id) FROM Lead GROUP BY LastName LIMIT 2000").await;
    assert_eq!((&some.body["totalSize"], &some.body["done"]), (&json!(2_000), &json!(true)));
}

#[tokio::test]
async fn a_search_finds_words_in_the_fields_it_names() {
    let context = TestContext::new().await;
    let records = async |path: &str| context.get(path).await.body["searchRecords"].as_array().unwrap().clone();
    let found = records("search?q=FIND+{fjordglass}+IN+NAME+FIELDS+RETURNING+Account(Id,Name),Contact").await;
    assert_eq!((found.len(), &found[0]["Name"]), (1, &json!("Fjordglass Optics")));
    assert_eq!(found[0]["attributes"]["type"], "Account");
    assert!(records("search?q=FIND+{fjordglass}+IN+EMAIL+FIELDS").await.is_empty());
    let by_parameters = records("parameterizedSearch?q=Fjordglass&sobject=Account&Account.fields=Name").await;
    assert_eq!(by_parameters[0]["Name"], "Fjordglass Optics");
    let body = json!({"q": "Fjordglass", "in": "NAME", "sobjects": [{"name": "Account", "fields": ["Id", "Name"], "limit": 1}]});
    assert_eq!(context.post("parameterizedSearch", body).await.body["searchRecords"][0]["Name"], "Fjordglass Optics");
    for bare in ["FIND+fjordglass", "FIND+Joe"] {
        let refused = context.get(&format!("search?q={bare}")).await;
        assert_eq!((refused.status, refused.code()), (400, "MALFORMED_SEARCH"));
        let text = "No search term found. The search term must be enclosed in braces.";
        assert_eq!(refused.body[0]["message"], text);
    }
    assert_eq!(context.get("search?q=FIND+{a}").await.code(), "MALFORMED_SEARCH");
    assert_eq!(context.get("search?q=FIND+{fjordglass}+RETURNING+Nope").await.code(), "INVALID_TYPE");
}

#[tokio::test]
async fn format_shows_the_result_of_an_aggregate() {
    let context = TestContext::new().await;
    let query = "SELECT FORMAT(MIN(CloseDate)) m, FORMAT(SUM(convertCurrency(Amount))) s, FORMAT(COUNT(Id)) n, MIN(CloseDate) d FROM Opportunity";
    let found = context.query(query).await;
    assert_eq!((found.status, &found.body["totalSize"]), (200, &json!(1)), "{}", found.body);
    let row = &found.body["records"][0];
    assert_eq!(row["attributes"]["type"], "AggregateResult");
    let plain: Vec<&str> = row["d"].as_str().unwrap().split('-').collect();
    let shown = format!("{}/{}/{}", plain[1].trim_start_matches('0'), plain[2].trim_start_matches('0'), plain[0]);
    assert_eq!((&row["m"], &row["n"]), (&json!(shown), &json!("6")));
    assert!(row["s"].as_str().unwrap().starts_with('$'), "{row}");
    let grouped = context.query("SELECT Type, FORMAT(MAX(Amount)) FROM Opportunity GROUP BY Type").await;
    assert!(grouped.body["records"][0].get("expr0").is_some(), "{}", grouped.body);
}

#[tokio::test]
async fn the_least_picklist_value_is_the_first_of_its_order() {
    let context = TestContext::new().await;
    let found = context.query("SELECT MIN(StageName) low, MAX(StageName) high, MAX(Id) id FROM Opportunity").await;
    let ordered = context.query("SELECT StageName FROM Opportunity ORDER BY StageName").await;
    let stages = ordered.body["records"].as_array().unwrap();
    let row = &found.body["records"][0];
    assert_eq!(row["low"], stages[0]["StageName"]);
    assert_eq!(row["high"], stages[stages.len() - 1]["StageName"]);
    assert!(row["id"].as_str().unwrap().starts_with("006"));
}

#[tokio::test]
async fn a_parent_after_from_has_an_alias() {
    let context = TestContext::new().await;
    let total = async |query: &str| {
        let found = context.query(query).await;
        assert_eq!(found.status, 200, "{query}: {}", found.body);
        found.body["totalSize"].as_u64().unwrap()
    };
    let expected = total("SELECT COUNT() FROM Contact WHERE Account.Name = 'Quillfeather & Sons Press'").await;
    assert!(expected > 0);
    for query in [
        "SELECT COUNT() FROM Contact c, c.Account a WHERE a.Name = 'Quillfeather & Sons Press'",
        "SELECT c.Id, a.Name, o.Username FROM Contact c, c.Account a, a.Owner o WHERE a.Name = 'Quillfeather & Sons Press' AND o.IsActive = true ORDER BY a.Name",
    ] {
        assert_eq!(total(query).await, expected, "{query}");
    }
    let shown = context.query("SELECT a.Name FROM Contact c, c.Account a WHERE a.Name != null LIMIT 1").await;
    assert!(shown.body["records"][0]["Account"]["Name"].is_string(), "{}", shown.body);
    for (query, code) in [
        ("SELECT Id FROM Contact c, x.Account a", "INVALID_TYPE"),
        ("SELECT Id FROM Contact c, Account a", "INVALID_TYPE"),
        ("SELECT Id FROM Contact c, c.Nope a", "INVALID_FIELD"),
        ("SELECT Id FROM Contact c, c.Account", "MALFORMED_QUERY"),
    ] {
        assert_eq!(context.query(query).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn every_value_is_greater_than_an_empty_text() {
    let context = TestContext::new().await;
    let total = async |query: &str| context.query(query).await.body["totalSize"].clone();
    assert_eq!(total("SELECT COUNT() FROM Account WHERE Id > ''").await, 5);
    let with_email = total("SELECT COUNT() FROM Contact WHERE Email != null").await;
    assert_eq!(total("SELECT COUNT() FROM Contact WHERE Email > ''").await, with_email);
    assert_eq!(total("SELECT COUNT() FROM Contact WHERE Email < ''").await, 0);
}

#[tokio::test]
async fn an_owner_of_a_lead_or_case_is_polymorphic() {
    let context = TestContext::new().await;
    for object in ["Lead", "Case", "Task"] {
        let describe = context.get(&format!("sobjects/{object}/describe")).await.body;
        let owner = describe["fields"].as_array().unwrap().iter().find(|field| field["name"] == "OwnerId").unwrap();
        assert_eq!(owner["referenceTo"], json!(["Group", "User"]), "{object}");
        assert_eq!((&owner["polymorphicForeignKey"], &owner["namePointing"]), (&json!(true), &json!(true)), "{object}");
    }
    let found = context.query("SELECT Owner.Type, Owner.Name FROM Lead WHERE Owner.Type = 'User' LIMIT 1").await;
    assert_eq!(found.body["records"][0]["Owner"]["Type"], "User", "{}", found.body);
    let chosen =
        context.query("SELECT TYPEOF Owner WHEN User THEN Username, ProfileId ELSE Name END FROM Lead LIMIT 1").await;
    assert!(chosen.body["records"][0]["Owner"]["Username"].is_string(), "{}", chosen.body);
    assert_eq!(context.query("SELECT Owner.Profile.Name FROM Lead").await.code(), "INVALID_FIELD");
    assert_eq!(
        context.query("SELECT TYPEOF Owner WHEN User THEN Name END FROM Account").await.code(),
        "MALFORMED_QUERY"
    );
}

#[tokio::test]
async fn setup_objects_have_authors_and_no_deleted_flag() {
    let context = TestContext::new().await;
    for object in ["Organization", "User", "Profile", "RecordType"] {
        let authors = context.query(&format!("SELECT CreatedBy.Username FROM {object}")).await;
        for row in authors.body["records"].as_array().unwrap() {
            assert!(row["CreatedBy"]["Username"].is_string(), "{object}: {row}");
        }
        assert_eq!(context.query(&format!("SELECT IsDeleted FROM {object}")).await.code(), "INVALID_FIELD", "{object}");
        let describe = context.get(&format!("sobjects/{object}/describe")).await.body;
        assert!(describe["fields"].as_array().unwrap().iter().all(|field| field["name"] != "IsDeleted"), "{object}");
    }
    let org = context.query("SELECT Division, FiscalYearStartMonth, Address FROM Organization").await;
    assert_eq!(org.body["records"][0]["FiscalYearStartMonth"], 1, "{}", org.body);
}

#[tokio::test]
async fn a_custom_objects_name_has_a_default_and_is_a_key() {
    let context = TestContext::new().await;
    context.admin(Method::POST, "objects", Some(json!({"name": "Broker__c"}))).await;
    let describe = context.get("sobjects/Broker__c/describe").await.body;
    let name = describe["fields"].as_array().unwrap().iter().find(|field| field["name"] == "Name").unwrap();
    assert_eq!((&name["defaultedOnCreate"], &name["idLookup"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn distances_are_compared_and_sorted() {
    let context = TestContext::new().await;
    let place = async |name: &str, latitude: f64, longitude: f64| {
        let account = json!({"Name": name, "BillingLatitude": latitude, "BillingLongitude": longitude});
        assert_eq!(context.post("sobjects/Account", account).await.status, 201);
    };
    place("Far", 34.05, -118.24).await;
    place("Near", 37.79, -122.40).await;
    let names = async |rest: &str| {
        let found = context.query(&format!("SELECT Name FROM Account {rest}")).await;
        assert_eq!(found.status, 200, "{rest}: {}", found.body);
        let records = found.body["records"].as_array().unwrap().clone();
        records.iter().map(|row| row["Name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let distance = |unit: &str| format!("DISTANCE(BillingAddress, GEOLOCATION(37.775,-122.418), '{unit}')");
    assert_eq!(names(&format!("WHERE {} < 20", distance("mi"))).await, ["Near"]);
    assert_eq!(names(&format!("WHERE {} > 540", distance("km"))).await, ["Far"]);
    assert_eq!(names(&format!("WHERE {} > 540", distance("mi"))).await, Vec::<String>::new());
    let order = format!("WHERE BillingLatitude != null ORDER BY {} DESC", distance("km"));
    assert_eq!(names(&order).await, ["Far", "Near"]);
    for (condition, code) in [
        (format!("{} = 20", distance("mi")), "INVALID_QUERY_FILTER_OPERATOR"),
        (format!("{} < 20", distance("ly")), "MALFORMED_QUERY"),
        ("DISTANCE(Name, GEOLOCATION(1, 1), 'mi') < 20".to_owned(), "INVALID_FIELD"),
        ("BillingAddress = null".to_owned(), "INVALID_FIELD"),
    ] {
        assert_eq!(
            context.query(&format!("SELECT Id FROM Account WHERE {condition}")).await.code(),
            code,
            "{condition}"
        );
    }
}

#[tokio::test]
async fn leads_and_cases_have_their_standard_fields() {
    let context = TestContext::new().await;
    let found = context.query("SELECT EmailBouncedDate, EmailBouncedReason FROM Lead LIMIT 1").await;
    assert_eq!(found.status, 200, "{}", found.body);
    let contact = json!({"LastName": "Ruiz", "Email": "ruiz@larkspur.example", "Phone": "555 0100"});
    let contact = context.post("sobjects/Contact", contact).await.body["id"].clone();
    let case = context.post("sobjects/Case", json!({"ContactId": contact, "Comments": "Called back"})).await;
    assert_eq!(case.status, 201, "{}", case.body);
    let query = "SELECT ContactEmail, ContactPhone, ContactMobile, Comments, LastViewedDate FROM Case WHERE ContactEmail = 'ruiz@larkspur.example'";
    let row = context.query(query).await.body["records"][0].clone();
    assert_eq!((&row["ContactPhone"], &row["ContactMobile"]), (&json!("555 0100"), &json!(null)), "{row}");
}
