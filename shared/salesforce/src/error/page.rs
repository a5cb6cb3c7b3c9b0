//! The tables of `docs/answers.md`, made by the code that they describe.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use super::codes::CODES;
use super::token_endpoint::{ERRORS, Meaning};
use super::{Classify as _, Condition, Error, Retry, oauth_failure, rest_failure};
use crate::SaveError;
use crate::transport::Response;

const HTML: &str = "<html><body>Down for maintenance</body></html>";

fn response(status: u16, body: &str) -> Response {
    Response { operation: "run a test", status, headers: HeaderMap::new(), body: body.into() }
}

fn problem(code: &str, message: &str) -> String {
    json!([{"errorCode": code, "message": message}]).to_string()
}

/// Responses of the API, and of a proxy in front of it. Each line of the page is one or more of them that are classified alike.
fn responses() -> Vec<(&'static str, u16, String)> {
    let page = |what, status| (what, status, HTML.to_owned());
    let empty = |what, status| (what, status, String::new());
    let coded = |what, status, code: &str| (what, status, problem(code, "any text"));
    vec![
        coded("an error object with a code that is not in the next table", 400, "REQUIRED_FIELD_MISSING"),
        coded("an error object with a code that is not in the next table", 403, "INSUFFICIENT_ACCESS"),
        coded("an error object with a code that is not in the next table", 404, "INVALID_CROSS_REFERENCE_KEY"),
        coded("`ENTITY_IS_DELETED`", 404, "ENTITY_IS_DELETED"),
        (
            "`NOT_FOUND` that names an external id field",
            404,
            problem("NOT_FOUND", "Provided external ID field does not exist or is not accessible: Key__c"),
        ),
        (
            "`NOT_FOUND`, \"The requested resource does not exist\"",
            404,
            problem("NOT_FOUND", "The requested resource does not exist"),
        ),
        ("several records match an external id", 300, json!(["/services/data/v66.0/sobjects/Account/1"]).to_string()),
        ("`INVALID_SESSION_ID`", 401, problem("INVALID_SESSION_ID", "Session expired or invalid")),
        empty("a page, or no body", 401),
        ("`Bad_OAuth_Token`", 403, "Bad_OAuth_Token".to_owned()),
        (
            "a session that is not valid for the REST API",
            401,
            problem("INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        ),
        ("the daily limit", 403, problem("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")),
        ("the concurrency limit", 403, problem("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")),
        page("a redirect", 302),
        page("a page, or no body", 400),
        page("a page, or no body", 403),
        page("a page, or no body", 404),
        page("a page, or no body", 420),
        page("a page, or no body", 429),
        empty("no error object; also 413 and 431", 414),
        page("a page, or no body", 500),
        page("a page, or no body", 502),
        page("a page, or no body", 503),
        page("a page, or no body", 504),
        coded("an error object with a code that is not in the next table", 500, "APEX_ERROR"),
        coded("`UNABLE_TO_LOCK_ROW`", 500, "UNABLE_TO_LOCK_ROW"),
    ]
}

fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

fn allows(retry: Retry) -> String {
    match retry {
        Retry::Never => "final for the request".to_owned(),
        Retry::NeedsHuman => "a person".to_owned(),
        Retry::After(pause) => format!("again after {}; it did not take effect", duration(pause)),
        Retry::Unknown(pause) => format!("again after {}; it may have taken effect", duration(pause)),
    }
}

/// Says what the client does beside the retry.
fn decides(error: &Error) -> String {
    match error {
        Error::SessionRefused { .. } => "another session, at most two in a call".to_owned(),
        error if error.may_have_moved() => format!("asks for the host anew, then {}", allows(error.retry())),
        error if error.is_not_found() => "nothing, until a query or the list of objects confirms it".to_owned(),
        error => allows(error.retry()),
    }
}

fn api_rows() -> Vec<String> {
    let rows = responses().into_iter().map(|(what, status, body)| {
        let error = rest_failure("run a test", &response(status, &body));
        format!("| {status} | {what} | {} |", decides(&error))
    });
    rows.collect()
}

fn code_rows() -> Vec<String> {
    CODES.iter().map(|(code, retry, meaning)| format!("| `{code}` | {meaning} | {} |", allows(*retry))).collect()
}

fn token_rows() -> Vec<String> {
    let rows = ERRORS.iter().map(|(code, text, meaning)| {
        let text = if text.is_empty() { "any" } else { text };
        let (grant, then) = match meaning {
            Meaning::Ended(_) => ("has ended", "`reauth_required`: the user connects again".to_owned()),
            Meaning::InProgress => ("as it was", "waits for the other request".to_owned()),
            Meaning::Blocked(condition) => ("as it was", format!("condition `{condition}`")),
            Meaning::AppRefused => ("as it was", format!("condition `{}`", Condition::AppRefused)),
            Meaning::Passes => ("as it was", "again after 1 min".to_owned()),
        };
        format!("| `{code}` | {text} | {grant} | {then} |")
    });
    rows.chain([format!("| any other code | any | as it was | condition `{}` |", Condition::UnknownError)]).collect()
}

fn condition_rows() -> Vec<String> {
    let row = |condition: Condition| {
        let who = condition.resolved_by().as_str();
        let told = match condition.reported_after() {
            Duration::ZERO => "at once".to_owned(),
            after => format!("after {}", duration(after)),
        };
        format!("| `{condition}` | {} | {told} | `{who}` | {} |", condition.explanation(), condition.advice())
    };
    Condition::ALL.into_iter().map(row).collect()
}

/// Returns the rows of the table of `docs/answers.md` that follows a heading.
fn documented(page: &str, heading: &str) -> Vec<String> {
    let section = page.split_once(&format!("\n## {heading}\n")).expect(heading).1;
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(str::to_owned).collect()
}

#[test]
fn the_page_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/answers.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut wrong = String::new();
    for (heading, rows) in [
        ("Responses of the API", api_rows()),
        ("Error codes of the API", code_rows()),
        ("Errors of the token endpoint", token_rows()),
        ("Conditions of a connection", condition_rows()),
    ] {
        if documented(&page, heading) != rows {
            writeln!(wrong, "## {heading}\n\n{}\n", rows.join("\n")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "replace the rows of docs/answers.md by:\n{wrong}");
}

#[test]
fn only_an_error_object_of_salesforce_is_final() {
    for (what, status, body) in responses() {
        let error = rest_failure("run a test", &response(status, &body));
        let is_object = body.starts_with('[');
        let is_final = error.retry() == Retry::Never;
        assert!(
            !is_final || (is_object && status < 500) || matches!(error, Error::TooLarge { .. }),
            "{what}: {error:?}"
        );
    }
}

/// A page of a proxy, of any status that one may return, says nothing about a record, a session or a grant.
#[test]
fn a_page_decides_nothing_about_what_was_asked_for() {
    for status in
        [302, 400, 403, 404, 405, 407, 409, 410, 412, 415, 420, 421, 428, 429, 451, 500, 502, 503, 504, 520, 599]
    {
        for body in [HTML, "", "[]", "{}", "null", "\"text\"", "upstream connect error", "[{\"message\":\"no code\"}]"]
        {
            let error = rest_failure("run a test", &response(status, body));
            assert!(matches!(error.retry(), Retry::After(_) | Retry::Unknown(_)), "{status} {body}: {error:?}");
            assert!(error.problems().is_empty() && !error.is_hidden() && !error.is_not_found(), "{status} {body}");
            let grant = oauth_failure("run a test", &response(status, body));
            assert!(matches!(grant.retry(), Retry::After(_) | Retry::Unknown(_)), "{status} {body}: {grant:?}");
        }
    }
}

/// Returns every recorded error object of the REST API, with its status.
fn recorded() -> Vec<(u16, String)> {
    let Some(folder) = fixtures::path("rest/errors") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        match name.rsplit_once('-').and_then(|(_, status)| status.parse().ok()) {
            Some(status) => found.push((status, text)),
            None => found.extend(text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
                let case: Value = serde_json::from_str(line).unwrap();
                (case["status"].as_str().unwrap().parse().unwrap(), case["body"].to_string())
            })),
        }
    }
    found
}

