//! Requests of several parts: the fields of a record as JSON, and the bytes of its blob field (REST API guide, insert or
//! update blob data).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::model::errors::ApiError;
use crate::wire::multipart::{Part, parts};

/// Returns the JSON of a request, with the bytes of its other parts in base64. The name of a part is that of its field; in a
/// collection, a record names a part and its field in its attributes.
pub(crate) fn json_of_parts(content_type: &str, body: &[u8]) -> Result<Json, ApiError> {
    // The code is that of an unreadable body in JSON; the messages are unverified.
    let refused = |reason: &str| ApiError::new("INVALID_MULTIPART_REQUEST", reason);
    let parts = parts(content_type, body).map_err(|reason| refused(&reason))?;
    let json =
        parts.iter().find(|part| part.is_json()).ok_or_else(|| refused("no part is of the type application/json"))?;
    let mut json: Json = serde_json::from_slice(json.data).map_err(|error| ApiError::bad_json(error.to_string()))?;
    let blobs: Vec<&Part<'_>> = parts.iter().filter(|part| !part.is_json()).collect();
    match json.get_mut("records").and_then(Json::as_array_mut) {
        Some(records) => records.iter_mut().for_each(|record| add_named(record, &blobs)),
        None => {
            let record = json.as_object_mut().ok_or_else(|| refused("the part of JSON is not an object"))?;
            record.extend(blobs.iter().filter_map(|blob| Some((blob.name()?, Json::from(STANDARD.encode(blob.data))))));
        }
    }
    Ok(json)
}

/// Adds the bytes of the part that a record of a collection names.
fn add_named(record: &mut Json, blobs: &[&Part<'_>]) {
    let attribute = |name: &str| record.get("attributes")?.get(name)?.as_str().map(str::to_owned);
    let Some((name, field)) = attribute("binaryPartName").zip(attribute("binaryPartNameAlias")) else { return };
    if let Some(blob) = blobs.iter().find(|blob| blob.name().as_ref() == Some(&name)) {
        record[field] = Json::from(STANDARD.encode(blob.data));
    }
}
