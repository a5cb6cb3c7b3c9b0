//! The simulator's answers beside recorded ones: whatever a recording has, the answer has, with the same JSON type.

use serde_json::{Value, json};

use crate::support::{Scene, recorded};

fn read(path: &str) -> Option<Value> {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(recorded(path)?).unwrap()).unwrap();
    Some(json.pointer("/response/body").cloned().unwrap_or(json))
}

/// How a recording is compared.
enum Compared {
    /// This path below the version is asked for; the keys named may be missing in our answer.
    Get(&'static str, &'static [&'static str]),
    /// The query is made from the fields of the recorded rows, with this behind it; the fields named are ones our org lacks.
    Rows(&'static str, &'static [&'static str]),
    /// This query is asked; the rows have the recorded keys and no others.
    Query(&'static str),
    /// By the test of that name in this file.
    In(&'static str),
    /// By the tests of the Bulk API.
    Bulk,
}
use Compared::{Bulk, Get, In, Query, Rows};

/// Every recording of the folders that are compared.
const RECORDINGS: &[(&str, Compared)] = &[
    ("bulk/ingest-accounts-multiline-fields.csv", Bulk),
    ("bulk/ingest-comma-wrapped-values.csv", Bulk),
    ("bulk/v1-batch-result.csv", Bulk),
    ("bulk/v1-job-open.xml", Bulk),
    ("bulk/v2-delete-job-open.json", Bulk),
    ("bulk/v2-ingest-job-complete.json", Bulk),
    ("bulk/v2-ingest-job-in-progress.json", Bulk),
    ("bulk/v2-ingest-job-open.json", Bulk),
    ("bulk/v2-ingest-job-upload-complete.json", Bulk),
    ("bulk/v2-query-job-created.json", Bulk),
    ("bulk/v2-queryall-job-created.json", Bulk),
    ("notes/content-document-link-created-in-composite.json", In("a_link_is_created_in_a_composite_as_recorded")),
    ("notes/content-document-link-row.json", In("a_link_is_created_in_a_composite_as_recorded")),
    ("notes/content-note-fields-and-rules.txt", In("a_note_has_the_documented_fields")),
    ("notes/content-objects-in-global-describe-2026.json", In("the_objects_of_notes_are_described_as_recorded")),
    ("oauth/callback-queries.txt", In("oauth_errors_are_worded_as_recorded")),
    ("oauth/error-authentication-failure.json", In("a_password_logs_in_as_recorded")),
    ("oauth/error-refresh-token-expired.json", In("oauth_errors_are_worded_as_recorded")),
    ("oauth/expired-then-refreshed-sequence.json", In("an_expired_session_is_refreshed_as_recorded")),
    ("oauth/identity.json", In("identity_userinfo_and_discovery_have_the_recorded_keys")),
    ("oauth/openid-configuration.json", In("identity_userinfo_and_discovery_have_the_recorded_keys")),
    ("oauth/token-errors.jsonl", In("oauth_errors_are_worded_as_recorded")),
    ("oauth/token-password-flow-with-token-type.json", In("a_password_logs_in_as_recorded")),
    ("oauth/token-password-flow.json", In("a_password_logs_in_as_recorded")),
    ("oauth/token-web-server-flow-all-keys.json", In("an_expired_session_is_refreshed_as_recorded")),
    ("oauth/userinfo-2026.json", In("identity_userinfo_and_discovery_have_the_recorded_keys")),
    ("rest/collections/create-1.json", In("collections_answer_as_recorded")),
    ("rest/collections/create-contacts-err-bad-request.json", In("errors_are_worded_as_recorded")),
    ("rest/collections/create-contacts-partial-but-allOrNone.json", In("errors_are_worded_as_recorded")),
    ("rest/collections/create-contacts-success.json", In("collections_answer_as_recorded")),
    ("rest/collections/delete-2.json", In("collections_answer_as_recorded")),
    ("rest/collections/upsert-contacts-created.json", In("collections_answer_as_recorded")),
    ("rest/composite/four-queries.json", In("composites_answer_as_recorded")),
    ("rest/composite/graph-ok.json", In("composites_answer_as_recorded")),
    ("rest/composite/sub-request-404-in-200.json", In("composites_answer_as_recorded")),
    ("rest/composite/two-payments-created.json", In("composites_answer_as_recorded")),
    ("rest/describe/Account.json", In("standard_fields_are_described_as_recorded")),
    ("rest/describe/Case.json", In("standard_fields_are_described_as_recorded")),
    ("rest/describe/Contact.json", In("standard_fields_are_described_as_recorded")),
    ("rest/describe/Lead.json", In("standard_fields_are_described_as_recorded")),
    ("rest/describe/Opportunity.json", In("standard_fields_are_described_as_recorded")),
    ("rest/describe/OpportunityContactRole.json", In("describe_has_the_recorded_keys")),
    ("rest/describe/account-sampled-in-composite.json", In("composites_answer_as_recorded")),
    ("rest/describe/global-2026-trimmed.json", Get("sobjects", &["urls"])),
    ("rest/describe/global-shortened.json", In("describe_global_versions_and_limits_have_the_recorded_keys")),
    ("rest/errors/duplicates-detected-400.json", In("a_duplicate_is_told_as_recorded")),
    ("rest/errors/entity-is-deleted-404.json", In("errors_are_worded_as_recorded")),
    ("rest/errors/external-id-field-unknown-404.json", In("errors_are_worded_as_recorded")),
    ("rest/errors/field-not-writeable-400.json", In("errors_are_worded_as_recorded")),
    ("rest/errors/not-found-404.json", In("errors_are_worded_as_recorded")),
    ("rest/errors/observed-in-the-field.jsonl", In("errors_seen_in_the_field_are_worded_as_recorded")),
    ("rest/errors/session-expired-401.json", In("errors_are_worded_as_recorded")),
    ("rest/errors/unknown-field-400.json", In("errors_are_worded_as_recorded")),
    ("rest/get-deleted.json", In("replication_answers_as_recorded")),
    ("rest/get-updated.json", In("replication_answers_as_recorded")),
    ("rest/limits.json", In("describe_global_versions_and_limits_have_the_recorded_keys")),
    ("rest/organization.json", In("whole_records_have_the_recorded_keys")),
    ("rest/package-install/install-request-in-progress.json", In("install_requests_are_told_of_as_recorded")),
    ("rest/package-install/install-request-success.json", In("install_requests_are_told_of_as_recorded")),
    ("rest/package-install/installed-subscriber-packages.json", In("installed_packages_are_listed_as_recorded")),
    ("rest/package-install/subscriber-package-version.json", In("installed_packages_are_listed_as_recorded")),
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
    ("rest/query/accounts-page-1-of-2.json", In("pages_come_as_recorded")),
    ("rest/query/accounts-page-2-of-2.json", In("pages_come_as_recorded")),
    ("rest/query/cases-26-developer-edition.json", In("rows_come_as_recorded")),
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
    ("rest/query/list-view-results.json", In("list_views_come_as_recorded")),
    (
        "rest/query/nested-contacts-in-accounts.json",
        Query("SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Fjordglass Optics'"),
    ),
    ("rest/query/opportunities-31-developer-edition.json", Rows("FROM Opportunity ORDER BY SystemModstamp ASC", &[])),
    ("rest/query/opportunity-account-null.json", Rows("FROM Opportunity", &[])),
    ("rest/query/parameterized-search-empty.json", Get("parameterizedSearch?q=Nowhere&sObject=Account", &[])),
    ("rest/query/query-all-accounts.json", Get("queryAll?q=SELECT+Id,+Name+FROM+Account+LIMIT+5", &[])),
    ("rest/query/recent-items.json", In("recent_items_are_listed_as_recorded")),
    ("rest/query/record-count.json", In("describe_global_versions_and_limits_have_the_recorded_keys")),
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
    ("rest/records/create-201.json", In("single_records_answer_as_recorded")),
    ("rest/records/delete-204.json", In("single_records_answer_as_recorded")),
    ("rest/records/get-account.json", In("whole_records_have_the_recorded_keys")),
    ("rest/records/get-user-by-id.json", In("whole_records_have_the_recorded_keys")),
    ("rest/records/quick-action-defaults-task.json", In("a_new_task_starts_as_recorded")),
    ("rest/records/update-204.json", In("single_records_answer_as_recorded")),
    ("rest/records/upsert-by-id-updated-200.json", In("single_records_answer_as_recorded")),
    ("rest/records/upsert-created-201.json", In("single_records_answer_as_recorded")),
    ("rest/sobject-basic-info-account.json", Get("sobjects/Account/", &["urls"])),
    ("rest/versions.json", In("describe_global_versions_and_limits_have_the_recorded_keys")),
    ("ui-api/create-record-account.json", In("ui_api_records_have_the_recorded_keys")),
    ("ui-api/get-record-contact.json", In("ui_api_records_have_the_recorded_keys")),
    ("ui-api/graphql-opportunities.json", In("graphql_answers_as_recorded")),
    ("ui-api/list-ui-contacts.json", In("list_views_come_as_recorded")),
    ("ui-api/object-info-account.json", In("ui_api_has_the_recorded_keys")),
    ("ui-api/picklist-values-account-type.json", In("ui_api_has_the_recorded_keys")),
    ("ui-api/picklist-values-by-record-type-account.json", In("ui_api_has_the_recorded_keys")),
    ("ui-api/record-defaults-create-account.json", In("a_new_record_starts_as_recorded")),
];

#[test]
fn every_recording_is_in_the_table() {
    let Some(root) = recorded("SOURCES.md") else { return };
    let root = root.parent().unwrap().to_owned();
    let mut found = Vec::new();
    let mut folders: Vec<_> = ["rest", "bulk", "ui-api", "oauth", "notes"].map(|name| root.join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    let mut listed: Vec<&str> = RECORDINGS.iter().map(|(file, _)| *file).collect();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn the_tests_that_the_table_names_are_there() {
    let this = include_str!("shapes.rs");
    for (file, compared) in RECORDINGS {
        if let In(test) = compared {
            assert!(this.contains(&format!("async fn {test}(")), "{file}: no test {test}");
        }
    }
}

/// The keys that a recording's editors added to it.
const ADDED: [&str; 2] = ["debug", "query"];

#[tokio::test]
async fn answers_have_the_recorded_keys_and_types() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    for (file, compared) in RECORDINGS {
        let path = match compared {
            Get(path, _) => (*path).to_owned(),
            Query(soql) => query_path(soql),
            Rows(rest, lacking) => query_path(&query_of(&read(file).unwrap(), rest, lacking)),
            _ => continue,
        };
        let answer = scene.get(&path).await;
        assert_eq!(answer.status, 200, "{file}: {}", answer.body);
        let mut theirs = read(file).unwrap();
        if let Value::Object(map) = &mut theirs {
            map.retain(|key, _| !ADDED.contains(&key.as_str()));
        }
        let missing: &[&str] = match compared {
            Get(_, missing) | Rows(_, missing) => missing,
            _ => &[],
        };
        assert_shape(&answer.body, &theirs, file, missing);
        if !matches!(compared, Get(..)) {
            assert_rows(&answer.body["records"], &theirs["records"], file);
        }
    }
}

fn query_path(soql: &str) -> String {
    let form = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect::<String>();
    format!("query?q={form}")
}

/// Asks for the fields of the first recorded row.
fn query_of(recording: &Value, rest: &str, lacking: &[&str]) -> String {
    let row = recording["records"][0].as_object().unwrap();
    let fields: Vec<&str> =
        row.keys().map(String::as_str).filter(|key| *key != "attributes" && !lacking.contains(key)).collect();
    format!("SELECT {} {rest}", fields.join(", "))
}

/// Our rows have no key that the recorded ones lack.
fn assert_rows(ours: &Value, theirs: &Value, at: &str) {
    let (Some(ours), Some(theirs)) = (ours[0].as_object(), theirs[0].as_object()) else { return };
    let more: Vec<&String> = ours.keys().filter(|key| !theirs.contains_key(*key)).collect();
    assert!(more.is_empty(), "{at}: {more:?}");
}

/// Sends what the recording says was sent, and compares what comes with what came.
async fn assert_replayed(scene: &Scene, file: &str, path: &str, body: Option<Value>) -> crate::support::Answer {
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(recorded(file).unwrap()).unwrap()).unwrap();
    let method = whole["request"]["method"].as_str().unwrap().parse().unwrap();
    let body = body.or_else(|| whole["request"].get("body").cloned());
    let answer = scene.call(method, path, body).await;
    assert_eq!(json!(answer.status), whole["response"]["status"], "{file}: {}", answer.body);
    if answer.status != 204 {
        assert_shape(&answer.body, &whole["response"]["body"], file, &[]);
        assert_rows(&json!([answer.body]), &json!([whole["response"]["body"]]), file);
    }
    answer
}

#[tokio::test]
async fn single_records_answer_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let made = assert_replayed(&scene, "rest/records/create-201.json", "sobjects/Account/", None).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), format!("/services/data/v66.0/sobjects/Account/{id}"));
    assert_replayed(&scene, "rest/records/update-204.json", &format!("sobjects/Account/{id}"), None).await;
    let upsert = format!("sobjects/Account/Id/{id}?updateOnly=true");
    assert_replayed(&scene, "rest/records/upsert-by-id-updated-200.json", &upsert, None).await;
    assert_replayed(&scene, "rest/records/delete-204.json", &format!("sobjects/Account/{id}"), None).await;
    let created = "sobjects/Contact/Email/test_upsert_004%40example.com";
    assert_replayed(&scene, "rest/records/upsert-created-201.json", created, None).await;
}

#[tokio::test]
async fn collections_answer_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    assert_replayed(&scene, "rest/collections/create-1.json", "composite/sobjects", None).await;
    let contacts = json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "A"}, {"attributes": {"type": "Contact"}, "LastName": "B"}]});
    let made = scene.post("composite/sobjects", contacts).await.body;
    assert_shape(&made, &read("rest/collections/create-contacts-success.json").unwrap(), "create", &[]);
    let ids = format!("{},{}", made[0]["id"].as_str().unwrap(), made[1]["id"].as_str().unwrap());
    let path = format!("composite/sobjects?ids={ids}&allOrNone=false");
    assert_replayed(&scene, "rest/collections/delete-2.json", &path, None).await;
    assert_replayed(&scene, "rest/collections/upsert-contacts-created.json", "composite/sobjects/Contact/Id", None)
        .await;
}

