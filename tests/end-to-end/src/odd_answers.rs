//! Answers that Salesforce, or a server in front of it, gives now and then, and that say nothing about the request.

use org_simulator::Effect;

/// Returns one effect for each of them: HTML pages of a proxy, empty bodies, a resource that is missing once, and a code that no
/// list has.
pub(crate) fn odd_answers() -> Vec<Effect> {
    let page = |status| Effect::Answer {
        status,
        content_type: "text/html".to_owned(),
        body: "<html><head><title>Error</title></head><body>The page could not be shown.</body></html>".to_owned(),
    };
    let error = |status, code: &str, message: &str| Effect::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let empty = Effect::Answer { status: 200, content_type: "application/json".to_owned(), body: String::new() };
    let mut answers: Vec<Effect> = [403, 404, 420, 503].map(page).into();
    answers.extend([
        empty,
        error(404, "NOT_FOUND", "The requested resource does not exist"),
        error(500, "A_CODE_THAT_IS_NOT_LISTED", "An unexpected error occurred."),
    ]);
    answers
}

/// Returns a refusal of a session that is valid.
pub(crate) fn refused_session() -> Effect {
    Effect::Error {
        status: 401,
        code: "INVALID_SESSION_ID".to_owned(),
        message: "Session expired or invalid".to_owned(),
    }
}
