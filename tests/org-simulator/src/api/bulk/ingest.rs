//! Processes ingest jobs: the rows of the CSV upload one by one, each in a transaction of its own.

use jiff::Timestamp;

use super::rows;
use crate::model::bulk::columns::Columns;
use crate::model::bulk::csv::Table;
use crate::model::bulk::ingest::Ingest;
use crate::model::bulk::job::Head;
use crate::model::org::Org;

/// Rows that are processed together; an external id may occur only once in a chunk.
const CHUNK: usize = 200;

/// Returns how many of `rows` are done at `now`, in proportion to the elapsed time.
pub(super) fn share(rows: usize, since: Timestamp, now: Timestamp, time_ms: i64) -> usize {
    let elapsed = now.as_millisecond() - since.as_millisecond();
    if elapsed >= time_ms {
        return rows;
    }
    let done = i128::try_from(rows).unwrap_or(i128::MAX) * i128::from(elapsed.max(0)) / i128::from(time_ms.max(1));
    usize::try_from(done).unwrap_or(0).min(rows)
}

impl Ingest {
    /// Parses the upload and checks its header, once; the error is the job's `errorMessage`.
    pub(crate) fn prepare(&mut self, org: &Org, job: &Head) -> Result<(), String> {
        if self.columns.is_some() {
            return Ok(());
        }
        let text = self.upload.take().unwrap_or_default();
        match Table::new(text.clone(), job.format) {
            Ok(table) => self.table = table,
            Err(reason) => {
                self.upload = Some(text);
                return Err(reason);
            }
        }
        if self.table.columns.is_empty() {
            return Err("InvalidBatch : Records not found".to_owned());
        }
        self.columns = Some(Columns::new(org, job, self)?);
        Ok(())
    }

    /// Processes rows until `target` rows are done, in whole chunks except for the last.
    pub(crate) fn work(&mut self, org: &mut Org, job: &Head, target: usize) {
        let Some(columns) = self.columns.take() else { return };
        let target = if target >= self.table.len() { self.table.len() } else { target / CHUNK * CHUNK };
        while self.outcomes.len() < target {
            let from = self.outcomes.len();
            let chunk = from..target.min(from + CHUNK);
            let outcomes = rows::work(org, job, &columns, self, chunk);
            self.outcomes.extend(outcomes);
        }
        self.columns = Some(columns);
    }
}
