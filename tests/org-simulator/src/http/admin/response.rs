//! The responses of the admin API.

use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};

use crate::Error;
use crate::wire::json_response;

/// The result of a handler.
pub(crate) type Outcome = Result<Response, Error>;

pub(crate) fn ok(body: impl serde::Serialize) -> Response {
    json_response(200, &serde_json::to_value(body).unwrap_or(Json::Null))
}

/// Returns the response of an action that has no result.
pub(crate) fn done(what: &str) -> Response {
    ok(json!({"done": what}))
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Unknown { .. } => 404,
            Self::NoAnswer { .. } => 502,
            Self::Listen { .. } | Self::Prepare { .. } => 500,
            Self::Read { .. }
            | Self::Layout { .. }
            | Self::Invalid { .. }
            | Self::State { .. }
            | Self::NotLoopback { .. }
            | Self::Refused { .. } => 400,
        };
        json_response(status, &json!({"error": self.to_string()}))
    }
}
