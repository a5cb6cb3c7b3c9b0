//! `POST /webhooks/licenses/{org_id}/{secret}`: the vendor's License Management Org tells of the package's licences.
//!
//! It is believed as every outbound message is: by the secret in its address and by the org that its body names. An
//! installation only claims; an uninstallation ends the org; what else becomes of a licence is noted and told to the platform.

use axum::extract::State;
use axum::response::Response;
use connecting::disconnect::{ConnectionReport, Outcome};
use runtime::StateError;
use secrecy::ExposeSecret as _;
use soap_receiver::{Rejection, SoapMessage, acknowledgement};
use store::orgs::license_management::verify_sender;
use store::{LicenseManagement, LicenseNotice, Org, OrgState};

use crate::license_message::{self, Licenses};
use crate::{Deps, Error};

/// Takes a message, and acknowledges it when all it says is stored.
pub(crate) async fn receive(
    State(deps): State<Deps>,
    message: Result<SoapMessage, Rejection>,
) -> Result<Response, Error> {
    let message = message?;
    message.verify_client(&deps.client)?;
    let registered = authenticate(&deps, &message).await?;
    let said = message.parse_for(registered.license_management_org)?;
    let Licenses { notices, ignored, without_org } = license_message::read(&said, registered.package);
    for notice in &notices {
        note(&deps, notice).await?;
    }
    for license in without_org {
        tracing::warn!(license.id = %license, "licence {license} names no org");
    }
    tracing::info!(licenses = notices.len(), ignored, "acknowledged {} licences", notices.len());
    Ok(acknowledgement())
}

/// The License Management Org whose address this is. Whatever is wrong with an address, the same work is done to find out.
async fn authenticate(deps: &Deps, message: &SoapMessage) -> Result<LicenseManagement, Error> {
    let registered =
        deps.orgs.load_license_management().await.map_err(StateError::during("load the License Management Org"))?;
    let proven = verify_sender(registered.as_ref(), message.org, message.secret.expose_secret());
    Ok(registered.filter(|_| proven).ok_or(Rejection::UnknownAddress)?)
}

/// Stores what the licence says. Where it ends the org, its connections end with it; a repetition finishes what was left.
async fn note(deps: &Deps, notice: &LicenseNotice) -> Result<(), Error> {
    let org =
        deps.orgs.apply_license(notice, deps.clock.now()).await.map_err(StateError::during("record the license"))?;
    let (id, status) = (org.org_id, notice.license.status.as_str());
    tracing::info!(org.id = %id, org.state = ?org.state, license.status = status, "org {id} has a licence that is {status}");
    if org.state == OrgState::Uninstalled && org.tenant.is_some() { end(deps, &org).await } else { Ok(()) }
}

async fn end(deps: &Deps, org: &Org) -> Result<(), Error> {
    let ended = deps.disconnect().org(org.org_id).await.map_err(StateError::during("end the org's connections"))?;
    let left = |report: &ConnectionReport| matches!(report.outcome, Outcome::Unfinished { repeat: true, .. });
    let unfinished = ended.into_iter().flat_map(|report| report.connections).filter(left).count();
    if unfinished > 0 { Err(Error::Unfinished { org: org.org_id, unfinished }) } else { Ok(()) }
}
