//! The handle of a simulator for tests and other programs, saved states, and the command line.

pub mod cli;
mod faults_file;
pub(crate) mod simulator;
pub(crate) mod source;
pub(crate) mod state;
