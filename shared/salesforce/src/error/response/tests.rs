use http::HeaderMap;
use serde_json::Value;

use super::*;
use crate::error::oauth_failure;
use crate::{Classify, Condition};

fn response(status: u16, body: &str) -> Response {
    Response { operation: "run a test", status, headers: HeaderMap::new(), body: body.into() }
}

fn rest(status: u16, body: &str) -> Error {
    rest_failure("run a test", &response(status, body))
}

fn oauth(status: u16, error: &str, description: &str) -> Error {
    let body = serde_json::json!({"error": error, "error_description": description}).to_string();
    oauth_failure("run a test", &response(status, &body))
}

fn fixture(path: &str) -> Option<String> {
    fixtures::path(path).map(|path| std::fs::read_to_string(path).unwrap())
}

#[test]
fn an_expired_session_is_refused() {
    let Some(body) = fixture("rest/errors/session-expired-401.json") else {
        return;
    };
    assert!(matches!(rest(401, &body), Error::SessionRefused { .. }));
}

#[test]
fn a_401_for_missing_api_access_is_not_a_refused_session() {
    for text in NOT_PERMITTED_TEXTS {
        let body = serde_json::json!([{"errorCode": "INVALID_SESSION_ID", "message": text}]).to_string();
        assert!(matches!(rest(401, &body), Error::SessionNotPermitted { .. }));
    }
    let body = r#"[{"errorCode":"INVALID_AUTH_HEADER","message":"INVALID_HEADER_TYPE"}]"#;
    assert_eq!(rest(401, body).retry(), Retry::NeedsHuman);
}

#[test]
fn a_redirect_passes_and_asks_for_the_host_anew() {
    let error = rest(302, "<html>moved</html>");
    assert!(error.may_have_moved(), "{error:?}");
    assert!(matches!(error.retry(), Retry::After(_)));
}

#[test]
fn recorded_rejections_carry_codes_and_fields_only() {
    for (file, status, code) in [
        ("not-found-404.json", 404, "NOT_FOUND"),
        ("entity-is-deleted-404.json", 404, "ENTITY_IS_DELETED"),
        ("external-id-field-unknown-404.json", 404, "NOT_FOUND"),
        ("field-not-writeable-400.json", 400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("duplicates-detected-400.json", 400, "DUPLICATES_DETECTED"),
        ("unknown-field-400.json", 400, "INVALID_FIELD"),
    ] {
        let Some(body) = fixture(&format!("rest/errors/{file}")) else {
            return;
        };
        let error = rest(status, &body);
        assert!(error.has_code(code), "{file}: {error:?}");
        let problems: Vec<Value> = serde_json::from_str(&body).unwrap();
        let message = problems[0]["message"].as_str().unwrap();
        assert!(!format!("{error:?} {error}").contains(message), "{file}");
    }
}

#[test]
fn rejections_seen_in_production_are_classified() {
    let Some(lines) = fixture("rest/errors/observed-in-the-field.jsonl") else {
        return;
    };
    let mut classified = 0;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let Ok(status) = case["status"].as_str().unwrap_or_default().parse::<u16>() else {
            continue;
        };
        let error = rest(status, &case["body"].to_string());
        let code = case["body"][0]["errorCode"].as_str().unwrap_or_default();
        match code {
            "REQUEST_LIMIT_EXCEEDED" => assert!(matches!(error, Error::DailyLimit { .. } | Error::TooManyCalls { .. })),
            "UNABLE_TO_LOCK_ROW" => assert!(matches!(error.retry(), Retry::After(_))),
            "INVALID_SESSION_ID" => {
                assert!(matches!(error, Error::SessionRefused { .. } | Error::SessionNotPermitted { .. }))
            }
            code => {
                let carried = match &error {
                    Error::Unavailable { code: found, .. } => found.as_deref() == Some(code),
                    other => other.has_code(code),
                };
                assert!(carried, "{line}: {error:?}");
            }
        }
        classified += 1;
    }
    assert!(classified > 0);
}

