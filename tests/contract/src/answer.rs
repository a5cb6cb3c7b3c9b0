//! The answer of an org, and the comparison with what a check expects.

use serde_json::Value;

use crate::check::{Finding, differs};
use crate::pattern;

/// The largest part of a body that a finding shows, in characters.
const SHOWN: usize = 1_000;

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The request, as `METHOD path`, for findings.
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
    /// The body as JSON; null if it is something else.
    pub(crate) json: Value,
}

impl Answer {
    /// Requires the status, and a body that matches the pattern.
    pub(crate) fn is(self, status: u16, body: &Value) -> Result<Self, Finding> {
        let answer = self.has_status(status)?;
        match pattern::mismatch(body, Some(&answer.json)) {
            None => Ok(answer),
            Some(place) => Err(differs(format!("{} -> {status}, with {place}", answer.request), answer.shown())),
        }
    }

    /// Requires the status.
    pub(crate) fn has_status(self, status: u16) -> Result<Self, Finding> {
        if self.status == status {
            return Ok(self);
        }
        Err(differs(format!("{} -> {status}", self.request), self.shown()))
    }

    /// Requires the status, and one error in the data API's form with this code.
    pub(crate) fn fails(self, status: u16, code: &str) -> Result<Self, Finding> {
        self.is(status, &serde_json::json!([{"errorCode": code, "message": "<text>"}]))
    }

    /// Returns a finding that the answer differs, with what was expected of it.
    pub(crate) fn unlike(&self, expected: &str) -> Finding {
        differs(format!("{} -> {expected}", self.request), self.shown())
    }

    /// Returns the value at a JSON pointer; null if there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Returns the text at a JSON pointer, or a finding if there is none.
    pub(crate) fn text(&self, pointer: &str) -> Result<String, Finding> {
        self.at(pointer).as_str().map(str::to_owned).ok_or_else(|| self.unlike(&format!("a text at {pointer}")))
    }

    /// Returns the items of the list at a JSON pointer.
    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns the code of the first error, or an empty text.
    pub(crate) fn code(&self) -> &str {
        self.at("/0/errorCode").as_str().unwrap_or_default()
    }

    /// Returns a header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// Returns the body as text.
    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Returns status and body as a finding shows them.
    pub(crate) fn shown(&self) -> String {
        let body = self.body();
        let cut: String = body.chars().take(SHOWN).collect();
        let more = if cut.len() < body.len() { "..." } else { "" };
        format!("{} {cut}{more}", self.status)
    }
}
