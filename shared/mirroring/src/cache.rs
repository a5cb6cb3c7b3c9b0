//! What is read of each object, remembered for the life of the sandbox.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::{FieldName, ObjectDescribe, ObjectName, OrgId};
use tracing::warn;

use super::{MirroredFields, ObjectFields};

/// How long a describe is believed. A field that is gone is noticed at once (`INVALID_FIELD`), a new one after this.
pub(super) const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(15);

/// What is read of each object, by org.
#[derive(Debug, Default)]
pub struct FieldCache {
    configured: MirroredFields,
    known: Mutex<HashMap<(OrgId, ObjectName), Learned>>,
}

/// What was learned about an object.
#[derive(Debug)]
struct Learned {
    /// When; `None` once it has to be learned again.
    at: Option<Timestamp>,
    fields: Arc<ObjectFields>,
}

impl FieldCache {
    /// Knows what is configured, and nothing of any org.
    #[must_use]
    pub fn new(configured: MirroredFields) -> Self {
        Self { configured, known: Mutex::default() }
    }

    /// What is read of the object, unless it was never described or too long ago.
    #[must_use]
    pub fn recall(&self, org: OrgId, object: &ObjectName, now: Timestamp) -> Option<Arc<ObjectFields>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Learned { at, fields } = known.get(&(org, object.clone()))?;
        let is_fresh = at.is_some_and(|at| now.duration_since(at) < BELIEVED_FOR);
        is_fresh.then(|| Arc::clone(fields))
    }

    /// Takes what the org says about the object. Fields that are configured and cannot be read are named in a line of the
    /// log, once as long as they stay the same.
    pub fn learn(
        &self,
        org: OrgId,
        object: &ObjectName,
        describe: &ObjectDescribe,
        now: Timestamp,
    ) -> Arc<ObjectFields> {
        let fields = Arc::new(ObjectFields::of(describe, &self.configured));
        let learned = Learned { at: Some(now), fields: Arc::clone(&fields) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.insert((org, object.clone()), learned);
        if before.map_or_else(Vec::new, |before| before.fields.left_out.clone()) != fields.left_out {
            let names: Vec<&str> = fields.left_out.iter().map(FieldName::as_str).collect();
            let names = names.join(", ");
            warn!(org.id = %org, sf.object = %object, fields = names, "the connection may not read some of the configured fields");
        }
        fields
    }

    /// Forgets what the org said about the object, because it has changed.
    pub fn forget(&self, org: OrgId, object: &ObjectName) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(learned) = known.get_mut(&(org, object.clone())) {
            learned.at = None;
        }
    }
}
