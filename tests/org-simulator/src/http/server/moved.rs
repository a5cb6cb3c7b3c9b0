//! Redirects of an org that was moved to another instance. Its login host stays the same.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::identity::realm::Shared;

/// Redirects requests for data at an old address to the new one, as old instances do for some time. Clients that follow
/// the redirect of a request with a body lose the body; they should refresh the token and use the new `instance_url`.
/// (The response of an old instance is unverified.)
pub(super) async fn moved(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match elsewhere(&shared, &request) {
        Some(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        None => next.run(request).await,
    }
}

fn elsewhere(shared: &Shared, request: &Request) -> Option<String> {
    let path = request.uri().path();
    let is_login = path.starts_with("/services/oauth2/");
    if is_login || !path.starts_with("/services/") {
        return None;
    }
    let org = shared.org();
    org.login_url.as_ref()?;
    let asked = request.headers().get(header::HOST)?.to_str().ok()?;
    let here = org.base_url.split_once("://").is_some_and(|(_, host)| host == asked);
    let rest = request.uri().path_and_query().map_or(path, |rest| rest.as_str());
    (!here).then(|| format!("{}{rest}", org.base_url))
}
