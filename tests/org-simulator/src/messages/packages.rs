//! The vendor's package in an org: its installation, and the licence that the License Management Org keeps of it.
//!
//! Installing, upgrading and uninstalling change the licence at once; in real orgs that lags by minutes.

mod licenses;
mod requests;
pub(crate) mod subscriber;
pub(crate) mod versions;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::Error;
use crate::identity::realm::Shared;
use crate::messages::packages::subscriber::{Subscriber, about};
use crate::messages::packages::versions::{in_license_management, put};
use crate::model::org::Org;
use crate::model::packages::PACKAGE;
use crate::model::people;
use crate::model::value::Value;

pub(crate) use licenses::prepare;
pub(crate) use requests::{settle, tell};

/// Installs or upgrades the package, tells the License Management Org, and announces it as the asynchronous post-install
/// script does.
pub(crate) async fn install(shared: &Shared, install: &PackageInstall) -> Result<InstallAnswer, Error> {
    crate::messages::callout::loopback(&install.callout_url)?;
    let (sent, subscriber, installed) = {
        let mut org = shared.org();
        let installed = put(&mut org, &install.package_version);
        (announcement(&org, install), Subscriber::of(&org), installed)
    };
    in_license_management(shared, |vendor| licenses::installed(vendor, &subscriber, &installed))?;
    let reply = shared.callouts.post(&install.callout_url, "application/json", sent.to_string()).await?;
    let body = serde_json::from_str(&reply.body).unwrap_or(Json::String(reply.body));
    Ok(InstallAnswer { status: reply.status, body, sent })
}

/// Uninstalls the package. The uninstall script can make no callout, so only the licence tells of it.
pub(crate) fn uninstall(shared: &Shared) -> Result<(), Error> {
    let org_id = {
        let mut org = shared.org();
        let unknown = || Error::Unknown { what: "installed package", name: PACKAGE.to_owned() };
        org.package.take().ok_or_else(unknown)?;
        org.id
    };
    in_license_management(shared, |vendor| licenses::uninstalled(vendor, org_id))
}

/// What the post-install script knows. A push upgrade has no installing user.
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

/// A package installation to announce.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageInstall {
    /// Where the package's post-install script calls; must be a loopback address.
    pub callout_url: String,
    /// Version that was installed.
    pub package_version: String,
    /// Version that was there before, for an upgrade.
    #[serde(default)]
    pub previous_version: Option<String>,
    /// Whether the vendor pushed the upgrade.
    #[serde(default)]
    pub is_push: bool,
}

/// What the callout of a package installation was answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstallAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body, as JSON where it is JSON and as a string otherwise.
    pub body: Json,
    /// The JSON that was sent.
    pub sent: Json,
}
