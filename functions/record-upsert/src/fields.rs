//! The fields of each object that a connection may read, remembered for the life of the sandbox.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::{FieldName, ObjectDescribe, ObjectName, OrgId};

/// How long a describe is believed. A field that is gone is noticed at once (`INVALID_FIELD`), a new one after this.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(15);

const ID: FieldName = FieldName::from_static("Id");
const IS_DELETED: FieldName = FieldName::from_static("IsDeleted");
const SYSTEM_MODSTAMP: FieldName = FieldName::from_static("SystemModstamp");
const MASTER_RECORD_ID: FieldName = FieldName::from_static("MasterRecordId");

/// What a reading of an object selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// The fields that hold values of their own.
    pub readable: Vec<FieldName>,
    /// What tells of a deletion; empty for an object whose records cannot be deleted.
    pub of_the_deleted: Vec<FieldName>,
}

impl Fields {
    /// From what the org says about the object.
    #[must_use]
    pub fn of(describe: &ObjectDescribe) -> Self {
        let readable = describe.readable_fields();
        let mut of_the_deleted = Vec::new();
        if readable.contains(&IS_DELETED) {
            let tell = [ID, IS_DELETED, SYSTEM_MODSTAMP, MASTER_RECORD_ID];
            of_the_deleted.extend(tell.into_iter().filter(|field| readable.contains(field)));
        }
        Self { readable, of_the_deleted }
    }
}

/// What is remembered, by org and object.
#[derive(Debug, Default)]
pub struct FieldCache {
    known: Mutex<HashMap<(OrgId, ObjectName), Learned>>,
}

/// What was learned, and when.
type Learned = (Timestamp, Arc<Fields>);

impl FieldCache {
    /// The object's fields, unless they were never asked for or too long ago.
    #[must_use]
    pub fn recall(&self, org: OrgId, object: &ObjectName, now: Timestamp) -> Option<Arc<Fields>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (learned_at, fields) = known.get(&(org, object.clone()))?;
        (now.duration_since(*learned_at) < BELIEVED_FOR).then(|| Arc::clone(fields))
    }

    /// Remembers the object's fields.
    pub fn learn(&self, org: OrgId, object: &ObjectName, fields: Fields, now: Timestamp) -> Arc<Fields> {
        let fields = Arc::new(fields);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((org, object.clone()), (now, Arc::clone(&fields)));
        fields
    }

    /// Forgets the object's fields, because they have changed.
    pub fn forget(&self, org: OrgId, object: &ObjectName) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&(org, object.clone()));
    }
}

#[cfg(test)]
mod tests {
    use salesforce::Clock;

    use super::*;

    #[test]
    fn fields_are_believed_for_a_while_and_forgotten_when_told() {
        let (org, object) = ("00D5e000000KQ2eEAG".parse().unwrap(), ObjectName::from_static("Account"));
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
        let cache = FieldCache::default();
        let fields = Fields { readable: vec![FieldName::from_static("Id")], of_the_deleted: Vec::new() };

        assert_eq!(cache.recall(org, &object, clock.now()), None);
        cache.learn(org, &object, fields.clone(), clock.now());
        assert_eq!(cache.recall(org, &object, clock.now()).as_deref(), Some(&fields));
        clock.advance(BELIEVED_FOR);
        assert_eq!(cache.recall(org, &object, clock.now()), None);
        cache.learn(org, &object, fields, clock.now());
        cache.forget(org, &object);
        assert_eq!(cache.recall(org, &object, clock.now()), None);
    }
}
