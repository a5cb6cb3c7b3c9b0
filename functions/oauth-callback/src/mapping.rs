//! `PUT` and `DELETE /v1/orgs/{org}/users/{platform_user}`: map a user of the platform to a Salesforce user.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use runtime::http::{JsonBody, NoQuery, PathOf};
use runtime::problem::refuse;
use runtime::{Caller, Problem, TenantOrg};
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};
use store::{PlatformUser, UserMapping};

use crate::Deps;

/// The first characters of the ids of Salesforce users.
const USER_PREFIX: &str = "005";
/// The reason why a user's own token is not enough: a rep could become the owner of records as somebody else.
const PLATFORM_ONLY: &str = "a user's own token cannot map users";

/// The body of `PUT`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappingRequest {
    user_id: RecordId,
}

/// A mapping, as it was stored.
#[derive(Serialize)]
struct MappingView {
    platform_user: PlatformUser,
    user_id: RecordId,
    #[serde(with = "store::time::millis")]
    mapped_at: Timestamp,
}

/// The outcome of a deletion.
#[derive(Serialize)]
struct DeletedView {
    platform_user: PlatformUser,
    deleted: bool,
}

/// Stores the mapping in place of a former one. Whether the user exists and is active is checked each time it is used.
pub(crate) async fn put(
    State(deps): State<Deps>,
    (TenantOrg(org), PathOf((_, platform_user))): (TenantOrg, PathOf<(OrgId, PlatformUser)>),
    caller: Caller,
    NoQuery {}: NoQuery,
    JsonBody(request): JsonBody<MappingRequest>,
) -> Result<Response, Problem> {
    caller.require_platform(PLATFORM_ONLY)?;
    if request.user_id.key_prefix() != USER_PREFIX {
        return Err(Problem::invalid("user_id must be the id of a Salesforce user, which begins with 005"));
    }
    let mapping = UserMapping {
        org_id: org.org_id,
        platform_user,
        tenant: caller.tenant,
        user_id: request.user_id,
        mapped_at: deps.clock.now(),
    };
    deps.user_mappings.store(&mapping).await.map_err(|error| refuse(&error))?;
    let UserMapping { platform_user, user_id, mapped_at, .. } = mapping;
    Ok(Json(MappingView { platform_user, user_id, mapped_at }).into_response())
}

/// Deletes the mapping. The user is then found as any other.
pub(crate) async fn delete(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, platform_user)): PathOf<(OrgId, PlatformUser)>,
    caller: Caller,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    caller.require_platform(PLATFORM_ONLY)?;
    let deleted = deps.user_mappings.delete(org.org_id, &platform_user).await.map_err(|error| refuse(&error))?;
    if !deleted {
        return Err(Problem::not_found("mapping of this user"));
    }
    Ok(Json(DeletedView { platform_user, deleted }).into_response())
}
