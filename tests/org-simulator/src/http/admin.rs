//! The simulator's own API under `/_simulator`, in JSON.

mod apps;
mod body;
mod faults;
mod objects;
mod orgs;
mod outbound;
mod people;
mod records;
pub(crate) mod rules;
mod settings;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value as Json, json};

use crate::Error;
use crate::identity::realm::Shared;
use crate::wire::json_response;

pub(crate) use body::Body;
pub(crate) use objects::define_object;
pub(crate) use people::access_token;

/// Routes relative to `/_simulator`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/org", get(org))
        .route("/orgs", get(orgs::list).post(orgs::add))
        .route("/requests", get(requests))
        .merge(people::routes())
        .merge(objects::routes())
        .merge(records::routes())
        .merge(outbound::routes())
        .merge(faults::routes())
        .merge(settings::routes())
        .merge(crate::http::admin::rules::routes())
        .merge(crate::api::soap::admin_routes())
}

/// What a handler of this API comes to.
pub(crate) type Outcome = Result<Response, Error>;

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

pub(crate) fn ok(body: impl serde::Serialize) -> Response {
    json_response(200, &serde_json::to_value(body).unwrap_or(Json::Null))
}

/// The answer where there is nothing to show.
pub(crate) fn done(what: &str) -> Response {
    ok(json!({"done": what}))
}

async fn org(State(shared): State<Shared>) -> Response {
    let org = shared.org();
    let apps: Vec<Json> = org
        .logins
        .apps()
        .into_iter()
        .map(|app| json!({"name": app.name, "client_id": app.client_id, "redirect_uris": app.redirect_uris}))
        .collect();
    ok(json!({
        "org_id": org.id.as_str(), "url": org.base_url, "now": org.clock.now().to_string(), "apps": apps, "users": crate::model::people::users(&org),
        "record_counts": crate::model::records::record_counts(&org), "private": org.private, "api_calls": {"used": org.limits.used(), "max": org.limits.max},
    }))
}

async fn requests(State(shared): State<Shared>) -> Response {
    ok(shared.org().log.lines())
}
