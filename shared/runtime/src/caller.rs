//! The caller of a request of the HTTP API, from what API Gateway verified.
//!
//! Of the headers, which a client can set, only `Ferry-Tenant` is read. It counts only for a caller that may speak for all
//! tenants.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method};
use lambda_http::request::RequestContext;
use store::{PlatformUser, Tenant};

use crate::{Env, EnvError, Problem, ProblemCode};

/// The header in which a caller that speaks for all tenants names the tenant of the call.
pub const TENANT_HEADER: &str = "ferry-tenant";

/// The scope, without its prefix, with which a token's holder may speak for all tenants.
const ALL_TENANTS: &str = "all-tenants";

/// A scope of the HTTP API. None includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reads.
    Read,
    /// Writes of records, notes and files.
    Write,
    /// Links, disconnecting, and everything else.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// Returns the scope's name without its prefix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// The resources of an org that a caller with the scope `write` may create, change or repeat.
const WRITABLE: [&str; 6] = ["leads", "records", "notes", "files", "file-uploads", "writes"];

/// The routes that a caller with the scope `write` may delete; a link of a note is also made by `PUT`.
const DELETABLE: [&str; 3] =
    ["/v1/orgs/{org}/records/{object}/{id}", "/v1/orgs/{org}/notes/{id}", "/v1/orgs/{org}/notes/{id}/links/{record}"];

/// Returns the scope that a route requires. `route` is the path of the route with its parameters in braces.
#[must_use]
pub fn required_scope(method: &Method, route: &str) -> Scope {
    if is_of_endpoints(route) {
        return Scope::Admin;
    }
    let resource = route.strip_prefix("/v1/orgs/{org}/").and_then(|rest| rest.split('/').next());
    match *method {
        Method::GET | Method::HEAD => Scope::Read,
        // A search whose parameters are too personal for a URL.
        Method::POST if resource == Some("matches") => Scope::Read,
        Method::POST | Method::PATCH if resource.is_some_and(|name| WRITABLE.contains(&name)) => Scope::Write,
        Method::DELETE | Method::PUT if DELETABLE.contains(&route) => Scope::Write,
        _ => Scope::Admin,
    }
}

/// Returns whether a route is about the webhook endpoints of the tenant.
pub(crate) fn is_of_endpoints(route: &str) -> bool {
    route.strip_prefix("/v1/webhook-endpoints").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The identity that API Gateway verified; an extension of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedIdentity {
    /// The claims of a JWT, as texts. The text of an array is of the form `[a b]`.
    Jwt(HashMap<String, String>),
    /// A signature of an IAM principal (Signature Version 4).
    Iam,
}

impl VerifiedIdentity {
    /// Returns the identity in the context of a request, or `None` if API Gateway did not authorize the request.
    pub(crate) fn from_context(context: &RequestContext) -> Option<Self> {
        let RequestContext::ApiGatewayV2(context) = context else { return None };
        let authorizer = context.authorizer.as_ref()?;
        match (&authorizer.jwt, &authorizer.iam) {
            (Some(jwt), _) => Some(Self::Jwt(jwt.claims.clone())),
            (None, Some(_)) => Some(Self::Iam),
            (None, None) => None,
        }
    }
}

/// The treatment of callers that sign with IAM (`IAM_CALLERS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IamCallers {
    /// `refused`: they may call nothing.
    #[default]
    Refused,
    /// `all-tenants`: they have every scope, for the tenant in the header `Ferry-Tenant`.
    AllTenants,
}

/// The configured text is not a treatment of IAM callers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is one of refused, all-tenants")]
pub struct UnknownIamCallers;

impl FromStr for IamCallers {
    type Err = UnknownIamCallers;

    fn from_str(text: &str) -> Result<Self, UnknownIamCallers> {
        match text {
            "refused" => Ok(Self::Refused),
            "all-tenants" => Ok(Self::AllTenants),
            _ => Err(UnknownIamCallers),
        }
    }
}

