//! Ingest jobs: an upload of CSV, worked off row by row, each row a transaction of its own.

use std::borrow::Cow;

use jiff::Timestamp;

use super::csv::{Format, Table};
use super::job::Head;
use super::rows::{self, Columns};
use crate::model::ids::RecordId;
use crate::model::org::Org;

/// Rows that are worked on together; an external id may stand only once in such a chunk.
const CHUNK: usize = 200;

/// What happens to every row of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

impl Operation {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Insert, "insert"),
        (Self::Update, "update"),
        (Self::Upsert, "upsert"),
        (Self::Delete, "delete"),
        (Self::HardDelete, "hardDelete"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(known, _)| *known == self).map_or("insert", |(_, name)| name)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
    }
}

/// What came of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Done {
        id: RecordId,
        created: bool,
    },
    Failed {
        /// The record that was meant, where that is known.
        id: Option<RecordId>,
        /// `CODE:message:fields --`.
        error: String,
    },
}

/// The part of a job that only ingest jobs have.
#[derive(Clone, Debug)]
pub(crate) struct Ingest {
    pub(crate) operation: Operation,
    pub(crate) external_id: Option<String>,
    pub(crate) assignment_rule: Option<RecordId>,
    /// The upload as it came; `None` before the upload and after it was taken apart.
    pub(crate) upload: Option<String>,
    pub(crate) has_data: bool,
    /// The org's allowances have been charged for the rows.
    pub(super) counted: bool,
    pub(crate) table: Table,
    columns: Option<Columns>,
    /// Of the rows worked off so far, in their order.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Ingest {
    pub(crate) fn new(operation: Operation, external_id: Option<String>, assignment_rule: Option<RecordId>) -> Self {
        Self {
            operation,
            external_id,
            assignment_rule,
            upload: None,
            has_data: false,
            counted: false,
            table: Table::default(),
            columns: None,
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed { .. })).count()
    }

    /// The upload as it came.
    pub(crate) fn sent(&self) -> &str {
        self.upload.as_deref().unwrap_or_else(|| self.table.text())
    }

    /// Takes the upload apart and checks its header, once; the error is why the job fails.
    pub(super) fn prepare(&mut self, org: &Org, job: &Head) -> Result<(), String> {
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

    /// Works off rows until `target` of them are done; whole chunks, but for the last.
    pub(super) fn work(&mut self, org: &mut Org, job: &Head, target: usize) {
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

    /// `successfulResults`.
    pub(crate) fn successes(&self, format: Format) -> Listing {
        let table = self.uploaded(format);
        let mut listing = Listing::new(format, &["sf__Id", "sf__Created"], table.header());
        for (at, outcome) in self.outcomes.iter().enumerate() {
            if let Outcome::Done { id, created } = outcome {
                let created = if *created { "true" } else { "false" };
                listing.add(&[id.as_str(), created], table.text_of(at));
            }
        }
        listing
    }

    /// `failedResults`.
    pub(crate) fn failures(&self, format: Format) -> Listing {
        let table = self.uploaded(format);
        let mut listing = Listing::new(format, &["sf__Id", "sf__Error"], table.header());
        for (at, outcome) in self.outcomes.iter().enumerate() {
            if let Outcome::Failed { id, error } = outcome {
                let id = id.as_ref().map_or("", RecordId::as_str);
                listing.add(&[id, error], table.text_of(at));
            }
        }
        listing
    }

    /// `unprocessedrecords`: the rows no one has worked on. An upload that cannot be read is one record, as it came.
    pub(crate) fn unprocessed(&self, format: Format) -> Listing {
        let table = self.uploaded(format);
        if let Some(upload) = self.upload.as_ref().filter(|_| table.columns.is_empty()) {
            return Listing { text: upload.clone(), header: 0, ends: vec![upload.len()], format };
        }
        let mut listing = Listing::new(format, &[], table.header());
        for at in self.outcomes.len()..table.len() {
            listing.add(&[], table.text_of(at));
        }
        listing
    }

    /// The upload taken apart, also when no work was done on it; empty when it cannot be read.
    fn uploaded(&self, format: Format) -> Cow<'_, Table> {
        match &self.upload {
            Some(upload) => Cow::Owned(Table::new(upload.clone(), format).unwrap_or_default()),
            None => Cow::Borrowed(&self.table),
        }
    }
}

/// Records as CSV, of which pages can be cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    text: String,
    /// Where the header ends.
    header: usize,
    /// Where each record ends.
    ends: Vec<usize>,
    format: Format,
}

impl Listing {
    pub(super) fn new(format: Format, own: &[&str], rest: &str) -> Self {
        let mut text = String::new();
        match (own, rest) {
            ([], "") => {}
            (own, "") => format.write(&mut text, own.iter().copied()),
            (own, rest) => format.write_before(&mut text, own, rest),
        }
        Self { header: text.len(), text, ends: Vec::new(), format }
    }

    /// Begins with the names of columns.
    pub(super) fn of_columns(format: Format, columns: &[String]) -> Self {
        let mut text = String::new();
        format.write(&mut text, columns.iter().map(String::as_str));
        Self { header: text.len(), text, ends: Vec::new(), format }
    }

    fn add(&mut self, own: &[&str], rest: &str) {
        self.format.write_before(&mut self.text, own, rest);
        self.ends.push(self.text.len());
    }

    /// Adds a record with every value in quotes.
    pub(super) fn push<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) {
        self.format.write(&mut self.text, values);
        self.ends.push(self.text.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The header and up to `count` records; every page repeats the header.
    pub(crate) fn page(&self, from: usize, count: usize) -> String {
        let end_of = |records: usize| match records {
            0 => self.header,
            n => self.ends.get(n - 1).copied().unwrap_or(self.text.len()),
        };
        let to = self.len().min(from.saturating_add(count));
        let mut page = self.text[..self.header].to_owned();
        page.push_str(&self.text[end_of(from.min(to))..end_of(to)]);
        page
    }
}

/// How many of `rows` are done after that share of the time.
pub(super) fn share(rows: usize, since: Timestamp, now: Timestamp, time_ms: i64) -> usize {
    let elapsed = now.as_millisecond() - since.as_millisecond();
    if elapsed >= time_ms {
        return rows;
    }
    let done = i128::try_from(rows).unwrap_or(i128::MAX) * i128::from(elapsed.max(0)) / i128::from(time_ms.max(1));
    usize::try_from(done).unwrap_or(0).min(rows)
}
