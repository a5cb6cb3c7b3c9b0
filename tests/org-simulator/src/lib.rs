//! A Salesforce org on loopback: OAuth, data API, SOQL, UI API, enhanced notes, outbound messages and faults, with its state in memory.
//!
//! The simulator does what recorded traffic and Salesforce's documentation say an org does, and knows nothing of the
//! clients that are tried against it. It listens on 127.0.0.1 only, unless told otherwise.
//! Start it in a test with [`Simulator::start`], or as a program with `org-simulator --port 8590`.

mod access;
mod admin;
mod api_error;
mod bulk;
mod callout;
pub mod cli;
mod clock;
mod control;
mod crm_data;
mod datetime;
mod error;
mod faults;
mod graphql;
mod ids;
mod limits;
mod list_views;
mod notes;
mod oauth;
mod org;
mod outbound;
mod packages;
mod page;
mod query;
mod random;
mod realm;
mod request_log;
mod rest;
mod rules;
mod schema;
mod search;
mod seed;
mod server;
mod simulator;
mod soap;
mod soql;
mod state;
mod store;
mod tooling;
mod ui_api;
mod value;
mod write;

pub use access::ObjectPermissions;
pub use bulk::BulkSettings;
pub use callout::ClientCertificate;
pub use clock::Clock;
pub use error::Error;
pub use faults::{Effect, Fault, FaultReport, FaultRule};
pub use oauth::{AppPolicy, AppSettings};
pub use outbound::{OutboundDisturbance, OutboundSettings};
pub use packages::InstalledPackage;
pub use rules::{AssignmentRule, DuplicateRule, ValidationRule};
pub use simulator::{
    Delivery, DeliveryState, Features, InstallAnswer, LoadReport, NewUser, Options, OrgKind, OrgOptions,
    OutboundMessage, PackageInstall, Seed, Simulator, User,
};