#[tokio::test]
async fn composites_answer_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let whole: Value =
        serde_json::from_str(&std::fs::read_to_string(recorded("rest/composite/four-queries.json").unwrap()).unwrap())
            .unwrap();
    let current = |body: &Value| Some(serde_json::from_str(&body.to_string().replace("vxx.0", "v66.0")).unwrap());
    assert_replayed(&scene, "rest/composite/four-queries.json", "composite", current(&whole["request"]["body"])).await;
    let missing = json!({"compositeRequest": [{"referenceId": "CCI__RefId__0__", "method": "GET", "url": "/services/data/v66.0/sobjects/Foo"}]});
    assert_replayed(&scene, "rest/composite/sub-request-404-in-200.json", "composite", Some(missing)).await;
    assert_replayed(&scene, "rest/composite/graph-ok.json", "composite/graph", None).await;
    let account = |reference: &str| json!({"referenceId": reference, "method": "POST", "url": "/services/data/v66.0/sobjects/Account", "body": {"Name": reference}});
    let two = json!({"compositeRequest": [account("NewPayment1"), account("NewPayment2")]});
    let answer = scene.post("composite", two).await.body;
    assert_shape(&answer, &read("rest/composite/two-payments-created.json").unwrap(), "payments", &["warnings"]);
    let describe = json!({"compositeRequest": [{"referenceId": "d", "method": "GET", "url": "/services/data/v66.0/sobjects/Account/describe"}]});
    let answer = scene.post("composite", describe).await.body;
    assert_shape(
        &answer,
        &read("rest/describe/account-sampled-in-composite.json").unwrap(),
        "describe",
        &["urls", "supportedScopes", "sobjectDescribeOption", "ETag", "Last-Modified"],
    );
}