/// The rules that turn a verified identity into a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerRules {
    /// `TENANT_CLAIM`: the claim with the caller's tenant.
    pub tenant_claim: String,
    /// `USER_CLAIM`: the claim with the platform user that the caller is. `None` if callers are not bound to users.
    pub user_claim: Option<String>,
    /// `JWT_SCOPE_PREFIX`: the text before the name of each scope.
    pub scope_prefix: String,
    /// `IAM_CALLERS`: the treatment of callers that sign with IAM.
    pub iam: IamCallers,
}

impl Default for CallerRules {
    fn default() -> Self {
        Self {
            tenant_claim: "tenant".to_owned(),
            user_claim: None,
            scope_prefix: "ferry/".to_owned(),
            iam: IamCallers::Refused,
        }
    }
}

/// The caller of a request: the tenant that it speaks for, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The tenant of the call.
    pub tenant: Tenant,
    /// The scopes.
    pub scopes: BTreeSet<Scope>,
    /// The platform user, if the caller is one.
    pub user: Option<PlatformUser>,
}

impl CallerRules {
    /// Reads the rules.
    ///
    /// # Errors
    /// A variable is invalid.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        let default = Self::default();
        Ok(Self {
            tenant_claim: env.optional("TENANT_CLAIM").unwrap_or(default.tenant_claim),
            user_claim: env.optional("USER_CLAIM"),
            scope_prefix: env.optional("JWT_SCOPE_PREFIX").unwrap_or(default.scope_prefix),
            iam: env.parsed_or("IAM_CALLERS", default.iam)?,
        })
    }

    /// Returns the caller of a request with this identity and these headers.
    ///
    /// # Errors
    /// The problem with which the request is refused.
    pub fn caller(&self, identity: Option<&VerifiedIdentity>, headers: &HeaderMap) -> Result<Caller, Problem> {
        let named = named_tenant(headers)?;
        match (identity, self.iam) {
            (Some(VerifiedIdentity::Jwt(claims)), _) => self.jwt_caller(claims, named),
            (Some(VerifiedIdentity::Iam), IamCallers::AllTenants) => {
                let tenant = named.ok_or_else(|| {
                    Problem::new(ProblemCode::TenantRequired).detail("the header Ferry-Tenant is missing")
                })?;
                Ok(Caller { tenant, scopes: BTreeSet::from(Scope::ALL), user: None })
            }
            (Some(VerifiedIdentity::Iam), IamCallers::Refused) => Err(Problem::new(ProblemCode::IamRefused)),
            (None, _) => Err(Problem::new(ProblemCode::Unauthorized)),
        }
    }

    fn jwt_caller(&self, claims: &HashMap<String, String>, named: Option<Tenant>) -> Result<Caller, Problem> {
        let names = self.scope_names(claims);
        let claimed: Option<Tenant> = single(claims, &self.tenant_claim)
            .map_err(|detail| Problem::new(ProblemCode::TenantRequired).detail(detail))?;
        let tenant = match (claimed, named) {
            (_, Some(named)) if names.contains(ALL_TENANTS) => named,
            (Some(claimed), None) => claimed,
            (Some(claimed), Some(named)) if claimed == named => claimed,
            (Some(_), Some(_)) => return Err(Problem::new(ProblemCode::OtherTenant)),
            (None, _) => return Err(Problem::new(ProblemCode::TenantRequired).detail(self.without_tenant(&names))),
        };
        let user = match &self.user_claim {
            Some(claim) => {
                single(claims, claim).map_err(|detail| Problem::new(ProblemCode::Unauthorized).detail(detail))?
            }
            None => None,
        };
        let scopes = Scope::ALL.into_iter().filter(|scope| names.contains(scope.as_str())).collect();
        Ok(Caller { tenant, scopes, user })
    }

    /// Returns the names of the token's scopes, without the prefix. The claim is `scope`, or `scp` in tokens of some issuers.
    fn scope_names<'a>(&self, claims: &'a HashMap<String, String>) -> BTreeSet<&'a str> {
        let claims = ["scope", "scp"].into_iter().filter_map(|name| claims.get(name));
        let names = claims.flat_map(|text| text.trim_start_matches('[').trim_end_matches(']').split_whitespace());
        names.filter_map(|name| name.strip_prefix(self.scope_prefix.as_str())).collect()
    }

    fn without_tenant(&self, names: &BTreeSet<&str>) -> String {
        let Self { tenant_claim, scope_prefix, .. } = self;
        if names.contains(ALL_TENANTS) {
            format!("the token has no claim {tenant_claim}, and the header Ferry-Tenant is missing")
        } else {
            format!("the token has neither the claim {tenant_claim} nor the scope {scope_prefix}{ALL_TENANTS}")
        }
    }
}

