//! The state of an ingest job.

use std::borrow::Cow;

use crate::model::bulk::columns::Columns;
use crate::model::bulk::csv::{Format, Table};
use crate::model::bulk::listing::Listing;
use crate::model::ids::RecordId;

/// The operation of an ingest job, done for every row of the upload.
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

/// The outcome of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Done {
        id: RecordId,
        created: bool,
    },
    Failed {
        /// The record that the row identifies, where that is known.
        id: Option<RecordId>,
        /// `CODE:message:fields --`.
        error: String,
    },
}

/// The state that only ingest jobs have.
#[derive(Clone, Debug)]
pub(crate) struct Ingest {
    pub(crate) operation: Operation,
    pub(crate) external_id: Option<String>,
    pub(crate) assignment_rule: Option<RecordId>,
    /// The upload as it was sent; `None` before the upload and after it was parsed.
    pub(crate) upload: Option<String>,
    pub(crate) has_data: bool,
    /// The org's allowances have been charged for the rows.
    pub(crate) counted: bool,
    pub(crate) table: Table,
    pub(crate) columns: Option<Columns>,
    /// The outcomes of the rows processed so far, in their order.
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

    /// Returns the upload as it was sent.
    pub(crate) fn sent(&self) -> &str {
        self.upload.as_deref().unwrap_or_else(|| self.table.text())
    }

    /// Returns the CSV of `successfulResults`.
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

    /// Returns the CSV of `failedResults`.
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

    /// Returns the CSV of `unprocessedrecords`: the rows that were not processed. An upload that does not parse is
    /// returned unchanged, as one record.
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

    /// Returns the parsed upload, also when no row was processed; empty when it does not parse.
    fn uploaded(&self, format: Format) -> Cow<'_, Table> {
        match &self.upload {
            Some(upload) => Cow::Owned(Table::new(upload.clone(), format).unwrap_or_default()),
            None => Cow::Borrowed(&self.table),
        }
    }
}
