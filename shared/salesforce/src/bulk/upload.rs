//! The CSV of an ingest job (Bulk API 2.0 guide, "Prepare CSV Files").

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use flate2::write::GzEncoder;
use futures::stream::{self, Stream};
use serde_json::Value;

use crate::{Error, FieldName, JsonObject};

/// The largest file, uncompressed: Salesforce stores it as base64, which has at most 150 MB.
const MAX_FILE_BYTES: usize = 100_000_000;

/// The largest record in characters.
const MAX_ROW_CHARS: usize = 400_000;

/// The largest value in characters.
const MAX_VALUE_CHARS: usize = 131_072;

/// The text that sets a field to null. An empty value leaves a field as it is.
const NULL: &str = "#N/A";

/// The size of the pieces in which a file is sent.
const PIECE_BYTES: usize = 64 * 1024;

const OPERATION: &str = "write the rows of the ingest job";

/// The compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// None.
    None,
    /// gzip, which the REST API guide describes for all requests; the Bulk guide describes it for responses only.
    Gzip,
}

enum Writer {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

/// Collects the rows of an ingest job as CSV. Compressed, a file takes a fraction of its 100 MB of memory.
pub struct IngestRows {
    columns: Vec<FieldName>,
    writer: Writer,
    /// The bytes for which the file has room, uncompressed.
    left: usize,
    rows: u64,
}

impl IngestRows {
    /// Begins a file with these columns. `Account.Key__c` names a parent by its external id.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if there is no column, or one twice.
    pub fn new(columns: &[FieldName], compression: Compression) -> Result<Self, Error> {
        let is_repeated = |(at, column): (usize, &FieldName)| {
            columns[..at].iter().any(|earlier| earlier.as_str().eq_ignore_ascii_case(column.as_str()))
        };
        if columns.is_empty() || columns.iter().enumerate().any(is_repeated) {
            return Err(Error::Invalid { what: "list of columns", reason: "is empty or has a column twice" });
        }
        let writer = match compression {
            Compression::None => Writer::Plain(Vec::new()),
            Compression::Gzip => Writer::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()))),
        };
        let mut rows = Self { columns: columns.to_vec(), writer, left: MAX_FILE_BYTES, rows: 0 };
        let names: Vec<&str> = columns.iter().map(FieldName::as_str).collect();
        rows.write(format!("{}\n", names.join(",")).as_bytes())?;
        Ok(rows)
    }

    /// Adds a record. A field that it does not have stays as it is; null or an empty text empties the field. Returns `false`,
    /// without adding it, if the file is full.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a field that is no column, a list, or the text `#N/A`, which Salesforce reads as null.
    /// [`Error::TooLarge`] if a value has more than 131,072 characters, or the record more than 400,000.
    pub fn push(&mut self, fields: &JsonObject) -> Result<bool, Error> {
        let row = self.row(fields)?;
        if row.len() > self.left {
            return Ok(false);
        }
        self.write(row.as_bytes())?;
        self.rows += 1;
        Ok(true)
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Returns whether there is no row yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it has no rows.
    pub fn finish(self) -> Result<IngestFile, Error> {
        if self.rows == 0 {
            return Err(Error::Invalid { what: "file of an ingest job", reason: "has no rows" });
        }
        let (bytes, is_compressed) = match self.writer {
            Writer::Plain(bytes) => (bytes, false),
            Writer::Gzip(encoder) => (encoder.finish().map_err(content)?, true),
        };
        Ok(IngestFile { bytes: Arc::new(bytes), is_compressed })
    }

    fn write(&mut self, csv: &[u8]) -> Result<(), Error> {
        self.left = self.left.saturating_sub(csv.len());
        match &mut self.writer {
            Writer::Plain(bytes) => bytes.extend_from_slice(csv),
            Writer::Gzip(encoder) => encoder.write_all(csv).map_err(content)?,
        }
        Ok(())
    }

    fn row(&self, fields: &JsonObject) -> Result<String, Error> {
        let (mut row, mut used, mut chars) = (String::new(), 0, 0);
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                row.push(',');
            }
            if let Some(value) = find(fields, column.as_str()) {
                used += 1;
                let text = text(value)?;
                let length = text.chars().count();
                chars += length;
                if length > MAX_VALUE_CHARS || chars > MAX_ROW_CHARS {
                    return Err(Error::TooLarge { operation: OPERATION, what: "a record" });
                }
                row.push('"');
                row.push_str(&text.replace('"', "\"\""));
                row.push('"');
            }
        }
        if used != leaves(fields) {
            return Err(Error::Invalid { what: "record of an ingest job", reason: "has a field that is no column" });
        }
        row.push('\n');
        Ok(row)
    }
}

/// Returns the value of a column; `Account.Key__c` is the member `Key__c` of the object `Account`.
fn find<'a>(fields: &'a JsonObject, column: &str) -> Option<&'a Value> {
    match column.split_once('.') {
        None => fields.get(column),
        Some((parent, rest)) => find(fields.get(parent)?.as_object()?, rest),
    }
}

/// Returns the number of values, those of parents included.
fn leaves(fields: &JsonObject) -> usize {
    fields.values().map(|value| value.as_object().map_or(1, leaves)).sum()
}

