//! `POST /webhooks/licenses/{org_id}/{secret}`: outbound messages of the vendor's License Management Org about licenses.
//!
//! They are authenticated like every outbound message: by the secret in the address and the org that the body names. An
//! installation only claims an org; an uninstallation closes it; other changes of a license are stored and published.

use axum::extract::State;
use axum::response::Response;
use connecting::disconnect::{ConnectionReport, Outcome};
use secrecy::ExposeSecret as _;
use soap_receiver::{Rejection, SoapMessage, acknowledgement};
use store::orgs::license_management::verify_sender;
use store::{LicenseManagement, LicenseNotice, Org, OrgState};

use crate::license_message::{self, Licenses};
use crate::{Deps, Error};

/// Receives a message, and acknowledges it once all of its licenses are stored.
pub(crate) async fn receive(
    State(deps): State<Deps>,
    message: Result<SoapMessage, Rejection>,
) -> Result<Response, Error> {
    let message = message?;
    message.verify_client(&deps.client)?;
    let registered = authenticate(&deps, &message).await?;
    let parsed = message.parse_for(registered.license_management_org)?;
    let Licenses { notices, ignored, without_org } = license_message::read(&parsed, registered.package);
    for notice in &notices {
        apply(&deps, notice).await?;
    }
    for license in without_org {
        tracing::warn!(license.id = %license, "license {license} names no org");
    }
    tracing::info!(licenses = notices.len(), ignored, "acknowledged {} licenses", notices.len());
    Ok(acknowledgement())
}

/// Returns the License Management Org whose secret is in the address. Every wrong address costs the same work.
async fn authenticate(deps: &Deps, message: &SoapMessage) -> Result<LicenseManagement, Error> {
    let registered = deps.orgs.load_license_management().await?;
    let verified = verify_sender(registered.as_ref(), message.org, message.secret.expose_secret());
    Ok(registered.filter(|_| verified).ok_or(Rejection::UnknownAddress)?)
}

/// Stores a license. Where that closes the org, its connections are disconnected; a repetition completes the work.
async fn apply(deps: &Deps, notice: &LicenseNotice) -> Result<(), Error> {
    let org = deps.orgs.apply_license(notice, deps.clock.now()).await?;
    let (id, status) = (org.org_id, notice.license.status.as_str());
    tracing::info!(org.id = %id, org.state = ?org.state, license.status = status, "the license of org {id} is {status}");
    if org.state == OrgState::Uninstalled && org.tenant.is_some() { disconnect(deps, &org).await } else { Ok(()) }
}

async fn disconnect(deps: &Deps, org: &Org) -> Result<(), Error> {
    let ended = deps.disconnect().org(org.org_id).await?;
    let is_unfinished = |report: &ConnectionReport| matches!(report.outcome, Outcome::Unfinished { repeat: true, .. });
    let unfinished = ended.into_iter().flat_map(|report| report.connections).filter(is_unfinished).count();
    if unfinished > 0 { Err(Error::Unfinished { org: org.org_id, unfinished }) } else { Ok(()) }
}
