//! The settings of Bulk API jobs that a test can change.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::org::Org;

/// Changes of the settings of Bulk API 2.0 jobs; `None` leaves a setting unchanged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BulkSettings {
    /// Milliseconds of the org's clock from `UploadComplete` to the end of a job; 0 at first.
    pub processing_ms: Option<u64>,
    /// Records in a page of results when the client names no number; 50,000 at first.
    pub page_records: Option<usize>,
    /// Query jobs allowed in 24 hours.
    pub query_jobs_a_day: Option<u64>,
    /// Batches of up to 10,000 rows allowed in 24 hours.
    pub batches_a_day: Option<u64>,
    /// Makes the next job fail, with this `errorMessage`.
    pub fail_next: Option<String>,
    /// Usernames that get (`true`) or lose the permission "Bulk API Hard Delete".
    pub hard_delete: BTreeMap<String, bool>,
}

/// Changes the settings; with an unknown username, none is changed.
pub(crate) fn apply(org: &mut Org, settings: &BulkSettings) -> Result<(), Error> {
    let user = |username: &String| {
        org.user_named(username).ok_or_else(|| Error::Unknown { what: "user", name: username.clone() })
    };
    let hard_delete: Vec<_> =
        settings.hard_delete.iter().map(|(name, may)| Ok((user(name)?, *may))).collect::<Result<_, Error>>()?;
    let bulk = &mut org.bulk;
    for (user, may) in hard_delete {
        if may {
            bulk.hard_deleters.insert(user)
        } else {
            bulk.hard_deleters.remove(&user)
        };
    }
    if let Some(ms) = settings.processing_ms {
        bulk.processing = Duration::from_millis(ms);
    }
    if let Some(records) = settings.page_records {
        bulk.page = records.max(1);
    }
    if let Some(max) = settings.query_jobs_a_day {
        bulk.query_jobs.max = max;
    }
    if let Some(max) = settings.batches_a_day {
        bulk.batches.max = max;
    }
    bulk.failures.extend(settings.fail_next.clone());
    Ok(())
}
