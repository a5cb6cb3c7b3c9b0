//! `POST /webhooks/licenses/{org_id}/{secret}`: the vendor's License Management Org tells of the package's licences.
//!
//! It is believed as every outbound message is: by the secret in its address and by the org that its body names. An
//! installation only claims; an uninstallation ends the org; what else becomes of a licence is noted and told to the platform.

use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use runtime::disconnect::{ConnectionReport, End};
use runtime::soap_message::{MAX_BODY_BYTES, Unfit, check_headers};
use salesforce::OrgId;
use salesforce::soap::outbound_message::ACK;
use store::orgs::license_management::proves;
use store::{LicenseManagement, LicenseNotice, Org, OrgState};

use crate::license_message::{self, Licenses};
use crate::{Deps, Error};

type Address = Result<Path<(String, String)>, PathRejection>;

/// Takes a message, and acknowledges it when all it says is stored.
pub(crate) async fn receive(
    State(deps): State<Deps>,
    address: Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    check_headers(&headers)?;
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Unfit::TooLarge)?;
    let Path((org, secret)) = address.map_err(|_| Error::UnknownAddress)?;
    let registered = authenticate(&deps, &org, &secret).await?;
    let Licenses { notices, ignored, without_org } = license_message::read(&body, &registered)?;
    for notice in &notices {
        note(&deps, notice).await?;
    }
    for license in without_org {
        tracing::warn!(license.id = %license, "licence {license} names no org");
    }
    tracing::info!(licenses = notices.len(), ignored, "acknowledged {} licences", notices.len());
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], ACK).into_response())
}

/// The License Management Org whose address this is. Whatever is wrong with an address, the same work is done to find out.
async fn authenticate(deps: &Deps, org: &str, secret: &str) -> Result<LicenseManagement, Error> {
    let registered =
        deps.orgs.license_management().await.map_err(Error::state("loading the License Management Org"))?;
    let proven = proves(registered.as_ref(), org.parse::<OrgId>().ok(), secret);
    registered.filter(|_| proven).ok_or(Error::UnknownAddress)
}

/// Stores what the licence says. Where it ends the org, its connections end with it; a repetition finishes what was left.
async fn note(deps: &Deps, notice: &LicenseNotice) -> Result<(), Error> {
    let org = deps.orgs.note_license(notice, deps.clock.now()).await.map_err(Error::state("noting a licence"))?;
    let (id, status) = (org.org_id, notice.says.status.as_str());
    tracing::info!(org.id = %id, org.state = ?org.state, license.status = status, "org {id} has a licence that is {status}");
    if org.state == OrgState::Uninstalled && org.tenant.is_some() { end(deps, &org).await } else { Ok(()) }
}

async fn end(deps: &Deps, org: &Org) -> Result<(), Error> {
    let ended = deps.disconnect().org(org.org_id).await.map_err(Error::state("ending the org's connections"))?;
    let left = |report: &ConnectionReport| matches!(report.end, End::Unfinished { repeat: true, .. });
    let unfinished = ended.into_iter().flat_map(|report| report.connections).filter(left).count();
    if unfinished > 0 { Err(Error::Unfinished { org: org.org_id, unfinished }) } else { Ok(()) }
}
