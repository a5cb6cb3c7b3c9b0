//! The installed package, and requests to install one.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;
use crate::model::value::Value;

/// The package that is installed in an org.
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
    /// The time at which this version was installed.
    pub installed_at: jiff::Timestamp,
}

/// The status of an install request.
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

/// An install request, with the fields that its sender set.
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

/// The install requests of an org.
#[derive(Default)]
pub(crate) struct InstallRequests {
    pub(crate) all: Vec<InstallRequest>,
    /// The time that an installation takes, by the org's clock.
    pub(crate) processing: Duration,
}

/// Name of the package that can be installed.
pub(crate) const PACKAGE: &str = "Ferry Connector";

pub(crate) const NAMESPACE: &str = "ferry";
