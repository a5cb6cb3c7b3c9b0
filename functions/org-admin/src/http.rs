//! The routes.

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use runtime::http::{JsonBody, NoQuery, QueryOf};
use runtime::problem::{refuse, respond};
use runtime::{Caller, TenantOrg};
use serde::{Deserialize, Serialize};
use store::org_settings::Author;

use crate::audits::{self, AuditBody};
use crate::backfills::{self, BackfillBody};
use crate::settings::{self, Request, SettingsBody};
use crate::{Deps, Error};

/// The default number of versions or audits in a page.
const DEFAULT_LIMIT: u16 = 20;
/// The maximum number of versions or audits in a page.
const MAX_LIMIT: u16 = 100;

/// The query parameters of a change of settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeQuery {
    #[serde(default)]
    dry_run: bool,
}

/// The query parameters of the history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    limit: Option<u16>,
    after: Option<u64>,
}

/// The query parameters of the list of audits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditsQuery {
    limit: Option<u16>,
}

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/settings", get(show_settings).put(replace_settings))
        .route("/v1/orgs/{org}/settings/history", get(list_history))
        .route("/v1/orgs/{org}/audits", get(list_audits).post(request_audit))
        .route("/v1/orgs/{org}/backfills", get(list_backfills).post(request_backfills))
        .with_state(deps)
}

async fn show_settings(State(deps): State<Deps>, TenantOrg(org): TenantOrg, NoQuery {}: NoQuery) -> Response {
    let settings = settings::show(&deps, org.org_id).await;
    let version = settings.as_ref().ok().map(|settings| settings.version);
    tagged(respond(settings), version)
}

async fn replace_settings(
    State(deps): State<Deps>,
    (TenantOrg(org), caller): (TenantOrg, Caller),
    QueryOf(ChangeQuery { dry_run }): QueryOf<ChangeQuery>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Response {
    let settings = async {
        let seen = seen_version(&headers)?;
        let author = caller.user.map_or(Author::Platform, Author::User);
        settings::replace(&deps, &org, Request { seen, body, author, dry_run }).await
    };
    let settings = settings.await;
    let version = settings.as_ref().ok().map(|settings| settings.version);
    tagged(respond(settings), version)
}

async fn list_history(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    QueryOf(HistoryQuery { limit, after }): QueryOf<HistoryQuery>,
) -> Response {
    let history = async { settings::history(&deps, org.org_id, after, checked_limit(limit)?).await };
    respond(history.await)
}

async fn list_audits(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    QueryOf(AuditsQuery { limit }): QueryOf<AuditsQuery>,
) -> Response {
    let audits = async { audits::list(&deps, org.org_id, checked_limit(limit)?).await };
    respond(audits.await)
}

async fn request_audit(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    NoQuery {}: NoQuery,
    JsonBody(body): JsonBody<AuditBody>,
) -> Response {
    accepted(audits::request(&deps, &org, body).await)
}

async fn list_backfills(State(deps): State<Deps>, TenantOrg(org): TenantOrg, NoQuery {}: NoQuery) -> Response {
    respond(backfills::list(&deps, org.org_id).await)
}

async fn request_backfills(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    NoQuery {}: NoQuery,
    JsonBody(body): JsonBody<BackfillBody>,
) -> Response {
    accepted(backfills::request(&deps, &org, body).await)
}

/// Acknowledges queued work.
fn accepted(queued: Result<impl Serialize, Error>) -> Response {
    match queued {
        Ok(queued) => (StatusCode::ACCEPTED, Json(queued)).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
}

/// Returns the number of entries of a page.
fn checked_limit(limit: Option<u16>) -> Result<u16, Error> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(Error::Invalid("limit must be a number from 1 to 100"))
    }
}

/// Adds the version as the entity tag, for `If-Match`.
fn tagged(mut response: Response, version: Option<u64>) -> Response {
    if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Returns the version in `If-Match`: the entity tag, with or without its quotes.
fn seen_version(headers: &HeaderMap) -> Result<u64, Error> {
    const MISSING: &str = "the header If-Match must have the version that you have read, as \"3\"; \"0\" for an org without settings of its own";
    let tag = headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok()).ok_or(Error::Invalid(MISSING))?;
    tag.trim().trim_matches('"').parse().map_err(|_| Error::Invalid(MISSING))
}
