//! Queries of `UserRecordAccess`.

use org_simulator::ObjectPermissions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{CASEY, JORDAN, TestContext};

const ALL: &str =
    "RecordId, HasReadAccess, HasEditAccess, HasDeleteAccess, HasTransferAccess, HasAllAccess, MaxAccessLevel";

async fn user(context: &TestContext, username: &str) -> String {
    let found = context.query(&format!("SELECT Id FROM User WHERE Username = '{username}'")).await;
    found.body["records"][0]["Id"].as_str().unwrap().to_owned()
}

/// Returns an org with private accounts, an account of Casey's and the id of Jordan.
async fn private() -> (TestContext, String, String) {
    let context = TestContext::new().await;
    let sharing = json!({"sharing": {"Account": "private"}});
    assert_eq!(context.admin(Method::POST, "settings", Some(sharing)).await.status, 200);
    let casey = user(&context, CASEY).await;
    let made = context.post("sobjects/Account", json!({"Name": "Private", "OwnerId": casey})).await;
    let jordan = user(&context, JORDAN).await;
    (context, made.body["id"].as_str().unwrap().to_owned(), jordan)
}

/// Returns the levels of a row in the order of the highest last, and the name of the highest.
fn levels(row: &Value) -> (Vec<bool>, &str) {
    let has = ["Read", "Edit", "Delete", "Transfer", "All"].map(|level| row[format!("Has{level}Access")] == true);
    (has.to_vec(), row["MaxAccessLevel"].as_str().unwrap())
}

#[tokio::test]
async fn the_access_of_a_user_follows_owner_and_shares() {
    let (context, account, jordan) = private().await;
    let casey = user(&context, CASEY).await;
    let access = async |user: &str| {
        let soql = format!("SELECT {ALL} FROM UserRecordAccess WHERE UserId = '{user}' AND RecordId = '{account}'");
        let found = context.query(&soql).await;
        assert_eq!((found.status, &found.body["totalSize"]), (200, &json!(1)), "{}", found.body);
        found.body["records"][0].clone()
    };
    let row = access(&casey).await;
    assert_eq!((&row["RecordId"], &row["attributes"]["type"]), (&json!(account), &json!("UserRecordAccess")));
    assert_eq!(levels(&row), (vec![true; 5], "All"));
    assert_eq!(levels(&access(&jordan).await), (vec![false; 5], "None"));
    for (level, has, highest) in
        [("Read", [true, false, false, false, false], "Read"), ("Edit", [true, true, false, false, false], "Edit")]
    {
        let share = json!({"AccountId": account, "UserOrGroupId": jordan, "AccountAccessLevel": level, "OpportunityAccessLevel": "None"});
        assert_eq!(context.post("sobjects/AccountShare", share).await.status, 201);
        assert_eq!(levels(&access(&jordan).await), (has.to_vec(), highest));
    }
    let permissions = ObjectPermissions { no_edit: true, no_delete: true, ..ObjectPermissions::default() };
    context.org.limit_profile("Standard User", "Account", &permissions).unwrap();
    assert_eq!(levels(&access(&casey).await), (vec![true, false, false, false, false], "Read"));
}

#[tokio::test]
async fn a_list_of_records_is_filtered_by_level_and_by_what_the_caller_sees() {
    let (mut context, account, jordan) = private().await;
    let open = context.id_of("Lead", "Bram Okonjo").await;
    let short = &open[..15];
    let list = format!("UserId = '{jordan}' AND RecordId IN ('{account}', '{short}', '001000000000001AAA')");
    let both = context
        .query(&format!(
            "SELECT RecordId, HasReadAccess FROM UserRecordAccess WHERE {list} ORDER BY HasReadAccess DESC"
        ))
        .await;
    let rows: Vec<_> =
        both.body["records"].as_array().unwrap().iter().map(|row| (&row["RecordId"], &row["HasReadAccess"])).collect();
    assert_eq!(rows, [(&json!(open), &json!(true)), (&json!(account), &json!(false))], "{}", both.body);
    let readable =
        context.query(&format!("SELECT RecordId FROM UserRecordAccess WHERE {list} AND HasReadAccess = true")).await;
    assert_eq!((&readable.body["totalSize"], &readable.body["records"][0]["RecordId"]), (&json!(1), &json!(open)));
    let count = context.query(&format!("SELECT COUNT() FROM UserRecordAccess WHERE {list}")).await;
    assert_eq!(count.body["totalSize"], 2);

    context.log_in(JORDAN);
    let seen = context.query(&format!("SELECT RecordId FROM UserRecordAccess WHERE {list}")).await;
    assert_eq!((&seen.body["totalSize"], &seen.body["records"][0]["RecordId"]), (&json!(1), &json!(open)));
}

#[tokio::test]
async fn queries_of_access_have_the_documented_restrictions() {
    let (context, account, jordan) = private().await;
    let filter = format!("UserId = '{jordan}' AND RecordId = '{account}'");
    let many: Vec<String> = (0..201).map(|n| format!("'001000000000{n:03}AAA'")).collect();
    for (fields, condition, code) in [
        ("HasReadAccess", filter.clone(), "INVALID_FIELD"),
        ("Id, RecordId", filter.clone(), "INVALID_FIELD"),
        ("UserId, RecordId", filter.clone(), "INVALID_FIELD"),
        ("RecordId, HasEditAccess", format!("{filter} AND HasReadAccess = true"), "INVALID_FIELD"),
        ("RecordId", format!("UserId = '{jordan}'"), "MALFORMED_QUERY"),
        ("RecordId", format!("RecordId = '{account}'"), "MALFORMED_QUERY"),
        ("RecordId", format!("UserId = '{jordan}' OR RecordId = '{account}'"), "MALFORMED_QUERY"),
        ("RecordId", format!("UserId IN ('{jordan}', '{jordan}') AND RecordId = '{account}'"), "MALFORMED_QUERY"),
        ("RecordId", format!("UserId = '{jordan}' AND RecordId IN ({})", many.join(", ")), "MALFORMED_QUERY"),
        ("RecordId", format!("{filter} AND MaxAccessLevel = 'Read'"), "INVALID_FIELD"),
    ] {
        let refused = context.query(&format!("SELECT {fields} FROM UserRecordAccess WHERE {condition}")).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{fields} {condition}: {}", refused.body);
    }
    let missing = context.query(&format!("SELECT HasReadAccess FROM UserRecordAccess WHERE {filter}")).await;
    assert_eq!(missing.body[0]["message"], "RecordId field must be selected");
    let job = json!({"operation": "query", "query": format!("SELECT RecordId FROM UserRecordAccess WHERE {filter}")});
    assert_eq!(context.post("jobs/query", job).await.code(), "INVALIDENTITY");
    let describe = context.get("sobjects/UserRecordAccess/describe").await.body;
    assert_eq!((&describe["queryable"], &describe["retrieveable"]), (&json!(true), &json!(false)));
}
