use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;

use crate::support::{ADMIN, TestContext};

#[tokio::test]
async fn an_unchanged_describe_is_not_sent_again() {
    let mut context = TestContext::new().await;
    let first = context.get("sobjects/Account/describe").await;
    let since = first.header("last-modified").to_owned();
    assert_eq!(since, "Sun, 22 Nov 2026 10:00:00 GMT");
    context.org.advance_clock(SignedDuration::from_hours(1));
    context.log_in(ADMIN);
    for path in ["sobjects/Account/describe", "sobjects"] {
        let again = context.call_with(Method::GET, path, None, &[("If-Modified-Since", since.as_str())]).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0), "{path}");
    }
    let field = json!({"name": "Account", "fields": [{"name": "New__c", "type": "string"}]});
    context.admin(Method::POST, "objects", Some(field)).await;
    let changed = context
        .call_with(Method::GET, "sobjects/Account/describe", None, &[("If-Modified-Since", since.as_str())])
        .await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("last-modified"), since);
}

#[tokio::test]
async fn a_record_is_read_and_written_conditionally() {
    let context = TestContext::new().await;
    let path = format!("sobjects/Account/{}", context.id_of("Account", "Fjordglass Optics").await);
    let read = context.get(&path).await;
    let (etag, modified) = (read.header("etag").to_owned(), read.header("last-modified").to_owned());
    let get =
        async |name: &str, value: &str| context.call_with(Method::GET, &path, None, &[(name, value)]).await.status;
    assert_eq!((get("If-None-Match", &etag).await, get("If-Modified-Since", &modified).await), (304, 304));
    assert_eq!((get("If-None-Match", "\"other\"").await, get("If-Match", "\"other\"").await), (200, 412));

    let patch = async |tag: &str| {
        context.call_with(Method::PATCH, &path, Some(json!({"Phone": "1"})), &[("If-Match", tag)]).await.status
    };
    assert_eq!(patch(&etag).await, 204);
    assert_eq!(patch(&etag).await, 412);
    context.org.advance_clock(SignedDuration::from_secs(5));
    assert_eq!(context.patch(&path, json!({"Phone": "2"})).await.status, 204);
    let unmodified = [("If-Unmodified-Since", modified.as_str())];
    let phone = || Some(json!({"Phone": "3"}));
    let refused = context.call_with(Method::PATCH, &path, phone(), &unmodified).await;
    assert_eq!((refused.status, refused.code()), (412, "PRECONDITION_FAILED"));
    assert_eq!(context.call_with(Method::DELETE, &path, None, &unmodified).await.status, 204);
}

#[tokio::test]
async fn a_condition_of_a_write_is_met_or_the_write_is_rejected() {
    let context = TestContext::new().await;
    let path = format!("sobjects/Account/{}", context.id_of("Account", "Fjordglass Optics").await);
    let patch = async |name: &str, value: &str| {
        context.call_with(Method::PATCH, &path, Some(json!({"Phone": "1"})), &[(name, value)]).await.status
    };
    // The day of the week is wrong, as in an example of the guide.
    assert_eq!(patch("If-Unmodified-Since", "Tue, 10 Aug 2015 00:00:00 GMT").await, 412);
    for (name, value) in
        [("If-Unmodified-Since", "yesterday"), ("If-Match", "no-quotes"), ("If-None-Match", "\"a\", b")]
    {
        assert_eq!(patch(name, value).await, 400, "{name}: {value}");
    }
    assert_eq!(patch("If-Unmodified-Since", "Sun, 22 Nov 2037 10:00:00 GMT").await, 204);
}

#[tokio::test]
async fn only_accounts_have_entity_tags() {
    let context = TestContext::new().await;
    let made = context.post("sobjects/Lead", json!({"LastName": "x", "Company": "y"})).await;
    let path = format!("sobjects/Lead/{}", made.body["id"].as_str().unwrap());
    let read = context.get(&path).await;
    assert_eq!((read.header("etag"), read.header("last-modified")), ("", "Sun, 22 Nov 2026 10:00:00 GMT"));
    let matching = context.call_with(Method::GET, &path, None, &[("If-Match", "\"other\"")]).await;
    assert_eq!(matching.status, 200);
    assert!(context.get("sobjects").await.header("etag").starts_with('"'));
}

#[tokio::test]
async fn xml_is_rejected_and_a_json_suffix_is_ignored() {
    let context = TestContext::new().await;
    let xml = context.call_with(Method::GET, "limits", None, &[("Accept", "application/xml")]).await;
    assert_eq!((xml.status, context.get("limits.xml").await.status), (406, 406));
    assert_eq!(context.get("limits.json").await.body["DailyApiRequests"]["Max"], 100_000);
    assert_eq!(context.get("sobjects/Account/Ferry_External_Id__c/none.json").await.status, 404);
}

#[tokio::test]
async fn the_resources_contain_the_users_identity() {
    let context = TestContext::new().await;
    let resources = context.get("").await.body;
    let identity = resources["identity"].as_str().unwrap().to_owned();
    let response = context.plain(context.http.get(&identity).bearer_auth(context.token())).await;
    assert_eq!(response.body["username"], ADMIN);
    assert_eq!(context.get("recent").await.body, json!([]));
}
