//! The guard of the HTTP API. It stands before every route of a function, and lets a request of the platform pass only if its
//! caller may make it and its org is the caller's tenant's.
//!
//! It runs after the path was matched with a route, so that it and the handler cannot see different paths or different orgs.

use axum::RequestExt as _;
use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use salesforce::OrgId;
use store::{Org, Orgs};

use crate::caller::{CallerRules, VerifiedIdentity, is_of_endpoints, not_guarded, required_scope};
use crate::problem::refuse;
use crate::{Problem, ProblemCode};

/// The first segments of the paths of routes that a secret in the request authorizes, and not a caller.
const OPEN: [&str; 5] = ["admin", "connect", "connections", "oauth", "webhooks"];

/// Checks the requests of a function.
#[derive(Clone, Debug)]
pub struct Guard {
    platform: Option<Platform>,
}

#[derive(Clone, Debug)]
struct Platform {
    orgs: Orgs,
    rules: CallerRules,
}

/// A router behind the guard. Only such a router can be served.
#[derive(Clone, Debug)]
pub struct GuardedRouter(Router);

/// The org of the path. The guard loaded it, and it is the caller's tenant's.
#[derive(Clone, Debug)]
pub struct TenantOrg(pub Org);

/// The kind of a route, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteKind {
    /// A secret in the request authorizes it.
    Open,
    /// The platform's; about the tenant.
    Tenant,
    /// The platform's; about the org in the path.
    Org,
    /// Of a form that the guard cannot check.
    Unknown,
}

impl Guard {
    /// Creates the guard of a function with platform routes.
    #[must_use]
    pub fn new(orgs: Orgs, rules: CallerRules) -> Self {
        Self { platform: Some(Platform { orgs, rules }) }
    }

    /// Creates the guard of a function without platform routes. Every other path than that of an open route is not found.
    #[must_use]
    pub fn open_only() -> Self {
        Self { platform: None }
    }

    /// Puts the guard before every route, and before the fallback. A method that the path does not have is not found, as a path
    /// that no function has: a percent-encoded `?` or `/` in a parameter can make one path of another.
    #[must_use]
    pub fn protect(self, router: Router) -> GuardedRouter {
        let router = router.method_not_allowed_fallback(async || Problem::not_found("route"));
        GuardedRouter(router.layer(from_fn_with_state(self, admit)))
    }

    /// Checks a request. Stores the caller, and the org if the path names one, in the request's extensions.
    async fn check(&self, request: &mut Request) -> Result<(), Problem> {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let route = route.ok_or_else(|| Problem::not_found("route"))?;
        let kind = kind_of(route.as_str());
        if kind == RouteKind::Open {
            return Ok(());
        }
        let Some(platform) = &self.platform else { return Err(Problem::not_found("route")) };
        let identity = request.extensions().get::<VerifiedIdentity>();
        let caller = platform.rules.caller(identity, request.headers())?;
        caller.require(required_scope(request.method(), route.as_str()), &platform.rules)?;
        if kind == RouteKind::Unknown {
            tracing::error!(route = route.as_str(), "the guard cannot check a route of this form");
            return Err(Problem::new(ProblemCode::InternalError));
        }
        if kind == RouteKind::Org {
            let org = platform.orgs.load(org_of(request).await?).await.map_err(|error| refuse(&error))?;
            let org = org.filter(|org| org.tenant.as_ref() == Some(&caller.tenant));
            request.extensions_mut().insert(TenantOrg(org.ok_or_else(|| Problem::not_found("org"))?));
        }
        request.extensions_mut().insert(caller);
        Ok(())
    }
}

impl GuardedRouter {
    /// Returns the router, with the guard before its routes.
    pub fn into_router(self) -> Router {
        self.0
    }
}

async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.check(&mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let code = problem.code.as_str();
            if problem.status().is_client_error() {
                tracing::warn!(problem = code, "the guard refused the request: {code}");
            }
            problem.into_response()
        }
    }
}

fn kind_of(route: &str) -> RouteKind {
    let first = route.trim_start_matches('/').split('/').next().unwrap_or_default();
    if OPEN.contains(&first) {
        return RouteKind::Open;
    }
    let below_org = route.strip_prefix("/v1/orgs/{org}").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below_org, route.contains('{')) {
        (true, _) => RouteKind::Org,
        (false, false) if route.starts_with("/v1/") => RouteKind::Tenant,
        // Its parameter is an endpoint of the tenant, under whose key the handler looks it up.
        (false, true) if is_of_endpoints(route) => RouteKind::Tenant,
        _ => RouteKind::Unknown,
    }
}

/// Returns the org of the path, as the handler gets it from the same parameter.
async fn org_of(request: &mut Request) -> Result<OrgId, Problem> {
    let parameters: RawPathParams =
        request.extract_parts().await.map_err(|_| Problem::invalid("the path is not UTF-8"))?;
    let text = parameters.iter().find(|(name, _)| *name == "org").map(|(_, text)| text.to_owned());
    text.unwrap_or_default()
        .parse()
        .map_err(|error| Problem::invalid(format!("the org in the path is invalid: {error}")))
}

impl<S: Send + Sync> FromRequestParts<S> for TenantOrg {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| not_guarded("org"))
    }
}

#[cfg(test)]
mod tests;
