//! Conditional requests on describe and records: `If-Modified-Since`, `If-Unmodified-Since`, and on accounts `If-Match` and
//! `If-None-Match` (REST API guide, conditional request headers). A delete has no conditions.

use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::api::call::{Body, Call, Response};
use crate::model::datetime::whole_seconds;
use crate::model::errors::ApiError;

/// Returns 304 without a body when nothing has changed since the client's time, otherwise the response.
pub(super) fn not_modified_since(call: &Call, changed: Timestamp, response: Response) -> Response {
    let unchanged = time(call, "if-modified-since").is_some_and(|since| changed <= since);
    let response = if unchanged { Response::new(304, Body::Empty) } else { response };
    match DateTimePrinter::new().timestamp_to_rfc9110_string(&changed) {
        Ok(text) => response.header("last-modified", text),
        Err(_) => response,
    }
}

/// Parses the time of a header, whose day of the week need not be that of the date: an example of the guide has a wrong
/// one. A time that cannot be parsed is ignored, as HTTP defines it for reads.
fn time(call: &Call, name: &str) -> Option<Timestamp> {
    let text = call.headers.get(name)?;
    let parsed = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text);
    if parsed.is_err() {
        tracing::warn!(name, text, "the simulator cannot parse the time in this header");
    }
    parsed.ok()
}

/// Returns an error when a condition of a write cannot be parsed. The status is documented; the code and the message
/// are unverified.
pub(super) fn check_headers(call: &Call) -> Result<(), ApiError> {
    let invalid = |name: &str| ApiError::new("INVALID_HEADER", format!("The value of the header {name} is invalid"));
    if call.headers.get("if-unmodified-since").is_some() && time(call, "if-unmodified-since").is_none() {
        return Err(invalid("If-Unmodified-Since"));
    }
    for (name, shown) in [("if-match", "If-Match"), ("if-none-match", "If-None-Match")] {
        if call.headers.get(name).is_some_and(|tags| !tags.split(',').all(is_tag)) {
            return Err(invalid(shown));
        }
    }
    Ok(())
}

/// Returns whether the text is `*` or an entity tag: `"..."` or `W/"..."`.
fn is_tag(text: &str) -> bool {
    let text = text.trim();
    let tag = text.strip_prefix("W/").unwrap_or(text);
    tag == "*" || tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"')
}

/// Returns whether the request has a condition.
pub(super) fn has_condition(call: &Call) -> bool {
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
        .iter()
        .any(|name| call.headers.get(name).is_some())
}

/// Returns the entity tag of a body.
pub(super) fn etag(body: &Json) -> String {
    let digest = Sha256::digest(body.to_string().as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// The version of a record: its entity tag, which only accounts have, and the time of its last change.
pub(super) struct State {
    etag: Option<String>,
    changed: Timestamp,
}

impl State {
    /// Returns the version of a record of an object that has no entity tags.
    pub(super) fn untagged(changed: Timestamp) -> Self {
        Self { etag: None, changed: whole_seconds(changed) }
    }

    /// Returns the version of a record from all its fields.
    pub(super) fn of(record: &Json, changed: Timestamp) -> Self {
        Self { etag: Some(etag(record)), ..Self::untagged(changed) }
    }

    /// Returns whether the tags of a header, if it has any, contain that of the record; `None` without tags.
    fn matches(&self, call: &Call, header: &str) -> Option<bool> {
        let (tags, etag) = (call.headers.get(header)?, self.etag.as_ref()?);
        Some(tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == etag))
    }

    /// Returns the error 412 when the record does not meet the client's conditions. The message is unverified.
    pub(super) fn check_conditions(&self, call: &Call) -> Result<(), ApiError> {
        let other = self.matches(call, "if-match") == Some(false);
        let changed = time(call, "if-unmodified-since").is_some_and(|since| self.changed > since);
        if !other && !changed {
            return Ok(());
        }
        Err(ApiError::new("PRECONDITION_FAILED", "The record has changed").status(412))
    }

    /// Returns the response, or 304 when the client already has this version.
    pub(super) fn respond(&self, call: &Call, response: Response) -> Response {
        let response = match self.matches(call, "if-none-match") {
            Some(true) => Response::new(304, Body::Empty),
            Some(false) => response,
            None => not_modified_since(call, self.changed, response),
        };
        match &self.etag {
            Some(etag) => response.header("etag", etag.clone()),
            None => response,
        }
    }
}