#[test]
fn every_recorded_error_is_classified() {
    let expected = BTreeMap::from([
        ("API_DISABLED_FOR_ORG", "a person"),
        ("DUPLICATES_DETECTED", "final for the request"),
        ("ENTITY_IS_DELETED", "final for the request"),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "final for the request"),
        ("INVALID_CROSS_REFERENCE_KEY", "final for the request"),
        ("INVALID_FIELD", "final for the request"),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "final for the request"),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "final for the request"),
        ("INVALID_SESSION_ID", "another session, at most two in a call"),
        ("REQUIRED_FIELD_MISSING", "final for the request"),
        ("STRING_TOO_LONG", "final for the request"),
        ("UNABLE_TO_LOCK_ROW", "again after 500 ms; it did not take effect"),
    ]);
    for (status, body) in recorded() {
        let problems: Value = serde_json::from_str(&body).unwrap();
        let (code, message) = (problems[0]["errorCode"].as_str().unwrap(), problems[0]["message"].as_str().unwrap());
        let error = rest_failure("run a test", &response(status, &body));
        let is = decides(&error);
        match (code, message) {
            ("NOT_FOUND", "The requested resource does not exist") => assert!(error.is_not_found(), "{error:?}"),
            ("NOT_FOUND", _) => assert_eq!(error.retry(), Retry::Never, "{message}"),
            ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.") => {
                assert!(matches!(error, Error::DailyLimit { .. }))
            }
            ("REQUEST_LIMIT_EXCEEDED", _) => assert!(matches!(error, Error::TooManyCalls { .. })),
            _ => assert_eq!(Some(&is.as_str()), expected.get(code), "{code}"),
        }
    }
}

