//! Conditional requests on describe and records: `If-Modified-Since`, `If-Unmodified-Since`, `If-Match` and
//! `If-None-Match`.

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

fn time(call: &Call, name: &str) -> Option<Timestamp> {
    let text = call.headers.get(name)?;
    let parsed = DateTimeParser::new().parse_timestamp(text);
    if parsed.is_err() {
        tracing::warn!(name, text, "the simulator cannot parse the time in this header");
    }
    parsed.ok()
}

/// Returns whether the request has a condition.
pub(super) fn has_condition(call: &Call) -> bool {
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
        .iter()
        .any(|name| call.headers.get(name).is_some())
}

/// The version of a record: its entity tag and the time of its last change.
pub(super) struct State {
    etag: String,
    changed: Timestamp,
}

impl State {
    /// Returns the version of a record from all its fields.
    pub(super) fn of(record: &Json, changed: Timestamp) -> Self {
        let digest = Sha256::digest(record.to_string().as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { etag: format!("\"{hex}\""), changed: whole_seconds(changed) }
    }

    fn matches(&self, header: &str) -> bool {
        header.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == self.etag)
    }

    /// Returns the error 412 when the record does not meet the client's conditions. The message is unverified.
    pub(super) fn check_conditions(&self, call: &Call) -> Result<(), ApiError> {
        let other = call.headers.get("if-match").is_some_and(|tags| !self.matches(tags));
        let changed = time(call, "if-unmodified-since").is_some_and(|since| self.changed > since);
        if !other && !changed {
            return Ok(());
        }
        Err(ApiError::new("PRECONDITION_FAILED", "The record has changed").status(412))
    }

    /// Returns the response, or 304 when the client already has this version.
    pub(super) fn respond(&self, call: &Call, response: Response) -> Response {
        let known = call.headers.get("if-none-match").is_some_and(|tags| self.matches(tags));
        let response = if known { Response::new(304, Body::Empty) } else { response };
        let since = if call.headers.get("if-none-match").is_some() {
            response
        } else {
            not_modified_since(call, self.changed, response)
        };
        since.header("etag", self.etag.clone())
    }
}
