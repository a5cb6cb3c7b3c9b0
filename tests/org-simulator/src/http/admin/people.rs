//! Users, their sessions, and the registration of apps.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde_json::json;

use super::{Body, apps};
use crate::Error;
use crate::http::admin::response::{Outcome, done, ok};
use crate::identity::realm::Shared;
use crate::messages::definitions;
use crate::model::org::Org;
use crate::model::people::{self, NewUser};
use crate::model::rights::PermissionSet;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/users", get(users).post(add_user))
        .route("/users/{username}/permission-sets", post(assign_permission_set))
        .route("/users/{username}/{action}", post(user_action))
        .route("/sessions", post(open_session))
        .route("/apps", post(add_app))
        .route("/apps/{client_id}/settings", put(apps::set_settings))
        .route("/apps/{client_id}/policy", put(apps::set_policy))
        .route("/apps/{client_id}/secret", post(apps::rotate_secret).delete(apps::delete_older_secret))
}

pub(crate) async fn users(State(shared): State<Shared>) -> Response {
    ok(people::users(&shared.org()))
}

async fn add_user(State(shared): State<Shared>, Body(user): Body<NewUser>) -> Outcome {
    people::add_user(&mut shared.org(), &user).map(ok)
}

async fn assign_permission_set(
    State(shared): State<Shared>,
    Path(username): Path<String>,
    Body(granted): Body<PermissionSet>,
) -> Outcome {
    shared.org().assign(&username, &granted)?;
    Ok(done("permission set"))
}

/// The actions are `expire-sessions`, `revoke-grants`, `deactivate`, `activate`, `freeze`, `unfreeze`, and
/// `outbound-messages-off` and `outbound-messages-on` for the permission "Send Outbound Messages".
async fn user_action(State(shared): State<Shared>, Path((username, action)): Path<(String, String)>) -> Outcome {
    let mut org = shared.org();
    let user = org.user_named(&username).ok_or_else(|| Error::Unknown { what: "user", name: username.clone() })?;
    match action.as_str() {
        "expire-sessions" => org.logins.expire_sessions(user),
        "revoke-grants" => org.logins.revoke_user(user),
        "deactivate" => people::set_active(&mut org, &username, false)?,
        "activate" => people::set_active(&mut org, &username, true)?,
        "freeze" => people::set_frozen(&mut org, &username, true)?,
        "unfreeze" => people::set_frozen(&mut org, &username, false)?,
        "outbound-messages-off" => definitions::set_sends_outbound_messages(&mut org, &username, false)?,
        "outbound-messages-on" => definitions::set_sends_outbound_messages(&mut org, &username, true)?,
        _ => return Err(Error::Unknown { what: "action", name: action }),
    }
    Ok(done(&action))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRequest {
    username: String,
}

async fn open_session(State(shared): State<Shared>, Body(request): Body<SessionRequest>) -> Outcome {
    Ok(ok(json!({"access_token": access_token(&mut shared.org(), &request.username)?})))
}

/// Opens a session without a grant and returns its access token.
pub(crate) fn access_token(org: &mut Org, username: &str) -> Result<String, Error> {
    let user = people::actor(org, username)?.user;
    let (now, id) = (org.clock.now(), org.id);
    Ok(org.logins.open_session(id.short(), user, now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppRequest {
    name: String,
    client_id: String,
    client_secret: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    redirect_uri: String,
}

async fn add_app(State(shared): State<Shared>, Body(app): Body<AppRequest>) -> Response {
    let mut org = shared.org();
    for uri in app.redirect_uris.iter().chain([&app.redirect_uri]) {
        org.logins.add_app(&app.name, &app.client_id, &app.client_secret, uri);
    }
    ok(json!({"client_id": app.client_id}))
}