/// A record of a collection is refused with the codes that a whole request is refused with, and waits as long.
#[test]
fn a_code_allows_the_same_retry_in_a_record() {
    let listed = CODES.iter().map(|(code, ..)| (400, problem(&code.replace('*', "POLICY"), "any text")));
    let limits = [
        "TotalRequests Limit exceeded.",
        "ConcurrentPerOrgLongTxn Limit exceeded.",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    ];
    let limits = limits.map(|message| (403, problem("REQUEST_LIMIT_EXCEEDED", message)));
    for (status, body) in listed.chain(limits).chain(recorded()) {
        let problems: Value = serde_json::from_str(&body).unwrap();
        let mut error = problems[0].clone();
        let (code, message) = (error["errorCode"].take(), error["message"].take());
        let row: SaveError = serde_json::from_value(json!({"statusCode": code, "message": message})).unwrap();
        let request = rest_failure("run a test", &response(status, &body));
        match row.code.as_str() {
            // Rows are in the response to a session that was accepted.
            "INVALID_SESSION_ID" => assert_eq!(row.retry(), Retry::Never),
            // The address of the request is not that of the record: a row says it of a record or a field that it names.
            "NOT_FOUND" => assert_eq!(row.retry(), Retry::Never),
            code => assert_eq!(row.retry(), request.retry(), "{code} {message}"),
        }
    }
}

#[test]
fn only_a_known_description_ends_a_grant() {
    for (code, description, ended) in [
        ("invalid_grant", "expired access/refresh token", true),
        ("invalid_grant", "Inactive user", true),
        ("invalid_grant", "ip restricted or invalid login hours", false),
        ("invalid_grant", "token request is already being processed", false),
        ("invalid_grant", "something new", false),
        ("invalid_grant", "", false),
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", false),
        ("OAUTH_AUTHORIZATION_BLOCKED", "Cross-org OAuth flows are not supported for this external client app", false),
        ("invalid_app_access", "user is not admin approved to access this app", false),
        ("inactive_org", "", false),
        ("invalid_client", "invalid client credentials", false),
        ("invalid_client_id", "client identifier invalid", false),
        ("invalid_request", "invalid code verifier", false),
        ("brand_new", "expired access/refresh token", false),
    ] {
        let body = json!({"error": code, "error_description": description}).to_string();
        let error = oauth_failure("run a test", &response(400, &body));
        assert_eq!(matches!(error, Error::GrantEnded { .. }), ended, "{code} {description}: {error:?}");
        let unavailable = oauth_failure("run a test", &response(500, &body));
        assert!(matches!(unavailable.retry(), Retry::Unknown(_)), "{code} {description}: {unavailable:?}");
    }
}

#[test]
fn some_answer_causes_each_condition() {
    let told: Vec<Condition> = ERRORS
        .iter()
        .filter_map(|(_, _, meaning)| match meaning {
            Meaning::Blocked(condition) => Some(*condition),
            _ => None,
        })
        .collect();
    let elsewhere = [Condition::AppRefused, Condition::UnknownError, Condition::Unavailable];
    for condition in Condition::ALL.into_iter().filter(|condition| !condition.is_of_sessions()) {
        assert!(told.contains(&condition) || elsewhere.contains(&condition), "{condition}");
    }
}
