use org_simulator::{Clock, Options, Seed, Simulator};
use serde_json::{Value, json};

use crate::support::{ADMIN, TestContext};

/// Sunday in UTC, and still Saturday evening in Los Angeles, the time zone of the seed's users.
const NOW: &str = "2026-11-22T06:30:00Z";

async fn context() -> TestContext {
    let clock = Clock::manual(NOW.parse().unwrap());
    let org = Simulator::start(Options { clock, seed: Seed::None, ..Options::default() }).await.unwrap();
    let context = TestContext::of(org, ADMIN);
    context.post("sobjects/Account", json!({"Name": "now"})).await;
    context.post("sobjects/Lead", json!({"LastName": "x", "Company": "x"})).await;
    context
}

async fn set_zone(context: &TestContext, zone: &str) -> u16 {
    let user = context.query(&format!("SELECT Id FROM User WHERE Username = '{ADMIN}'")).await;
    let path = format!("sobjects/User/{}", user.body["records"][0]["Id"].as_str().unwrap());
    context.patch(&path, json!({"TimeZoneSidKey": zone})).await.status
}

async fn opportunities(context: &TestContext, condition: &str) -> Vec<String> {
    let found = context.query(&format!("SELECT Name FROM Opportunity WHERE {condition} ORDER BY Name")).await;
    let records = found.body["records"].as_array().unwrap();
    records.iter().map(|record| record["Name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn date_literals_are_days_of_the_users_zone() {
    let context = context().await;
    for (name, day) in [("friday", "2026-11-20"), ("saturday", "2026-11-21"), ("sunday", "2026-11-22")] {
        let body = json!({"Name": name, "StageName": "Prospecting", "CloseDate": day});
        context.post("sobjects/Opportunity", body).await;
    }
    assert_eq!(opportunities(&context, "CloseDate = TODAY").await, ["saturday"]);
    // The week begins on Sunday, which has not come yet in Los Angeles.
    assert_eq!(opportunities(&context, "CloseDate = NEXT_WEEK").await, ["sunday"]);
    assert_eq!(opportunities(&context, "CloseDate = LAST_N_DAYS:1").await, ["friday", "saturday"]);

    assert_eq!(set_zone(&context, "Europe/Berlin").await, 204);
    assert_eq!(opportunities(&context, "CloseDate = TODAY").await, ["sunday"]);
    assert_eq!(opportunities(&context, "CloseDate = THIS_WEEK").await, ["sunday"]);
    assert_eq!(opportunities(&context, "CloseDate IN (YESTERDAY)").await, ["saturday"]);
}

#[tokio::test]
async fn a_day_of_times_begins_at_the_users_midnight() {
    let context = context().await;
    let count = async |condition: &str| {
        context.query(&format!("SELECT COUNT() FROM Account WHERE {condition}")).await.body["totalSize"].clone()
    };
    // Midnight in Los Angeles is at 8:00 UTC.
    assert_eq!((count("CreatedDate = TODAY").await, count("CreatedDate < TOMORROW").await), (json!(1), json!(1)));
    context.org.clock().advance(jiff::SignedDuration::from_mins(90));
    assert_eq!((count("CreatedDate = TODAY").await, count("CreatedDate = YESTERDAY").await), (json!(0), json!(1)));
}

#[tokio::test]
async fn date_functions_are_in_utc_unless_converted() {
    let context = context().await;
    let row = async |expression: &str| {
        let soql = format!("SELECT {expression} shown FROM Account GROUP BY {expression}");
        let found = context.query(&soql).await;
        assert_eq!(found.status, 200, "{}", found.body);
        found.body["records"][0]["shown"].clone()
    };
    for (function, utc, local) in [
        ("DAY_ONLY", json!("2026-11-22"), json!("2026-11-21")),
        ("HOUR_IN_DAY", json!(6), json!(22)),
        ("DAY_IN_WEEK", json!(1), json!(7)),
        ("WEEK_IN_MONTH", json!(4), json!(3)),
    ] {
        assert_eq!(row(&format!("{function}(CreatedDate)")).await, utc, "{function}");
        assert_eq!(row(&format!("{function}(convertTimezone(CreatedDate))")).await, local, "{function}");
    }
    let found = context.query("SELECT Id FROM Account WHERE HOUR_IN_DAY(convertTimezone(CreatedDate)) = 22").await;
    assert_eq!(found.body["totalSize"], 1);
    let mixed = "SELECT HOUR_IN_DAY(CreatedDate) FROM Account GROUP BY HOUR_IN_DAY(convertTimezone(CreatedDate))";
    assert_eq!(context.query(mixed).await.code(), "MALFORMED_QUERY");
    assert_eq!(context.query("SELECT convertTimezone(CreatedDate) FROM Account").await.code(), "MALFORMED_QUERY");
}

#[tokio::test]
async fn the_zone_shows_in_texts_and_in_the_identity() {
    let context = context().await;
    let shown = async || {
        context.query("SELECT FORMAT(CreatedDate) shown FROM Account").await.body["records"][0]["shown"].clone()
    };
    assert_eq!(shown().await, "11/21/2026, 10:30 PM");
    assert_eq!(set_zone(&context, "Asia/Tokyo").await, 204);
    assert_eq!(shown().await, "11/22/2026, 3:30 PM");
    let url = format!("{}/services/oauth2/userinfo", context.org.url());
    let identity: Value = context.plain(context.http.get(url).bearer_auth(context.token())).await.body;
    assert_eq!((&identity["zoneinfo"], &identity["utcOffset"]), (&json!("Asia/Tokyo"), &json!(32_400_000)));
    assert_eq!(set_zone(&context, "Asia/Nowhere").await, 400);
}
