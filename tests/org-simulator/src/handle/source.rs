//! An SFDX project: what its metadata in source format adds to an org.
//!
//! Metadata that the simulator does not support are reported by file and name, and change nothing.

mod field;
mod flow;
mod install;
mod project;

pub(crate) use install::install;
pub(crate) use project::Project;

/// The parts of an SFDX project that were installed, and those that were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceReport {
    /// Kinds and names, for example `field Account.Region__c`.
    pub installed: Vec<String>,
    /// Files, names in them, and why they were not installed or have no effect.
    pub skipped: Vec<String>,
}
