//! Fetches the public keys with which a login host signs id_tokens (`/id/keys`).

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::key_cache::HostKeys;
use crate::transport::{Request, Target};
use crate::{Classify as _, Error, Http, Retry};

/// The pause that an error asks for when a host responds, but without keys.
const RETRY_AFTER: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// Returns the host's key with this id, or `None` if the host has no such key. Fetches the keys when they are not cached.
///
/// # Errors
///
/// An error that is worth a retry when the keys cannot be fetched.
pub(super) async fn find(http: &Http, host: &str, key_id: &str) -> Result<Option<DecodingKey>, Error> {
    let now = http.clock().now();
    let keys = match http.key_cache().get(host, key_id, now) {
        Some(keys) => keys,
        None => {
            let keys = HostKeys::new(fetch(http, host).await?, now);
            http.key_cache().insert(host, keys.clone());
            keys
        }
    };
    Ok(keys.find(key_id))
}

async fn fetch(http: &Http, host: &str) -> Result<Vec<Value>, Error> {
    const OPERATION: &str = "fetch the signing keys";
    let target = Target { base: host, token: None, meter: None };
    let response = http.call(&target, &Request::get(OPERATION, "/id/keys".to_owned())).await;
    let keys = response.and_then(|response| response.json::<KeySet>());
    Ok(keys.map_err(|error| retryable(OPERATION, error))?.keys)
}

/// Makes the error worth a retry: a host without keys says nothing about the consent.
fn retryable(operation: &'static str, error: Error) -> Error {
    match error.retry() {
        Retry::After(_) | Retry::Unknown(_) => error,
        Retry::Never | Retry::NeedsHuman => {
            Error::Unavailable { operation, status: 200, code: None, retry: Retry::After(RETRY_AFTER) }
        }
    }
}