/// Returns the tenant that the header names.
fn named_tenant(headers: &HeaderMap) -> Result<Option<Tenant>, Problem> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    // API Gateway joins the values of a header that was sent twice with a comma.
    if values.next().is_some() || value.as_bytes().contains(&b',') {
        return Err(Problem::invalid("the header Ferry-Tenant must be sent once, with an id without a comma"));
    }
    let tenant = std::str::from_utf8(value.as_bytes()).ok().and_then(|text| text.parse().ok());
    tenant.map(Some).ok_or_else(|| Problem::invalid("the header Ferry-Tenant must be a tenant's id"))
}

/// Returns the value of a claim, or the fault of it. An array is a fault, because it may have several values.
fn single<T>(claims: &HashMap<String, String>, name: &str) -> Result<Option<T>, String>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let Some(text) = claims.get(name) else { return Ok(None) };
    if text.starts_with('[') {
        return Err(format!("the claim {name} of the token must be one text"));
    }
    text.parse().map(Some).map_err(|error| format!("the claim {name} of the token is invalid: {error}"))
}

impl Caller {
    /// Checks that the caller has a scope.
    ///
    /// # Errors
    /// `insufficient_scope`, with the name of the scope.
    pub fn require(&self, scope: Scope, rules: &CallerRules) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let detail = format!("the request requires the scope {}{}", rules.scope_prefix, scope.as_str());
        Err(Problem::new(ProblemCode::InsufficientScope).detail(detail))
    }

    /// Checks that the caller is the platform itself, and not one of its users. `why` is a clause that says why a user's own token
    /// is not enough.
    ///
    /// # Errors
    /// `other_user`.
    pub fn require_platform(&self, why: &'static str) -> Result<(), Problem> {
        if self.user.is_none() {
            return Ok(());
        }
        let next = "Send the request with a token of the platform itself, which names no user.";
        Err(Problem::new(ProblemCode::OtherUser).detail(why).next(next))
    }

    /// Returns the tenant of the call, where a body may name it again.
    ///
    /// # Errors
    /// `not_found` if the body names another tenant.
    pub fn own_tenant(&self, named: Option<Tenant>) -> Result<Tenant, Problem> {
        match named {
            Some(named) if named != self.tenant => Err(Problem::not_found("tenant")),
            _ => Ok(self.tenant.clone()),
        }
    }

    /// Returns the acting user of a request that names `requested` (`?as=`). A caller that is a platform user acts as that
    /// user.
    ///
    /// # Errors
    /// `other_user`.
    pub fn acting_user(&self, requested: Option<PlatformUser>) -> Result<Option<PlatformUser>, Problem> {
        match (&self.user, requested) {
            (None, requested) => Ok(requested),
            (Some(own), Some(requested)) if requested != *own => Err(Problem::new(ProblemCode::OtherUser)),
            (Some(own), _) => Ok(Some(own.clone())),
        }
    }

    /// Returns the platform user whose connection and writes are all that the caller may see of those of the org. `None` if
    /// the caller may see those of all users: it is not a user, or has the scope `admin`.
    #[must_use]
    pub fn sees_only(&self) -> Option<&PlatformUser> {
        self.user.as_ref().filter(|_| !self.scopes.contains(&Scope::Admin))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| not_guarded("caller"))
    }
}

/// Returns the problem of a handler whose request did not pass the guard.
pub(crate) fn not_guarded(missing: &'static str) -> Problem {
    tracing::error!("the request has no {missing}, because its route is not guarded");
    Problem::new(ProblemCode::InternalError)
}

#[cfg(test)]
mod tests;