#[tokio::test]
async fn replication_answers_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    scene.delete(&format!("sobjects/Account/{account}")).await;
    scene.org.advance_clock(jiff::SignedDuration::from_mins(10));
    let range = "start=2026-11-22T09:55:00Z&end=2026-11-22T10:05:00Z";
    for (kind, file) in [("updated", "rest/get-updated.json"), ("deleted", "rest/get-deleted.json")] {
        let answer = scene.get(&format!("sobjects/Account/{kind}?{range}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let theirs = read(file).unwrap();
        assert_shape(&answer.body, &theirs, file, &[]);
        assert_rows(&json!([answer.body]), &json!([theirs]), file);
    }
}

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
    let answer = scene.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_shape(&answer.body, &theirs, "cases", &[]);
    assert_rows(&answer.body["records"], &theirs["records"], "cases");
}

/// Keys of whole records that our org lacks: features that it does not have, or data that it does not keep.
fn kept(key: &str) -> bool {
    // RecordTypeId is only there where the object has record types; IsDeleted is on every row here, also on a user's.
    if ["RecordTypeId", "IsDeleted"].contains(&key) {
        return false;
    }
    let not = ["Address", "Preferences", "Preference", "Geocode", "Latitude", "Longitude", "StateCode", "CountryCode"];
    !not.iter().any(|part| key.contains(part))
}