/// Returns a value as Salesforce reads it in CSV.
fn text(value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) if text == NULL => {
            Err(Error::Invalid { what: "text of an ingest job", reason: "is #N/A, which Salesforce reads as null" })
        }
        Value::Null => Ok(NULL.to_owned()),
        Value::String(text) if text.is_empty() => Ok(NULL.to_owned()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            Err(Error::Invalid { what: "value of an ingest job", reason: "is a list or an object" })
        }
    }
}

fn content(error: std::io::Error) -> Error {
    Error::Content { operation: OPERATION, source: error.into() }
}

/// The CSV of an ingest job.
#[derive(Clone)]
pub struct IngestFile {
    bytes: Arc<Vec<u8>>,
    is_compressed: bool,
}

impl fmt::Debug for IngestFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestFile").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl IngestFile {
    pub(crate) fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// Returns the number of bytes that are sent.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes in pieces, so that no attempt copies the file.
    pub(crate) fn pieces(&self) -> impl Stream<Item = Result<Vec<u8>, std::convert::Infallible>> + Send + 'static {
        let file = Arc::clone(&self.bytes);
        let starts = (0..file.len()).step_by(PIECE_BYTES);
        stream::iter(starts.map(move |start| Ok(file[start..file.len().min(start + PIECE_BYTES)].to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use futures::TryStreamExt as _;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const COLUMNS: [FieldName; 3] =
        [FieldName::from_static("Key__c"), FieldName::from_static("Name"), FieldName::from_static("Account.Key__c")];

    fn rows(compression: Compression) -> IngestRows {
        IngestRows::new(&COLUMNS, compression).unwrap()
    }

    fn object(json: Value) -> JsonObject {
        serde_json::from_value(json).unwrap()
    }

    fn bytes(file: &IngestFile) -> Vec<u8> {
        let pieces: Vec<Vec<u8>> = futures::executor::block_on(file.pieces().try_collect()).unwrap();
        assert_eq!(pieces.iter().map(Vec::len).sum::<usize>(), file.length());
        pieces.concat()
    }

    fn csv(records: &[Value]) -> Result<String, Error> {
        let mut rows = rows(Compression::None);
        for record in records {
            assert!(rows.push(&object(record.clone()))?);
        }
        Ok(String::from_utf8(bytes(&rows.finish()?)).unwrap())
    }

    #[test]
    fn a_missing_field_is_empty_and_null_is_written_out() {
        let records = [
            json!({"Key__c": "A,1", "Name": "A \"big\"\ndeal", "Account": {"Key__c": 7}}),
            json!({"Key__c": true, "Name": null}),
            json!({"Name": ""}),
        ];
        let expected =
            "Key__c,Name,Account.Key__c\n\"A,1\",\"A \"\"big\"\"\ndeal\",\"7\"\n\"true\",\"#N/A\",\n,\"#N/A\",\n";
        assert_eq!(csv(&records).unwrap(), expected);
    }

    #[test]
    fn a_value_that_salesforce_would_misread_is_refused() {
        for record in
            [json!({"Other": 1}), json!({"Name": "#N/A"}), json!({"Name": [1]}), json!({"Account": {"Id": 1}})]
        {
            assert!(matches!(csv(std::slice::from_ref(&record)), Err(Error::Invalid { .. })), "{record}");
        }
        assert!(matches!(csv(&[]), Err(Error::Invalid { .. })));
        assert!(IngestRows::new(&[], Compression::None).is_err());
        assert!(IngestRows::new(&[FieldName::ID, "ID".parse().unwrap()], Compression::None).is_err());
    }

    #[test]
    fn a_record_over_the_limit_is_refused() {
        assert!(csv(&[json!({"Name": "é".repeat(MAX_VALUE_CHARS)})]).is_ok());
        let error = csv(&[json!({"Name": "x".repeat(MAX_VALUE_CHARS + 1)})]).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }));
    }

    #[test]
    fn a_full_file_takes_no_further_row() {
        for compression in [Compression::None, Compression::Gzip] {
            let mut rows = rows(compression);
            assert_eq!(rows.left, 100_000_000 - "Key__c,Name,Account.Key__c\n".len());
            rows.left = 20;
            let record = |name: &str| object(json!({"Name": name}));
            assert!(rows.push(&record("123456789")).unwrap(), "14 bytes");
            assert!(!rows.push(&record("12")).unwrap());
            assert!(rows.push(&record("1")).unwrap(), "a smaller one still fits");
            assert_eq!((rows.len(), rows.left), (2, 0));
        }
    }

    proptest! {
        #[test]
        fn every_text_is_written_so_that_it_is_read_back(texts in prop::collection::vec("[^\0]{1,30}", 1..20)) {
            let mut rows = rows(Compression::Gzip);
            for text in &texts {
                rows.push(&object(json!({"Key__c": "k", "Name": text}))).unwrap();
            }
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&bytes(&rows.finish().unwrap())[..]).read_to_end(&mut plain).unwrap();
            let mut reader = csv::Reader::from_reader(&plain[..]);
            let found: Vec<String> = reader.records().map(|row| row.unwrap()[1].to_owned()).collect();
            prop_assert_eq!(found, texts);
        }
    }
}
