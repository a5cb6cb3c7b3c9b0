//! The limits of a caller: its tenant, and the user of its token.

use http::StatusCode;
use serde_json::{Value, json};
use store::OrgState;

use crate::harness::{REP, TestContext, run};

const STAMP: &str = "2026-11-22T10:00:00.000+0000";

/// Returns an org id with this number.
fn numbered(number: usize) -> salesforce::OrgId {
    format!("00D0000000{number:05}").parse().unwrap()
}

#[test]
fn the_orgs_of_a_tenant_are_listed_in_pages() {
    run(async {
        let context = TestContext::new().await;
        for number in 0..4 {
            context.activate(numbered(number)).await;
        }
        context.deps.orgs.set_state(numbered(3), OrgState::Disconnected, context.deps.clock.now()).await.unwrap();

        let (mut listed, mut pages) = (Vec::new(), 0);
        let mut path = "/v1/orgs?limit=2".to_owned();
        loop {
            let (status, page) = context.fetch(&path).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            let orgs = page["orgs"].as_array().unwrap();
            assert!(orgs.len() <= 2);
            listed.extend(orgs.iter().map(|org| org["org_id"].as_str().unwrap().to_owned()));
            pages += 1;
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/orgs?limit=2&after={next}");
        }

        listed.sort_unstable();
        let mut expected = vec![context.org.to_string()];
        expected.extend((0..3).map(|number| numbered(number).to_string()));
        expected.sort_unstable();
        assert_eq!(listed, expected);
        assert!(pages >= 3, "{pages} pages");
    });
}

#[test]
fn a_page_of_orgs_has_1_to_100() {
    run(async {
        let context = TestContext::new().await;
        for limit in ["0", "101", "-1", "x"] {
            let (status, problem) = context.fetch(&format!("/v1/orgs?limit={limit}")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("limit"), "{problem}");
        }
        assert_eq!(context.fetch("/v1/orgs?after=nonsense").await.0, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn a_users_token_reads_only_as_that_user() {
    run(async {
        let context = TestContext::new().await;
        let account = context.create(&context.rep, "Account", &json!({ "Name": "Acme" }));
        context.mirror("Account", &account, json!({ "Name": "Mirrored", "SystemModstamp": STAMP })).await;
        let path = format!("/accounts/{account}");

        let (status, record) = context.get_with_token_of(REP, "ferry/read", &path).await;
        assert_eq!((status, &record["source"]), (StatusCode::OK, &json!("salesforce")), "{record}");
        let (_, list) = context.get_with_token_of(REP, "ferry/read", "/opportunities").await;
        assert_eq!(list["source"], "salesforce");

        for path in [&path as &str, "/opportunities", "/objects", "/objects/Account"] {
            let (status, problem) = context.get_with_token_of(REP, "ferry/read", &format!("{path}?as=rep-2")).await;
            assert_eq!((status, &problem["type"]), (StatusCode::FORBIDDEN, &json!("urn:ferry:problem:other_user")));
            let (status, problem) = context.get_with_token_of("rep-2", "ferry/read", path).await;
            assert_eq!(status, StatusCode::CONFLICT, "{problem}");
        }
        assert_eq!(context.get(&format!("/accounts/{account}")).await.1["source"], "mirror");
    });
}

#[test]
fn a_users_token_sees_only_that_users_connection() {
    run(async {
        let context = TestContext::new().await;
        let users = |body: &Value| -> Vec<Value> {
            let connections = body["connections"].as_array().unwrap().iter();
            connections.map(|connection| connection["platform_user"].clone()).collect()
        };
        let own = context.reps().connection_id();
        for path in ["/connections", "/connections?platform_user=rep-1", "/health"] {
            let (status, body) = context.get_with_token_of(REP, "ferry/read", path).await;
            assert_eq!((status, users(&body)), (StatusCode::OK, vec![json!(REP)]), "{body}");
        }
        assert_eq!(
            context.get_with_token_of(REP, "ferry/read", &format!("/connections/{own}")).await.0,
            StatusCode::OK
        );
        for (user, path, status) in [
            (REP, "/connections/team".to_owned(), StatusCode::NOT_FOUND),
            ("rep-2", format!("/connections/{own}"), StatusCode::NOT_FOUND),
            ("rep-2", "/connections?platform_user=rep-1".to_owned(), StatusCode::FORBIDDEN),
        ] {
            assert_eq!(context.get_with_token_of(user, "ferry/read", &path).await.0, status, "{user} {path}");
        }
        assert_eq!(users(&context.get_with_token_of("rep-2", "ferry/read", "/connections").await.1), [] as [Value; 0]);
        let admin = context.get_with_token_of("rep-2", "ferry/read ferry/admin", "/connections").await.1;
        assert_eq!(users(&admin).len(), 2);
    });
}

#[test]
fn the_connections_of_an_org_are_listed_in_pages() {
    run(async {
        let context = TestContext::new().await;
        let (_, first) = context.get("/connections?limit=1").await;
        assert_eq!(first["connections"][0]["platform_user"], REP, "{first}");
        let next = first["next"].as_str().unwrap();
        let (_, last) = context.get(&format!("/connections?limit=50&after={next}")).await;
        assert_eq!((&last["connections"][0]["connection_id"], &last["next"]), (&json!("team"), &Value::Null), "{last}");
        assert_eq!(last["connections"].as_array().unwrap().len(), 1);
        assert_eq!(context.get("/connections?limit=101").await.0, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn the_disconnected_orgs_of_a_tenant_are_listed_on_request() {
    run(async {
        let context = TestContext::new().await;
        context.orgs.close(context.org, context.deps.clock.now()).await.unwrap();
        let ids = async |query: &str| context.fetch(&format!("/v1/orgs{query}")).await.1["orgs"].clone();
        assert_eq!(ids("").await, json!([]));
        assert_eq!(ids("?state=disconnected").await[0]["org_id"], json!(context.org));
    });
}
