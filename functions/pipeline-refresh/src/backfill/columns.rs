//! A cache of the types of each object's fields, held by an execution environment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::bulk::Columns;
use salesforce::{ObjectName, OrgId};

use crate::error::Error;
use crate::run::Run;

/// The age at which an entry expires.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);

type Entries = HashMap<(OrgId, ObjectName), (Timestamp, Arc<Columns>)>;

/// The types of the fields, by org and object.
#[derive(Debug, Default)]
pub(super) struct ColumnsCache(Mutex<Entries>);

impl ColumnsCache {
    /// Returns the types of an object's fields for the rows of a job that was created at this time, from a describe if need be.
    /// `None` if the connection cannot see the object.
    pub(super) async fn load(
        &self,
        run: &Run<'_>,
        object: &ObjectName,
        created_at: Timestamp,
    ) -> Result<Option<Arc<Columns>>, Error> {
        let (org, now) = (run.org(), run.deps.clock.now());
        let key = (org, object.clone());
        if let Some(columns) = self.get(&key, created_at, now) {
            return Ok(Some(columns));
        }
        let described = run.client.find_object(object).await;
        let described = described.map_err(|source| Error::Rows { org, object: object.clone(), source })?;
        Ok(described.map(|describe| {
            run.deps.fields.insert(org, object, &describe, now);
            let columns = Arc::new(Columns::of(&describe));
            self.insert(key, Arc::clone(&columns), now);
            columns
        }))
    }

    fn insert(&self, key: (OrgId, ObjectName), columns: Arc<Columns>, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, (at, _)| now.duration_since(*at) < MAX_AGE);
        entries.insert(key, (now, columns));
    }

    /// Returns an entry that was described after the job was created: an older one may lack fields that the job has selected.
    fn get(&self, key: &(OrgId, ObjectName), created_at: Timestamp, now: Timestamp) -> Option<Arc<Columns>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, columns) = entries.get(key)?;
        (*at >= created_at && now.duration_since(*at) < MAX_AGE).then(|| Arc::clone(columns))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_serves_the_jobs_that_were_created_before_it() {
        let at = |minute: i64| Timestamp::from_second(1_790_000_000 + minute * 60).unwrap();
        let describe = serde_json::from_value(json!({
            "name": "Account", "label": "Account", "keyPrefix": "001", "custom": false, "queryable": true,
            "createable": true, "updateable": true, "replicateable": true, "fields": [],
        }));
        let columns = Arc::new(Columns::of(&describe.unwrap()));
        let org: OrgId = "00D5e000000KQ2eEAG".parse().unwrap();
        let key = (org, ObjectName::from_static("Account"));
        let cache = ColumnsCache::default();
        cache.insert(key.clone(), columns, at(10));

        let is_found = |created_at, now| cache.get(&key, at(created_at), at(now)).is_some();
        assert!(is_found(-60, 11) && is_found(10, 69));
        assert!(!is_found(11, 12), "the job may have fields that are newer than the entry");
        assert!(!is_found(10, 70));
    }
}
