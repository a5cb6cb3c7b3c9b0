//! The routes of the files API.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use runtime::http::{ActingUser, Author, Idempotency, JsonBody};
use runtime::problem::refuse;
use runtime::{Problem, ProblemCode, TenantOrg};
use serde::Serialize;
use serde_json::Value;
use store::staged_files::Sha256Digest;
use store::{IdempotencyKey, Org, PlatformUser, StagedKey, Write, WriteId};
use uuid::Uuid;
use writes::{Defect, Error, WriteRequest, require_active};

use crate::request::{Content, MAX_FILE_BYTES, NewFileRequest, UploadRequest};
use crate::{Deps, FileWrite};

/// The remedy for a content that does not fit into a request.
const UPLOAD: &str =
    "Upload the content (POST /v1/orgs/{org}/file-uploads), and name its upload_id in place of content_base64.";

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs/{org}/files", post(create))
        .route("/v1/orgs/{org}/file-uploads", post(upload))
        .with_state(deps)
}

async fn create(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    author: Author,
    Idempotency(key): Idempotency,
    body: Result<JsonBody<Value>, Problem>,
) -> Response {
    let body = match body {
        Ok(JsonBody(body)) => body,
        Err(problem) if problem.code == ProblemCode::PayloadTooLarge => return problem.next(UPLOAD).into_response(),
        Err(problem) => return problem.into_response(),
    };
    let outcome = accept(&deps, &org, key, author, body).await;
    outcome.map_or_else(|error| refuse(&error).into_response(), writes::response)
}

async fn accept(
    deps: &Deps,
    org: &Org,
    key: IdempotencyKey,
    Author { user: platform_user, is_caller: only_as_user }: Author,
    body: Value,
) -> Result<Write, Error> {
    let NewFileRequest { file, content } = NewFileRequest::parse(body).map_err(Error::Invalid)?;
    require_active(org)?;
    let content = match content {
        Content::Bytes(bytes) => stage(deps, org, &key, bytes).await?,
        Content::Upload(id) => uploaded(deps, org, &key, platform_user.as_ref(), id).await?,
    };
    let operation = FileWrite { file: file.with(content) };
    writes::accept(deps, org, key, WriteRequest { platform_user, only_as_user, operation }).await
}

/// Stores the content of the request, so that the write can go on from the queue.
async fn stage(deps: &Deps, org: &Org, key: &IdempotencyKey, bytes: Vec<u8>) -> Result<StagedKey, Error> {
    let digest = Sha256Digest::of(&bytes);
    let staged = StagedKey::of_request(org.org_id, WriteId::derive(org.org_id, key), &digest);
    deps.staged_files.put(&staged, bytes, &digest).await?;
    Ok(staged)
}

/// Returns the place of an upload, which must be there unless this write has taken it already.
async fn uploaded(
    deps: &Deps,
    org: &Org,
    key: &IdempotencyKey,
    user: Option<&PlatformUser>,
    upload: Uuid,
) -> Result<StagedKey, Error> {
    let staged = place_of(org, user, upload)?;
    let is_known = deps.ledger.writes.load(org.org_id, WriteId::derive(org.org_id, key)).await?.is_some();
    if is_known {
        return Ok(staged);
    }
    match deps.staged_files.size(&staged).await? {
        Some(size) if size <= MAX_FILE_BYTES => Ok(staged),
        Some(_) => Err(Error::Invalid(vec![Defect::field("upload_id", "the upload is larger than 268,435,456 bytes")])),
        None => Err(Error::Invalid(vec![Defect::field(
            "upload_id",
            "nothing was uploaded under this id for the acting user, or it has expired, or another file has taken it",
        )])),
    }
}

async fn upload(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    ActingUser(platform_user): ActingUser,
    JsonBody(body): JsonBody<Value>,
) -> Response {
    match make_address(&deps, &org, platform_user.as_ref(), body).await {
        Ok(address) => (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(address)).into_response(),
        Err(error) => refuse(&error).into_response(),
    }
}

/// The response about an upload that may begin.
#[derive(Serialize)]
struct Upload {
    upload_id: String,
    method: &'static str,
    url: String,
    /// The headers that the upload must have.
    headers: BTreeMap<String, String>,
    expires_at: String,
}

async fn make_address(deps: &Deps, org: &Org, user: Option<&PlatformUser>, body: Value) -> Result<Upload, Error> {
    let UploadRequest(content) = UploadRequest::parse(body).map_err(Error::Invalid)?;
    require_active(org)?;
    let upload_id = Uuid::new_v4();
    let address = deps.staged_files.upload_address(&place_of(org, user, upload_id)?, &content).await?;
    let expires_at = store::time::format(address.expires_at);
    let headers = address.headers.into_iter().collect();
    Ok(Upload { upload_id: upload_id.to_string(), method: "PUT", url: address.url, headers, expires_at })
}

fn place_of(org: &Org, user: Option<&PlatformUser>, upload: Uuid) -> Result<StagedKey, Error> {
    let tenant = org.tenant.as_ref().ok_or(Error::UnknownOrg)?;
    Ok(StagedKey::of_upload(org.org_id, tenant, user, upload))
}
