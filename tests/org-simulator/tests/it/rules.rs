use org_simulator::{AssignmentRule, DuplicateRule, ValidationRule};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, CASEY, JORDAN, TestContext, fields};

fn positive_amount() -> ValidationRule {
    ValidationRule {
        name: "Positive_Amount".into(),
        object: "Opportunity".into(),
        condition: "Amount < 0".into(),
        message: "An amount cannot be negative.".into(),
        field: Some("Amount".into()),
    }
}

fn same_email(alert: bool) -> DuplicateRule {
    DuplicateRule {
        name: "Same_Email".into(),
        object: "Contact".into(),
        fields: vec!["Email".into()],
        alert,
        message: String::new(),
    }
}

fn opportunity(amount: i32) -> Value {
    json!({"Name": "x", "StageName": "Qualification", "CloseDate": "2026-12-01", "Amount": amount})
}

#[tokio::test]
async fn a_validation_rule_rejects_creates_and_updates() {
    let context = TestContext::new().await;
    context.org.set_validation_rule(&positive_amount()).unwrap();
    let before = context.org.record_counts();

    let refused = context.post("sobjects/Opportunity", opportunity(-1)).await;

    let expected = json!([{"message": "An amount cannot be negative.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Amount"]}]);
    assert_eq!((refused.status, refused.body), (400, expected));
    assert_eq!(context.org.record_counts(), before);
    let made = context.post("sobjects/Opportunity", opportunity(1)).await.body["id"].as_str().unwrap().to_owned();
    let path = format!("sobjects/Opportunity/{made}");
    assert_eq!(context.patch(&path, json!({"Amount": -5})).await.code(), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(context.get(&path).await.body["Amount"], 1.0);
    context.org.remove_rule("Positive_Amount").unwrap();
    assert_eq!(context.patch(&path, json!({"Amount": -5})).await.status, 204);
}

