//! The admin API below `/_simulator`, in JSON.

mod apps;
mod body;
mod change_events;
pub(crate) mod faults;
mod objects;
mod orgs;
mod outbound;
pub(crate) mod passwords;
mod people;
mod records;
pub(crate) mod response;
pub(crate) mod rules;
mod settings;
mod strict;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use serde_json::{Value as Json, json};

use crate::http::admin::response::ok;
use crate::identity::realm::Shared;
use crate::model::people::users;
use crate::model::records::record_counts;

pub(crate) use body::Body;
pub(crate) use objects::define_object;
pub(crate) use people::access_token;

/// Returns the routes, relative to `/_simulator`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/org", get(org))
        .route("/orgs", get(orgs::list).post(orgs::add))
        .route("/requests", get(requests))
        .merge(people::routes())
        .merge(objects::routes())
        .merge(records::routes())
        .merge(outbound::routes())
        .merge(change_events::routes())
        .merge(faults::routes())
        .merge(settings::routes())
        .merge(crate::http::admin::rules::routes())
        .merge(passwords::routes())
        .route_layer(middleware::from_fn(strict::refuse_unknown))
}

async fn org(State(shared): State<Shared>) -> Response {
    let org = shared.org();
    let (running, long) = org.running.count(org.clock.now());
    let apps: Vec<Json> = org
        .logins
        .apps()
        .into_iter()
        .map(|app| json!({"name": app.name, "client_id": app.client_id, "redirect_uris": app.redirect_uris}))
        .collect();
    ok(json!({
        "org_id": org.id.as_str(), "url": org.base_url, "now": org.clock.now().to_string(), "apps": apps, "users": users(&org),
        "record_counts": record_counts(&org), "sharing": org.sharing, "api_calls": {"used": org.limits.used(org.clock.now()), "max": org.limits.max}, "running": {"requests": running, "long": long, "max": org.running.max},
    }))
}

async fn requests(State(shared): State<Shared>) -> Response {
    ok(shared.org().log.lines())
}
