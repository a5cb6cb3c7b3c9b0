//! The errors of the OAuth endpoints.

use serde_json::{Value as Json, json};

/// An error response of an OAuth endpoint: `error` and `error_description`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

impl Refusal {
    pub(crate) const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: 400, error, description }
    }

    pub(crate) fn body(&self) -> Json {
        json!({"error": self.error, "error_description": self.description})
    }
}

pub(crate) const EXPIRED_TOKEN: Refusal = Refusal::new("invalid_grant", "expired access/refresh token");

pub(crate) const BUSY: Refusal = Refusal::new("invalid_grant", "token request is already being processed");
