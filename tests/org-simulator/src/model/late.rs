//! Requests whose response was lost and which the org has not carried out yet.

use axum::body::Bytes;
use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;

use crate::model::actor::Actor;

/// A request that takes effect later.
#[derive(Clone, Debug)]
pub(crate) struct LateRequest {
    /// The time of the org's clock from which it has taken effect.
    pub(crate) due: Timestamp,
    /// The user whose session it had when it was received.
    pub(crate) actor: Actor,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}
