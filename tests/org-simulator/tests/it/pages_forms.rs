//! The forms of the web pages: records, outbound messages, faults, the clock and the package.

use org_simulator::{OrgKind, OrgOptions};
use reqwest::Method;
use serde_json::json;

use crate::support::{ADMIN, ApiResponse, CASEY, JORDAN, TestContext};

const PAGES: &str = "/_simulator/pages";

impl TestContext {
    pub(crate) async fn page(&self, path: &str) -> String {
        let response = self.plain(self.http.get(format!("{}{path}", self.org.url()))).await;
        assert_eq!(response.status, 200, "{path}");
        String::from_utf8(response.bytes).unwrap()
    }

    /// Sends a form to a path with the token of the page at another path.
    pub(crate) async fn send(&self, page: &str, to: &str, fields: &[(&str, &str)]) -> (ApiResponse, String) {
        let text = self.page(page).await;
        let token = value_of(&text, "form_token");
        let opened = value_of(&text, "opened");
        let mut all = vec![("form_token", token.as_str()), ("opened", opened.as_str())];
        all.extend(fields);
        let response = self.plain(self.http.post(format!("{}{to}", self.org.url())).form(&all)).await;
        let text = String::from_utf8(response.bytes.clone()).unwrap();
        (response, text)
    }
}

/// Returns the value of the first input with that name, which a browser would send; empty without one.
fn value_of(page: &str, name: &str) -> String {
    let tag = page.split_once(&format!("name=\"{name}\"")).and_then(|(_, rest)| rest.split_once('>'));
    let value = tag.and_then(|(tag, _)| tag.split_once("value=\"")?.1.split_once('"'));
    value.map_or(String::new(), |(value, _)| value.to_owned())
}

#[tokio::test]
async fn a_form_without_the_token_of_its_page_is_refused() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    for path in [
        "records/Account/new".to_owned(),
        format!("records/Account/{account}/edit"),
        "outbound".to_owned(),
        "outbound/edit?name=x".to_owned(),
        "outbound/remove".to_owned(),
        "outbound/send".to_owned(),
        "faults".to_owned(),
        "faults/remove".to_owned(),
        "clock".to_owned(),
        "package".to_owned(),
        "package/uninstall".to_owned(),
    ] {
        for token in ["", "guessed"] {
            let fields = [("form_token", token), ("as", ADMIN), ("Name", "x"), ("amount", "1"), ("unit", "60")];
            let request = context.http.post(format!("{}{PAGES}/{path}", context.org.url())).form(&fields);
            assert_eq!(context.plain(request).await.status, 403, "{path}");
        }
    }
    assert_eq!(context.query("SELECT Id FROM Account WHERE Name = 'x'").await.body["totalSize"], 0);
}

#[tokio::test]
async fn a_record_is_created_and_edited_as_a_chosen_user() {
    let context = TestContext::new().await;
    let new = format!("{PAGES}/records/Contact/new");
    let (created, _) =
        context.send(&new, &new, &[("as", CASEY), ("LastName", "Vance"), ("Email", "v@x.example")]).await;
    assert_eq!(created.status, 303);
    let path = created.header("location").to_owned();
    let id = path.rsplit('/').next().unwrap().to_owned();
    let soql = format!("SELECT LastName, CreatedBy.Username, LastModifiedBy.Username FROM Contact WHERE Id = '{id}'");
    let record = context.query(&soql).await.body["records"][0].clone();
    assert_eq!((&record["LastName"], &record["CreatedBy"]["Username"]), (&json!("Vance"), &json!(CASEY)));

    let edit = format!("{path}/edit");
    let form = context.page(&edit).await;
    assert!(form.contains("value=\"Vance\"") && form.contains("LastName (required)"));
    // A browser sends every input; those that are as before are not written.
    let all =
        [("as", ADMIN), ("LastName", "Vance"), ("Email", "v@x.example"), ("OwnerId", &value_of(&form, "OwnerId"))];
    let mut all = all.to_vec();
    all.push(("Title", "Buyer"));
    for name in ["HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall"] {
        all.push((name, "false"));
    }
    let (edited, page) = context.send(&edit, &edit, &all).await;
    assert_eq!(edited.status, 303, "{page}");
    let page = context.page(&path).await;
    assert!(page.contains("Buyer") && page.contains("History, newest first"));
    let history = page.split_once("History, newest first").unwrap().1;
    let (first, second) = (history.find(ADMIN).unwrap(), history.find(CASEY).unwrap());
    assert!(first < second, "the newest change is first");
    let (_, request) = history.split_once(&format!("{PAGES}/requests/")).unwrap();
    let number = request.split_once('"').unwrap().0;
    let logged = context.page(&format!("{PAGES}/requests/{number}")).await;
    assert!(logged.contains("Buyer") && !logged.contains("v@x.example"), "only the change was sent: {logged}");
}

