use serde_json::{Value, json};

use crate::support::{CASEY, TestContext};

/// Returns the response to a selection within `query`.
async fn ask(context: &TestContext, selection: &str) -> Value {
    let query = format!("{{ uiapi {{ query {{ {selection} }} }} }}");
    let response = context.post("graphql", json!({"query": query})).await;
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

async fn names(context: &TestContext, arguments: &str) -> Vec<String> {
    let body = ask(context, &format!("Account({arguments}) {{ edges {{ node {{ Name {{ value }} }} }} }}")).await;
    assert_eq!(body["errors"], json!([]), "{arguments}");
    let edges = body["data"]["uiapi"]["query"]["Account"]["edges"].as_array().unwrap().iter();
    edges.map(|edge| edge["node"]["Name"]["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn conditions_and_order_are_those_of_soql() {
    let context = TestContext::new().await;
    for (name, employees) in [("O'Hara", 5), ("Ossian", 50), ("Otter", 500)] {
        let body = json!({"Name": name, "NumberOfEmployees": employees, "Site": "graph"});
        assert_eq!(context.post("sobjects/Account", body).await.status, 201);
    }
    let among = async |condition: &str| {
        let own = "Site: {eq: \"graph\"}";
        names(
            &context,
            &format!("where: {{{own} {condition}}} orderBy: {{NumberOfEmployees: {{order: DESC, nulls: LAST}}}}"),
        )
        .await
    };
    assert_eq!(among("").await, ["Otter", "Ossian", "O'Hara"]);
    assert_eq!(among("Name: {eq: \"O'Hara\"}").await, ["O'Hara"]);
    assert_eq!(among("Name: {like: \"O%s%\"}").await, ["Ossian"]);
    assert_eq!(among("NumberOfEmployees: {gt: 5, lt: 500}").await, ["Ossian"]);
    assert_eq!(among("Name: {nin: [\"Otter\", \"Ossian\"]}").await, ["O'Hara"]);
    assert_eq!(among("or: [{Name: {eq: \"Otter\"}}, {NumberOfEmployees: {lte: 5}}]").await, ["Otter", "O'Hara"]);
    assert_eq!(among("not: {Name: {eq: \"Otter\"}}").await, ["Ossian", "O'Hara"]);
    assert_eq!(among("CreatedDate: {lt: {value: \"2001-01-01T00:00:00Z\"}}").await, Vec::<String>::new());
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor() {
    let context = TestContext::new().await;
    let all = names(&context, "orderBy: {Name: {order: ASC}}").await;
    assert_eq!(all.len(), 5);
    let mut seen = Vec::new();
    let mut after = "null".to_owned();
    loop {
        let selection = format!(
            "Account(first: 2, after: {after}, orderBy: {{Name: {{order: ASC}}}}) {{ totalCount pageInfo {{ hasNextPage endCursor }} edges {{ cursor node {{ Name {{ value }} }} }} }}"
        );
        let page = ask(&context, &selection).await["data"]["uiapi"]["query"]["Account"].clone();
        assert_eq!(page["totalCount"], 5);
        let edges = page["edges"].as_array().unwrap();
        seen.extend(edges.iter().map(|edge| edge["node"]["Name"]["value"].as_str().unwrap().to_owned()));
        assert_eq!(edges.last().unwrap()["cursor"], page["pageInfo"]["endCursor"]);
        after = page["pageInfo"]["endCursor"].to_string();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn unknown_and_hidden_fields_are_errors() {
    let mut context = TestContext::new().await;
    let permissions = org_simulator::ObjectPermissions {
        hidden_fields: vec!["Phone".to_owned()],
        ..org_simulator::ObjectPermissions::default()
    };
    context.org.limit_profile("Standard User", "Account", &permissions).unwrap();
    let phone = "Account { edges { node { Phone { value displayValue } } } }";
    assert_eq!(ask(&context, phone).await["errors"], json!([]));
    context.log_in(CASEY);
    for selection in [
        phone,
        "Account(where: {Phone: {eq: \"1\"}}) { totalCount }",
        "Account(where: {Name: {about: \"1\"}}) { totalCount }",
        "Account(scope: \"MINE\") { totalCount }",
        "Account(first: 0) { totalCount }",
        "Account { edges { node { Name } } }",
        "Account { edges { node { Nope { value } } } }",
        "Account(where: {Name: {eq: \"nobody\"}}) { edges { node { Nope { value } } } }",
        "Account",
        "Spaceship { totalCount }",
        "mine: Account { totalCount }",
    ] {
        let body = ask(&context, selection).await;
        assert_eq!(body["data"], Value::Null, "{selection}");
        assert!(body["errors"][0]["message"].is_string(), "{selection}");
        let syntax = body["errors"][0]["extensions"]["ErrorType"] == "InvalidSyntax";
        let paths = body["errors"][0]["paths"].as_array().unwrap();
        assert_eq!(paths.first().map(|name| name == "uiapi"), (!syntax).then_some(true), "{selection}: {body}");
    }
}