#[tokio::test]
async fn a_rule_fails_its_record_of_a_collection_only() {
    let context = TestContext::new().await;
    context.org.set_validation_rule(&positive_amount()).unwrap();
    let record = |amount| {
        let mut record = opportunity(amount);
        record["attributes"] = json!({"type": "Opportunity"});
        record
    };
    let response = context.post("composite/sobjects", json!({"records": [record(1), record(-1), record(2)]})).await;
    let success: Vec<_> = response.body.as_array().unwrap().iter().map(|r| r["success"].clone()).collect();
    assert_eq!(success, [true, false, true]);
    assert_eq!(response.body[1]["errors"][0]["statusCode"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
}

#[tokio::test]
async fn a_rule_with_an_invalid_condition_is_rejected() {
    let context = TestContext::new().await;
    for condition in ["Nope = 1", "Amount <", ""] {
        let rule = ValidationRule { condition: condition.into(), ..positive_amount() };
        assert!(context.org.set_validation_rule(&rule).is_err(), "{condition}");
    }
    let rule = json!({"name": "R", "object": "Lead", "condition": "Company = 'Bad'", "message": "No."});
    assert_eq!(context.admin(Method::POST, "validation-rules", Some(rule)).await.status, 200);
    let listed = context.admin(Method::GET, "rules", None).await.body;
    assert_eq!((&listed["validation_rules"][0]["name"], &listed["locks"]), (&json!("R"), &json!([])));
    let refused = context.post("sobjects/Lead", json!({"LastName": "x", "Company": "Bad"})).await;
    assert_eq!((refused.code(), &refused.body[0]["fields"]), ("FIELD_CUSTOM_VALIDATION_EXCEPTION", &json!([])));
    assert_eq!(context.admin(Method::DELETE, "rules/R", None).await.status, 200);
    assert_eq!(context.admin(Method::DELETE, "rules/R", None).await.status, 404);
}

#[tokio::test]
async fn allow_save_overrides_only_an_alerting_duplicate_rule() {
    let context = TestContext::new().await;
    let first = context.post("sobjects/Contact", json!({"LastName": "One", "Email": "same@example.com"})).await;
    let twin = || Some(json!({"LastName": "Two", "Email": "SAME@example.com"}));
    let allow = [("Sforce-Duplicate-Rule-Header", "allowSave=true; includeRecordDetails=false")];
    context.org.set_duplicate_rule(&same_email(true)).unwrap();

    let refused = context.call(Method::POST, "sobjects/Contact", twin()).await;
    let saved = context.call_with(Method::POST, "sobjects/Contact", twin(), &allow).await;

    assert_eq!((refused.status, refused.code()), (400, "DUPLICATES_DETECTED"));
    let result = &refused.body[0]["duplicateResult"];
    assert_eq!((&result["allowSave"], &result["duplicateRule"]), (&json!(true), &json!("Same_Email")));
    assert_eq!(result["matchResults"][0]["matchRecords"][0]["record"]["Id"], first.body["id"]);
    assert!(refused.body[0].get("fields").is_none());
    assert_eq!(saved.status, 201);
    context.org.set_duplicate_rule(&same_email(false)).unwrap();
    assert_eq!(context.call_with(Method::POST, "sobjects/Contact", twin(), &allow).await.code(), "DUPLICATES_DETECTED");
    let unrelated = format!("sobjects/Contact/{}", first.body["id"].as_str().unwrap());
    assert_eq!(context.patch(&unrelated, json!({"Title": "x"})).await.status, 204);
}

#[tokio::test]
async fn old_versions_misspell_the_key_of_a_duplicate() {
    let context = TestContext::new().await;
    context.org.set_duplicate_rule(&same_email(false)).unwrap();
    let twin = json!({"LastName": "One", "Email": "same@example.com"});
    context.post("sobjects/Contact", twin.clone()).await;
    for (version, key) in [("54.0", "duplicateResut"), ("56.0", "duplicateResut"), ("60.0", "duplicateResult")] {
        let url = format!("{}/services/data/v{version}/sobjects/Contact", context.org.url());
        let refused = context.plain(context.http.post(url).bearer_auth(context.token()).json(&twin)).await;
        assert_eq!(
            (refused.code(), refused.body[0][key]["duplicateRule"].as_str()),
            ("DUPLICATES_DETECTED", Some("Same_Email")),
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_header_disables_the_assignment_rule() {
    let context = TestContext::new().await;
    let rule = |condition: Option<&str>| AssignmentRule {
        object: "Lead".into(),
        owner: JORDAN.into(),
        condition: condition.map(str::to_owned),
    };
    context.org.set_assignment_rule(&rule(Some("Country = 'Chile'"))).unwrap();
    let id_of = |username: &str| context.org.users().into_iter().find(|u| u.username == username).unwrap().id;
    let lead = |country: &str| Some(json!({"LastName": "x", "Company": "y", "Country": country}));
    let owner = async |country: &str, headers: &[(&str, &str)]| {
        let made = context.call_with(Method::POST, "sobjects/Lead", lead(country), headers).await;
        context.org.record("Lead", made.body["id"].as_str().unwrap()).unwrap()["OwnerId"].clone()
    };

    assert_eq!(owner("Chile", &[]).await, id_of(JORDAN));
    assert_eq!(owner("Peru", &[]).await, id_of(ADMIN));
    assert_eq!(owner("Chile", &[("Sforce-Auto-Assign", "FALSE")]).await, id_of(ADMIN));
    let part = json!({"method": "POST", "url": "/services/data/v66.0/sobjects/Lead", "referenceId": "l", "body": lead("Chile"), "httpHeaders": {"Sforce-Auto-Assign": "false"}});
    let response = context.post("composite", json!({"compositeRequest": [part]})).await;
    let id = response.body["compositeResponse"][0]["body"]["id"].as_str().unwrap().to_owned();
    assert_eq!(context.org.record("Lead", &id).unwrap()["OwnerId"], id_of(ADMIN));
    assert!(context.org.set_assignment_rule(&AssignmentRule { object: "Account".into(), ..rule(None) }).is_err());
    assert!(
        context.org.set_assignment_rule(&AssignmentRule { owner: CASEY.replace("casey", "no"), ..rule(None) }).is_err()
    );
}

#[tokio::test]
async fn a_lock_blocks_changes_and_new_children() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let other = context.id_of("Account", "Harbourline Logistics").await;
    context.org.lock_record(&id).unwrap();

    let refused = context.patch(&format!("sobjects/Account/{id}"), json!({"Rating": "Hot"})).await;
    let child = context.post("sobjects/Contact", json!({"LastName": "x", "AccountId": id})).await;
    let record = |id: &str| json!({"attributes": {"type": "Account"}, "id": id, "Rating": "Hot"});
    let many = context.patch("composite/sobjects", json!({"records": [record(&id), record(&other)]})).await;

    let expected = json!([{"message": format!("unable to obtain exclusive access to this record or 1 records: {id}"), "errorCode": "UNABLE_TO_LOCK_ROW", "fields": []}]);
    assert_eq!((refused.status, refused.body), (400, expected));
    assert_eq!(child.code(), "UNABLE_TO_LOCK_ROW");
    assert_eq!(many.body[0]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    assert_eq!(many.body[1]["success"], true);
    assert_eq!(context.admin(Method::DELETE, &format!("locks/{id}"), None).await.status, 200);
    assert_eq!(context.patch(&format!("sobjects/Account/{id}"), json!({"Rating": "Hot"})).await.status, 204);
}

#[tokio::test]
async fn an_account_with_cases_cannot_be_deleted() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let case = context.org.create_record(ADMIN, "Case", &fields(json!({"AccountId": id}))).unwrap();
    let number = context.org.record("Case", &case).unwrap()["CaseNumber"].as_str().unwrap().to_owned();
    let refused = context.delete(&format!("sobjects/Account/{id}")).await;
    let message = format!(
        "Your attempt to delete Fjordglass Optics could not be completed because it is associated with the following cases.: {number}\n"
    );
    assert_eq!((refused.status, refused.code(), &refused.body[0]["message"]), (400, "DELETE_FAILED", &json!(message)));
    context.delete(&format!("sobjects/Case/{case}")).await;
    assert_eq!(context.delete(&format!("sobjects/Account/{id}")).await.status, 204);
}

#[tokio::test]
async fn a_wrong_method_is_rejected_with_the_allowed_ones() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    for (method, path, allowed) in [
        (Method::PATCH, "sobjects/Account".to_owned(), "HEAD,GET,POST"),
        (Method::POST, format!("sobjects/Account/{id}"), "HEAD,GET,PATCH,DELETE"),
        (Method::POST, "limits".to_owned(), "HEAD,GET"),
    ] {
        let response = context.call(method.clone(), &path, Some(json!({}))).await;
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        assert_eq!(
            (response.status, response.code(), &response.body[0]["message"]),
            (405, "METHOD_NOT_ALLOWED", &json!(message))
        );
    }
}

#[tokio::test]
async fn unsupported_resources_are_not_found() {
    let context = TestContext::new().await;
    for path in ["tabs", "sobjects/Account/describe/layouts", "nothing"] {
        let response = context.get(path).await;
        assert_eq!((response.status, response.code()), (404, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn a_post_can_override_the_method_with_patch() {
    let context = TestContext::new().await;
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let response = context.post(&format!("sobjects/Account/{id}?_HttpMethod=PATCH"), json!({"Phone": "77"})).await;
    assert_eq!(response.status, 204);
    assert_eq!(context.org.record("Account", &id).unwrap()["Phone"], "77");
}