#[tokio::test]
async fn salesforces_errors_are_shown_at_their_fields() {
    let context = TestContext::new().await;
    let new = format!("{PAGES}/records/Contact/new");
    let (missing, page) = context.send(&new, &new, &[("as", ADMIN), ("FirstName", "<i>Noor")]).await;
    assert_eq!(missing.status, 422);
    assert!(page.contains("id=\"f-LastName\" name=\"LastName\" aria-invalid=\"true\" aria-describedby=\"e-LastName\""));
    let text = "id=\"e-LastName\">REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]</p>";
    assert!(page.contains(text) && page.contains("<a href=\"#f-LastName\">LastName</a>"), "{page}");
    assert!(page.contains("value=\"&lt;i&gt;Noor\""), "the input is kept, and is text");
    let rule = json!({"name": "Phone", "object": "Contact", "condition": "Phone = null", "message": "Add a phone.", "field": "Phone"});
    context.admin(Method::POST, "validation-rules", Some(rule)).await;
    let (_, page) = context.send(&new, &new, &[("as", ADMIN), ("LastName", "Vance")]).await;
    assert!(page.contains("id=\"e-Phone\">FIELD_CUSTOM_VALIDATION_EXCEPTION: Add a phone.</p>"), "{page}");
    let (_, page) = context.send(&new, &new, &[("as", "nobody"), ("LastName", "Vance")]).await;
    assert!(page.contains("id=\"e-as\">the active user nobody does not exist</p>"));
    assert_eq!(context.query("SELECT Id FROM Contact WHERE LastName = 'Vance'").await.body["totalSize"], 0);
}

#[tokio::test]
async fn a_form_does_not_overwrite_a_change_made_meanwhile() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let edit = format!("{PAGES}/records/Account/{account}/edit");
    let form = context.page(&edit).await;
    let (token, opened) = (value_of(&form, "form_token"), value_of(&form, "opened"));
    context.org.advance_clock(jiff::SignedDuration::from_secs(5));
    assert_eq!(context.patch(&format!("sobjects/Account/{account}"), json!({"Phone": "1"})).await.status, 204);
    let fields = [("form_token", token.as_str()), ("opened", &opened), ("as", ADMIN), ("Name", "Other")];
    let request = context.http.post(format!("{}{edit}", context.org.url())).form(&fields);
    let refused = context.plain(request).await;
    assert_eq!(refused.status, 422);
    assert!(String::from_utf8(refused.bytes).unwrap().contains("has changed since you opened the form"));
    let record = context.get(&format!("sobjects/Account/{account}?fields=Name,Phone")).await.body;
    assert_eq!((&record["Name"], &record["Phone"]), (&json!("Fjordglass Optics"), &json!("1")));
}

#[tokio::test]
async fn a_record_page_links_to_children_and_notes() {
    let context = TestContext::new().await;
    let account = context.id_of("Account", "Fjordglass Optics").await;
    let contact = context.post("sobjects/Contact", json!({"LastName": "Vance", "AccountId": account})).await.body;
    let note = context.post("sobjects/ContentNote", json!({"Title": "Visit", "Content": "aGk="})).await.body;
    let link = json!({"ContentDocumentId": note["id"], "LinkedEntityId": account, "ShareType": "V"});
    assert_eq!(context.post("sobjects/ContentDocumentLink", link).await.status, 201);
    let page = context.page(&format!("{PAGES}/records/Account/{account}")).await;
    let (_, related) = page.split_once("<h2 id=\"related\">").unwrap();
    assert!(
        related.contains(&format!("{PAGES}/records/Contact/{}\">Vance", contact["id"].as_str().unwrap())),
        "{related}"
    );
    assert!(related.contains(&format!("{}\">Visit</a>", note["id"].as_str().unwrap())), "{related}");
}

