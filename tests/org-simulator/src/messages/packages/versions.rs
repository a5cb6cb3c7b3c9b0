//! Versions of the package.

use crate::Error;
use crate::identity::realm::Shared;
use crate::model::ids::{RecordId, number_of, numbered};
use crate::model::kind::OrgKind;
use crate::model::org::Org;
use crate::model::packages::InstalledPackage;
use crate::model::transaction;

/// Returns the id of a version: the same number has the same id in every org.
pub(crate) fn version_id(version: &str) -> RecordId {
    let number = version.split('.').fold(0_u64, |sum, part| sum * 1_000 + part.parse::<u64>().unwrap_or_default());
    numbered("04t", number)
}

/// Returns the version with an id; `None` when the id is not that of a version.
pub(crate) fn version_of(id: RecordId) -> Option<String> {
    let number = number_of(id);
    let version = format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000);
    (number > 0 && version_id(&version) == id).then_some(version)
}

/// Installs a version of the package in the org.
pub(crate) fn put(org: &mut Org, version: &str) -> InstalledPackage {
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

/// Runs a function on the License Management Org, if the realm has one. Only one org is locked at a time.
pub(crate) fn in_license_management(
    shared: &Shared,
    work: impl FnOnce(&mut Org) -> Result<(), Error>,
) -> Result<(), Error> {
    let vendors = shared.realm.orgs();
    match vendors.iter().find(|org| org.org().kind == OrgKind::LicenseManagement) {
        Some(vendor) => transaction::transaction(&mut vendor.org(), work),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::RecordId;

    #[test]
    fn the_id_of_a_version_contains_the_version() {
        for version in ["0.0.1", "1.0.0", "2.10.3", "12.999.999"] {
            assert_eq!(version_of(version_id(version)).as_deref(), Some(version));
        }
        assert_eq!(version_of(RecordId::parse("04tKY000000MF7u").unwrap()), None);
    }
}
