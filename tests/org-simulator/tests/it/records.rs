use serde_json::json;

use crate::support::{CASEY, Scene, fields};

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let scene = Scene::new().await;

    let created = scene
        .post("sobjects/Account", json!({"Name": "Ashgrove Mills", "AnnualRevenue": 15000, "NumberOfEmployees": 12}))
        .await;
    let id = created.body["id"].as_str().unwrap().to_owned();
    let path = format!("sobjects/Account/{id}");

    assert_eq!((created.status, created.header("location")), (201, format!("/services/data/v66.0/{path}").as_str()));
    assert_eq!(created.body, json!({"id": id, "success": true, "errors": []}));
    let read = scene.get(&path).await;
    assert_eq!(read.body["attributes"], json!({"type": "Account", "url": format!("/services/data/v66.0/{path}")}));
    assert_eq!(read.body["AnnualRevenue"].to_string(), "15000.0");
    assert_eq!(read.body["NumberOfEmployees"].to_string(), "12");
    assert_eq!(read.body["CreatedDate"], "2026-11-22T10:00:00.000+0000");

    let changed = scene.patch(&path, json!({"Industry": "Retail", "Name": "Ashgrove"})).await;
    assert_eq!((changed.status, changed.bytes.len()), (204, 0));
    assert_eq!(scene.get(&format!("{path}?fields=Name,Industry")).await.body["Industry"], "Retail");

    assert_eq!(scene.delete(&path).await.status, 204);
    let gone = scene.get(&path).await;
    assert_eq!((gone.status, gone.code()), (404, "ENTITY_IS_DELETED"));
}

