//! The work on a Bulk API 1.0 job, its batches and their results.

use jiff::Timestamp;

use crate::api::bulk::advance::advance;
use crate::api::bulk::v1::refusal::Refusal;
use crate::model::bulk::KEPT;
use crate::model::bulk::csv::Format;
use crate::model::bulk::ingest::{Ingest, Outcome};
use crate::model::bulk::job::{Job, State, Work};
use crate::model::bulk::v1::{AsyncJob, JobState};
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Returns the numbers of processed and of failed records.
pub(super) fn records(batch: &Job) -> (usize, usize) {
    ingest(batch).map_or((0, 0), |ingest| (ingest.outcomes.len(), ingest.failed()))
}

pub(crate) fn ingest(batch: &Job) -> Option<&Ingest> {
    match &batch.work {
        Work::Ingest(ingest) => Some(ingest),
        Work::Query(_) => None,
    }
}

/// Returns the batch as it was sent.
pub(super) fn request(batch: &Job) -> String {
    ingest(batch).map_or("", Ingest::sent).to_owned()
}

/// Returns the result lines of a batch, one for each record, in their order.
pub(super) fn results(batch: &Job) -> Result<String, Refusal> {
    let Some(ingest) = ingest(batch).filter(|_| batch.head.state == State::JobComplete) else {
        return Err(Refusal::new("InvalidBatch", "Batch not completed"));
    };
    let (format, mut csv) = (Format::default(), String::new());
    format.write(&mut csv, ["Id", "Success", "Created", "Error"]);
    for outcome in &ingest.outcomes {
        match outcome {
            Outcome::Done { id, created } => {
                format.write(&mut csv, [id.as_str(), "true", if *created { "true" } else { "false" }, ""]);
            }
            Outcome::Failed { id, error } => {
                format.write(&mut csv, [id.as_ref().map_or("", RecordId::as_str), "false", "false", error]);
            }
        }
    }
    Ok(csv)
}

/// Processes the batches that are due and deletes jobs that are too old.
pub(crate) fn settle(org: &mut Org, now: Timestamp) {
    let is_active = |job: &&AsyncJob| job.batches.iter().any(|batch| batch.head.state.is_active());
    let active: Vec<RecordId> = org.bulk.v1.values().filter(is_active).map(|job| job.template.head.id).collect();
    for id in active {
        let Some(mut job) = org.bulk.v1.remove(&id) else { continue };
        for batch in job.batches.iter_mut().filter(|batch| batch.head.state.is_active()) {
            advance(org, batch, now);
        }
        org.bulk.v1.insert(id, job);
    }
    org.bulk.v1.retain(|_, job| now.duration_since(job.template.head.created) <= KEPT);
}

impl AsyncJob {
    pub(super) fn batch(&self, id: &str) -> Result<&Job, Refusal> {
        let wanted = RecordId::parse(id);
        let batch = self.batches.iter().find(|batch| Some(batch.head.id) == wanted);
        batch.ok_or_else(|| Refusal::new("InvalidBatch", format!("Unable to find batch: {id}")))
    }

    pub(super) fn takes_batches(&self) -> Result<(), Refusal> {
        if self.state == JobState::Open {
            return Ok(());
        }
        let message = format!("Adding a batch to an already {} Job not allowed", self.state.name());
        Err(Refusal::new("InvalidJobState", message))
    }

    /// Closes the job, or aborts it together with the unfinished batches; rows that were written stay.
    pub(super) fn enter(&mut self, wanted: JobState, now: Timestamp) -> Result<(), Refusal> {
        let verb = if wanted == JobState::Aborted { "Aborting" } else { "Closing" };
        if self.state == JobState::Aborted || self.state == wanted {
            let message = format!("{verb} already {} Job not allowed", self.state.name());
            return Err(Refusal::new("InvalidJobState", message));
        }
        self.state = wanted;
        self.template.head.changed = now;
        if wanted == JobState::Aborted {
            for batch in self.batches.iter_mut().filter(|batch| batch.head.state.is_active()) {
                batch.head.enter(State::Aborted, now);
            }
        }
        Ok(())
    }
}
