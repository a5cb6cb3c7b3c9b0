use org_simulator::{AssignmentEntry, AssignmentRule, DuplicateAction, DuplicateRule, ValidationRule};
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

fn same_email(action: DuplicateAction) -> DuplicateRule {
    DuplicateRule {
        name: "Same_Email".into(),
        object: "Contact".into(),
        fields: vec!["Email".into()],
        on_create: action,
        on_edit: action,
        ..DuplicateRule::default()
    }
}

fn lead_owner(condition: Option<&str>) -> AssignmentRule {
    let entry = AssignmentEntry { owner: JORDAN.into(), condition: condition.map(str::to_owned) };
    AssignmentRule { name: "Leads".into(), object: "Lead".into(), id: None, active: true, entries: vec![entry] }
}

fn user_id(context: &TestContext, username: &str) -> Value {
    json!(context.org.users().into_iter().find(|user| user.username == username).unwrap().id)
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
    context.org.set_duplicate_rule(&same_email(DuplicateAction::Alert)).unwrap();

    let refused = context.call(Method::POST, "sobjects/Contact", twin()).await;
    let saved = context.call_with(Method::POST, "sobjects/Contact", twin(), &allow).await;

    assert_eq!((refused.status, refused.code()), (400, "DUPLICATES_DETECTED"));
    let result = &refused.body[0]["duplicateResult"];
    assert_eq!((&result["allowSave"], &result["duplicateRule"]), (&json!(true), &json!("Same_Email")));
    assert_eq!(result["matchResults"][0]["matchRecords"][0]["record"]["Id"], first.body["id"]);
    assert!(refused.body[0].get("fields").is_none());
    assert_eq!(saved.status, 201);
    context.org.set_duplicate_rule(&same_email(DuplicateAction::Block)).unwrap();
    assert_eq!(context.call_with(Method::POST, "sobjects/Contact", twin(), &allow).await.code(), "DUPLICATES_DETECTED");
    let unrelated = format!("sobjects/Contact/{}", first.body["id"].as_str().unwrap());
    assert_eq!(context.patch(&unrelated, json!({"Title": "x"})).await.status, 204);
}

#[tokio::test]
async fn old_versions_misspell_the_key_of_a_duplicate() {
    let context = TestContext::new().await;
    context.org.set_duplicate_rule(&same_email(DuplicateAction::Block)).unwrap();
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
    context.org.set_assignment_rule(&lead_owner(Some("Country = 'Chile'"))).unwrap();
    let id_of = |username: &str| user_id(&context, username);
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
}

#[tokio::test]
async fn an_invalid_assignment_rule_is_rejected() {
    let context = TestContext::new().await;
    let rule = || lead_owner(None);
    let nobody = AssignmentEntry { owner: CASEY.replace("casey", "no"), condition: None };
    let unreadable = AssignmentEntry { owner: CASEY.into(), condition: Some("Nope = 1".into()) };
    for invalid in [
        AssignmentRule { object: "Account".into(), ..rule() },
        AssignmentRule { entries: vec![nobody], ..rule() },
        AssignmentRule { entries: vec![unreadable], ..rule() },
        AssignmentRule { id: Some("001000000000001AAA".into()), ..rule() },
    ] {
        assert!(context.org.set_assignment_rule(&invalid).is_err(), "{invalid:?}");
    }
}

#[tokio::test]
async fn an_update_assigns_by_the_active_rule_unless_told_not_to() {
    let context = TestContext::new().await;
    let made = context.post("sobjects/Lead", json!({"LastName": "x", "Company": "y"})).await;
    let path = format!("sobjects/Lead/{}", made.body["id"].as_str().unwrap());
    context.org.set_assignment_rule(&lead_owner(None)).unwrap();
    let owner = async || context.get(&path).await.body["OwnerId"].clone();
    let title = || Some(json!({"Title": "x"}));
    context.call_with(Method::PATCH, &path, title(), &[("Sforce-Auto-Assign", "FALSE")]).await;
    assert_eq!(owner().await, user_id(&context, ADMIN));
    context.patch(&path, json!({"Title": "y"})).await;
    assert_eq!(owner().await, user_id(&context, JORDAN));

    let entry = AssignmentEntry { owner: CASEY.into(), condition: None };
    let other = AssignmentRule { name: "Other".into(), entries: vec![entry], ..lead_owner(None) };
    context.org.set_assignment_rule(&other).unwrap();
    context.patch(&path, json!({"Title": "z"})).await;
    assert_eq!(owner().await, user_id(&context, CASEY), "a new active rule replaces the active one");
}

