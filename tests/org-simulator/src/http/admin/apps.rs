//! Settings, policies and secrets of apps: `/_simulator/apps/{client_id}/...`.

use axum::extract::{Path, State};
use serde_json::json;

use super::Body;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::identity::registrations;
use crate::model::logins::policy::{AppPolicy, AppSettings};

/// `PUT .../settings`: sets the vendor's settings, for every org.
pub(super) async fn set_settings(
    State(shared): State<Shared>,
    Path(client_id): Path<String>,
    Body(settings): Body<AppSettings>,
) -> Outcome {
    registrations::set_app_settings(&shared.realm, &client_id, settings)?;
    Ok(done("settings"))
}

/// `PUT .../policy`: sets the policy of this org's administrator.
pub(super) async fn set_policy(
    State(shared): State<Shared>,
    Path(client_id): Path<String>,
    Body(policy): Body<AppPolicy>,
) -> Outcome {
    registrations::set_app_policy(&shared, &client_id, policy)?;
    Ok(done("policy"))
}

/// `POST .../secret`: issues a new secret, while the old one stays valid.
pub(super) async fn rotate_secret(State(shared): State<Shared>, Path(client_id): Path<String>) -> Outcome {
    Ok(ok(json!({"client_secret": registrations::rotate_app_secret(&shared, &client_id)?})))
}

/// `DELETE .../secret`: deletes the old secret and revokes all tokens of the app.
pub(super) async fn delete_older_secret(State(shared): State<Shared>, Path(client_id): Path<String>) -> Outcome {
    registrations::delete_older_app_secret(&shared.realm, &client_id)?;
    Ok(done("delete"))
}
