//! The routes of endpoints.

use ::http::StatusCode;
use harness::token;
use serde_json::{Value, json};
use store::event_deliveries::End;

use crate::harness::{RECORDS, TestContext, run};

#[test]
fn an_endpoint_is_created_changed_and_deleted() {
    run(async {
        let context = TestContext::new().await;
        let (id, secret) = context.endpoint(&json!({ "events": ["write.failed"], "description": "staging" })).await;
        assert!(secret.starts_with("whsec_"));
        let (status, shown) = context.request("GET", &format!("/{id}"), None).await;
        assert_eq!((status, &shown["state"]), (StatusCode::OK, &json!("active")));
        assert!(shown.get("secret").is_none() && !shown.to_string().contains("whsec_"), "{shown}");

        let change = json!({ "events": [], "orgs": [context.org], "description": null });
        let (status, changed) = context.request("PATCH", &format!("/{id}"), Some(change)).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        assert_eq!((&changed["events"], &changed["orgs"]), (&json!([]), &json!([context.org])));
        assert_eq!((&changed["description"], &changed["url"]), (&Value::Null, &shown["url"]));
        let (_, listed) = context.request("GET", "", None).await;
        assert_eq!(listed["endpoints"], json!([changed]));

        let deleted = context.request("DELETE", &format!("/{id}"), None).await;
        assert_eq!(deleted, (StatusCode::NO_CONTENT, Value::Null));
        for (method, path) in
            [("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/resume"), ("POST", "/secrets")]
        {
            let (status, _) = context.request(method, &format!("/{id}{path}"), None).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
        }
    });
}

#[test]
fn changes_of_different_members_at_once_are_all_kept() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        let path = format!("/{id}");
        let change = |body: Value| context.request("PATCH", &path, Some(body));
        let (events, orgs, description) = futures::join!(
            change(json!({ "events": ["write.failed"] })),
            change(json!({ "orgs": [context.org] })),
            change(json!({ "description": "staging" })),
        );
        assert_eq!([events.0, orgs.0, description.0], [StatusCode::OK; 3]);
        let (_, shown) = context.request("GET", &path, None).await;
        assert_eq!((&shown["events"], &shown["orgs"]), (&json!(["write.failed"]), &json!([context.org])));
        assert_eq!(shown["description"], "staging");
    });
}

#[test]
fn deliveries_of_a_state_are_found_behind_many_others() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        let given_up = context.change(RECORDS[0], 1);
        for number in 0..=200 {
            let now = context.clock.now() + jiff::SignedDuration::from_secs(number);
            let mut event = given_up.clone();
            event.id = format!("{}-{number}", given_up.id);
            let waiting = store::WaitingEvent::new(id.clone(), &event, now).unwrap();
            let end = if number == 0 { End::GivenUp } else { End::Delivered };
            context.deps.deliveries.end(&waiting, end, None, now).await.unwrap();
        }
        let [found] = &context.deliveries(&id, "?state=given_up").await[..] else { panic!("one was given up") };
        assert_eq!(found["event_id"], format!("{}-0", given_up.id));
        let delivered = context.deliveries(&id, "?state=delivered").await;
        assert_eq!((delivered.len(), &delivered[0]["event_id"]), (100, &json!(format!("{}-200", given_up.id))));
    });
}

#[test]
fn only_the_platform_of_the_tenant_reaches_its_endpoints() {
    run(async {
        let context = TestContext::new().await;
        let (id, _) = context.endpoint(&json!({})).await;
        let all = harness::ALL_SCOPES;
        let cases = [
            (token("acme", Some("rep-1"), all), StatusCode::FORBIDDEN),
            (token("acme", None, "ferry/read ferry/write"), StatusCode::FORBIDDEN),
            (token("globex", None, all), StatusCode::NOT_FOUND),
        ];
        let routes = [
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/deliveries"),
            ("POST", "/secrets"),
            ("POST", "/test"),
            ("POST", "/resume"),
        ];
        for (identity, expected) in cases {
            for (method, path) in routes {
                let path = format!("/{id}{path}");
                let (status, _) = context.request_as(Some(identity.clone()), method, &path, None).await;
                assert_eq!(status, expected, "{method} {path}");
            }
        }
        let (_, listed) = context.request_as(Some(token("globex", None, all)), "GET", "", None).await;
        assert_eq!(listed["endpoints"], json!([]));
        assert_eq!(context.request("GET", &format!("/{id}"), None).await.0, StatusCode::OK);
    });
}

#[test]
fn a_url_that_leads_into_a_network_is_refused() {
    run(async {
        let context = TestContext::deployed().await;
        let refused = [
            "http://platform.example.com/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://169.254.169.254/latest/",
            "https://[fd00:ec2::254]/",
            "https://10.1.2.3/",
            "https://user:secret@1.1.1.1/",
            "https://db.internal/",
            "no",
        ];
        for url in refused {
            let (status, problem) = context.request("POST", "", Some(json!({ "url": url }))).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{url}: {problem}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
        }
        let (status, created) = context.request("POST", "", Some(json!({ "url": "https://1.1.1.1/ferry" }))).await;
        assert_eq!(status, StatusCode::CREATED);
        let change = Some(json!({ "url": "https://192.168.0.1/" }));
        let (status, _) = context.request("PATCH", &format!("/{}", created["id"].as_str().unwrap()), change).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    });
}

/// As for an endpoint that was stored before a range of addresses was refused.
#[test]
fn a_stored_address_is_checked_again_at_each_request() {
    run(async {
        let context = TestContext::deployed().await;
        let (_, created) = context.request("POST", "", Some(json!({ "url": "https://1.1.1.1/ferry" }))).await;
        let id = created["id"].as_str().unwrap().parse().unwrap();
        let url = context.platform.url.replace("http:", "https:");
        let to_this_machine = |endpoint: &mut store::EventEndpoint| {
            endpoint.url.clone_from(&url);
            true
        };
        context.deps.endpoints.change(&"acme".parse().unwrap(), &id, to_this_machine).await.unwrap();
        context.publish(&context.change(RECORDS[0], 1)).await;
        context.work(&id).await;
        let [delivery] = &context.deliveries(&id, "").await[..] else { panic!("one delivery") };
        assert_eq!(delivery["last_attempt"]["error"], "address_refused");
        assert!(context.platform.received().is_empty());
    });
}

#[test]
fn bodies_are_checked() {
    run(async {
        let context = TestContext::new().await;
        let url = &context.platform.url;
        let wrong = [
            json!({}),
            json!({ "url": url, "events": ["record.colored"] }),
            json!({ "url": url, "orgs": ["acme"] }),
            json!({ "url": url, "colour": "red" }),
            json!({ "url": url, "description": "x".repeat(501) }),
        ];
        for body in wrong {
            let (status, problem) = context.request("POST", "", Some(body.clone())).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
        }
        for _ in 0..store::event_endpoints::MAX_ENDPOINTS {
            context.endpoint(&json!({})).await;
        }
        let (status, problem) = context.request("POST", "", Some(json!({ "url": url }))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    });
}
