//! The handle's method for SFDX projects.

use std::path::Path;

use super::Simulator;
use crate::Error;
use crate::handle::source::{Project, SourceReport, install};

impl Simulator {
    /// Installs the metadata of an SFDX project: custom objects and fields, outbound messages with the flows that send
    /// them, and permission sets. `variable` returns the environment variables of the project's replacements.
    pub fn install_source(&self, dir: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<SourceReport, Error> {
        Ok(install(&mut self.shared.org(), &Project::read(dir, variable)?))
    }
}
