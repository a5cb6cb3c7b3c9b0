use serde_json::{Value, json};

use crate::support::TestContext;

fn part(method: &str, path: &str, reference: &str, body: &Value) -> Value {
    json!({"method": method, "url": format!("/services/data/v66.0/{path}"), "referenceId": reference, "body": body})
}

#[tokio::test]
async fn later_parts_use_results_of_earlier_ones() {
    let context = TestContext::new().await;
    let parts = json!([
        part("POST", "sobjects/Account", "acme", &json!({"Name": "Composite & Co"})),
        part("POST", "sobjects/Contact", "person", &json!({"LastName": "X", "AccountId": "@{acme.id}"})),
        {"method": "GET", "url": "/services/data/v66.0/query?q=SELECT Id, Account.Name FROM Contact WHERE Id = '@{person.id}'", "referenceId": "check"},
    ]);

    let response = context.post("composite", json!({"allOrNone": true, "compositeRequest": parts})).await;

    let parts = &response.body["compositeResponse"];
    assert_eq!((&parts[0]["httpStatusCode"], &parts[0]["referenceId"]), (&json!(201), &json!("acme")));
    assert!(
        parts[0]["httpHeaders"]["Location"].as_str().unwrap().starts_with("/services/data/v66.0/sobjects/Account/001")
    );
    assert_eq!(parts[2]["body"]["records"][0]["Account"]["Name"], "Composite & Co");
    assert_eq!(context.org.api_calls(), 1);
}