#[tokio::test]
async fn errors_have_salesforces_codes() {
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let contact = scene.id_of("Contact", "Private Contact").await;
    for (object, body, status, code) in [
        ("Account", json!({}), 400, "REQUIRED_FIELD_MISSING"),
        ("Account", json!({"Name": "x", "Nope__c": 1}), 400, "INVALID_FIELD"),
        (
            "Account",
            json!({"Name": "x", "SystemModstamp": "2026-01-01T00:00:00Z"}),
            400,
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        ("Account", json!({"Name": "x".repeat(256)}), 400, "STRING_TOO_LONG"),
        ("Contact", json!({"LastName": "x", "AccountId": "001"}), 400, "MALFORMED_ID"),
        ("Contact", json!({"LastName": "x", "AccountId": contact}), 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact", json!({"LastName": "x", "AccountId": "0015e0000000999AAB"}), 400, "MALFORMED_ID"),
        ("Contact", json!({"LastName": "x", "AccountId": "0015e0000000zzz"}), 400, "INVALID_CROSS_REFERENCE_KEY"),
        ("Contact", json!({"LastName": "x", "Email": "nobody"}), 400, "INVALID_EMAIL_ADDRESS"),
        ("Account", json!({"Name": "x", "Ferry_External_Id__c": "acc-1001"}), 400, "DUPLICATE_VALUE"),
        ("Nope", json!({"Name": "x"}), 404, "NOT_FOUND"),
        (
            "Lead",
            json!({"LastName": "x", "Company": "y", "ConvertedDate": "2026-01-01"}),
            400,
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
    ] {
        let answer = scene.post(&format!("sobjects/{object}"), body.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{object} {body}");
    }
    assert_eq!(
        scene.patch(&format!("sobjects/Account/{account}"), json!({"Name": null})).await.code(),
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(scene.get("sobjects/Account/23foo").await.code(), "NOT_FOUND");
    assert_eq!(scene.get("sobjects/Account/0015e0000000zzz").await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn missing_fields_are_all_named() {
    let scene = Scene::new().await;
    let answer = scene.post("sobjects/Opportunity", json!({"Amount": 1})).await;
    assert_eq!(answer.body[0]["message"], "Required fields are missing: [Name, StageName, CloseDate]");
    assert_eq!(answer.body[0]["fields"], json!(["Name", "StageName", "CloseDate"]));
}

#[tokio::test]
async fn an_upsert_reports_whether_it_created() {
    let scene = Scene::new().await;
    let path = "sobjects/Account/Ferry_External_Id__c/A%2F1%20b";

    let first = scene.patch(path, json!({"Name": "One"})).await;
    let second = scene.patch(path, json!({"Name": "Two"})).await;

    assert_eq!((first.status, &first.body["created"]), (201, &json!(true)));
    assert_eq!((second.status, &second.body["created"]), (200, &json!(false)));
    assert_eq!(first.body["id"], second.body["id"]);
    let read = scene.get(path).await;
    assert_eq!((&read.body["Name"], &read.body["Ferry_External_Id__c"]), (&json!("Two"), &json!("A/1 b")));
    assert_eq!(scene.get("sobjects/Account/Ferry_External_Id__c/none").await.status, 404);
    assert_eq!(scene.patch("sobjects/Account/Nope__c/1", json!({"Name": "x"})).await.code(), "NOT_FOUND");
    assert_eq!(scene.patch(path, json!({"Ferry_External_Id__c": "A", "Name": "x"})).await.code(), "INVALID_FIELD");
    assert_eq!(
        scene.patch("sobjects/Account/Ferry_External_Id__c/new?updateOnly=true", json!({"Name": "x"})).await.status,
        404
    );
}

#[tokio::test]
async fn an_ambiguous_key_returns_300_with_the_urls() {
    let scene = Scene::new().await;
    for name in ["One", "Two"] {
        scene.post("sobjects/Contact", json!({"LastName": name, "Email": "same@example.com"})).await;
    }
    let answer = scene.patch("sobjects/Contact/Email/same%40example.com", json!({"Title": "x"})).await;
    assert_eq!((answer.status, answer.body.as_array().unwrap().len()), (300, 2));
    assert!(answer.body[0].as_str().unwrap().starts_with("/services/data/v66.0/sobjects/Contact/003"));
}

#[tokio::test]
async fn a_lookup_may_be_named_by_external_id() {
    let scene = Scene::new().await;
    let body = |key: &str| json!({"LastName": "Ref", "Account": {"Ferry_External_Id__c": key}});

    let created = scene.post("sobjects/Contact", body("ACC-1001")).await;

    let id = created.body["id"].as_str().unwrap();
    let account = scene.id_of("Account", "Harbourline Logistics").await;
    assert_eq!(scene.get(&format!("sobjects/Contact/{id}?fields=AccountId")).await.body["AccountId"], json!(account));
    assert_eq!(scene.post("sobjects/Contact", body("none")).await.code(), "INVALID_FIELD");
}

#[tokio::test]
async fn the_creator_owns_a_record_by_default() {
    let mut scene = Scene::new().await;
    let users = scene.org.users();
    let id = |username: &str| users.iter().find(|user| user.username == username).unwrap().id.clone();
    scene.log_in(CASEY);

    let own = scene.post("sobjects/Lead", json!({"LastName": "A", "Company": "B"})).await;
    let given = scene
        .post("sobjects/Lead", json!({"LastName": "A", "Company": "B", "OwnerId": id(crate::support::JORDAN)}))
        .await;

    let owner = |answer: &crate::support::Answer| {
        scene.org.record("Lead", answer.body["id"].as_str().unwrap()).unwrap()["OwnerId"].clone()
    };
    assert_eq!(owner(&own), json!(id(CASEY)));
    assert_eq!(owner(&given), json!(id(crate::support::JORDAN)));
    scene.org.set_user_active(crate::support::JORDAN, false).unwrap();
    let inactive = scene
        .post("sobjects/Lead", json!({"LastName": "A", "Company": "B", "OwnerId": id(crate::support::JORDAN)}))
        .await;
    assert_eq!(inactive.code(), "INACTIVE_OWNER_OR_USER");
}

#[tokio::test]
async fn private_records_of_others_are_not_accessible() {
    let mut scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    scene.org.set_private("Account", true).unwrap();
    scene.log_in(CASEY);
    assert_eq!(scene.get(&format!("sobjects/Account/{account}")).await.status, 404);
    let refused = scene.patch(&format!("sobjects/Account/{account}"), json!({"Name": "x"})).await;
    assert_eq!((refused.status, refused.code()), (403, "INSUFFICIENT_ACCESS_OR_READONLY"));
}

#[tokio::test]
async fn a_stage_sets_probability_and_forecast_unless_they_are_given() {
    let scene = Scene::new().await;
    let body = json!({"Name": "x", "StageName": "Closed Won", "CloseDate": "2026-12-01", "Amount": 200});
    let id = scene.post("sobjects/Opportunity", body).await.body["id"].as_str().unwrap().to_owned();
    let won = scene.org.record("Opportunity", &id).unwrap();
    assert_eq!(
        (&won["IsWon"], &won["IsClosed"], &won["Probability"], &won["ForecastCategory"]),
        (&json!(true), &json!(true), &json!(100.0), &json!("Closed"))
    );
    assert_eq!((&won["ExpectedRevenue"], &won["FiscalQuarter"]), (&json!(200.0), &json!(4)));

    scene.patch(&format!("sobjects/Opportunity/{id}"), json!({"StageName": "Qualification", "Probability": 33})).await;

    let open = scene.org.record("Opportunity", &id).unwrap();
    assert_eq!(
        (&open["IsClosed"], &open["Probability"], &open["ForecastCategoryName"]),
        (&json!(false), &json!(33.0), &json!("Pipeline"))
    );
}

#[tokio::test]
async fn an_unknown_stage_is_accepted() {
    let scene = Scene::new().await;
    let answer = scene
        .post("sobjects/Opportunity", json!({"Name": "x", "StageName": "GENERATED", "CloseDate": "2026-12-01"}))
        .await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn contacts_are_deleted_and_restored_with_their_account() {
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Harbourline Logistics").await;
    let before = scene.org.record_counts();

    scene.delete(&format!("sobjects/Account/{account}")).await;
    let after = scene.org.record_counts();

    assert_eq!(
        (after["Account"], after["Contact"], after["Opportunity"]),
        (before["Account"] - 1, before["Contact"] - 2, before["Opportunity"] - 2)
    );
    scene.org.undelete_record(crate::support::ADMIN, "Account", &account).unwrap();
    assert_eq!(scene.org.record_counts(), before);
}

#[tokio::test]
async fn changed_and_deleted_records_are_listed_by_time() {
    let mut scene = Scene::new().await;
    scene.org.advance_clock(jiff::SignedDuration::from_hours(2));
    scene.log_in(crate::support::ADMIN);
    let id = scene.org.create_record(crate::support::ADMIN, "Account", &fields(json!({"Name": "New"}))).unwrap();
    let lead = scene.query("SELECT Id FROM Lead LIMIT 1").await.body["records"][0]["Id"].as_str().unwrap().to_owned();
    scene.delete(&format!("sobjects/Lead/{lead}")).await;
    scene.org.advance_clock(jiff::SignedDuration::from_mins(5));
    let window = "start=2026-11-22T11%3A00%3A00%2B00%3A00&end=2026-11-22T13%3A00%3A00Z";

    let updated = scene.get(&format!("sobjects/Account/updated/?{window}")).await;
    let deleted = scene.get(&format!("sobjects/Lead/deleted/?{window}")).await;

    assert_eq!(updated.body, json!({"ids": [id], "latestDateCovered": "2026-11-22T12:05:00.000+0000"}));
    assert_eq!(deleted.body["deletedRecords"], json!([{"id": lead, "deletedDate": "2026-11-22T12:00:00.000+0000"}]));
    let old = scene.get("sobjects/Account/updated/?start=2026-01-01T00:00:00Z&end=2026-11-22T00:00:00Z").await;
    assert_eq!(old.code(), "INVALID_REPLICATION_DATE");
}

#[tokio::test]
async fn every_data_response_reports_the_api_limit() {
    let scene = Scene::new().await;
    scene.org.set_daily_api_limit(2);
    assert_eq!(scene.get("limits").await.header("sforce-limit-info"), "api-usage=1/2");
    assert_eq!(scene.get("limits").await.body["DailyApiRequests"], json!({"Max": 2, "Remaining": 0}));
    let refused = scene.get("limits").await;
    assert_eq!(
        (refused.status, refused.code(), refused.header("sforce-limit-info")),
        (403, "REQUEST_LIMIT_EXCEEDED", "api-usage=2/2")
    );
}

#[tokio::test]
async fn invalid_requests_have_distinct_errors() {
    let scene = Scene::new().await;
    let url = format!("{}/services/data/v66.0/sobjects/Account", scene.org.url());
    let post = || scene.http.post(&url).bearer_auth(scene.token());
    assert_eq!(
        scene.plain(post().header("content-type", "application/json").body("{")).await.code(),
        "JSON_PARSER_ERROR"
    );
    assert_eq!(scene.plain(post().header("content-type", "text/plain").body("x")).await.status, 415);
    assert_eq!(scene.plain(scene.http.get(&url)).await.code(), "INVALID_SESSION_ID");
    let long = scene.get(&format!("query?q={}", "x".repeat(17_000))).await;
    assert_eq!(long.status, 414);
    let unknown = scene
        .plain(scene.http.get(format!("{}/services/data/v99.0/limits", scene.org.url())).bearer_auth(scene.token()))
        .await;
    assert_eq!((unknown.status, unknown.code()), (404, "NOT_FOUND"));
}
