//! Installations requested over the Tooling API (`PackageInstallRequest`), which are processed after the response.
//!
//! A version that was never uploaded ends a request with an error, whose text is unverified. The callout of the
//! post-install script is made only by an installation whose request names its URL.

use super::licenses;
use crate::identity::realm::Shared;
use crate::messages::packages::subscriber::Subscriber;
use crate::messages::packages::versions::{in_license_management, put, version_of};
use crate::model::org::Org;
use crate::model::packages::{InstallRequest, InstalledPackage, Status};

/// An installation that is not recorded in the License Management Org yet.
pub(crate) struct Untold(Subscriber, InstalledPackage);

/// Processes the installations that are due.
pub(crate) fn settle(org: &mut Org) -> Vec<Untold> {
    let (now, time) = (org.clock.now(), i64::try_from(org.install_requests.processing.as_millis()).unwrap_or(i64::MAX));
    let waits = |request: &InstallRequest| {
        request.status == Status::InProgress && now.as_millisecond() - request.created.as_millisecond() >= time
    };
    let due: Vec<usize> =
        org.install_requests.all.iter().enumerate().filter(|(_, r)| waits(r)).map(|(at, _)| at).collect();
    let mut untold = Vec::new();
    for at in due {
        let key = org.install_requests.all[at].version_key;
        let status = match version_of(key) {
            Some(version) => {
                let installed = put(org, &version);
                untold.push(Untold(Subscriber::of(org), installed));
                Status::Success
            }
            None => Status::Error(format!("Unable to find the package version {key}.")),
        };
        let request = &mut org.install_requests.all[at];
        (request.status, request.changed) = (status, now);
    }
    untold
}

/// Records the installations in the License Management Org, while no org is locked.
pub(crate) fn tell(shared: &Shared, untold: &[Untold]) {
    for Untold(subscriber, installed) in untold {
        if let Err(error) = in_license_management(shared, |vendor| licenses::installed(vendor, subscriber, installed)) {
            tracing::warn!(%error, "the License Management Org could not keep the installation");
        }
    }
}
