//! Ferry on one machine: `infra/template.yaml` deployed to an AWS emulator, beside a simulated Salesforce org.
//!
//! Tests that need AWS start an [`Emulator`] and create in it what the template defines:
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

pub mod command;
pub mod demo;
pub mod deploy;
pub mod dev;
pub mod emulator;
pub mod functions;
pub mod gaps;
pub mod gateway;
mod poll;
pub mod progress;
pub mod stack;
mod subscription;
pub mod template;
pub mod workspace;

pub use emulator::{Emulator, unique_prefix};
pub use progress::Progress;
pub use stack::Stack;
pub use subscription::Subscription;