#[tokio::test]
async fn whole_records_have_the_recorded_keys() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let user = scene.org.users().remove(0).id;
    let organization = scene.org.org_id();
    for (file, path) in [
        ("rest/records/get-account.json", format!("sobjects/Account/{account}")),
        ("rest/records/get-user-by-id.json", format!("sobjects/User/Id/{user}")),
        ("rest/organization.json", format!("sobjects/Organization/{organization}")),
    ] {
        let (ours, theirs) = (scene.get(&path).await, read(file).unwrap());
        assert_eq!(ours.status, 200, "{file}");
        let ours = ours.body;
        let both = ours.as_object().unwrap().iter().filter(|(key, _)| kept(key) && !key.ends_with("__c"));
        for (key, value) in both {
            let recorded = theirs.get(key).unwrap_or_else(|| panic!("{file}: no org has {key}"));
            assert_shape(value, recorded, &format!("{file}.{key}"), &[]);
        }
    }
}

#[tokio::test]
async fn ui_api_records_have_the_recorded_keys() {
    let Some(theirs) = read("ui-api/create-record-account.json") else { return };
    let scene = Scene::new().await;
    let made =
        scene.post("ui-api/records", json!({"apiName": "Account", "fields": {"Name": "Universal Containers"}})).await;
    assert_eq!(made.status, 201);
    assert_shape(&made.body, &theirs, "create", &[]);
    let contact =
        scene.query("SELECT Id FROM Contact LIMIT 1").await.body["records"][0]["Id"].as_str().unwrap().to_owned();
    let path = format!("ui-api/records/{contact}?fields=Contact.Email,Contact.Name,Contact.Phone,Contact.Title");
    assert_shape(
        &scene.get(&path).await.body,
        &read("ui-api/get-record-contact.json").unwrap(),
        "contact",
        &["Picture__c"],
    );
}

#[tokio::test]
async fn a_duplicate_is_told_as_recorded() {
    let Some(theirs) = read("rest/errors/duplicates-detected-400.json") else { return };
    let scene = Scene::new().await;
    let rule = json!({"name": "Standard_Contact_Duplicate_Rule", "object": "Contact", "fields": ["LastName"], "allow_save": true});
    let rule: org_simulator::DuplicateRule = serde_json::from_value(rule).unwrap();
    scene.org.set_duplicate_rule(&rule).unwrap();
    scene.post("sobjects/Contact", json!({"LastName": "Twice"})).await;
    let answer = scene.post("sobjects/Contact", json!({"LastName": "Twice"})).await;
    assert_eq!(answer.status, 400);
    assert_shape(&answer.body, &theirs, "duplicate", &[]);
}

#[tokio::test]
async fn errors_seen_in_the_field_are_worded_as_recorded() {
    let Some(file) = recorded("rest/errors/observed-in-the-field.jsonl") else { return };
    let lines = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let scene = Scene::new().await;
    let observed = |code: &str, at: usize| {
        let mut found = lines.iter().filter(|line| line["body"][0]["errorCode"] == code);
        found.nth(at).unwrap_or_else(|| panic!("{code}")).clone()
    };
    let effect =
        |effect| scene.org.fault(org_simulator::FaultRule { times: Some(1), ..org_simulator::FaultRule::new(effect) });
    effect(org_simulator::Effect::RequestLimitExceeded);
    let daily = scene.get("limits").await;
    assert_eq!(
        (json!(daily.status.to_string()), &daily.body),
        (observed("REQUEST_LIMIT_EXCEEDED", 0)["status"].clone(), &observed("REQUEST_LIMIT_EXCEEDED", 0)["body"])
    );
    effect(org_simulator::Effect::ConcurrentLimitExceeded);
    assert_eq!(scene.get("limits").await.body, observed("REQUEST_LIMIT_EXCEEDED", 1)["body"]);
    effect(org_simulator::Effect::UnableToLockRow);
    assert_shape(&scene.get("limits").await.body, &observed("UNABLE_TO_LOCK_ROW", 0)["body"], "lock", &[]);
    let required = scene.post("sobjects/Account", json!({})).await;
    assert_eq!(required.body, observed("REQUIRED_FIELD_MISSING", 0)["body"]);
    let long = scene.post("sobjects/Account", json!({"Name": "x".repeat(300)})).await;
    assert_shape(&long.body, &observed("STRING_TOO_LONG", 0)["body"], "too long", &[]);
    assert!(long.body[0]["message"].as_str().unwrap().ends_with("(max length=255)"), "{}", long.body);
}