#[test]
fn the_daily_and_the_concurrency_limit_differ() {
    let body = |text| serde_json::json!([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": text}]).to_string();
    let daily = rest(403, &body("TotalRequests Limit exceeded."));
    assert!(matches!(daily, Error::DailyLimit { .. }));
    let busy = rest(403, &body("ConcurrentPerOrgLongTxn Limit exceeded."));
    assert!(matches!(busy, Error::TooManyCalls { .. }));
}

#[test]
fn a_maintenance_page_means_unavailable() {
    let error = rest(503, "<html><body>We are down for maintenance</body></html>");
    assert!(matches!(error, Error::Unavailable { code: None, .. }));
    assert!(matches!(rest(502, "").retry(), Retry::Unknown(_)));
    assert!(matches!(rest(500, "<html>").retry(), Retry::Unknown(_)));
}

/// A proxy returns a 503 too when the connection to its server ended after it had sent the request.
#[test]
fn a_503_had_no_effect_only_by_salesforces_own_word() {
    let coded = |code: &str| rest(503, &serde_json::json!([{"errorCode": code, "message": ""}]).to_string()).retry();
    assert!(matches!(coded("SERVER_UNAVAILABLE"), Retry::After(_)));
    assert!(matches!(coded("REQUEST_RUNNING_TOO_LONG"), Retry::Unknown(_)));
    assert!(matches!(coded("SOMETHING_NEW"), Retry::Unknown(_)));
    for body in ["", "[]", "<html>We are down for maintenance</html>", "upstream connect error"] {
        assert!(matches!(rest(503, body).retry(), Retry::Unknown(_)), "{body}");
    }
}

#[test]
fn retry_after_sets_the_pause_and_nothing_else() {
    let minutes = Duration::from_mins(2);
    let lock = r#"[{"errorCode":"SERVER_UNAVAILABLE","message":""}]"#;
    for (status, body, expected) in [
        (503, "", Retry::Unknown(minutes)),
        (503, lock, Retry::After(minutes)),
        (429, "", Retry::After(minutes)),
        (404, "<html>", Retry::Unknown(minutes)),
    ] {
        let mut response = response(status, body);
        response.headers.insert("retry-after", "120".parse().unwrap());
        assert_eq!(rest_failure("run a test", &response).retry(), expected, "{status} {body}");
    }
}

#[test]
fn an_unknown_external_id_field_is_final_and_named() {
    let body = |field: &str| {
        let message = format!("Provided external ID field does not exist or is not accessible: {field}");
        serde_json::json!([{"errorCode": "NOT_FOUND", "message": message}]).to_string()
    };
    let error = rest(404, &body("23foo"));
    assert_eq!((error.problems()[0].fields.as_slice(), error.retry()), (&["23foo".to_owned()][..], Retry::Never));
    assert!(rest(404, &body("rose@edge.com says no")).problems()[0].fields.is_empty());
}

#[test]
fn a_row_lock_in_a_trigger_message_becomes_a_code() {
    let body = r#"[{"errorCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"T: execution of AfterUpdate caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access","fields":[]}]"#;
    assert!(rest(400, body).has_code("UNABLE_TO_LOCK_ROW"));
}

#[test]
fn invalid_field_names_are_dropped() {
    let body = r#"[{"errorCode":"X_Y","fields":["Email","rose@edge.com says no"]}]"#;
    assert_eq!(rest(400, body).problems()[0].fields, ["Email"]);
}

#[test]
fn a_concurrent_refresh_is_recognized() {
    let error = oauth(400, "invalid_grant", "token request is already being processed");
    assert!(matches!(error, Error::RefreshInProgress));
}

#[test]
fn an_ended_grant_needs_a_human() {
    for (code, text) in [("invalid_grant", "expired access/refresh token"), ("inactive_user", "")] {
        let error = oauth(400, code, text);
        assert!(matches!(error, Error::GrantEnded { .. }), "{code}");
        assert_eq!(error.retry(), Retry::NeedsHuman);
    }
}

#[test]
fn a_blocked_app_needs_a_human_and_login_hours_pass() {
    let blocked = oauth(400, "OAUTH_APP_BLOCKED", "this app is blocked by admin");
    assert!(matches!(blocked, Error::Blocked { condition: Condition::AppBlocked, .. }), "{blocked:?}");
    assert_eq!(blocked.retry(), Retry::NeedsHuman);
    let hours = oauth(400, "invalid_grant", "ip restricted or invalid login hours");
    assert!(matches!(hours, Error::Blocked { condition: Condition::LoginRestricted, .. }), "{hours:?}");
    assert!(matches!(hours.retry(), Retry::After(_)));
}

#[test]
fn recorded_token_errors_are_classified() {
    let Some(lines) = fixture("oauth/token-errors.jsonl") else {
        return;
    };
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let error = oauth_failure("run a test", &response(400, &case["body"].to_string()));
        match case["body"]["error"].as_str().unwrap() {
            "invalid_grant" => assert!(matches!(error, Error::GrantEnded { .. }), "{line}"),
            _ => assert!(matches!(error, Error::AppRefused { .. }), "{line}"),
        }
    }
}

#[test]
fn an_unknown_error_does_not_end_the_grant() {
    for (status, body) in [
        (400, r#"{"error":"invalid_grant","error_description":"some new text"}"#),
        (400, r#"{"error":"rate_limit_exceeded","error_description":"login rate exceeded"}"#),
        (400, r#"{"error":"brand_new"}"#),
        (400, "<html>no</html>"),
        (500, ""),
        (503, "<html>maintenance</html>"),
    ] {
        let retry = oauth_failure("run a test", &response(status, body)).retry();
        assert!(matches!(retry, Retry::After(_) | Retry::Unknown(_)), "{status} {body}");
    }
}

#[test]
fn a_wrong_app_needs_the_operator() {
    for code in ["invalid_client_id", "invalid_client", "redirect_uri_mismatch"] {
        let error = oauth(400, code, "any text");
        assert!(matches!(error, Error::AppRefused { .. }));
        assert_eq!(error.retry(), Retry::NeedsHuman);
    }
}

#[test]
fn a_form_encoded_error_is_parsed() {
    let body = "error=invalid_token&error_description=expired";
    let error = oauth_failure("run a test", &response(400, body));
    assert!(matches!(&error, Error::Unavailable { code: Some(code), .. } if code == "invalid_token"));
}
