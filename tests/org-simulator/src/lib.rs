//! A Salesforce org on loopback: OAuth, data API, SOQL, UI API, enhanced notes, outbound messages and faults, with its state in memory.
//!
//! The simulator does what recorded traffic and Salesforce's documentation say an org does, and knows nothing of the
//! clients that are tried against it. It listens on 127.0.0.1 only, unless told otherwise.
//! Start it in a test with [`Simulator::start`], or as a program with `org-simulator --port 8590`.

mod api;
mod data;
mod error;
#[cfg(test)]
mod error_texts;
mod handle;
mod http;
mod identity;
mod messages;
mod model;

pub use api::bulk::BulkSettings;
pub use error::Error;
pub use handle::cli;
pub use handle::simulator::{
    Delivery, DeliveryState, Features, InstallAnswer, LoadReport, NewUser, Options, OrgKind, OrgOptions,
    OutboundMessage, PackageInstall, Seed, Simulator, User,
};
pub use identity::oauth::{AppPolicy, AppSettings};
pub use messages::callout::ClientCertificate;
pub use messages::outbound::{OutboundDisturbance, OutboundSettings};
pub use messages::packages::InstalledPackage;
pub use model::access::ObjectPermissions;
pub use model::clock::Clock;
pub use model::faults::{Effect, Fault, FaultReport, FaultRule};
pub use model::rules::{AssignmentRule, DuplicateRule, ValidationRule};
