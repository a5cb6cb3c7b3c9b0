use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;

use crate::support::{ADMIN, Scene};

#[tokio::test]
async fn an_unchanged_describe_is_not_sent_again() {
    let mut scene = Scene::new().await;
    let first = scene.get("sobjects/Account/describe").await;
    let since = first.header("last-modified").to_owned();
    assert_eq!(since, "Sun, 22 Nov 2026 10:00:00 GMT");
    scene.org.advance_clock(SignedDuration::from_hours(1));
    scene.log_in(ADMIN);
    for path in ["sobjects/Account/describe", "sobjects"] {
        let again = scene.call_with(Method::GET, path, None, &[("If-Modified-Since", since.as_str())]).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0), "{path}");
    }
    let field = json!({"name": "Account", "fields": [{"name": "New__c", "type": "string"}]});
    scene.admin(Method::POST, "objects", Some(field)).await;
    let changed =
        scene.call_with(Method::GET, "sobjects/Account/describe", None, &[("If-Modified-Since", since.as_str())]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("last-modified"), since);
}

#[tokio::test]
async fn a_record_is_read_and_written_conditionally() {
    let scene = Scene::new().await;
    let path = format!("sobjects/Account/{}", scene.id_of("Account", "Fjordglass Optics").await);
    let read = scene.get(&path).await;
    let (etag, modified) = (read.header("etag").to_owned(), read.header("last-modified").to_owned());
    let get = async |name: &str, value: &str| scene.call_with(Method::GET, &path, None, &[(name, value)]).await.status;
    assert_eq!((get("If-None-Match", &etag).await, get("If-Modified-Since", &modified).await), (304, 304));
    assert_eq!((get("If-None-Match", "\"other\"").await, get("If-Match", "\"other\"").await), (200, 412));

    let patch = async |tag: &str| {
        scene.call_with(Method::PATCH, &path, Some(json!({"Phone": "1"})), &[("If-Match", tag)]).await.status
    };
    assert_eq!(patch(&etag).await, 204);
    assert_eq!(patch(&etag).await, 412);
    scene.org.advance_clock(SignedDuration::from_secs(5));
    assert_eq!(scene.patch(&path, json!({"Phone": "2"})).await.status, 204);
    let unmodified = [("If-Unmodified-Since", modified.as_str())];
    let refused = scene.call_with(Method::DELETE, &path, None, &unmodified).await;
    assert_eq!((refused.status, refused.code()), (412, "PRECONDITION_FAILED"));
}

#[tokio::test]
async fn xml_is_rejected_and_a_json_suffix_is_ignored() {
    let scene = Scene::new().await;
    let xml = scene.call_with(Method::GET, "limits", None, &[("Accept", "application/xml")]).await;
    assert_eq!((xml.status, scene.get("limits.xml").await.status), (406, 406));
    assert_eq!(scene.get("limits.json").await.body["DailyApiRequests"]["Max"], 100_000);
    assert_eq!(scene.get("sobjects/Account/Ferry_External_Id__c/none.json").await.status, 404);
}

#[tokio::test]
async fn the_resources_contain_the_users_identity() {
    let scene = Scene::new().await;
    let resources = scene.get("").await.body;
    let identity = resources["identity"].as_str().unwrap().to_owned();
    let answer = scene.plain(scene.http.get(&identity).bearer_auth(scene.token())).await;
    assert_eq!(answer.body["username"], ADMIN);
    assert_eq!(scene.get("recent").await.body, json!([]));
}
