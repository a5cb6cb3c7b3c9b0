//! Runs Ferry on one machine: `infra/template.yaml`, deployed to an AWS emulator, and a simulated Salesforce org.
//!
//! [`Stack`] is the whole. Tests that need only AWS start an [`Emulator`] and create the template's tables in it:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use local::{Emulator, unique_prefix};
//!
//! let emulator = Emulator::start().await?;
//! let tables = emulator.create_tables(&unique_prefix()).await?;
//! let orgs_table = tables.name("orgs");
//! let aws = emulator.sdk_config();
//! # Ok(()) }
//! ```

mod authorizer;
pub mod command;
mod demo;
pub mod deploy;
mod dev;
pub mod emulator;
mod event_catalogue;
pub mod functions;
pub mod gaps;
pub mod gateway;
mod interrupt;
pub mod issuer;
mod poll;
pub mod progress;
pub mod stack;
mod subscription;
pub mod template;
mod token;
pub mod workspace;

pub use emulator::{Emulator, unique_prefix};
pub use event_catalogue::EventCatalogue;
pub use progress::Progress;
pub use stack::Stack;
pub use subscription::Subscription;