#[tokio::test]
async fn a_note_has_the_documented_fields() {
    let Some(file) = recorded("notes/content-note-fields-and-rules.txt") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let fields = text.lines().find_map(|line| line.strip_prefix("fields: ")).unwrap();
    let documented: Vec<&str> = fields.split(", ").map(|field| field.split(' ').next().unwrap()).collect();
    let scene = Scene::new().await;
    let described = scene.get("sobjects/ContentNote/describe").await.body;
    let names: Vec<&str> =
        described["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    let missing: Vec<&&str> = documented.iter().filter(|field| !names.contains(field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let updateable = described["fields"].as_array().unwrap().iter().filter(|f| f["updateable"] == true);
    let mut updateable: Vec<&str> = updateable.map(|f| f["name"].as_str().unwrap()).collect();
    updateable.sort_unstable();
    assert_eq!((updateable, &described["keyPrefix"]), (vec!["Content", "Title"], &json!("069")));
}

#[tokio::test]
async fn the_objects_of_notes_are_described_as_recorded() {
    let Some(theirs) = read("notes/content-objects-in-global-describe-2026.json") else { return };
    let scene = Scene::new().await;
    let ours = scene.get("sobjects").await.body;
    for name in ["ContentNote", "ContentVersion", "ContentDocument", "ContentDocumentLink"] {
        let find = |list: &Value| list.as_array().unwrap().iter().find(|object| object["name"] == name).cloned();
        let Some(recorded) = find(&theirs) else { continue };
        let mine = find(&ours["sobjects"]).unwrap();
        assert_shape(&mine, &recorded, name, &["urls"]);
        for key in ["queryable", "keyPrefix", "custom"] {
            assert_eq!(mine[key], recorded[key], "{name}.{key}");
        }
    }
}

#[tokio::test]
async fn a_link_is_created_in_a_composite_as_recorded() {
    let Some(theirs) = read("notes/content-document-link-created-in-composite.json") else { return };
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let (version, url) = ("/services/data/v66.0", |path: &str| format!("/services/data/v66.0/{path}"));
    let request = json!({"allOrNone": true, "compositeRequest": [
        {"referenceId": "note", "method": "POST", "url": url("sobjects/ContentNote"), "body": {"Title": "T", "Content": "PHA+aGk8L3A+"}},
        {"referenceId": "read", "method": "GET", "url": format!("{version}/sobjects/ContentNote/@{{note.id}}")},
        {"referenceId": "link", "method": "POST", "url": url("sobjects/ContentDocumentLink"), "body": {"ContentDocumentId": "@{note.id}", "LinkedEntityId": account, "ShareType": "V"}},
    ]});
    let ours = scene.post("composite", request).await.body;
    assert_shape(&ours["compositeResponse"][2], &theirs["compositeResponse"][4], "link", &[]);
    let note = ours["compositeResponse"][0]["body"]["id"].as_str().unwrap();
    let row = scene
        .query(&format!(
            "SELECT Id, ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{note}'"
        ))
        .await;
    let theirs = read("notes/content-document-link-row.json").unwrap();
    assert_shape(&row.body["records"], &theirs, "row", &[]);
    assert_rows(&row.body["records"], &theirs, "row");
}

async fn token(scene: &Scene, form: &[(&str, &str)]) -> crate::support::Answer {
    let url = format!("{}/services/oauth2/token", scene.org.url());
    scene.plain(scene.http.post(url).form(form)).await
}

#[tokio::test]
async fn oauth_errors_are_worded_as_recorded() {
    let Some(file) = recorded("oauth/token-errors.jsonl") else { return };
    let scene = Scene::new().await;
    let lines = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (id, secret) = (scene.org.client_id(), scene.org.client_secret());
    let expired = token(
        &scene,
        &[("grant_type", "refresh_token"), ("refresh_token", "gone"), ("client_id", id), ("client_secret", secret)],
    )
    .await;
    assert_eq!(expired.body, read("oauth/error-refresh-token-expired.json").unwrap());
    assert!(lines.iter().any(|line| line["body"] == expired.body && line["status"] == json!(expired.status)));
    let unknown = token(
        &scene,
        &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "nobody"), ("client_secret", "y")],
    )
    .await;
    let recorded_unknown = lines.iter().find(|line| line["body"]["error"] == "invalid_client_id").unwrap();
    assert_eq!((&recorded_unknown["body"], &recorded_unknown["status"]), (&unknown.body, &json!(unknown.status)));
    let queries = std::fs::read_to_string(recorded("oauth/callback-queries.txt").unwrap()).unwrap();
    let denied = queries.lines().find(|line| line.contains("&state=")).unwrap();
    let form = [
        ("decision", "deny"),
        ("client_id", id),
        ("redirect_uri", crate::support::REDIRECT),
        ("response_type", "code"),
        ("state", "972475373f51"),
        ("username", crate::support::ADMIN),
    ];
    let back = scene.plain(scene.http.post(format!("{}/services/oauth2/authorize", scene.org.url())).form(&form)).await;
    assert_eq!(back.header("location"), format!("{}?{denied}", crate::support::REDIRECT));
}

#[tokio::test]
async fn an_expired_session_is_refreshed_as_recorded() {
    if recorded("SOURCES.md").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let steps: Value = serde_json::from_str(
        &std::fs::read_to_string(recorded("oauth/expired-then-refreshed-sequence.json").unwrap()).unwrap(),
    )
    .unwrap();
    let authorize = format!(
        "{}/services/oauth2/authorize?response_type=code&client_id={}&redirect_uri={}&scope=api+refresh_token+openid",
        scene.org.url(),
        scene.org.client_id(),
        crate::support::REDIRECT
    );
    let back = scene.plain(scene.http.get(authorize).header("x-simulator-user", crate::support::ADMIN)).await;
    let code = back.header("location").split("code=").nth(1).unwrap().split('&').next().unwrap().replace("%3D", "=");
    let app = [("client_id", scene.org.client_id()), ("client_secret", scene.org.client_secret())];
    let mut form =
        vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", crate::support::REDIRECT)];
    form.extend(app);
    let granted = token(&scene, &form).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert_shape(&granted.body, &read("oauth/token-web-server-flow-all-keys.json").unwrap(), "token", &[]);
    scene.org.expire_sessions(crate::support::ADMIN).unwrap();
    let refused = scene.get("sobjects/User/describe").await;
    assert_eq!(
        (json!(refused.status), &refused.body),
        (steps[0]["response"]["status"].clone(), &steps[0]["response"]["body"])
    );
    assert_eq!(refused.header("www-authenticate"), "Token");
    let mut form =
        vec![("grant_type", "refresh_token"), ("refresh_token", granted.body["refresh_token"].as_str().unwrap())];
    form.extend(app);
    let refreshed = token(&scene, &form).await;
    assert_eq!(json!(refreshed.status), steps[1]["response"]["status"]);
    assert_shape(&refreshed.body, &steps[1]["response"]["body"], "refresh", &[]);
}

