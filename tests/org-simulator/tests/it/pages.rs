//! The web pages: their contents, and the content security policy.

use org_simulator::{Effect, FaultRule, Options, OrgOptions, Seed, Simulator};
use serde_json::json;

use crate::support::{ADMIN, ApiResponse, TestContext};

async fn page(context: &TestContext, path: &str) -> (ApiResponse, String) {
    let response = context.plain(context.http.get(format!("{}{path}", context.org.url()))).await;
    let text = String::from_utf8(response.bytes.clone()).unwrap();
    (response, text)
}

#[tokio::test]
async fn records_are_browsed_filtered_and_read() {
    let context = TestContext::new().await;
    let records: Vec<_> =
        (0..60).map(|n| json!({"attributes": {"type": "Account"}, "Name": format!("<b>Row {n:02}")})).collect();
    context.post("composite/sobjects", json!({"records": records})).await;
    let (_, objects) = page(&context, "/_simulator/pages/records").await;
    assert!(objects.contains("object=Account\">Account</a></td><td>65</td>"), "{objects}");
    let (_, first) = page(&context, "/_simulator/pages/records?object=Account").await;
    assert!(first.contains("Page 1 of 2, 65 in all") && first.contains("page=2\">Next</a>"));
    let (_, second) = page(&context, "/_simulator/pages/records?object=Account&page=2").await;
    assert!(second.contains("Page 2 of 2") && second.contains(">Previous</a>") && !second.contains(">Next</a>"));
    let (_, filtered) = page(&context, "/_simulator/pages/records?object=Account&q=row+07").await;
    assert!(filtered.contains("&lt;b&gt;Row 07") && filtered.contains("1 in all") && !filtered.contains("<b>Row"));
    let id = context.id_of("Account", "Fjordglass Optics").await;
    let (_, record) = page(&context, &format!("/_simulator/pages/records/Account/{id}")).await;
    assert!(record.contains("Lenses &lt;and&gt;") && record.contains("/_simulator/pages/records/User/005"));
    let (unknown, text) = page(&context, "/_simulator/pages/records/Account/nope").await;
    assert!(unknown.status == 404 && text.contains("aria-current=\"page\">Records"), "the way back is there: {text}");
}

#[tokio::test]
async fn pages_have_a_strict_policy_and_show_no_token() {
    let context = TestContext::new().await;
    context.org.fault(FaultRule { path: Some("/x".to_owned()), ..FaultRule::new(Effect::Unavailable) });
    let edit =
        format!("/_simulator/pages/records/Account/{}/edit", context.id_of("Account", "Fjordglass Optics").await);
    for path in [
        "/",
        "/_simulator/pages/records",
        "/_simulator/pages/logins",
        "/_simulator/pages/outbound",
        "/_simulator/pages/outbound?state=pending",
        "/_simulator/pages/faults",
        "/_simulator/pages/requests",
        "/_simulator/pages/requests/1",
        "/_simulator/pages/clock",
        "/_simulator/pages/package",
        "/packaging/installPackage.apexp",
        "/_simulator/pages/records/Account/new",
        edit.as_str(),
    ] {
        let (response, text) = page(&context, path).await;
        assert_eq!(response.status, 200, "{path}");
        let policy = response.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(!text.contains("<script") && !text.contains("style=") && !text.contains(" onclick"), "{path}");
        assert!(!text.contains(context.token()) && !text.contains(context.org.client_secret()), "{path}");
        assert_eq!((text.matches("<h1>").count(), text.matches("aria-current").count()), (1, 1), "{path}");
    }
    let (_, logins) = page(&context, "/_simulator/pages/logins").await;
    assert!(logins.contains(ADMIN) && logins.contains(&format!("…{}", &context.token()[context.token().len() - 4..])));
    let (_, faults) = page(&context, "/_simulator/pages/faults").await;
    assert!(faults.contains("&quot;kind&quot;:&quot;unavailable&quot;"));
}

#[tokio::test]
async fn the_home_page_lists_the_orgs() {
    let context = TestContext::new().await;
    let vendor = context
        .org
        .add_org(OrgOptions { kind: org_simulator::OrgKind::LicenseManagement, ..OrgOptions::default() })
        .await
        .unwrap();
    let (_, home) = page(&context, "/").await;
    assert!(home.contains(vendor.url()) && home.contains("License Management Org"));
}

#[tokio::test]
async fn a_developer_edition_holds_its_sample_data() {
    let org = Simulator::start(Options { seed: Seed::DeveloperEdition, ..Options::default() }).await.unwrap();
    let counts = org.record_counts();
    assert_eq!((counts["Account"], counts["Contact"], counts["Opportunity"]), (13, 20, 31));
    assert_eq!(counts["OpportunityStage"], 10);
}

#[tokio::test]
async fn the_listen_address_defaults_to_loopback() {
    let org = Simulator::start(Options::default()).await.unwrap();
    assert!(org.url().starts_with("http://127.0.0.1:"));
    let port: u16 = org.url().rsplit(':').next().unwrap().parse().unwrap();
    // 127.0.0.2 is the same machine; an org that listened on all addresses would respond there too.
    assert!(tokio::net::TcpStream::connect(("127.0.0.2", port)).await.is_err());
    let options = Options { listen: Some("0.0.0.0".parse().unwrap()), ..Options::default() };
    let open = Simulator::start(options).await.unwrap();
    let port: u16 = open.url().rsplit(':').next().unwrap().parse().unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.2", port)).await.is_ok());
}
