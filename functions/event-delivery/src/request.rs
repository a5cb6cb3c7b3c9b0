//! The request of an event, as Standard Webhooks describes it.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use store::EventEndpoint;

use crate::Error;

/// Returns the headers of a request: the id of the event, the time of the attempt, and a signature by each secret of the
/// endpoint.
pub(crate) fn headers(endpoint: &EventEndpoint, id: &str, body: &str, now: Timestamp) -> Result<HeaderMap, Error> {
    let signatures: Vec<String> = endpoint.signing_secrets(now).map(|secret| secret.sign(id, now, body)).collect();
    let values = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", now.as_second().to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    let header = |(name, value): (&'static str, String)| {
        Ok((HeaderName::from_static(name), HeaderValue::from_str(&value).map_err(|_| Error::EventId)?))
    };
    values.into_iter().map(header).collect()
}
