//! Ferry on one machine: the AWS emulator, and `infra/template.yaml` deployed to it.
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

pub mod deploy;
pub mod emulator;
pub mod template;
pub mod workspace;

pub use emulator::{Emulator, unique_prefix};
