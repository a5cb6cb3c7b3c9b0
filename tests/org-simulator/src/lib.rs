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
pub(crate) mod wire;

pub use api::bulk::BulkSettings;
pub use data::crm_data::load::LoadReport;
pub use data::seed::Seed;
pub use error::Error;
pub use handle::cli;
pub use handle::simulator::Simulator;
pub use handle::simulator::options::Options;
pub use identity::realm::OrgOptions;
pub use messages::callout::ClientCertificate;
pub use messages::packages::{InstallAnswer, PackageInstall};
pub use model::access::ObjectPermissions;
pub use model::clock::Clock;
pub use model::faults::{Effect, Fault, FaultReport, FaultRule};
pub use model::kind::{Features, OrgKind};
pub use model::logins::policy::{AppPolicy, AppSettings};
pub use model::outbox::delivery::{Delivery, DeliveryState, OutboundMessage};
pub use model::outbox::settings::{OutboundDisturbance, OutboundSettings};
pub use model::packages::InstalledPackage;
pub use model::people::{NewUser, User};
pub use model::rules::{AssignmentRule, DuplicateRule, ValidationRule};
