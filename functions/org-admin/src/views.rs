//! The responses.

use jiff::Timestamp;
use salesforce::ObjectName;
use serde::Serialize;
use store::org_settings::{Author, Difference, differences};
use store::{OrgSettings, SettingsVersion};

/// The settings of an org.
#[derive(Debug, Serialize)]
pub(crate) struct SettingsView {
    /// The number of the version; 0 for an org without settings of its own.
    pub(crate) version: u64,
    /// The settings.
    settings: OrgSettings,
    /// The mirrored objects: those of the settings, or of the deployment.
    objects: Vec<ObjectName>,
    #[serde(serialize_with = "store::time::millis_option::serialize")]
    changed_at: Option<Timestamp>,
    changed_by: Option<Author>,
    /// The changed settings, with the values before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Difference>>,
    /// `true` if nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

/// A page of the history, the newest version first.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryView {
    versions: Vec<VersionView>,
    /// The version after which the next page begins.
    next: Option<u64>,
}

/// A version, and what it changed.
#[derive(Debug, Serialize)]
pub(crate) struct VersionView {
    version: u64,
    settings: OrgSettings,
    changes: Vec<Difference>,
    #[serde(with = "store::time::millis")]
    changed_at: Timestamp,
    changed_by: Author,
}

impl SettingsView {
    /// Returns the view of the newest version, where `deployed` are the objects of the deployment.
    pub(crate) fn new(version: Option<SettingsVersion>, deployed: &[ObjectName]) -> Self {
        let (changed_at, changed_by) = version.as_ref().map(|it| (it.changed_at, it.changed_by.clone())).unzip();
        let (version, settings) = version.map(|it| (it.version, it.settings)).unwrap_or_default();
        let objects = settings.mirrored_objects(deployed).to_vec();
        Self { version, settings, objects, changed_at, changed_by, changes: None, dry_run: None }
    }

    /// Adds what a change of the settings changes.
    pub(crate) fn with_changes(
        self,
        settings: &OrgSettings,
        deployed: &[ObjectName],
        changes: Vec<Difference>,
        dry_run: bool,
    ) -> Self {
        let objects = settings.mirrored_objects(deployed).to_vec();
        Self { settings: settings.clone(), objects, changes: Some(changes), dry_run: dry_run.then_some(true), ..self }
    }
}

impl VersionView {
    fn new(version: &SettingsVersion, changes: Vec<Difference>) -> Self {
        let SettingsVersion { version, settings, changed_at, changed_by, .. } = version.clone();
        Self { version, settings, changes, changed_at, changed_by }
    }
}

impl HistoryView {
    /// Returns the view of at most `limit` versions. Each is compared with the next in the list, which is the one before it.
    pub(crate) fn new(versions: Vec<SettingsVersion>, limit: usize) -> Self {
        let next = (versions.len() > limit).then(|| versions.get(limit - 1).map(|last| last.version)).flatten();
        let none = OrgSettings::default();
        let before = |position: usize| versions.get(position + 1).map_or(&none, |version| &version.settings);
        let view = |(position, version): (usize, &SettingsVersion)| {
            VersionView::new(version, differences(before(position), &version.settings))
        };
        Self { versions: versions.iter().enumerate().take(limit).map(view).collect(), next }
    }
}
