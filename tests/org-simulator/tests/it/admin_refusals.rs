//! The admin API refuses what it does not know, by name and with what it accepts.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestContext;

/// A method, a path, and an acceptable body if the route takes one.
type Route = (&'static str, String, Option<Value>);

/// Returns every route of the admin API.
fn routes() -> Vec<Route> {
    let mut all = routes_of_people_and_apps();
    all.extend(routes_of_records_and_rules());
    all.extend(routes_of_messages_and_settings());
    all
}

fn path(text: &str) -> String {
    text.to_owned()
}

fn routes_of_people_and_apps() -> Vec<Route> {
    let user = "casey@larkspur.example";
    vec![
        ("GET", path("org"), None),
        ("GET", path("orgs"), None),
        ("POST", path("orgs"), Some(json!({}))),
        ("GET", path("requests"), None),
        ("GET", path("users"), None),
        ("POST", path("users"), Some(json!({"username": "a@b.example", "last_name": "A"}))),
        ("POST", format!("users/{user}/permission-sets"), Some(json!({}))),
        ("POST", format!("users/{user}/freeze"), None),
        ("POST", format!("users/{user}/password"), Some(json!({"password": "p"}))),
        ("POST", path("sessions"), Some(json!({"username": user}))),
        ("POST", path("apps"), Some(json!({"name": "N", "client_id": "i", "client_secret": "s"}))),
        ("PUT", path("apps/i/settings"), Some(json!({}))),
        ("PUT", path("apps/i/policy"), Some(json!({}))),
        ("POST", path("apps/i/secret"), None),
        ("DELETE", path("apps/i/secret"), None),
    ]
}

fn routes_of_records_and_rules() -> Vec<Route> {
    let rule = |more: Value| {
        let mut rule = json!({"name": "R", "object": "Account"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(rule)
    };
    vec![
        ("POST", path("objects"), Some(json!({"name": "X__c"}))),
        ("PATCH", path("objects/X__c/fields/F__c"), Some(json!({"type": "double"}))),
        ("DELETE", path("objects/X__c/fields/F__c"), None),
        ("PUT", path("objects/X__c/history"), Some(json!({"fields": []}))),
        ("POST", path("records/Account"), Some(json!({"Name": "N"}))),
        ("GET", path("records/Account/0"), None),
        ("PATCH", path("records/Account/0"), Some(json!({}))),
        ("DELETE", path("records/Account/0"), None),
        ("POST", path("data"), Some(json!({"records": []}))),
        ("PATCH", path("profiles/P"), Some(json!({"objects": {}}))),
        ("POST", path("validation-rules"), rule(json!({"condition": "Name = 'x'", "message": "m"}))),
        ("POST", path("duplicate-rules"), rule(json!({"fields": ["Name"]}))),
        ("POST", path("assignment-rules"), rule(json!({"object": "Lead", "active": true, "entries": []}))),
        (
            "POST",
            path("sharing-rules"),
            rule(json!({"owned_by": {"role": "A"}, "shared_with": {"group": "B"}, "access": "read"})),
        ),
        ("GET", path("rules"), None),
        ("DELETE", path("rules/R"), None),
        ("POST", path("locks/0"), None),
        ("DELETE", path("locks/0"), None),
    ]
}

fn routes_of_messages_and_settings() -> Vec<Route> {
    vec![
        ("GET", path("change-events"), None),
        ("POST", path("change-events"), Some(json!({"channel": "A__chn", "objects": []}))),
        ("GET", path("outbound-messages"), None),
        (
            "POST",
            path("outbound-messages"),
            Some(json!({"name": "M", "object": "Account", "fields": [], "endpoint_url": "http://localhost:1/"})),
        ),
        ("DELETE", path("outbound-messages/M"), None),
        ("PUT", path("outbound-messages/M/settings"), Some(json!({}))),
        ("PUT", path("outbound-messages/disturbance"), Some(json!({}))),
        ("POST", path("outbound-messages/deliver"), None),
        ("GET", path("package"), None),
        ("DELETE", path("package"), None),
        (
            "POST",
            path("package/install"),
            Some(json!({"callout_url": "http://localhost:1/", "package_version": "1.0.0"})),
        ),
        ("GET", path("faults"), None),
        ("POST", path("faults"), Some(json!({"effect": {"kind": "unavailable"}}))),
        ("DELETE", path("faults"), None),
        ("DELETE", path("faults/1"), None),
        ("POST", path("clock"), Some(json!({"advance_seconds": 1}))),
        ("POST", path("settings"), Some(json!({}))),
    ]
}

/// Returns a route with its variable segments as `{}`.
fn shape(method: &str, path: &str, variable: impl Fn(usize, &str) -> bool) -> String {
    let path = path.split('?').next().unwrap().trim_start_matches('/');
    let parts = path.split('/').enumerate().map(|(at, part)| if variable(at, part) { "{}" } else { part });
    format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
}

#[test]
fn the_tested_routes_are_those_of_the_readme() {
    let (_, table) = include_str!("../../README.md").split_once("| route | effect |").unwrap();
    let mut documented = BTreeSet::new();
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let mut methods: Vec<&str> = Vec::new();
        for cell in row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            match cell.split_once(' ') {
                Some((method, path)) => {
                    for method in methods.drain(..).chain([method]) {
                        documented.insert(shape(method, path, |_, part| part.starts_with('{')));
                    }
                }
                None => methods.push(cell),
            }
        }
    }
    let variable = |at: usize, part: &str| {
        at > 0
            && (part.contains('@')
                || ["0", "1", "i", "M", "P", "R", "Account", "X__c", "F__c", "freeze"].contains(&part))
    };
    let tested: BTreeSet<String> = routes().iter().map(|(method, path, _)| shape(method, path, variable)).collect();
    assert_eq!(tested, documented);
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused_by_name() {
    let context = TestContext::new().await;
    for (method, path, body) in routes() {
        let method: Method = method.parse().unwrap();
        let response = context.admin(method.clone(), &format!("{path}?wrong=1"), body).await;
        let error = response.body["error"].as_str().unwrap_or_default();
        assert_eq!(response.status, 400, "{method} {path}: {error}");
        assert!(error.contains("unknown parameter `wrong`"), "{method} {path}: {error}");
        let accepted = ["one of `as`", "one of `channel`", "one of `state`, `object`", "there are no parameters"];
        assert!(accepted.iter().any(|text| error.contains(text)), "{method} {path}: {error}");
    }
}

#[tokio::test]
async fn an_unknown_member_is_refused_by_name() {
    let context = TestContext::new().await;
    for (method, path, body) in routes() {
        let method: Method = method.parse().unwrap();
        // The members of a record are its fields, which the org checks.
        let is_record = path.starts_with("records/") && body.is_some();
        let mut body = body.unwrap_or_else(|| json!({}));
        body["wrong"] = json!(1);
        let response = context.admin(method.clone(), &path, Some(body)).await;
        let error = response.body["error"].as_str().unwrap_or_default();
        if is_record {
            let known = error.contains("No such column 'wrong'") || response.status == 404;
            assert!(known, "{method} {path}: {error}");
            continue;
        }
        assert_eq!(response.status, 400, "{method} {path}: {error}");
        assert!(error.contains("unknown field `wrong`"), "{method} {path}: {error}");
        let accepted = error.contains("expected") || error.contains("there are no fields");
        assert!(accepted, "{method} {path}: {error}");
    }
}

#[tokio::test]
async fn an_unknown_member_within_another_is_refused() {
    let context = TestContext::new().await;
    let unavailable = json!({"kind": "unavailable", "wrong": 1});
    for (method, path, body) in [
        (Method::POST, "faults", json!({"effect": unavailable})),
        (Method::POST, "faults", json!([{"effect": {"kind": "delay", "delay_ms": 1}}, {"effect": unavailable}])),
        (Method::POST, "faults", json!({"effect": {"kind": "delay", "delay_ms": 1, "wrong": 1}})),
        (Method::POST, "orgs", json!({"features": {"wrong": 1}})),
        (Method::POST, "settings", json!({"bulk": {"wrong": 1}})),
        (Method::POST, "objects", json!({"name": "X__c", "fields": [{"name": "A__c", "wrong": 1}]})),
        (Method::PATCH, "profiles/P", json!({"objects": {"Account": {"wrong": 1}}})),
        (Method::PATCH, "profiles/P", json!({"login": {"wrong": 1}})),
        (
            Method::POST,
            "sharing-rules",
            json!({
                "name": "R", "object": "Lead", "criteria": [{"field": "City", "operation": "equals", "wrong": 1}],
                "shared_with": {"group": "B"}, "access": "read",
            }),
        ),
        (
            Method::POST,
            "assignment-rules",
            json!({"name": "R", "object": "Lead", "entries": [{"owner": "x", "wrong": 1}]}),
        ),
    ] {
        let response = context.admin(method, path, Some(body.clone())).await;
        assert_eq!(response.status, 400, "{path} {body}");
        assert!(response.body["error"].as_str().unwrap().contains("`wrong`"), "{path}: {}", response.body);
    }
    assert!(context.org.faults().is_empty(), "of a list, no fault is added unless all are valid");
}
