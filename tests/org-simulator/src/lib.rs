//! A Salesforce org on loopback: OAuth, data API, SOQL, UI API, enhanced notes, outbound messages, change events and
//! faults, with its state in memory.
//!
//! The behavior follows recorded traffic and Salesforce's documentation, and does not depend on the client under
//! test. The simulator listens on 127.0.0.1 by default.
//! Start it in a test with [`Simulator::start`], or as a program with `org-simulator --port 8590`.
//!
//! # Code map
//!
//! One process holds one or several orgs, which share a clock, the registered apps and the login hosts: the *realm*.
//!
//! | to find | look in |
//! |---|---|
//! | the whole state of an org (`Org`) | `model/org` |
//! | the records in memory, and the undo of a failed transaction | `model/store`, `model/transaction` |
//! | the standard objects and their fields | `model/schema` |
//! | formulas and roll-up summaries | `model/computed` |
//! | fields that are retyped and removed | `model/schema_change` |
//! | who may see and change a record, and what a profile permits | `model/access` |
//! | organization-wide defaults and sharing rules | `model/sharing` |
//! | criteria of sharing rules and roll-up summaries | `model/criteria` |
//! | currencies, time zones, states and countries | `model/currencies`, `model/time_zones`, `model/places` |
//! | the fields whose changes are kept in a history | `model/field_history` |
//! | OAuth grants, refresh tokens and sessions | `model/logins` |
//! | the queue of outbound messages | `model/outbox` |
//! | change events: channels, capture at the commit; the clients that wait for them | `model/change_events`, `model/streams` |
//! | faults, limits, and the clock | `model/faults`, `model/limits`, `model/clock` |
//! | how a query runs | `data/soql` |
//! | what happens on a create, update, delete or upsert | `data/write` |
//! | the records that the org itself writes after it | `data/effects` |
//! | enhanced notes, and files | `data/notes`, `data/files` |
//! | the data of a new org | `data/seed`, `data/crm_data` |
//! | the authorization and token endpoints, and the consent page | `identity/oauth` |
//! | the realm | `identity/realm` |
//! | the sending of outbound messages | `messages/outbound` |
//! | change events in the form of Amazon EventBridge | `messages/event_relay` |
//! | package installs and licenses | `messages/packages` |
//! | one API each: REST, Bulk 1.0 and 2.0, SOAP, UI, GraphQL, Tooling, Streaming, search | `api/` |
//! | routes, authentication and faults over HTTP | `http/server` |
//! | the web pages, and the admin API | `http/page`, `http/admin` |
//! | the handle for tests (`Simulator`), saved states, the command line, SFDX projects | `handle/` |
//! | the file of recorded requests | `wire/recorder` |

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
pub use handle::simulator::stages::StageChange;
pub use handle::source::SourceReport;
pub use identity::oauth::SigningKey;
pub use identity::realm::OrgOptions;
pub use messages::callout::ClientCertificate;
pub use messages::packages::{InstallResponse, PackageInstall};
pub use model::access::ObjectPermissions;
pub use model::clock::Clock;
pub use model::criteria::{FilterItem, FilterOperation};
pub use model::faults::{Effect, Fault, FaultReport, FaultRule};
pub use model::kind::{Features, OrgKind};
pub use model::logins::limits::{Day, LoginLimits};
pub use model::logins::policy::{AppPolicy, AppSettings};
pub use model::outbox::delivery::{Delivery, DeliveryState, OutboundMessage};
pub use model::outbox::settings::{OutboundDisturbance, OutboundSettings};
pub use model::packages::InstalledPackage;
pub use model::people::{NewUser, User};
pub use model::rights::PermissionSet;
pub use model::rules::{AssignmentEntry, AssignmentRule, DuplicateAction, DuplicateRule, ValidationRule};
pub use model::sharing::{Members, SharedAccess, SharingDefault, SharingRule};
