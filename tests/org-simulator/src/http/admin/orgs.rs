//! The orgs of the realm: `/_simulator/orgs`.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value as Json, json};

use super::Body;
use crate::http::admin::response::{Outcome, ok};
use crate::identity::realm::{OrgOptions, Shared};
use crate::model::people;

/// `GET /_simulator/orgs`: the running orgs, in the order of their creation.
pub(super) async fn list(State(shared): State<Shared>) -> Response {
    ok(shared.realm.orgs().iter().map(shown).collect::<Vec<_>>())
}

/// `POST /_simulator/orgs`: adds an org, which runs until the first org stops.
pub(super) async fn add(State(shared): State<Shared>, Body(options): Body<OrgOptions>) -> Outcome {
    let added = shared.realm.start_org(options).await?;
    Ok((http::StatusCode::CREATED, ok(shown(&added))).into_response())
}

fn shown(shared: &Shared) -> Json {
    let org = shared.org();
    let name = org.store.get("Organization", org.id).map(|row| org.value("Organization", row, "Name").as_text());
    json!({
        "org_id": org.id.as_str(), "name": name, "kind": org.kind, "url": org.base_url, "features": org.features,
        "users": people::users(&org),
    })
}
