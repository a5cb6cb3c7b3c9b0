//! Entity tags of responses.

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

/// Returns a stable hash of some JSON, as 32 hex digits.
pub(crate) fn etag(json: &Json) -> String {
    let digest = Sha256::digest(json.to_string().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn with_etag(mut json: Json) -> Json {
    let tag = etag(&json);
    if let Some(map) = json.as_object_mut() {
        map.insert("eTag".to_owned(), Json::from(tag));
    }
    json
}