/// Compares keys and types; the first element stands for a list, and null goes with everything.
fn assert_shape(ours: &Value, theirs: &Value, at: &str, optional: &[&str]) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs.iter().filter(|(key, _)| !optional.contains(&key.as_str())) {
                let mine = ours.get(key).unwrap_or_else(|| panic!("{at}.{key} is missing"));
                assert_shape(mine, value, &format!("{at}.{key}"), optional);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                assert_shape(ours, theirs, &format!("{at}[0]"), optional);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (ours, theirs) => {
            assert_eq!(std::mem::discriminant(ours), std::mem::discriminant(theirs), "{at}: {ours} {theirs}")
        }
    }
}

#[tokio::test]
async fn describe_has_the_recorded_keys() {
    let Some(recording) = read("rest/describe/OpportunityContactRole.json") else { return };
    let scene = Scene::new().await;
    let ours = scene.get("sobjects/OpportunityContactRole/describe").await.body;
    assert_shape(&ours, &recording, "describe", &["urls", "recordTypeInfos"]);
    for field in recording["fields"].as_array().unwrap() {
        let mine = ours["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["name"] == field["name"])
            .unwrap_or_else(|| panic!("{}", field["name"]));
        for key in [
            "type",
            "referenceTo",
            "relationshipName",
            "soapType",
            "nillable",
            "createable",
            "updateable",
            "externalId",
        ] {
            assert_eq!(mine[key], field[key], "{} {key}", field["name"]);
        }
    }
}

#[tokio::test]
async fn standard_fields_are_described_as_recorded() {
    for object in ["Account", "Contact", "Lead", "Opportunity", "Case"] {
        let Some(recording) = read(&format!("rest/describe/{object}.json")) else { return };
        let scene = Scene::new().await;
        let ours = scene.get(&format!("sobjects/{object}/describe")).await.body;
        for field in ours["fields"].as_array().unwrap() {
            let Some(theirs) = recording["fields"].as_array().unwrap().iter().find(|f| f["name"] == field["name"])
            else {
                continue;
            };
            for key in [
                "type",
                "nillable",
                "createable",
                "updateable",
                "defaultedOnCreate",
                "idLookup",
                "nameField",
                "relationshipName",
            ] {
                assert_eq!(field[key], theirs[key], "{object}.{} {key}", field["name"]);
            }
        }
        assert_eq!(ours["keyPrefix"], recording["keyPrefix"]);
    }
}

#[tokio::test]
async fn describe_global_versions_and_limits_have_the_recorded_keys() {
    let Some(recording) = read("rest/describe/global-shortened.json") else { return };
    let scene = Scene::new().await;
    assert_shape(&scene.get("sobjects").await.body, &recording, "global", &["urls"]);
    let versions = scene.plain(scene.http.get(format!("{}/services/data", scene.org.url()))).await;
    assert_shape(&versions.body, &read("rest/versions.json").unwrap(), "versions", &[]);
    let limits = read("rest/limits.json").unwrap();
    let ours = scene.get("limits").await.body;
    for (name, limit) in ours.as_object().unwrap() {
        assert_shape(limit, &limits[name], name, &[]);
        assert!(limits.get(name).is_some(), "{name} is no limit of a real org");
    }
    let count = scene.get("limits/recordCount?sObjects=Account").await.body;
    assert_shape(&count, &read("rest/query/record-count.json").unwrap(), "recordCount", &[]);
    assert_eq!(count, json!({"sObjects": [{"count": 5, "name": "Account"}]}));
}

#[tokio::test]
async fn ui_api_has_the_recorded_keys() {
    let Some(recording) = read("ui-api/object-info-account.json") else { return };
    let scene = Scene::new().await;
    assert_shape(&scene.get("ui-api/object-info/Account").await.body, &recording, "object-info", &["fields"]);
    let field = |info: &Value| info["fields"]["ParentId"].clone();
    assert_shape(&field(&scene.get("ui-api/object-info/Account").await.body), &field(&recording), "ParentId", &[]);
    let types = scene.get("ui-api/object-info/Account/picklist-values/012000000000000AAA/Type").await.body;
    let mut recorded_types = read("ui-api/picklist-values-account-type.json").unwrap();
    for (key, value) in [("eTag", types["eTag"].clone()), ("url", types["url"].clone())] {
        recorded_types[key] = value;
    }
    assert_eq!(types, recorded_types);
    let all = scene.get("ui-api/object-info/Account/picklist-values/012000000000000AAA").await.body;
    let recorded_all = read("ui-api/picklist-values-by-record-type-account.json").unwrap();
    for (name, field) in all["picklistFieldValues"].as_object().unwrap() {
        if let Some(recorded) = recorded_all["picklistFieldValues"].get(name) {
            assert_shape(field, recorded, name, &[]);
        }
    }
    assert_shape(&all["eTag"], &recorded_all["eTag"], "eTag", &[]);
}

#[tokio::test]
async fn identity_userinfo_and_discovery_have_the_recorded_keys() {
    let Some(recording) = read("oauth/userinfo-2026.json") else { return };
    let scene = Scene::new().await;
    let url = scene.org.url();
    let userinfo =
        scene.plain(scene.http.get(format!("{url}/services/oauth2/userinfo")).bearer_auth(scene.token())).await.body;
    assert_shape(&userinfo, &recording, "userinfo", &["feeds", "groups", "users", "feed_items", "feed_elements"]);
    let admin = scene.org.users().remove(0);
    let identity = scene
        .plain(scene.http.get(format!("{url}/id/{}/{}", scene.org.org_id(), admin.id)).bearer_auth(scene.token()))
        .await
        .body;
    assert_shape(&identity, &read("oauth/identity.json").unwrap(), "identity", &["custom_attributes"]);
    let discovery = scene.plain(scene.http.get(format!("{url}/.well-known/openid-configuration"))).await.body;
    assert_shape(&discovery, &read("oauth/openid-configuration.json").unwrap(), "discovery", &[]);
}

#[tokio::test]
async fn errors_are_worded_as_recorded() {
    if recorded("rest/errors/not-found-404.json").is_none() {
        return;
    }
    let scene = Scene::new().await;
    let account = scene.id_of("Account", "Fjordglass Optics").await;
    let compare = |answer: &crate::support::Answer, path: &str| assert_eq!(answer.body, read(path).unwrap(), "{path}");

    compare(&scene.get("sobjects/Foo").await, "rest/errors/not-found-404.json");
    compare(&scene.get("sobjects/Account/23foo").await, "rest/errors/external-id-field-unknown-404.json");
    compare(
        &scene.post("sobjects/Account", json!({"Name": "x", "AccountNumer": "1"})).await,
        "rest/errors/unknown-field-400.json",
    );
    compare(
        &scene.patch(&format!("sobjects/Account/{account}"), json!({"MasterRecordId": account})).await,
        "rest/errors/field-not-writeable-400.json",
    );
    scene.delete(&format!("sobjects/Account/{account}")).await;
    compare(&scene.get(&format!("sobjects/Account/{account}")).await, "rest/errors/entity-is-deleted-404.json");
    let contacts = json!({"allOrNone": true, "records": [{"attributes": {"type": "Contact"}}, {"attributes": {"type": "Contact"}, "LastName": "x"}]});
    compare(
        &scene.post("composite/sobjects", contacts).await,
        "rest/collections/create-contacts-partial-but-allOrNone.json",
    );
    compare(
        &scene.post("composite/sobjects", json!({"records": []})).await,
        "rest/collections/create-contacts-err-bad-request.json",
    );
    scene.org.expire_sessions(crate::support::ADMIN).unwrap();
    compare(&scene.get("limits").await, "rest/errors/session-expired-401.json");
}

#[tokio::test]
async fn installed_packages_are_listed_as_recorded() {
    let Some(installed) = read("rest/package-install/installed-subscriber-packages.json") else { return };
    let scene = Scene::new().await;
    let install = json!({"callout_url": "http://127.0.0.1:1/", "package_version": "2.1.0"});
    // Nobody answers the callout; the package is installed all the same.
    scene.admin(reqwest::Method::POST, "package/install", Some(install)).await;
    for (soql, theirs) in [
        (
            "SELECT SubscriberPackage.Id, SubscriberPackage.NamespacePrefix, SubscriberPackageVersionId FROM InstalledSubscriberPackage",
            installed,
        ),
        (
            "SELECT Id, MajorVersion, MinorVersion, PatchVersion, BuildNumber, IsBeta FROM SubscriberPackageVersion",
            read("rest/package-install/subscriber-package-version.json").unwrap(),
        ),
    ] {
        let ours = scene.get(&format!("tooling/{}", query_path(soql))).await;
        assert_eq!(ours.status, 200, "{}", ours.body);
        assert_shape(&ours.body, &theirs, soql, &[]);
        assert_rows(&json!([ours.body]), &json!([theirs]), soql);
        assert_rows(&ours.body["records"], &theirs["records"], soql);
        let url = ours.body["records"][0]["attributes"]["url"].as_str().unwrap();
        assert!(url.starts_with("/services/data/v66.0/tooling/sobjects/"), "{url}");
    }
}

#[tokio::test]
async fn a_password_logs_in_as_recorded() {
    let Some(theirs) = read("oauth/token-password-flow-with-token-type.json") else { return };
    let scene = Scene::new().await;
    let password = json!({"password": "correct horse", "token": "Tok3n"});
    scene.admin(reqwest::Method::POST, &format!("users/{}/password", crate::support::ADMIN), Some(password)).await;
    scene.admin(reqwest::Method::POST, "settings", Some(json!({"password_flow": true}))).await;
    let log_in = async |password: &str| {
        scene
            .token_request(&[("grant_type", "password"), ("username", crate::support::ADMIN), ("password", password)])
            .await
    };
    let ours = log_in("correct horseTok3n").await;
    assert_eq!(ours.status, 200, "{}", ours.body);
    assert_shape(&ours.body, &theirs, "token", &[]);
    assert_shape(&ours.body, &read("oauth/token-password-flow.json").unwrap(), "token", &[]);
    assert_rows(&json!([ours.body]), &json!([theirs]), "token");
    assert_eq!(scene.status_with(ours.body["access_token"].as_str().unwrap()).await, 200);
    let wrong = log_in("correct horse").await;
    assert_eq!((wrong.status, wrong.body), (400, read("oauth/error-authentication-failure.json").unwrap()));
}

#[tokio::test]
async fn recent_items_are_listed_as_recorded() {
    let Some(theirs) = read("rest/query/recent-items.json") else { return };
    let scene = Scene::new().await;
    scene.id_of("Account", "Fjordglass Optics").await;
    assert_eq!(scene.get("recent").await.body, json!([]), "a query makes nothing recent");
    scene.post("sobjects/Account", json!({"Name": "Tidewater Kites"})).await;
    let ours = scene.get("recent").await.body;
    assert_shape(&ours, &theirs, "recent", &[]);
    assert_rows(&ours, &theirs, "recent");
}

#[tokio::test]
async fn install_requests_are_told_of_as_recorded() {
    let Some(in_progress) = read("rest/package-install/install-request-in-progress.json") else { return };
    let scene = Scene::new().await;
    scene.admin(reqwest::Method::POST, "settings", Some(json!({"package_install_ms": 60_000}))).await;
    // Nobody answers the callout; the package is installed all the same, and tells the id of its version.
    let install = json!({"callout_url": "http://127.0.0.1:1/", "package_version": "2.1.0"});
    scene.admin(reqwest::Method::POST, "package/install", Some(install)).await;
    let key = json!({"SubscriberPackageVersionKey": scene.org.installed_package().unwrap().version_id});
    let path = "tooling/sobjects/PackageInstallRequest";
    let made = scene.post(path, key).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("{path}/{}", made.body["id"].as_str().unwrap());
    for (theirs, status) in
        [(in_progress, "IN_PROGRESS"), (read("rest/package-install/install-request-success.json").unwrap(), "SUCCESS")]
    {
        let ours = scene.get(&path).await.body;
        assert_shape(&ours, &theirs, status, &[]);
        assert_rows(&json!([ours]), &json!([theirs]), status);
        for same in ["Status", "SecurityType", "NameConflictResolution", "UpgradeType", "ApexCompileType", "EnableRss"]
        {
            assert_eq!(ours[same], theirs[same], "{same}");
        }
        scene.org.advance_clock(jiff::SignedDuration::from_secs(60));
    }
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
    // Their columns are another view's own; the version of the recording knew no record type of a record.
    let theirs = read("ui-api/list-ui-contacts.json").unwrap();
    assert_shape(&list, &theirs, "list-ui", &["filteredByInfo"]);
}

#[tokio::test]
async fn a_new_task_starts_as_recorded() {
    let Some(mut theirs) = read("rest/records/quick-action-defaults-task.json") else { return };
    let scene = Scene::new().await;
    theirs["OwnerId"] = json!(scene.org.users().remove(0).id);
    assert_eq!(scene.get("quickActions/NewTask/defaultValues").await.body, theirs);
    assert_eq!(scene.get("quickActions/NewSpaceship/defaultValues").await.status, 404);
    let mut fields = theirs.as_object().unwrap().clone();
    fields.retain(|name, value| name != "attributes" && !value.is_null());
    fields.remove("Status");
    fields.insert("Subject".to_owned(), json!("Call back"));
    let made = scene.post("sobjects/Task", Value::Object(fields)).await.body["id"].as_str().unwrap().to_owned();
    let task = scene.get(&format!("sobjects/Task/{made}?fields=Status")).await.body;
    assert_eq!(task["Status"], theirs["Status"], "the default is the one that a record gets");
}

#[tokio::test]
async fn a_new_record_starts_as_recorded() {
    let Some(theirs) = read("ui-api/record-defaults-create-account.json") else { return };
    let scene = Scene::new().await;
    scene
        .admin(
            reqwest::Method::POST,
            "objects",
            Some(json!({"name": "Account", "fields": [{"name": "AreaNumber__c", "type": "double"}]})),
        )
        .await;
    let ours = scene.get("ui-api/record-defaults/create/Account").await.body;
    let users = &theirs["objectInfos"]["User"]["fields"];
    assert_shape(&ours["layout"], &theirs["layout"], "layout", &[]);
    assert_shape(&ours["record"], &theirs["record"], "record", &[]);
    for object in ["Account", "User"] {
        let (ours, theirs) = (&ours["objectInfos"][object], &theirs["objectInfos"][object]);
        assert_shape(ours, theirs, object, &["fields", "dependentFields", "recordTypeInfos"]);
    }
    assert_shape(&ours["objectInfos"]["User"]["fields"]["Name"], &users["Name"], "User.Name", &[]);

    let items = |body: &Value| -> std::collections::BTreeMap<String, Value> {
        let sections = body["layout"]["sections"].as_array().unwrap().iter();
        let rows = sections.flat_map(|section| section["layoutRows"].as_array().unwrap());
        let items = rows.flat_map(|row| row["layoutItems"].as_array().unwrap());
        items.map(|item| (item["layoutComponents"][0]["apiName"].to_string(), item.clone())).collect()
    };
    let headings = |body: &Value| -> Vec<(Value, Value)> {
        let sections = body["layout"]["sections"].as_array().unwrap().iter();
        sections.map(|section| (section["heading"].clone(), section["columns"].clone())).collect()
    };
    assert_eq!(headings(&ours), headings(&theirs));
    let mine = items(&ours);
    for (name, item) in items(&theirs).iter().filter(|(name, _)| *name != "null") {
        let mine = mine.get(name).unwrap_or_else(|| panic!("{name} is not in the layout"));
        assert_shape(mine, item, name, &[]);
        for key in ["editableForNew", "editableForUpdate", "required", "sortable", "lookupIdApiName"] {
            assert_eq!(mine[key], item[key], "{name} {key}");
        }
        let parts = |item: &Value| -> Vec<Value> {
            item["layoutComponents"].as_array().unwrap().iter().map(|part| part["apiName"].clone()).collect()
        };
        assert_eq!(parts(mine), parts(item));
    }
}

#[tokio::test]
async fn graphql_answers_as_recorded() {
    let Some(theirs) = read("ui-api/graphql-opportunities.json") else { return };
    let scene = Scene::new().await;
    let node = "Id Name { value } Amount { value } StageName { value } IsClosed { value } OwnerId { value }";
    let query = format!("query {{ uiapi {{ query {{ Opportunity {{ edges {{ node {{ {node} }} }} }} }} }} }}");
    let ours = scene.post("graphql", json!({"query": query})).await;
    assert_eq!((ours.status, &ours.body["errors"]), (200, &json!([])));
    assert_shape(&ours.body["data"], &theirs, "data", &[]);
    let edges = |data: &Value| data["uiapi"]["query"]["Opportunity"]["edges"].clone();
    let nodes = [json!([edges(&ours.body["data"])[0]["node"]]), json!([edges(&theirs)[0]["node"]])];
    assert!(nodes[0][0]["Id"].is_string());
    assert_rows(&nodes[0], &nodes[1], "node");
    assert_rows(&json!([nodes[0][0]["Name"]]), &json!([nodes[1][0]["Name"]]), "Name");
}
