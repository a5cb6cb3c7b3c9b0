//! The clock and the settings of the org.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use super::Body;
use crate::http::admin::response::{Outcome, done, ok};
use crate::http::server::late;
use crate::identity::realm::Shared;
use crate::model::edition;
use crate::model::sharing::SharingDefault;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/clock", post(advance_clock)).route("/settings", post(change_settings))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    advance_seconds: u32,
}

/// Moves the clock of all orgs forward; requests that were to take effect later do so.
async fn advance_clock(State(shared): State<Shared>, Body(request): Body<ClockRequest>) -> Response {
    late::advance_clock(&shared.realm, SignedDuration::from_secs(request.advance_seconds.into()));
    ok(json!({"now": shared.realm.clock().now().to_string()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rotate_refresh_tokens: Option<bool>,
    password_flow: Option<bool>,
    /// Locks sessions to the address from which they originated.
    lock_sessions_to_address: Option<bool>,
    /// Enforces the login IP ranges of profiles on every request.
    check_every_address: Option<bool>,
    token_processing_ms: Option<u64>,
    package_install_ms: Option<u64>,
    daily_api_limit: Option<u64>,
    long_requests: Option<usize>,
    edition: Option<String>,
    #[serde(default)]
    bulk: crate::BulkSettings,
    /// The organization-wide default of objects.
    #[serde(default)]
    sharing: BTreeMap<String, SharingDefault>,
    /// The number of users who may be active at the same time.
    licenses: Option<u32>,
}

async fn change_settings(State(shared): State<Shared>, Body(settings): Body<Settings>) -> Outcome {
    let mut org = shared.org();
    if let Some(on) = settings.rotate_refresh_tokens {
        org.logins.rotates = on;
    }
    if let Some(on) = settings.password_flow {
        org.logins.password_flow = on;
    }
    if let Some(on) = settings.lock_sessions_to_address {
        org.logins.locks_sessions = on;
    }
    if let Some(on) = settings.check_every_address {
        org.logins.checks_every_request = on;
    }
    if let Some(ms) = settings.token_processing_ms {
        org.logins.processing = std::time::Duration::from_millis(ms);
    }
    if let Some(ms) = settings.package_install_ms {
        org.install_requests.processing = std::time::Duration::from_millis(ms);
    }
    crate::api::bulk::apply(&mut org, &settings.bulk)?;
    if let Some(max) = settings.daily_api_limit {
        org.limits.max = max;
    }
    if let Some(max) = settings.long_requests {
        org.running.max = max;
    }
    if let Some(edition) = &settings.edition {
        edition::set_edition(&mut org, edition);
    }
    for (object, default) in &settings.sharing {
        org.set_sharing_default(object, *default)?;
    }
    if let Some(licenses) = settings.licenses {
        org.set_licenses(licenses.into());
    }
    Ok(done("settings"))
}
