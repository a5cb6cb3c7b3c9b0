use super::*;

fn connect() -> ConnectPage<'static> {
    ConnectPage {
        team: true,
        tenant: "Acme <b>& Sons</b>",
        platform_user: None,
        environment: "Production",
        org_id: None,
        my_domain: None,
        install_url: Some("https://login.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001"),
        minutes: 15,
    }
}

fn header(response: &Response, name: HeaderName) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

#[test]
fn names_are_escaped() {
    let html = connect().render().unwrap();
    assert!(html.contains("Acme &#60;b&#62;&#38; Sons&#60;/b&#62;"), "{html}");
    assert!(!html.contains("<b>"));
}

#[test]
fn a_page_allows_its_own_style_and_nothing_else() {
    let login = LoginHost::parse("https://login.salesforce.com", salesforce::HostPolicy::SalesforceOnly).unwrap();
    let response = connect().respond(&login);
    let policy = header(&response, CONTENT_SECURITY_POLICY);
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    assert!(policy.starts_with(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(
        policy.ends_with(
            "form-action 'self' https://login.salesforce.com https://*.salesforce.com https://*.salesforce.mil https://*.force.com"
        )
    );
    assert!(!policy.contains("unsafe") && !policy.contains("script"));
}

#[test]
fn the_hashed_style_is_the_style_of_the_page() {
    let html = connect().render().unwrap();
    let (_, rest) = html.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    assert_eq!(style, STYLE);
}

#[test]
fn a_page_is_not_cached_framed_or_sent_to_other_sites() {
    let response = failed(ConnectFailure::Denied, None);
    assert_eq!(header(&response, CACHE_CONTROL), "no-store");
    assert_eq!(header(&response, X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(header(&response, REFERRER_POLICY), "same-origin");
    assert!(header(&response, CONTENT_SECURITY_POLICY).ends_with("form-action 'none'"));
}

#[test]
fn the_package_is_offered_only_where_installing_it_helps() {
    let url = Some("https://test.salesforce.com/packaging/installPackage.apexp?p0=04t000000000001");
    let html = |failure: ConnectFailure| {
        let PageText { title, explanation, steps } = failure.text();
        let install_url = url.filter(|_| failure == ConnectFailure::NotInstalled);
        FailedPage { title, explanation, steps, code: failure.code(), install_url, missing: None }.render().unwrap()
    };
    assert!(html(ConnectFailure::NotInstalled).contains("Install the Ferry package"));
    assert!(!html(ConnectFailure::Denied).contains("installPackage"));
}

#[test]
fn the_webhook_url_is_shown_if_it_has_to_be_entered() {
    let page = ConnectedPage {
        team: true,
        tenant: "acme",
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        org_host: "acme.my.salesforce.com",
        user_id: "0055e000001mKpCAAU".parse().unwrap(),
        username: Some("admin@acme.example"),
        platform_user: None,
        limited_objects: &[],
        environment: "Production",
        webhook_url: Some("https://ferry.example.com/webhooks/salesforce/00D5e000000KQ2eEAG/secret"),
        configured: false,
        polled: false,
        displaced: &[],
        is_last: false,
        is_admin: false,
    };
    assert!(page.render().unwrap().contains("admin@acme.example"));
    assert!(page.render().unwrap().contains("/webhooks/salesforce/00D5e000000KQ2eEAG/secret</textarea>"));
    let again = ConnectedPage { webhook_url: None, ..page };
    assert!(again.render().unwrap().contains("stays the same"));
    let configured = ConnectedPage { configured: true, ..again };
    assert!(configured.render().unwrap().contains("Ferry has set the endpoint URL"));
    let polled = ConnectedPage { configured: false, polled: true, ..configured }.render().unwrap();
    assert!(
        polled.contains("checks your org for changes every few minutes") && !polled.contains("Endpoint URL"),
        "{polled}"
    );
    assert!(!polled.contains("The endpoint URL of the outbound messages"), "{polled}");
}

#[test]
fn displaced_connections_are_named() {
    let displaced = ["Team".to_owned(), "rep-<2>".to_owned()];
    let page = ConnectedPage {
        team: false,
        tenant: "acme",
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        org_host: "acme.my.salesforce.com",
        user_id: "0055e000001mKpCAAU".parse().unwrap(),
        username: Some("admin@acme.example"),
        platform_user: None,
        limited_objects: &[],
        environment: "Production",
        webhook_url: None,
        configured: false,
        polled: false,
        displaced: &displaced,
        is_last: false,
        is_admin: true,
    };
    let html = page.render().unwrap();
    assert!(html.contains("<li>Team</li>") && html.contains("<li>rep-&#60;2&#62;</li>"), "{html}");
    assert!(html.contains("href=\"/connections\"") && !html.contains("If this user connects again"));
    let last = ConnectedPage { displaced: &[], is_last: true, is_admin: false, ..page };
    let html = last.render().unwrap();
    assert!(html.contains("If this user connects again") && !html.contains("href=\"/connections\""), "{html}");
}

#[test]
fn a_team_that_does_not_see_everything_is_warned() {
    let limited: Vec<ObjectName> = ["Account", "Order_Line__c"].map(|name| name.parse().unwrap()).to_vec();
    let html = connected(None, &limited).render().unwrap();
    assert!(html.contains("may not see every record") && html.contains("<li>Account</li>"), "{html}");
    assert!(html.contains("<li>Order_Line__c</li>") && html.contains("View All Data"), "{html}");
    assert!(!connected(None, &[]).render().unwrap().contains("may not see every record"));
}

#[test]
fn a_personal_page_names_both_users() {
    let html = connected(Some("rep-<1>"), &[]).render().unwrap();
    assert!(html.contains("works in Salesforce as <strong>admin@acme.example</strong>"), "{html}");
    assert!(html.contains("<strong>rep-&#60;1&#62;</strong>"), "{html}");
    assert!(!connected(None, &[]).render().unwrap().contains("works in Salesforce as"));
}

fn connected<'a>(platform_user: Option<&'a str>, limited_objects: &'a [ObjectName]) -> ConnectedPage<'a> {
    ConnectedPage {
        team: platform_user.is_none(),
        tenant: "acme",
        org_id: "00D5e000000KQ2eEAG".parse().unwrap(),
        org_host: "acme.my.salesforce.com",
        user_id: "0055e000001mKpCAAU".parse().unwrap(),
        username: Some("admin@acme.example"),
        platform_user,
        limited_objects,
        environment: "Production",
        webhook_url: None,
        configured: true,
        polled: false,
        displaced: &[],
        is_last: false,
        is_admin: false,
    }
}
