//! The vendor's package in an org: its installation, and its license in the License Management Org.
//!
//! Installing, upgrading and uninstalling change the license at once; in real orgs this takes minutes.

mod licenses;
mod requests;
pub(crate) mod subscriber;
pub(crate) mod versions;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::Error;
use crate::identity::realm::Shared;
use crate::messages::packages::subscriber::{Subscriber, about};
use crate::messages::packages::versions::{in_license_management, put_version};
use crate::model::org::Org;
use crate::model::packages::PACKAGE;
use crate::model::people;
use crate::model::value::Value;

pub(crate) use licenses::prepare;
pub(crate) use requests::{process_due_requests, record_installations};

/// Installs or upgrades the package, updates the License Management Org, and makes the callout of the asynchronous
/// post-install script.
pub(crate) async fn install(shared: &Shared, install: &PackageInstall) -> Result<InstallResponse, Error> {
    crate::messages::callout::loopback(&install.callout_url)?;
    install_silently(shared, &install.package_version)?;
    let sent = announcement(&shared.org(), install);
    let reply = shared.callouts.post(&install.callout_url, "application/json", sent.to_string()).await?;
    let body = serde_json::from_str(&reply.body).unwrap_or(Json::String(reply.body));
    Ok(InstallResponse { status: reply.status, body, sent })
}

/// Installs or upgrades the package and updates the License Management Org, without a callout.
pub(crate) fn install_silently(shared: &Shared, version: &str) -> Result<(), Error> {
    let (subscriber, installed) = {
        let mut org = shared.org();
        let installed = put_version(&mut org, version);
        (Subscriber::of(&org), installed)
    };
    in_license_management(shared, |vendor| licenses::installed(vendor, &subscriber, &installed))
}

/// Uninstalls the package. The uninstall script cannot make a callout, so only the license changes.
pub(crate) fn uninstall(shared: &Shared) -> Result<(), Error> {
    let org_id = {
        let mut org = shared.org();
        let unknown = || Error::Unknown { what: "installed package", name: PACKAGE.to_owned() };
        org.package.take().ok_or_else(unknown)?;
        org.id
    };
    in_license_management(shared, |vendor| licenses::uninstalled(vendor, org_id))
}

/// Returns the body of the post-install script's callout. A push upgrade has no installing user.
fn announcement(org: &Org, install: &PackageInstall) -> Json {
    let installer = (!install.is_push).then(|| people::admin(org).user.to_string());
    json!({
        "organization_id": org.id.as_str(),
        "installer_id": installer,
        "package_version": install.package_version,
        "previous_version": install.previous_version,
        "is_upgrade": install.previous_version.is_some(),
        "is_push": install.is_push,
        "org_domain_url": org.base_url,
        "is_sandbox": about(org, "IsSandbox") == Value::Bool(true),
        "instance_name": about(org, "InstanceName").as_text(),
        "organization_type": about(org, "OrganizationType").as_text(),
    })
}

/// A package installation that is announced to a callout URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageInstall {
    /// The URL that the package's post-install script calls; must be a loopback address.
    pub callout_url: String,
    /// The version to install.
    pub package_version: String,
    /// The earlier version, for an upgrade.
    #[serde(default)]
    pub previous_version: Option<String>,
    /// The vendor pushed the upgrade.
    #[serde(default)]
    pub is_push: bool,
}

/// The response to the callout of a package installation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstallResponse {
    /// HTTP status.
    pub status: u16,
    /// The body, as JSON if it is JSON and as a string otherwise.
    pub body: Json,
    /// The JSON body of the callout.
    pub sent: Json,
}
