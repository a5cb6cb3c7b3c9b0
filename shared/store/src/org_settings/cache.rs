//! The settings of orgs, remembered for a moment by an execution environment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::OrgId;

use super::{OrgSettings, OrgSettingsTable};
use crate::Error;

/// The age at which settings are read again.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(60);
/// The number of orgs whose settings are remembered.
const MAX_ORGS: usize = 1_024;

/// Reads the settings of orgs. A change is noticed within a minute.
#[derive(Clone, Debug)]
pub struct SettingsCache {
    table: OrgSettingsTable,
    entries: Arc<Mutex<Entries>>,
}

/// The settings of orgs, with the times at which they were read.
type Entries = HashMap<OrgId, (Timestamp, Arc<OrgSettings>)>;

impl SettingsCache {
    /// Creates a cache for the table.
    #[must_use]
    pub fn new(table: OrgSettingsTable) -> Self {
        Self { table, entries: Arc::default() }
    }

    /// Returns the settings of the org; empty ones if it has none of its own.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, now: Timestamp) -> Result<Arc<OrgSettings>, Error> {
        if let Some(known) = self.known(org, now) {
            return Ok(known);
        }
        let version = self.table.load(org).await?;
        let settings = Arc::new(version.map(|version| version.settings).unwrap_or_default());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ORGS {
            entries.clear();
        }
        entries.insert(org, (now, Arc::clone(&settings)));
        Ok(settings)
    }

    fn known(&self, org: OrgId, now: Timestamp) -> Option<Arc<OrgSettings>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, settings) = entries.get(&org)?;
        (now.duration_since(*read_at) < MAX_AGE).then(|| Arc::clone(settings))
    }
}
