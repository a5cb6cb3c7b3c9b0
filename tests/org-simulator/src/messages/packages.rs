//! The vendor's package in an org: its installation, and the licence that the License Management Org keeps of it.
//!
//! Installing, upgrading and uninstalling change the licence at once; in real orgs that lags by minutes.

mod licenses;
mod requests;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::Error;
use crate::identity::realm::Shared;
use crate::model::ids::{RecordId, number_of, numbered};
use crate::model::kind::OrgKind;
use crate::model::org::Org;
use crate::model::value::Value;

use crate::model::people;
use crate::model::transaction;
pub(crate) use licenses::prepare;
pub(crate) use requests::{InstallRequest, InstallRequests, Status, settle, tell};

/// The package that is there to be installed.
pub(crate) const PACKAGE: &str = "Ferry Connector";
pub(crate) const NAMESPACE: &str = "ferry";

/// The package as an org has it installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Id of the installation (`0A3`).
    pub id: String,
    /// Id of the package (`033`).
    pub package_id: String,
    /// Id of the installed version (`04t`).
    pub version_id: String,
    /// Number of the installed version, for example `2.1.0`.
    pub version: String,
    /// When this version was installed.
    pub installed_at: jiff::Timestamp,
}

/// What a subscriber's org says of itself to the License Management Org.
#[derive(Clone, Debug)]
struct Subscriber {
    org_id: RecordId,
    name: String,
    edition: String,
    instance: String,
    is_sandbox: bool,
    installer: (String, String, String),
}

impl Subscriber {
    fn of(org: &Org) -> Self {
        let user = people::admin(org).user;
        let row = org.store.get("User", user);
        let text = |field: &str| row.map(|row| org.value("User", row, field).as_text().to_owned()).unwrap_or_default();
        Self {
            org_id: org.id,
            name: about(org, "Name").as_text().to_owned(),
            edition: about(org, "OrganizationType").as_text().to_owned(),
            instance: about(org, "InstanceName").as_text().to_owned(),
            is_sandbox: about(org, "IsSandbox") == Value::Bool(true),
            installer: (text("FirstName"), text("LastName"), text("Email")),
        }
    }
}

fn about(org: &Org, field: &str) -> Value {
    let row = org.store.get("Organization", org.id);
    row.map_or(Value::Null, |row| org.value("Organization", row, field).clone())
}

/// The id of a version: the same number has the same id in every org.
fn version_id(version: &str) -> RecordId {
    let number = version.split('.').fold(0_u64, |sum, part| sum * 1_000 + part.parse::<u64>().unwrap_or_default());
    numbered("04t", number)
}

/// The version of an id; `None` when it is no version of the package.
fn version_of(id: RecordId) -> Option<String> {
    let number = number_of(id);
    let version = format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000);
    (number > 0 && version_id(&version) == id).then_some(version)
}

/// Puts a version of the package into the org.
fn put(org: &mut Org, version: &str) -> InstalledPackage {
    let installed = InstalledPackage {
        id: numbered("0A3", 1).to_string(),
        package_id: numbered("033", 1).to_string(),
        version_id: version_id(version).to_string(),
        version: version.to_owned(),
        installed_at: org.stamp(),
    };
    org.package = Some(installed.clone());
    installed
}

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

/// Does something in the License Management Org, where the realm has one. No two orgs are locked at once.
fn in_license_management(shared: &Shared, work: impl FnOnce(&mut Org) -> Result<(), Error>) -> Result<(), Error> {
    let vendors = shared.realm.orgs();
    match vendors.iter().find(|org| org.org().kind == OrgKind::LicenseManagement) {
        Some(vendor) => transaction::transaction(&mut vendor.org(), work),
        None => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_version_tells_the_version() {
        for version in ["0.0.1", "1.0.0", "2.10.3", "12.999.999"] {
            assert_eq!(version_of(version_id(version)).as_deref(), Some(version));
        }
        assert_eq!(version_of(RecordId::parse("04tKY000000MF7u").unwrap()), None);
    }
}