#[tokio::test]
async fn an_outbound_message_is_edited_and_keeps_its_id() {
    let context = TestContext::new().await;
    let path = format!("{PAGES}/outbound");
    let url = "http://127.0.0.1:9/hook";
    let fields = [("name", "New & old"), ("object", "Account"), ("fields", "Name"), ("endpoint_url", url)];
    assert_eq!(context.send(&path, &path, &fields).await.0.status, 303);
    let edit = format!("{path}/edit?name=New+%26+old");
    assert!(context.page(&path).await.contains(&format!("<a href=\"{edit}\">New &amp; old</a>")));
    let before = context.admin(Method::GET, "outbound-messages", None).await.body["definitions"][0].clone();
    let form = context.page(&edit).await;
    assert!(form.contains("<option value=\"active\" selected>") && form.contains("value=\"Name\""), "{form}");
    assert_eq!(value_of(&form, "endpoint_url"), url);

    let changed =
        |url| [("fields", "Name, Phone"), ("endpoint_url", url), ("integration_user", JORDAN), ("state", "inactive")];
    let (refused, page) = context.send(&edit, &edit, &changed("http://x.example/")).await;
    assert!(refused.status == 422 && page.contains("id=\"e-endpoint_url\"") && page.contains("Name, Phone"), "{page}");
    let definition = || context.admin(Method::GET, "outbound-messages", None);
    assert_eq!(definition().await.body["definitions"][0], before, "nothing is changed if a part is refused");
    assert_eq!(context.send(&edit, &edit, &changed("http://127.0.0.1:9/other")).await.0.status, 303);
    let after = definition().await.body["definitions"][0].clone();
    assert_eq!(after["fields"], json!(["Name", "Phone"]));
    assert_eq!(value_of(&context.page(&edit).await, "endpoint_url"), "http://127.0.0.1:9/other");
    assert_eq!((&after["settings"]["active"], &after["settings"]["integration_user"]), (&json!(false), &json!(JORDAN)));
    assert_eq!((&after["action_id"], &after["object"]), (&before["action_id"], &before["object"]));
    context.post("sobjects/Account", json!({"Name": "New"})).await;
    assert!(context.page(&path).await.contains("0 in all"), "an inactive definition sends nothing");
    let gone = context.plain(context.http.get(format!("{}{path}/edit?name=gone", context.org.url()))).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn an_outbound_message_is_defined_sent_and_removed() {
    let context = TestContext::new().await;
    let path = format!("{PAGES}/outbound");
    let url = "http://127.0.0.1:9/hook";
    let wrong = [
        (
            "endpoint_url",
            [("name", "A"), ("object", "Account"), ("fields", "Name"), ("endpoint_url", "http://x.example/")],
        ),
        ("fields", [("name", "A"), ("object", "Account"), ("fields", "Nam"), ("endpoint_url", url)]),
        ("object", [("name", "A"), ("object", "Acount"), ("fields", "Name"), ("endpoint_url", url)]),
        ("name", [("name", " "), ("object", "Account"), ("fields", "Name"), ("endpoint_url", url)]),
    ];
    for (field, fields) in wrong {
        let (refused, page) = context.send(&path, &path, &fields).await;
        assert_eq!(refused.status, 422, "{field}");
        assert!(page.contains(&format!("id=\"e-{field}\"")), "{field}: {page}");
    }
    let fields = [
        ("name", "Accounts"),
        ("object", "Account"),
        ("fields", "Name, Phone"),
        ("endpoint_url", url),
        ("integration_user", JORDAN),
    ];
    assert_eq!(context.send(&path, &path, &fields).await.0.status, 303);
    let defined = context.admin(Method::GET, "outbound-messages", None).await.body["definitions"][0].clone();
    assert_eq!(defined["settings"]["integration_user"], JORDAN);
    assert_eq!(defined["fields"], json!(["Name", "Phone"]));

    context.post("sobjects/Account", json!({"Name": "New"})).await;
    assert_eq!(context.send(&path, &format!("{path}/send"), &[]).await.0.status, 303);
    let queue = context.page(&path).await;
    assert!(queue.contains("<td>pending</td><td>1</td>") && queue.contains(url), "{queue}");
    let remove = format!("{path}/remove");
    assert_eq!(context.send(&path, &remove, &[("name", "Accounts")]).await.0.status, 303);
    assert_eq!(context.send(&path, &remove, &[("name", "Accounts")]).await.0.status, 404);
}

#[tokio::test]
async fn every_documented_effect_can_be_added_on_the_page() {
    let context = TestContext::new().await;
    let path = format!("{PAGES}/faults");
    let page = context.page(&path).await;
    let (_, table) = include_str!("../../README.md").split_once("| `kind` | effect |").unwrap();
    let cells =
        table.lines().skip(2).take_while(|line| line.starts_with('|')).map(|line| line.split('|').nth(1).unwrap());
    let mut kinds = 0;
    for cell in cells {
        let (names, values) = cell.split_once('(').unwrap_or((cell, ""));
        let ticked = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        for kind in ticked(names) {
            kinds += 1;
            assert!(page.contains(&format!("<td><code>{kind}</code></td>")), "{kind}");
            let values = ticked(values);
            let sample = |name: &String| if name == "status" { "418" } else { "7" };
            let mut fields: Vec<(&str, &str)> = values.iter().map(|name| (name.as_str(), sample(name))).collect();
            fields.extend([("kind", kind.as_str()), ("path", "/x/**"), ("times", "2"), ("probability", "0.5")]);
            let (added, page) = context.send(&path, &path, &fields).await;
            assert_eq!(added.status, 303, "{kind}: {page}");
            fields.push(("pause_ms", "1"));
            let (refused, page) = context.send(&path, &path, &fields).await;
            let refuses = refused.status == 422 && page.contains("unknown member `pause_ms`");
            assert_eq!(refuses, kind != "trickle", "{kind}: {page}");
        }
    }
    assert_eq!((kinds, context.org.faults().len()), (18, 19), "trickle was added twice");
}

#[tokio::test]
async fn a_fault_breaks_requests_until_it_is_removed() {
    let context = TestContext::new().await;
    let path = format!("{PAGES}/faults");
    let (refused, page) = context.send(&path, &path, &[("kind", "error"), ("status", "x")]).await;
    assert_eq!(refused.status, 422);
    assert!(page.contains("id=\"e-status\">Enter a number.</p>"));
    let (_, page) = context.send(&path, &path, &[("kind", "delay")]).await;
    assert!(page.contains("id=\"e-delay_ms\">This effect needs the value.</p>"));
    let (_, page) = context.send(&path, &path, &[("kind", "unavailable"), ("probability", "2")]).await;
    assert!(page.contains("from 0 to 1"));
    let fields = [("kind", "unable_to_lock_row"), ("path", "/services/data/*/limits"), ("method", "GET")];
    assert_eq!(context.send(&path, &path, &fields).await.0.status, 303);
    assert_eq!(context.get("limits").await.code(), "UNABLE_TO_LOCK_ROW");
    let remove = format!("{path}/remove");
    assert_eq!(context.send(&path, &remove, &[("id", "1")]).await.0.status, 303);
    assert_eq!(context.get("limits").await.status, 200);
    assert_eq!(context.send(&path, &remove, &[("id", "1")]).await.0.status, 404);
}

#[tokio::test]
async fn the_clock_moves_by_a_preset_and_a_duration() {
    let context = TestContext::new().await;
    let path = format!("{PAGES}/clock");
    let page = context.page(&path).await;
    assert!(page.contains("2026-11-22 10:00:00") && page.contains("<button>+ 1 hour</button>"));
    assert_eq!(context.send(&path, &path, &[("amount", "1"), ("unit", "3600")]).await.0.status, 303);
    assert_eq!(context.send(&path, &path, &[("amount", "3"), ("unit", "86400")]).await.0.status, 303);
    assert!(context.page(&path).await.contains("2026-11-25 11:00:00"));
    for (amount, unit) in
        [("-1", "60"), ("0", "1"), ("x", "1"), ("1", "7"), ("9999999999999999", "86400"), ("5000", "86400")]
    {
        let (refused, page) = context.send(&path, &path, &[("amount", amount), ("unit", unit)]).await;
        assert_eq!(refused.status, 422, "{amount} {unit}");
        assert!(page.contains("id=\"e-amount\""));
    }
    assert!(context.page(&path).await.contains("2026-11-25 11:00:00"));
}

#[tokio::test]
async fn an_install_link_shows_and_installs_its_version() {
    let context = TestContext::new().await;
    let options = OrgOptions { kind: OrgKind::LicenseManagement, ..OrgOptions::default() };
    let vendor = context.org.add_org(options).await.unwrap();
    vendor.prepare_license_management();
    let path = format!("{PAGES}/package");
    assert!(context.page(&path).await.contains("is not installed."));
    assert_eq!(context.send(&path, &path, &[("version", "1.2.0")]).await.0.status, 303);
    let page = context.page(&path).await;
    let (_, link) = page.split_once("href=\"/packaging/").unwrap();
    let link = format!("/packaging/{}", link.split_once('"').unwrap().0);
    assert!(link.starts_with("/packaging/installPackage.apexp?p0=04t"));
    let offered = context.page(&link).await;
    assert!(offered.contains("<h1>Install Ferry Connector 1.2.0</h1>") && offered.contains("value=\"1.2.0\""));
    assert_eq!(context.send(&path, &format!("{path}/uninstall"), &[]).await.0.status, 303);
    assert_eq!(context.send(&path, &format!("{path}/uninstall"), &[]).await.0.status, 404);
    assert_eq!(context.send(&link, &path, &[("version", "1.3.0")]).await.0.status, 303);
    assert_eq!(context.admin(Method::GET, "package", None).await.body["version"], "1.3.0");
    assert_eq!(vendor.record_counts()["sfLma__License__c"], 1);

    let (refused, page) = context.send(&path, &path, &[("version", "2.0")]).await;
    assert_eq!(refused.status, 422);
    assert!(page.contains("id=\"e-version\""));
    let fields = [("version", "2.0.0"), ("callout_url", "http://x.example/")];
    assert!(context.send(&path, &path, &fields).await.1.contains("id=\"e-callout_url\""));
    assert_eq!(context.admin(Method::GET, "package", None).await.body["version"], "1.3.0");
    let response =
        context.plain(context.http.get(format!("{}/packaging/installPackage.apexp?p0=nope", context.org.url()))).await;
    assert_eq!(response.status, 404);
}
