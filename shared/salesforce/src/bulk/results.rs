//! The results of an ingest job, row by row.

use std::collections::HashMap;

use super::pages::{CsvBody, next_locator};
use super::splitter::Splitter;
use super::{JobId, Kind, Locator};
use crate::transport::Request;
use crate::{Client, Error, FieldName, SaveError, SaveOutcome};

/// The rows of an ingest job that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultKind {
    /// Those that were written.
    Successful,
    /// Those that Salesforce has refused.
    Failed,
    /// Those that were not tried, because the job has failed or was stopped.
    Unprocessed,
}

impl ResultKind {
    fn path(self) -> &'static str {
        match self {
            Self::Successful => "successfulResults",
            Self::Failed => "failedResults",
            Self::Unprocessed => "unprocessedrecords",
        }
    }
}

/// A row of an ingest job and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestRow {
    /// The outcome, as in a collection. A row that was not tried has neither an id nor errors.
    pub outcome: SaveOutcome,
    /// The values of the upload by column. Salesforce does not keep the order of the rows, and names no position: find the row by
    /// the value of a column of your own.
    pub values: HashMap<String, String>,
}

/// Results of an ingest job that are being read.
pub struct IngestResults {
    body: CsvBody,
    next: Option<Locator>,
    kind: ResultKind,
    columns: Vec<String>,
}

impl IngestResults {
    /// Returns the next row; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::NoResponse`] or [`Error::InvalidResponse`] if the results did not arrive as a whole, and have to be read again.
    pub async fn next_row(&mut self) -> Result<Option<IngestRow>, Error> {
        if self.columns.is_empty() {
            match self.body.next_row().await? {
                Some(names) => self.columns = texts(names),
                None => return Ok(None),
            }
        }
        let Some(row) = self.body.next_row().await? else { return Ok(None) };
        let values = texts(row);
        if values.len() != self.columns.len() {
            return Err(self.body.invalid("a row with other columns than the first line"));
        }
        let mut values: HashMap<String, String> = self.columns.iter().cloned().zip(values).collect();
        let mut own = |name| values.remove(name).unwrap_or_default();
        let (id, created, error) = (own("sf__Id"), own("sf__Created"), own("sf__Error"));
        let outcome = SaveOutcome {
            id: id.parse().ok(),
            success: self.kind == ResultKind::Successful,
            created: created == "true",
            errors: if self.kind == ResultKind::Failed { errors_of(&error) } else { Vec::new() },
        };
        if outcome.success && outcome.id.is_none() {
            return Err(self.body.invalid("a written row without an id"));
        }
        Ok(Some(IngestRow { outcome, values }))
    }

    /// Returns the locator of the results after these; `None` after the last ones.
    #[must_use]
    pub fn next_page(&self) -> Option<&Locator> {
        self.next.as_ref()
    }
}

fn texts(row: &Splitter) -> Vec<String> {
    row.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Reads `sf__Error`: `CODE:message:fields --` for each error. A text of another form is one error of an unknown code.
fn errors_of(text: &str) -> Vec<SaveError> {
    let (mut errors, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        // A message may have the text "--" too.
        let end = rest.match_indices("--").map(|(at, _)| at).find(|at| begins_error(&rest[at + 2..]));
        let (one, after) = end.map_or((rest, ""), |at| (&rest[..at], &rest[at + 2..]));
        let (code, said) = one.split_once(':').filter(|(code, _)| is_code(code)).unwrap_or(("UNKNOWN_EXCEPTION", one));
        errors.push(error(code, said).with_duplicate());
        rest = after;
    }
    errors
}

fn begins_error(text: &str) -> bool {
    text.is_empty() || text.split_once(':').is_some_and(|(code, _)| is_code(code))
}

fn is_code(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Creates an error from `message:fields`. The message may have colons, and the fields may be missing.
fn error(code: &str, said: &str) -> SaveError {
    let fields = said.rsplit_once(':').map(|(message, fields)| (message, names(fields)));
    let (message, fields) = match fields {
        Some((message, Some(fields))) => (message, fields),
        _ => (said.trim_end(), Vec::new()),
    };
    SaveError { code: code.to_owned(), message: message.to_owned(), fields, ..SaveError::default() }
}

/// Returns the names of fields in a text; `None` if it is another text.
fn names(text: &str) -> Option<Vec<String>> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.parse::<FieldName>().is_ok().then(|| name.to_owned())).collect()
}

impl Client {
    /// Opens the results of an ingest job that has ended; without a locator, from the first row on.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALIDJOBSTATE` if the job has not ended, with `NOT_FOUND` if it does not exist or has expired.
    pub async fn open_ingest_results(
        &self,
        id: &JobId,
        kind: ResultKind,
        locator: Option<&Locator>,
    ) -> Result<IngestResults, Error> {
        let path = format!("{}/{}", self.jobs_path(Kind::Ingest, Some(id)), kind.path());
        let mut request = Request::get("read the results of the ingest job", path).with_header("accept", "text/csv");
        if let Some(locator) = locator {
            request = request.with_query("locator", String::from(locator.clone()));
        }
        let incoming = self.open(&request).await?;
        let operation = incoming.operation;
        let next = next_locator(&incoming.headers).map_err(|what| Error::InvalidResponse { operation, what })?;
        Ok(IngestResults { body: CsvBody::new(incoming), next, kind, columns: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(String, String, Vec<String>)> {
        errors_of(text).into_iter().map(|error| (error.code, error.message, error.fields)).collect()
    }

    fn one(code: &str, message: &str, fields: &[&str]) -> (String, String, Vec<String>) {
        (code.to_owned(), message.to_owned(), fields.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn an_error_has_a_code_a_message_and_fields() {
        assert_eq!(
            parts("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"),
            [one("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", &["LastName"])]
        );
        assert_eq!(
            parts("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to 1 record: 0015e0000000001AAA:--"),
            [one("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to 1 record: 0015e0000000001AAA", &[])]
        );
    }

    #[test]
    fn several_errors_of_a_row_are_told_apart() {
        assert_eq!(
            parts("STRING_TOO_LONG:too long -- really:Name, Site --FIELD_INTEGRITY_EXCEPTION:no: such id:--"),
            [
                one("STRING_TOO_LONG", "too long -- really", &["Name", "Site"]),
                one("FIELD_INTEGRITY_EXCEPTION", "no: such id", &[]),
            ]
        );
    }

    #[test]
    fn a_text_of_another_form_is_one_error() {
        assert_eq!(parts("something went wrong"), [one("UNKNOWN_EXCEPTION", "something went wrong", &[])]);
    }

    #[test]
    fn a_duplicate_names_the_record_that_has_the_value() {
        let text =
            "DUPLICATE_VALUE:duplicate value found: Key__c duplicates value on record with id: 0015e0000000001AAA:--";
        assert_eq!(errors_of(text)[0].existing_ids.len(), 1);
    }
}