#[tokio::test]
async fn the_header_can_name_an_inactive_rule_by_its_id() {
    let context = TestContext::new().await;
    context.org.set_assignment_rule(&lead_owner(None)).unwrap();
    let entries = json!([
        {"owner": ADMIN, "condition": "Country = 'Peru'"},
        {"owner": CASEY, "condition": "Country = 'Chile'"},
        {"owner": ADMIN},
    ]);
    let other = json!({"name": "By country", "object": "Lead", "active": false, "entries": entries});
    let id = context.admin(Method::POST, "assignment-rules", Some(other)).await.body["id"].as_str().unwrap().to_owned();
    let create = async |assign: &str| {
        let lead = json!({"LastName": "x", "Company": "y", "Country": "Chile"});
        context.call_with(Method::POST, "sobjects/Lead", Some(lead), &[("Sforce-Auto-Assign", assign)]).await
    };
    let owner = async |assign: &str| {
        let id = create(assign).await.body["id"].as_str().unwrap().to_owned();
        context.org.record("Lead", &id).unwrap()["OwnerId"].clone()
    };
    let listed = async || {
        let soql = "SELECT Id, Name, Active FROM AssignmentRule WHERE SobjectType = 'Lead' ORDER BY Name";
        let rows = context.query(soql).await.body["records"].as_array().unwrap().clone();
        rows.iter().map(|row| json!([row["Id"], row["Name"], row["Active"]])).collect::<Vec<_>>()
    };
    let rules = listed().await;
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert_eq!(rules[0], json!([id, "By country", false]));
    assert_eq!((&rules[1][1], &rules[1][2]), (&json!("Leads"), &json!(true)));
    let active = rules[1][0].as_str().unwrap();
    assert_eq!(owner(active).await, user_id(&context, JORDAN));
    assert_eq!(owner(&id).await, user_id(&context, CASEY));
    assert_eq!(owner("TRUE").await, user_id(&context, JORDAN));
    assert_eq!(create("01Q000000000009EAA").await.code(), "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(create("maybe").await.code(), "MALFORMED_ID");
    assert_eq!(context.admin(Method::DELETE, "rules/Leads", None).await.status, 200);
    assert_eq!(listed().await, [json!([id, "By country", false])]);
    assert_eq!(owner("TRUE").await, user_id(&context, ADMIN));
}

#[tokio::test]
async fn all_broken_validation_rules_are_reported_together() {
    let context = TestContext::new().await;
    let page = ValidationRule {
        name: "Named".into(),
        condition: "Name = 'x'".into(),
        message: "Choose a better name.".into(),
        field: None,
        ..positive_amount()
    };
    context.org.set_validation_rule(&positive_amount()).unwrap();
    context.org.set_validation_rule(&page).unwrap();
    let code = "FIELD_CUSTOM_VALIDATION_EXCEPTION";
    let refused = context.post("sobjects/Opportunity", opportunity(-1)).await;
    let expected = json!([
        {"message": "An amount cannot be negative.", "errorCode": code, "fields": ["Amount"]},
        {"message": "Choose a better name.", "errorCode": code, "fields": []},
    ]);
    assert_eq!((refused.status, refused.body), (400, expected));
    let mut record = opportunity(-1);
    record["attributes"] = json!({"type": "Opportunity"});
    let row = &context.post("composite/sobjects", json!({"records": [record]})).await.body[0];
    assert_eq!((row["errors"].as_array().unwrap().len(), &row["errors"][1]["statusCode"]), (2, &json!(code)));
}

#[tokio::test]
async fn a_duplicate_rule_has_an_action_for_each_operation() {
    let context = TestContext::new().await;
    let made = context.post("sobjects/Contact", json!({"LastName": "One", "Email": "same@example.com"})).await;
    let other = context.post("sobjects/Contact", json!({"LastName": "Two", "Email": "other@example.com"})).await;
    let other = format!("sobjects/Contact/{}", other.body["id"].as_str().unwrap());
    let rule = json!({
        "name": "Emails", "matching_rule": "Email_Match", "object": "Contact", "fields": ["Email"],
        "on_create": "allow", "on_edit": "block", "condition": "LastName != 'Exempt'", "message": "Known.",
    });
    assert_eq!(context.admin(Method::POST, "duplicate-rules", Some(rule)).await.status, 200);
    let twin = |name: &str| json!({"LastName": name, "Email": "same@example.com"});
    assert_eq!(context.post("sobjects/Contact", twin("Three")).await.status, 201);
    assert_eq!(context.patch(&other, twin("Exempt")).await.status, 204);
    assert_eq!(context.patch(&other, json!({"LastName": "Two"})).await.status, 204, "no compared field has changed");
    let refused = context.patch(&other, twin("Two")).await;
    let result = &refused.body[0]["duplicateResult"];
    assert_eq!((refused.code(), &refused.body[0]["message"]), ("DUPLICATES_DETECTED", &json!("Known.")));
    assert_eq!(
        (&result["matchResults"][0]["rule"], &result["matchResults"][0]["size"]),
        (&json!("Email_Match"), &json!(2))
    );
    assert_eq!(result["matchResults"][0]["matchRecords"][0]["record"]["Id"], made.body["id"]);
    for unknown in [
        json!({"name": "R", "object": "Contact", "fields": ["Email"], "alert": true}),
        json!({"name": "R", "object": "Contact", "fields": []}),
    ] {
        assert_eq!(context.admin(Method::POST, "duplicate-rules", Some(unknown)).await.status, 400);
    }
}

#[tokio::test]
async fn a_rule_can_compare_leads_with_contacts() {
    let context = TestContext::new().await;
    let contact = context.post("sobjects/Contact", json!({"LastName": "One", "Email": "same@example.com"})).await;
    let rule = DuplicateRule {
        object: "Lead".into(),
        match_object: Some("contact".into()),
        ..same_email(DuplicateAction::Block)
    };
    context.org.set_duplicate_rule(&rule).unwrap();
    let lead = json!({"LastName": "x", "Company": "y", "Email": "same@example.com"});
    let refused = context.post("sobjects/Lead", lead).await;
    let result = &refused.body[0]["duplicateResult"];
    assert_eq!(
        (&result["duplicateRuleEntityType"], &result["matchResults"][0]["entityType"]),
        (&json!("Lead"), &json!("Contact"))
    );
    assert_eq!(result["matchResults"][0]["matchRecords"][0]["record"]["Id"], contact.body["id"]);
    let impossible = DuplicateRule { match_object: Some("Account".into()), ..rule };
    assert!(context.org.set_duplicate_rule(&impossible).is_err());
}

#[tokio::test]
async fn the_header_decides_on_details_and_on_whose_eyes_are_used() {
    let mut context = TestContext::new().await;
    context.post("sobjects/Contact", json!({"LastName": "One", "Email": "same@example.com"})).await;
    context.org.set_duplicate_rule(&same_email(DuplicateAction::Alert)).unwrap();
    let create = async |context: &TestContext, header: &str| {
        let twin = json!({"LastName": "Two", "Email": "same@example.com"});
        let headers = [("Sforce-Duplicate-Rule-Header", header)];
        context.call_with(Method::POST, "sobjects/Contact", Some(twin), &headers).await
    };
    let found = |refused: &Value| refused[0]["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"].clone();
    let details = create(&context, "includeRecordDetails=true").await.body;
    assert_eq!(found(&details)["LastName"], "One");
    assert!(found(&create(&context, "includeRecordDetails=false").await.body).get("LastName").is_none());

    context.admin(Method::POST, "settings", Some(json!({"sharing": {"Contact": "private"}}))).await;
    context.log_in(CASEY);
    let hidden = create(&context, "includeRecordDetails=true; runAsCurrentUser=false").await;
    assert_eq!((hidden.code(), found(&hidden.body).get("LastName")), ("DUPLICATES_DETECTED", None));
    assert_eq!(create(&context, "runAsCurrentUser=true").await.status, 201);
}

#[tokio::test]
async fn duplicates_fail_rows_and_parts_like_other_errors() {
    let context = TestContext::new().await;
    let twin = || json!({"LastName": "One", "Email": "same@example.com"});
    let existing = context.post("sobjects/Contact", twin()).await.body["id"].clone();
    context.org.set_duplicate_rule(&same_email(DuplicateAction::Alert)).unwrap();
    let mut record = twin();
    record["attributes"] = json!({"type": "Contact"});
    let rows = json!({"records": [record]});
    // The guide's example of a failed row has the code and the message, and no details.
    let error = json!({"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "fields": []});
    let failed = context.post("composite/sobjects", rows.clone()).await.body;
    assert_eq!(failed[0], json!({"success": false, "errors": [error]}));
    let allow = [("Sforce-Duplicate-Rule-Header", "allowSave=true")];
    let saved = context.call_with(Method::POST, "composite/sobjects", Some(rows), &allow).await;
    assert_eq!(saved.body[0]["success"], true);

    let part =
        json!({"method": "POST", "url": "/services/data/v66.0/sobjects/Contact", "referenceId": "c", "body": twin()});
    let parts = context.post("composite", json!({"compositeRequest": [part]})).await.body;
    let part = &parts["compositeResponse"][0];
    let records = part["body"][0]["duplicateResult"]["matchResults"][0]["matchRecords"].as_array().unwrap();
    assert_eq!((&part["httpStatusCode"], &records[0]["record"]["Id"]), (&json!(400), &existing));
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
    for path in ["tabs", "sobjects/Account/describe/approvalLayouts", "nothing"] {
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
