//! What follows from the records that a write changed: their origins are stored, and the mirror reads them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use runtime::Chain;
use salesforce::{ObjectName, RecordId};
use store::origins::Origin;
use store::owner_policy::Route;
use store::{OrgSettings, Write};

use crate::origins::Call;
use crate::{Deps, hints};

/// The time within which the hints of a call are queued.
const HINTS_TIME_LIMIT: SignedDuration = SignedDuration::from_secs(2);

/// Publishes what a write changed.
#[derive(Clone, Copy)]
pub(crate) struct Effects<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) route: &'a Route,
    pub(crate) write: &'a Write,
}

impl Effects<'_> {
    /// Returns the settings of the org. If they cannot be loaded, those of the deployment: `record-upsert` drops the hints of
    /// what the org does not mirror.
    pub(crate) async fn settings(self) -> Arc<OrgSettings> {
        let org = self.write.org_id;
        let settings = self.deps.settings.load(org, self.deps.ledger.clock.now()).await;
        settings.unwrap_or_else(|error| {
            tracing::warn!(org.id = %org, error = %Chain(&error), "could not load the settings of the org");
            Arc::default()
        })
    }

    /// Returns the call that has ended now. `from` is the time before the first request that may have changed the records.
    pub(crate) fn call_since(self, from: Timestamp) -> Call {
        let to = self.deps.ledger.clock.now();
        Call { write_id: self.write.write_id, user_id: self.route.user_id, from, to }
    }

    /// Stores the origins of the changed records, and then queues their hints.
    pub(crate) async fn publish(self, object: &ObjectName, changed: &[(RecordId, Origin)]) {
        self.record_origins(changed).await;
        self.queue_hints(object, changed.iter().map(|(record, _)| *record)).await;
    }

    /// Stores which records the write changed. A failure is only logged: the events of the change then do not name the write.
    async fn record_origins(self, changed: &[(RecordId, Origin)]) {
        let org = self.write.org_id;
        if let Err(error) = self.deps.origins.record(org, changed).await {
            let records = changed.len();
            tracing::warn!(org.id = %org, records, error = %Chain(&error), "could not record the origin of a change");
        }
    }

    /// Queues the changed records to be read into the mirror. A failure is only logged: the mirror then has them when
    /// Salesforce's message arrives, or after the night.
    pub(crate) async fn queue_hints(self, object: &ObjectName, changed: impl IntoIterator<Item = RecordId>) {
        let now = self.deps.ledger.clock.now();
        let write = (self.write.org_id, self.write.write_id);
        let settings = self.settings().await;
        let mirrored = settings.mirrored_objects(&self.deps.mirrored_objects);
        let hints = hints::of_write(write, object, mirrored, changed, now);
        if hints.is_empty() {
            return;
        }
        let deadline = now.saturating_add(HINTS_TIME_LIMIT).unwrap_or(now);
        if let Err(error) = self.deps.hints.send_all(&hints, deadline).await {
            tracing::warn!(org.id = %self.write.org_id, records = hints.len(), error = %Chain(&error),
                "could not queue the hints of a write");
        }
    }
}
