//! Versions of the package.

use crate::Error;
use crate::identity::realm::Shared;
use crate::model::ids::{RecordId, number_of, numbered};
use crate::model::kind::OrgKind;
use crate::model::org::Org;
use crate::model::packages::InstalledPackage;
use crate::model::transaction;

/// The id of a version: the same number has the same id in every org.
pub(crate) fn version_id(version: &str) -> RecordId {
    let number = version.split('.').fold(0_u64, |sum, part| sum * 1_000 + part.parse::<u64>().unwrap_or_default());
    numbered("04t", number)
}

/// The version of an id; `None` when it is no version of the package.
pub(crate) fn version_of(id: RecordId) -> Option<String> {
    let number = number_of(id);
    let version = format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000);
    (number > 0 && version_id(&version) == id).then_some(version)
}

/// Puts a version of the package into the org.
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

/// Does something in the License Management Org, where the realm has one. No two orgs are locked at once.
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
    fn the_id_of_a_version_tells_the_version() {
        for version in ["0.0.1", "1.0.0", "2.10.3", "12.999.999"] {
            assert_eq!(version_of(version_id(version)).as_deref(), Some(version));
        }
        assert_eq!(version_of(RecordId::parse("04tKY000000MF7u").unwrap()), None);
    }
}
