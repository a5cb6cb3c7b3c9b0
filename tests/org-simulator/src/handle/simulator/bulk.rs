//! What the handle can do with Bulk API 2.0 jobs.

use super::Simulator;
use crate::api::bulk;
use crate::{BulkSettings, Error};

impl Simulator {
    /// Changes how the org works on Bulk API 2.0 jobs.
    pub fn set_bulk(&self, settings: &BulkSettings) -> Result<(), Error> {
        bulk::apply(&mut self.shared.org(), settings)
    }
}
