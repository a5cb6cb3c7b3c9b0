//! Requests that take effect after their response was lost.

use axum::extract::{FromRequestParts as _, Request};
use jiff::SignedDuration;

use crate::api::rest;
use crate::http::server::response::MAX_BODY;
use crate::http::server::{authenticated, parsed};
use crate::identity::realm::{Realm, Shared};
use crate::model::late::LateRequest;
use crate::model::org::Org;
use crate::wire::ClientAddress;

/// Keeps a request until the org's clock has advanced by `delay_s` seconds. One with an invalid session has no effect.
pub(super) async fn receive(shared: &Shared, request: Request, delay_s: u32) {
    let (mut parts, body) = request.into_parts();
    let Ok(ClientAddress(from)) = ClientAddress::from_request_parts(&mut parts, &()).await;
    let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let mut org = shared.org();
    if let Ok(actor) = authenticated(&mut org, &parts.headers, from) {
        let due = org.clock.now() + SignedDuration::from_secs(delay_s.into());
        let late = LateRequest { due, actor, method: parts.method, uri: parts.uri, headers: parts.headers, body };
        org.late.push(late);
    }
}

/// Moves the clock of all orgs forward, and executes the requests that have become due.
pub(crate) fn advance_clock(realm: &Realm, by: SignedDuration) {
    realm.clock().advance(by);
    for shared in realm.orgs() {
        apply_due(&mut shared.org());
    }
}

/// Executes the requests that are due.
pub(crate) fn apply_due(org: &mut Org) {
    let now = org.clock.now();
    let (due, later) = std::mem::take(&mut org.late).into_iter().partition(|late: &LateRequest| late.due <= now);
    org.late = later;
    for LateRequest { actor, method, uri, headers, body, .. } in due {
        if let Ok(call) = parsed(&method, &uri, &headers, &body) {
            rest::serve(org, &actor, &call);
        }
    }
}
