//! Installations that were asked for over the Tooling API (`PackageInstallRequest`), which are worked on behind the answer.
//!
//! A version that was never uploaded ends a request with an error, whose wording is unverified. The post-install script's callout is
//! made only by an installation whose caller names where it goes.

use std::time::Duration;

use jiff::Timestamp;

use super::{Subscriber, in_license_management, licenses, put, version_of};
use crate::identity::realm::Shared;
use crate::messages::packages::InstalledPackage;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::Value;

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    InProgress,
    Success,
    Error(String),
}

impl Status {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Success => "SUCCESS",
            Self::Error(_) => "ERROR",
        }
    }
}

/// One request, with the fields that its sender set.
#[derive(Clone, Debug)]
pub(crate) struct InstallRequest {
    pub(crate) id: RecordId,
    pub(crate) user: RecordId,
    pub(crate) version_key: RecordId,
    pub(crate) options: Vec<(&'static str, Value)>,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) status: Status,
}

/// The requests of an org.
#[derive(Default)]
pub(crate) struct InstallRequests {
    pub(crate) all: Vec<InstallRequest>,
    /// Time of the org's clock that an installation takes.
    pub(crate) processing: Duration,
}

/// An installation that the License Management Org has not heard of yet.
pub(crate) struct Untold(Subscriber, InstalledPackage);

/// Does the installations that have fallen due.
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

/// Tells the License Management Org, while no org is locked.
pub(crate) fn tell(shared: &Shared, untold: &[Untold]) {
    for Untold(subscriber, installed) in untold {
        if let Err(error) = in_license_management(shared, |vendor| licenses::installed(vendor, subscriber, installed)) {
            tracing::warn!(%error, "the License Management Org could not keep the installation");
        }
    }
}
