//! The settings of the org.

use serde_json::Value;
use store::org_settings::Author;
use store::{OrgSettingsTable, SettingsCache, SettingsChange};

use crate::TestContext;

impl TestContext {
    /// Returns a cache of settings that has read none yet, as a new execution environment has.
    pub fn settings(&self) -> SettingsCache {
        SettingsCache::new(OrgSettingsTable::new(self.dynamodb(), self.table("org_settings")))
    }

    /// Stores the settings of the org as its next version.
    pub async fn set(&self, settings: Value) {
        let table = OrgSettingsTable::new(self.dynamodb(), self.table("org_settings"));
        let seen = table.load(self.org).await.unwrap().map_or(0, |latest| latest.version);
        let settings = serde_json::from_value(settings).unwrap();
        let change = SettingsChange { seen, settings, author: Author::Platform };
        table.store(self.org, change, self.clock.now()).await.unwrap();
    }
}
