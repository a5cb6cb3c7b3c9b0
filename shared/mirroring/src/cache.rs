//! A cache of the fields of each object, held by an execution environment.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::{FieldName, ObjectDescribe, ObjectName, OrgId};
use store::OrgSettings;
use tracing::warn;

use super::{Extent, MirroredFields, ObjectFields, OrgMirror};

/// The age at which an entry expires. A removed field is noticed at once (`INVALID_FIELD`), a new field when the entry expires.
pub(super) const MAX_AGE: SignedDuration = SignedDuration::from_mins(15);

/// The fields of each object, by org.
#[derive(Debug, Default)]
pub struct FieldCache {
    configured: MirroredFields,
    /// The fields of orgs with settings of their own.
    of_orgs: Mutex<HashMap<OrgId, MirroredFields>>,
    entries: Mutex<HashMap<(OrgId, ObjectName), Entry>>,
    /// The extents that are smaller than the largest.
    extents: Mutex<HashMap<(OrgId, ObjectName), Extent>>,
}

#[derive(Debug)]
struct Entry {
    /// The time of the describe; `None` once the entry was invalidated.
    described_at: Option<Timestamp>,
    fields: Arc<ObjectFields>,
}

impl FieldCache {
    /// Creates an empty cache.
    #[must_use]
    pub fn new(configured: MirroredFields) -> Self {
        Self { configured, ..Self::default() }
    }

    /// Sets the mirrored fields of an org's own settings, by object: they replace those of the deployment. If they have changed,
    /// the org's entries are invalidated.
    pub fn configure(&self, org: OrgId, fields: &BTreeMap<ObjectName, Vec<FieldName>>) {
        let configured = self.configured.replaced_by(fields);
        let mut of_orgs = self.of_orgs.lock().unwrap_or_else(PoisonError::into_inner);
        if *of_orgs.get(&org).unwrap_or(&self.configured) == configured {
            return;
        }
        of_orgs.insert(org, configured);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let of_org = entries.iter_mut().filter(|((owner, _), _)| *owner == org);
        of_org.for_each(|(_, entry)| entry.described_at = None);
    }

    /// Returns what of an org is mirrored, where `objects` are the objects of the deployment.
    #[must_use]
    pub fn org_mirror(&self, settings: &OrgSettings, objects: &[ObjectName]) -> OrgMirror {
        OrgMirror::new(settings, objects, &self.configured)
    }

    /// Returns the fields of the object, if there is an entry that is valid and younger than 15 minutes.
    #[must_use]
    pub fn get(&self, org: OrgId, object: &ObjectName, now: Timestamp) -> Option<Arc<ObjectFields>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry { described_at, fields } = entries.get(&(org, object.clone()))?;
        let is_fresh = described_at.is_some_and(|at| now.duration_since(at) < MAX_AGE);
        is_fresh.then(|| Arc::clone(fields))
    }

    /// Selects the fields of a described object and stores them. Logs the configured fields that cannot be read, if they
    /// differ from those of the entry before.
    pub fn insert(
        &self,
        org: OrgId,
        object: &ObjectName,
        describe: &ObjectDescribe,
        now: Timestamp,
    ) -> Arc<ObjectFields> {
        let of_orgs = self.of_orgs.lock().unwrap_or_else(PoisonError::into_inner);
        let configured = of_orgs.get(&org).unwrap_or(&self.configured);
        let fields = Arc::new(ObjectFields::from_describe(describe, configured));
        drop(of_orgs);
        let entry = Entry { described_at: Some(now), fields: Arc::clone(&fields) };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let before = entries.insert((org, object.clone()), entry);
        if before.map_or_else(Vec::new, |before| before.fields.unreadable.clone()) != fields.unreadable {
            let names: Vec<&str> = fields.unreadable.iter().map(FieldName::as_str).collect();
            let names = names.join(", ");
            warn!(org.id = %org, sf.object = %object, fields = names, "the connection cannot read some of the configured fields");
        }
        fields
    }

    /// Returns how much one request reads of the object.
    #[must_use]
    pub fn extent(&self, org: OrgId, object: &ObjectName) -> Extent {
        let extents = self.extents.lock().unwrap_or_else(PoisonError::into_inner);
        extents.get(&(org, object.clone())).copied().unwrap_or_default()
    }

    /// Remembers how much one request may read of the object, for the life of the execution environment.
    pub fn set_extent(&self, org: OrgId, object: &ObjectName, extent: Extent) {
        let mut extents = self.extents.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (org, object.clone());
        if extent.is_full() {
            extents.remove(&key);
        } else {
            extents.insert(key, extent);
        }
    }

    /// Invalidates the entry of an object whose fields have changed.
    pub fn invalidate(&self, org: OrgId, object: &ObjectName) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&(org, object.clone())) {
            entry.described_at = None;
        }
    }
}
