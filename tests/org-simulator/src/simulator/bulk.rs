//! What the handle can do with Bulk API 2.0 jobs.

use super::Simulator;
use crate::{BulkSettings, Error, bulk};

impl Simulator {
    /// Changes how the org works on Bulk API 2.0 jobs.
    pub fn set_bulk(&self, settings: &BulkSettings) -> Result<(), Error> {
        bulk::apply(&mut self.shared.org(), settings)
    }
}
