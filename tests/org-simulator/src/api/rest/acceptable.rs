//! The content types that the data API serves.

use crate::api::call::Call;
use crate::model::errors::ApiError;

/// Rejects a request for XML, which Salesforce supports and the simulator does not.
pub(crate) fn acceptable(call: &Call) -> Result<(), ApiError> {
    let accept = call.headers.get("accept").unwrap_or("*/*").to_ascii_lowercase();
    let xml_only = accept.contains("xml") && !accept.contains("json") && !accept.contains("*/*");
    let suffix = call.path.len() < 4 && call.path.last().is_some_and(|segment| segment.ends_with(".xml"));
    if !xml_only && !suffix {
        return Ok(());
    }
    tracing::warn!(accept, path = call.path.join("/"), "the simulator answers the data API in JSON only");
    Err(ApiError::new("NOT_ACCEPTABLE", "The data API is served in JSON only").status(406))
}
