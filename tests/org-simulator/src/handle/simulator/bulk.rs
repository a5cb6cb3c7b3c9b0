//! The handle's methods for Bulk API jobs.

use super::Simulator;
use crate::api::bulk;
use crate::{BulkSettings, Error};

impl Simulator {
    /// Changes the settings of Bulk API jobs.
    pub fn set_bulk(&self, settings: &BulkSettings) -> Result<(), Error> {
        bulk::apply(&mut self.shared.org(), settings)
    }
}
