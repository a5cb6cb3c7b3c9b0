//! Passwords of users.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use crate::Error;
use crate::http::admin::Body;
use crate::http::admin::response::done;
use crate::identity::realm::Shared;

/// Returns the routes, relative to `/_simulator`.
pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/users/{username}/password", post(set_password))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    password: String,
    #[serde(default)]
    token: String,
}

async fn set_password(
    State(shared): State<Shared>,
    Path(username): Path<String>,
    Body(request): Body<PasswordRequest>,
) -> Result<Response, Error> {
    shared.org().set_password(&username, &request.password, &request.token)?;
    Ok(done("password"))
}
