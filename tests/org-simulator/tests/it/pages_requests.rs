//! The pages of the request log.

use org_simulator::{Effect, FaultRule};
use serde_json::json;

use crate::support::{ADMIN, TestContext};

const PATH: &str = "/_simulator/pages/requests";

#[tokio::test]
async fn the_log_is_filtered_by_path_and_status() {
    let context = TestContext::new().await;
    context.get("limits").await;
    context.get("sobjects/Nothing").await;
    let all = context.page(PATH).await;
    assert!(all.contains("2 in all") && all.contains(ADMIN) && all.contains(" ms</td>"), "{all}");
    assert!(all.find("Nothing").unwrap() < all.find("/limits").unwrap(), "the newest is first");
    let failed = context.page(&format!("{PATH}?status=4")).await;
    assert!(failed.contains("1 in all") && failed.contains("Nothing") && !failed.contains("v66.0/limits"));
    let limits = context.page(&format!("{PATH}?path=limits&status=200")).await;
    assert!(limits.contains("1 in all") && limits.contains("v66.0/limits") && limits.contains("value=\"limits\""));
}

#[tokio::test]
async fn a_request_page_shows_bodies_and_the_query() {
    let context = TestContext::new().await;
    context.post("sobjects/Account", json!({"Name": "<b>Nordwind"})).await;
    context.get("query?q=SELECT+Id+FROM+User").await;
    let created = context.page(&format!("{PATH}/1")).await;
    assert!(created.contains("&quot;Name&quot;: &quot;&lt;b&gt;Nordwind&quot;"), "{created}");
    assert!(
        created.contains("&quot;success&quot;: true") && created.contains("<dd>201</dd>") && created.contains(ADMIN)
    );
    assert!(context.page(&format!("{PATH}/2")).await.contains("q=SELECT+Id+FROM+User"));
    let unknown = context.plain(context.http.get(format!("{}{PATH}/99", context.org.url()))).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn secrets_are_masked_on_the_page_of_a_request() {
    let context = TestContext::new().await;
    let url = context.org.url();
    let secrets =
        ["s3cret-code", "s3cret-client", "s3cret-password", "s3cret-assertion", "s3cret-cookie", "s3cret-soap"];
    let form = [
        ("grant_type", "authorization_code"),
        ("code", secrets[0]),
        ("client_secret", secrets[1]),
        ("password", secrets[2]),
        ("assertion", secrets[3]),
    ];
    let cookie = format!("sid={}", secrets[4]);
    context.plain(context.http.post(format!("{url}/services/oauth2/token")).form(&form).header("cookie", cookie)).await;
    let soap = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><u:login xmlns:u=\"urn:partner.soap.sforce.com\">\
         <u:username>{ADMIN}</u:username><u:password>{}</u:password></u:login></e:Body></e:Envelope>",
        secrets[5]
    );
    let request =
        context.http.post(format!("{url}/services/Soap/u/66.0")).body(soap).header("content-type", "text/xml");
    context.plain(request.header("soapaction", "login")).await;
    // Secrets that the simulator issued stand at an unusual place.
    let issued = format!("see {}, {}", context.token(), context.org.client_secret());
    let note = json!({"Name": "Account", "Description": issued});
    context.post("sobjects/Account", note).await;
    let install = context.page("/packaging/installPackage.apexp").await;
    let (_, form_token) = install.split_once("name=\"form_token\" value=\"").unwrap();
    let form_token = form_token.split_once('"').unwrap().0;
    for number in 1..=4 {
        let page = context.page(&format!("{PATH}/{number}")).await;
        assert!(page.contains("***"), "{number}: {page}");
        for secret in secrets.iter().chain([&context.token(), &context.org.client_secret(), &form_token]) {
            assert!(!page.contains(secret), "{number} shows {secret}: {page}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_a_fault_replaced_is_shown_as_the_org_gave_it() {
    let context = TestContext::new().await;
    let effect = Effect::ErrorAfter { status: 500, code: "X".to_owned(), message: "replaced".to_owned() };
    context.org.fault(FaultRule { times: Some(1), ..FaultRule::new(effect) });
    assert_eq!(context.post("sobjects/Account", json!({"Name": "Nordwind"})).await.status, 500);
    let page = context.page(&format!("{PATH}/1")).await;
    assert!(page.contains("&quot;Nordwind&quot;") && page.contains("&quot;success&quot;: true"), "{page}");
    assert!(page.contains("<dd>500</dd>") && !page.contains("replaced"), "{page}");
}

#[tokio::test]
async fn a_body_that_nothing_read_is_shown_with_its_size() {
    let context = TestContext::new().await;
    context.plain(context.http.post(format!("{}/unknown", context.org.url())).body("12345")).await;
    let page = context.page(&format!("{PATH}/1")).await;
    assert!(page.contains("The body of 5 bytes was not read."), "{page}");
}

#[tokio::test]
async fn a_request_that_a_fault_answered_has_no_messages() {
    let context = TestContext::new().await;
    context.org.fault(FaultRule { times: Some(1), ..FaultRule::new(Effect::Unavailable) });
    assert_eq!(context.get("limits").await.status, 503);
    let page = context.page(&format!("{PATH}/1")).await;
    assert!(page.contains("<dd>503</dd>") && page.contains("a fault replaced the answer"), "{page}");
}