#[tokio::test]
async fn all_or_none_rolls_back_and_names_the_failed_part() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let parts = json!([
        part("POST", "sobjects/Account", "a", &json!({"Name": "Gone again"})),
        part("POST", "sobjects/Contact", "b", &json!({"FirstName": "No last name"})),
        part("POST", "sobjects/Account", "c", &json!({"Name": "Never made"})),
    ]);

    let response = context.post("composite", json!({"allOrNone": true, "compositeRequest": parts})).await;

    let code = |n: usize| response.body["compositeResponse"][n]["body"][0]["errorCode"].clone();
    assert_eq!(response.status, 200);
    assert_eq!(
        (code(0), code(1), code(2)),
        (json!("PROCESSING_HALTED"), json!("REQUIRED_FIELD_MISSING"), json!("PROCESSING_HALTED"))
    );
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn without_all_or_none_successful_parts_stay() {
    let context = TestContext::new().await;
    let parts = json!([
        part("POST", "sobjects/Account", "a", &json!({"Name": "Stays"})),
        part("POST", "sobjects/Contact", "b", &json!({"LastName": "x", "AccountId": "@{nobody.id}"})),
    ]);
    let response = context.post("composite", json!({"compositeRequest": parts})).await;
    assert_eq!(response.body["compositeResponse"][1]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(context.query("SELECT COUNT() FROM Account WHERE Name = 'Stays'").await.body["totalSize"], 1);
}

#[tokio::test]
async fn an_unsupported_part_has_404_within_200() {
    let context = TestContext::new().await;
    let parts = json!([{"method": "GET", "url": "/services/data/v66.0/sobjects/Foo", "referenceId": "a"}, {"method": "GET", "url": "/services/data/v66.0/ui-api/object-info/Account", "referenceId": "b"}]);
    let response = context.post("composite", json!({"compositeRequest": parts})).await;
    for part in response.body["compositeResponse"].as_array().unwrap() {
        assert_eq!((&part["httpStatusCode"], &part["body"][0]["errorCode"]), (&json!(404), &json!("NOT_FOUND")));
    }
}

#[tokio::test]
async fn too_many_parts_and_repeated_references_are_rejected() {
    let context = TestContext::new().await;
    let one = |reference: String| part("GET", "sobjects", &reference, &Value::Null);
    let many: Vec<Value> = (0..26).map(|n| one(format!("r{n}"))).collect();
    assert_eq!(context.post("composite", json!({"compositeRequest": many})).await.status, 400);
    assert_eq!(
        context.post("composite", json!({"compositeRequest": [one("r".into()), one("r".into())]})).await.status,
        400
    );
}

#[tokio::test]
async fn at_most_five_parts_are_queries_or_collections() {
    let context = TestContext::new().await;
    let query = |n: usize| json!({"method": "GET", "url": "/services/data/v66.0/query?q=SELECT Id FROM Account LIMIT 1", "referenceId": format!("q{n}")});
    let parts = |count: usize| json!({"compositeRequest": (0..count).map(query).collect::<Vec<_>>()});
    assert_eq!(context.post("composite", parts(5)).await.status, 200);
    assert_eq!(context.post("composite", parts(6)).await.status, 400);
}

#[tokio::test]
async fn a_missing_reference_stops_dependent_parts() {
    let context = TestContext::new().await;
    let parts = json!([
        {"method": "GET", "url": "/services/data/v66.0/query?q=SELECT Id FROM Account WHERE Name = 'Nobody'", "referenceId": "found"},
        part("POST", "sobjects/Contact", "person", &json!({"LastName": "x", "AccountId": "@{found.records[0].Id}"})),
        part("POST", "sobjects/Task", "task", &json!({"Subject": "x", "WhoId": "@{person.id}"})),
        part("POST", "composite/sobjects", "two", &json!({"records": [{"attributes": {"type": "Account"}, "Name": "A"}, {"attributes": {"type": "Account"}, "Name": "B"}]})),
        part("PATCH", "sobjects/Account/@{two[1].id}", "renamed", &json!({"Name": "C"})),
    ]);
    let response = context.post("composite", json!({"compositeRequest": parts})).await;
    let parts = &response.body["compositeResponse"];
    assert_eq!(
        parts[1]["body"],
        json!([{"message": "Invalid reference specified. No value for found.records[0].Id found in found", "errorCode": "PROCESSING_HALTED"}])
    );
    assert_eq!(parts[2]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!((&parts[4]["httpStatusCode"], &parts[4]["body"]), (&json!(204), &Value::Null));
    assert_eq!(context.query("SELECT COUNT() FROM Account WHERE Name = 'C'").await.body["totalSize"], 1);
}

#[tokio::test]
async fn batch_parts_are_independent_and_count_as_calls() {
    let context = TestContext::new().await;
    let requests = json!([
        {"method": "POST", "url": "v66.0/sobjects/Account", "richInput": {"Name": "Stays"}},
        {"method": "POST", "url": "v66.0/sobjects/Contact", "richInput": {}},
        {"method": "GET", "url": "v66.0/limits"},
    ]);
    let going_on = context.post("composite/batch", json!({"batchRequests": requests})).await;
    assert_eq!(going_on.body["hasErrors"], true);
    let codes = |response: &crate::support::ApiResponse| -> Vec<Value> {
        response.body["results"].as_array().unwrap().iter().map(|r| r["statusCode"].clone()).collect()
    };
    assert_eq!(codes(&going_on), [201, 400, 200]);
    assert_eq!(going_on.body["results"][1]["result"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(context.org.api_calls(), 3);

    let halting = context.post("composite/batch", json!({"haltOnError": true, "batchRequests": requests})).await;
    assert_eq!(codes(&halting), [201, 400, 412]);
    assert_eq!(halting.body["results"][2]["result"][0]["errorCode"], "BATCH_PROCESSING_HALTED");
    assert_eq!(context.query("SELECT COUNT() FROM Account WHERE Name = 'Stays'").await.body["totalSize"], 2);

    let foreign = json!({"batchRequests": [{"method": "GET", "url": "v66.0/ui-api/object-info/Account"}]});
    assert_eq!(context.post("composite/batch", foreign).await.code(), "INVALID_BATCH_REQUEST");
}

fn leaf(object: &str, reference: &str, fields: &Value) -> Value {
    let mut record = fields.clone();
    record["attributes"] = json!({"type": object, "referenceId": reference});
    record
}

#[tokio::test]
async fn a_tree_creates_parents_and_children_together() {
    let context = TestContext::new().await;
    let mut account = leaf("Account", "acc", &json!({"Name": "Root"}));
    let mut opportunity =
        leaf("Opportunity", "opp", &json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-01"}));
    opportunity["Tasks"] = json!({"records": [leaf("Task", "task", &json!({"Subject": "Call"}))]});
    account["Contacts"] = json!({"records": [leaf("Contact", "con", &json!({"LastName": "One"}))]});
    account["Opportunities"] = json!({"records": [opportunity]});

    let response = context.post("composite/tree/Account", json!({"records": [account]})).await;

    assert_eq!((response.status, &response.body["hasErrors"]), (201, &json!(false)));
    let id = |reference: &str| {
        let results = response.body["results"].as_array().unwrap();
        results.iter().find(|r| r["referenceId"] == reference).unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(context.org.record("Contact", &id("con")).unwrap()["AccountId"], id("acc"));
    assert_eq!(context.org.record("Opportunity", &id("opp")).unwrap()["AccountId"], id("acc"));
    assert_eq!(context.org.record("Task", &id("task")).unwrap()["WhatId"], id("opp"));
}

#[tokio::test]
async fn an_invalid_leaf_fails_the_whole_tree() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let mut account = leaf("Account", "acc", &json!({"Name": "Root"}));
    account["Contacts"] = json!({"records": [leaf("Contact", "con", &json!({"LastName": "x", "Email": "nobody"}))]});

    let refused = context.post("composite/tree/Account", json!({"records": [account]})).await;

    let errors = json!([{"statusCode": "INVALID_EMAIL_ADDRESS", "message": "Email: invalid email address: nobody", "fields": ["Email"]}]);
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body, json!({"hasErrors": true, "results": [{"referenceId": "con", "errors": errors}]}));
    assert_eq!(context.org.record_counts(), before);
    let twice =
        json!({"records": [leaf("Account", "a", &json!({"Name": "x"})), leaf("Account", "a", &json!({"Name": "y"}))]});
    let refused = context.post("composite/tree/Account", twice).await;
    assert_eq!(refused.body["results"].as_array().unwrap().len(), 2);
    assert_eq!(refused.body["results"][0]["errors"][0]["message"], "Duplicate ReferenceId provided in the request.");
    let many: Vec<Value> = (0..201).map(|n| leaf("Account", &format!("a{n}"), &json!({"Name": "x"}))).collect();
    assert_eq!(context.post("composite/tree/Account", json!({"records": many})).await.code(), "INVALID_INPUT");
    assert_eq!(context.org.record_counts(), before);
}

#[tokio::test]
async fn graphs_fail_one_by_one() {
    let context = TestContext::new().await;
    let graph = |id: &str, contact: Value| {
        let parts = json!([
            part("POST", "sobjects/Account", "acme", &json!({"Name": format!("Graph {id}")})),
            part("POST", "sobjects/Contact", "person", &contact)
        ]);
        json!({"graphId": id, "compositeRequest": parts})
    };
    let good = json!({"LastName": "x", "AccountId": "@{acme.id}"});
    let graphs = json!({"graphs": [graph("1", good.clone()), graph("2", json!({}))]});

    let response = context.post("composite/graph", graphs).await;

    let graphs = &response.body["graphs"];
    assert_eq!((&graphs[0]["isSuccessful"], &graphs[1]["isSuccessful"]), (&json!(true), &json!(false)));
    let failed = &graphs[1]["graphResponse"]["compositeResponse"];
    assert_eq!(failed[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(failed[1]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(context.query("SELECT COUNT() FROM Account WHERE Name LIKE 'Graph%'").await.body["totalSize"], 1);
    let repeated = json!({"graphs": [graph("1", good.clone()), graph("1", good)]});
    assert_eq!(context.post("composite/graph", repeated).await.code(), "INVALID_INPUT");
    let query = json!({"graphs": [{"graphId": "q", "compositeRequest": [{"method": "GET", "url": "/services/data/v66.0/query?q=SELECT Id FROM Account", "referenceId": "q"}]}]});
    assert_eq!(context.post("composite/graph", query).await.body["graphs"][0]["isSuccessful"], false);
}

#[tokio::test]
async fn a_graph_upserts_and_refers_to_what_it_upserted() {
    let context = TestContext::new().await;
    let graph = |last_name: &Value| {
        let parts = json!([
            part("PATCH", "sobjects/Account/Ferry_External_Id__c/A%2F1%2Ejson", "acme", &json!({"Name": "Graph"})),
            part("POST", "sobjects/Contact", "person", &json!({"LastName": last_name, "AccountId": "@{acme.id}"})),
            part("POST", "sobjects/Contact", "second", &json!({"LastName": "y"})),
        ]);
        json!({"graphs": [{"graphId": "1", "compositeRequest": parts}]})
    };

    let first = context.post("composite/graph", graph(&json!("x"))).await;
    let again = context.post("composite/graph", graph(&json!("x"))).await;
    let refused = context.post("composite/graph", graph(&Value::Null)).await;

    let statuses = |body: &Value| -> Vec<Value> {
        let parts = body["graphs"][0]["graphResponse"]["compositeResponse"].as_array().unwrap();
        parts.iter().map(|part| part["httpStatusCode"].clone()).collect()
    };
    assert_eq!(statuses(&first.body), [201, 201, 201], "{}", first.body);
    assert_eq!(statuses(&again.body), [200, 201, 201]);
    let query = "SELECT Account.Ferry_External_Id__c FROM Contact WHERE LastName = 'x'";
    assert_eq!(context.query(query).await.body["records"][0]["Account"]["Ferry_External_Id__c"], "A/1.json");
    let parts = &refused.body["graphs"][0]["graphResponse"]["compositeResponse"];
    let codes: Vec<&Value> = (0..3).map(|part| &parts[part]["body"][0]["errorCode"]).collect();
    assert_eq!(codes, ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]);
}

#[tokio::test]
async fn a_graph_over_a_limit_is_refused_as_a_whole() {
    let context = TestContext::new().await;
    let before = context.org.record_counts();
    let graph = |parts: Vec<Value>| json!({"graphs": [{"graphId": "1", "compositeRequest": parts}]});
    let account = |n: usize, body: &Value| part("POST", "sobjects/Account", &format!("n{n}"), body);
    let chain = |length: usize| -> Vec<Value> {
        let body = |n: usize| match n {
            0 => json!({"Name": "x"}),
            n => json!({"Name": "x", "ParentId": format!("@{{n{}.id}}", n - 1)}),
        };
        (0..length).map(|n| account(n, &body(n))).collect()
    };
    let kinds = |count: usize| -> Vec<Value> {
        (0..count).map(|n| part("POST", &format!("sobjects/Object{n}__c"), &format!("n{n}"), &json!({}))).collect()
    };
    let many = (0..501).map(|n| account(n, &json!({"Name": "x"}))).collect();
    for parts in [chain(16), kinds(16), many] {
        assert_eq!(context.post("composite/graph", graph(parts)).await.code(), "INVALID_INPUT");
    }
    assert_eq!(context.org.record_counts(), before);
    assert_eq!(context.post("composite/graph", graph(kinds(15))).await.status, 200, "their objects do not exist");
    assert_eq!(context.post("composite/graph", graph(chain(15))).await.body["graphs"][0]["isSuccessful"], true);
}

#[tokio::test]
async fn a_part_has_the_headers_of_a_conditional_request() {
    let context = TestContext::new().await;
    let account = format!("sobjects/Account/{}", context.id_of("Account", "Fjordglass Optics").await);
    let lead = context.post("sobjects/Lead", json!({"LastName": "x", "Company": "y"})).await.body["id"].clone();
    let mut describe = part("GET", "sobjects", "all", &Value::Null);
    describe["httpHeaders"] = json!({"If-Modified-Since": "Sun, 22 Nov 2037 10:00:00 GMT"});
    let lead = part("GET", &format!("sobjects/Lead/{}", lead.as_str().unwrap()), "lead", &Value::Null);
    let parts = json!([describe, part("GET", &account, "account", &Value::Null), lead]);

    let body = context.post("composite", json!({"compositeRequest": parts})).await.body;

    let parts = &body["compositeResponse"];
    assert_eq!((&parts[0]["httpStatusCode"], &parts[0]["body"]), (&json!(304), &Value::Null));
    assert_eq!(parts[1]["httpStatusCode"], 200);
    for part in [&parts[0], &parts[1]] {
        assert!(part["httpHeaders"]["ETag"].as_str().unwrap().starts_with('"'), "{part}");
        assert!(part["httpHeaders"]["Last-Modified"].as_str().unwrap().ends_with(" GMT"), "{part}");
    }
    assert!(parts[2]["httpHeaders"].get("ETag").is_none(), "{}", parts[2]["httpHeaders"]);
}
