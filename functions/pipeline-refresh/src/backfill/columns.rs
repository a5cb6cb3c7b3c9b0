//! A cache of the types of each object's fields, held by an execution environment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::bulk::Columns;
use salesforce::{ObjectName, OrgId};

use crate::error::Error;
use crate::run::Run;

/// The age at which an entry expires. A field's type hardly changes, and the job selects the fields.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);

type Entries = HashMap<(OrgId, ObjectName), (Timestamp, Arc<Columns>)>;

/// The types of the fields, by org and object.
#[derive(Debug, Default)]
pub(super) struct ColumnsCache(Mutex<Entries>);

impl ColumnsCache {
    /// Returns the types of an object's fields, from a describe if need be. `None` if the connection cannot see the object.
    pub(super) async fn load(&self, run: &Run<'_>, object: &ObjectName) -> Result<Option<Arc<Columns>>, Error> {
        let (org, now) = (run.org(), run.deps.clock.now());
        let key = (org, object.clone());
        if let Some(columns) = self.get(&key, now) {
            return Ok(Some(columns));
        }
        let described = run.client.find_object(object).await;
        let described = described.map_err(|source| Error::Rows { org, object: object.clone(), source })?;
        Ok(described.map(|describe| {
            run.deps.fields.insert(org, object, &describe, now);
            let columns = Arc::new(Columns::of(&describe));
            let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            entries.retain(|_, (at, _)| now.duration_since(*at) < MAX_AGE);
            entries.insert(key, (now, Arc::clone(&columns)));
            columns
        }))
    }

    fn get(&self, key: &(OrgId, ObjectName), now: Timestamp) -> Option<Arc<Columns>> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, columns) = entries.get(key)?;
        (now.duration_since(*at) < MAX_AGE).then(|| Arc::clone(columns))
    }
}
