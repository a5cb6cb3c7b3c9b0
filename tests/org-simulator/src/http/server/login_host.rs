//! The routes of a login host.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::http::server::{self, capture, response};
use crate::identity::oauth::host::Host;
use crate::identity::realm::Realm;
use crate::model::kind::Environment;

/// Returns all routes of a login host. Faults for an org's `/services/oauth2` apply here too.
pub(crate) fn routes(realm: &Realm, environment: Environment) -> Router {
    let host = Host::Login(realm.clone(), environment);
    let with_faults = middleware::from_fn_with_state(host.clone(), faulty);
    crate::identity::oauth::http::routes()
        .fallback(response::unknown)
        .layer(middleware::from_fn(capture::capture))
        .layer(with_faults)
        .with_state(host)
}

async fn faulty(State(host): State<Host>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let hit = host
        .find(|org| org.faults.any_matches(&method, &path, org.clock.now()))
        .or_else(|| host.orgs().into_iter().next());
    match hit {
        Some(shared) => server::faulty(State(shared), request, next).await,
        None => next.run(request).await,
    }
}
