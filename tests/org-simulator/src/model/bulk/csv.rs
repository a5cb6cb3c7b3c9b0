//! Reads and writes CSV as Bulk API 2.0 does. Records keep their original text, which a job's results repeat.

use std::ops::Range;

const MAX_FIELD_CHARS: usize = 131_072;
const MAX_RECORD_CHARS: usize = 400_000;
const MAX_FIELDS: usize = 5_000;

/// The line ending, by its name in a job (`LF` or `CRLF`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnding {
    Lf,
    Crlf,
}

impl LineEnding {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "LF" => Some(Self::Lf),
            "CRLF" => Some(Self::Crlf),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::Crlf => "CRLF",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
        }
    }
}

const DELIMITERS: [(&str, u8); 6] =
    [("BACKQUOTE", b'`'), ("CARET", b'^'), ("COMMA", b','), ("PIPE", b'|'), ("SEMICOLON", b';'), ("TAB", b'\t')];

/// The delimiter and the line ending of a CSV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) line_ending: LineEnding,
    pub(crate) delimiter: u8,
}

impl Default for Format {
    fn default() -> Self {
        Self { line_ending: LineEnding::Lf, delimiter: b',' }
    }
}

impl Format {
    pub(crate) fn delimiter_named(name: &str) -> Option<u8> {
        DELIMITERS.iter().find(|(known, _)| *known == name).map(|(_, byte)| *byte)
    }

    pub(crate) fn delimiter_name(self) -> &'static str {
        DELIMITERS.iter().find(|(_, byte)| *byte == self.delimiter).map_or("COMMA", |(name, _)| name)
    }

    /// Appends a record with every value in quotes.
    pub(crate) fn write<'a>(self, out: &mut String, values: impl IntoIterator<Item = &'a str>) {
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                out.push(char::from(self.delimiter));
            }
            quote(out, value);
        }
        out.push_str(self.line_ending.text());
    }

    /// Appends a record of quoted values, followed by the text of another record.
    pub(crate) fn write_before(self, out: &mut String, values: &[&str], rest: &str) {
        for value in values {
            quote(out, value);
            out.push(char::from(self.delimiter));
        }
        out.push_str(rest);
        out.push_str(self.line_ending.text());
    }
}

fn quote(out: &mut String, value: &str) {
    out.push('"');
    for (at, part) in value.split('"').enumerate() {
        if at > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

/// A parsed upload: its text, the column names and the position of each record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    text: String,
    header: Range<usize>,
    pub(crate) columns: Vec<String>,
    records: Vec<Range<usize>>,
}

impl Table {
    /// Parses an upload; the error is the `errorMessage` of the failed job. Blank lines are skipped.
    pub(crate) fn new(text: String, format: Format) -> Result<Self, String> {
        let mut reader = Reader { text: &text, format, at: 0 };
        let (mut header, mut columns, mut records) = (0..0, Vec::new(), Vec::new());
        while let Some((place, values)) = reader.record()? {
            if values.iter().all(String::is_empty) && values.len() <= 1 {
                continue;
            }
            if columns.is_empty() {
                (header, columns) = (place, values);
            } else if values.len() > columns.len() {
                return Err(format!(
                    "InvalidBatch : Failed to parse CSV. Record {} has {} values for {} columns",
                    records.len() + 1,
                    values.len(),
                    columns.len()
                ));
            } else {
                records.push(place);
            }
        }
        Ok(Self { text, header, columns, records })
    }

    /// Returns the number of records, not counting the header.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the whole text, as it was uploaded.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the header, as it was uploaded.
    pub(crate) fn header(&self) -> &str {
        &self.text[self.header.clone()]
    }

    /// Returns the text of a record, as it was uploaded.
    pub(crate) fn text_of(&self, record: usize) -> &str {
        self.records.get(record).map_or("", |place| &self.text[place.clone()])
    }

    /// Returns the values of a record, in the order of the columns; values missing at the end are empty.
    pub(crate) fn values_of(&self, record: usize, format: Format) -> Vec<String> {
        let mut reader = Reader { text: self.text_of(record), format, at: 0 };
        let mut values = reader.record().ok().flatten().map(|(_, values)| values).unwrap_or_default();
        values.resize(self.columns.len(), String::new());
        values
    }
}

/// The position of a record's text, and its values.
type Record = (Range<usize>, Vec<String>);

/// Reads records by Salesforce's rules and reports Salesforce's error messages.
struct Reader<'a> {
    text: &'a str,
    format: Format,
    at: usize,
}

impl Reader<'_> {
    /// Reads the next record; the position of its text excludes the line ending.
    fn record(&mut self) -> Result<Option<Record>, String> {
        let start = self.at;
        if start >= self.text.len() {
            return Ok(None);
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            match self.peek() {
                Some(byte) if byte == self.format.delimiter => self.at += 1,
                _ => break,
            }
        }
        let place = start..self.at;
        if values.len() > MAX_FIELDS
            || place.len() > MAX_RECORD_CHARS && self.text[place.clone()].chars().count() > MAX_RECORD_CHARS
        {
            return Err(format!(
                "InvalidBatch : Failed to parse CSV. A record has at most {MAX_FIELDS} fields and {MAX_RECORD_CHARS} characters"
            ));
        }
        self.end_of_line()?;
        Ok(Some((place, values)))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn value(&mut self) -> Result<String, String> {
        let value = if self.peek() == Some(b'"') { self.quoted()? } else { self.plain()? };
        if value.len() > MAX_FIELD_CHARS && value.chars().count() > MAX_FIELD_CHARS {
            return Err(broken(&format!("A field has at most {MAX_FIELD_CHARS} characters")));
        }
        Ok(value)
    }

    fn plain(&mut self) -> Result<String, String> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => return Err(broken("Found unescaped quote. A value with quote should be within a quote")),
                b'\n' | b'\r' => break,
                byte if byte == self.format.delimiter => break,
                _ => self.at += 1,
            }
        }
        Ok(self.text[start..self.at].to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut value = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let end = rest.find('"').ok_or_else(|| broken("EOF reached before closing an opened quote"))?;
            value.push_str(&rest[..end]);
            self.at += end + 1;
            match self.peek() {
                Some(b'"') => {
                    value.push('"');
                    self.at += 1;
                }
                None | Some(b'\n' | b'\r') => return Ok(value),
                Some(byte) if byte == self.format.delimiter => return Ok(value),
                Some(_) => return Err(broken("Not expecting more text after end quote")),
            }
        }
    }

    /// Skips the end of a line, which must be the job's line ending.
    fn end_of_line(&mut self) -> Result<(), String> {
        let rest = &self.text[self.at..];
        let found = if rest.starts_with("\r\n") { "\r\n" } else { rest.get(..1).unwrap_or_default() };
        if !found.is_empty() && found != self.format.line_ending.text() {
            let name = self.format.line_ending.name();
            return Err(format!(
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {name}"
            ));
        }
        self.at += found.len();
        Ok(())
    }
}

fn broken(what: &str) -> String {
    format!("InvalidBatch : Failed to parse CSV. {what}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Result<Table, String> {
        Table::new(text.to_owned(), Format::default())
    }

    fn rows(table: &Table) -> Vec<Vec<String>> {
        (0..table.len()).map(|at| table.values_of(at, Format::default())).collect()
    }

    #[test]
    fn quotes_hold_delimiters_line_breaks_and_doubled_quotes() {
        let table = table("Name,Street\nA,\"1 \"\"Old\"\" Road,\nTown\"\n\nB,\n").unwrap();
        assert_eq!(table.columns, ["Name", "Street"]);
        assert_eq!(rows(&table), [["A", "1 \"Old\" Road,\nTown"], ["B", ""]]);
        assert_eq!(table.text_of(0), "A,\"1 \"\"Old\"\" Road,\nTown\"");
    }

    #[test]
    fn broken_quotes_fail_with_salesforces_message() {
        let reason = |text: &str| table(text).unwrap_err();
        assert!(
            reason("Name\nA \"b\"\n").ends_with("Found unescaped quote. A value with quote should be within a quote")
        );
        assert!(reason("Name\n\"A\"b\n").ends_with("Not expecting more text after end quote"));
        assert!(reason("Name\n\"A\n").ends_with("EOF reached before closing an opened quote"));
    }

    #[test]
    fn a_byte_order_mark_is_part_of_the_first_value() {
        assert!(table("\u{feff}\"Name\"\nA\n").unwrap_err().contains("Found unescaped quote"));
        assert_eq!(table("\u{feff}Name\nA\n").unwrap().columns, ["\u{feff}Name"]);
    }

    #[test]
    fn the_line_ending_must_match_the_job() {
        let crlf = Format { line_ending: LineEnding::Crlf, ..Format::default() };
        assert_eq!(
            table("Name\r\nA\r\n").unwrap_err(),
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"
        );
        assert!(Table::new("Name\nA".to_owned(), crlf).unwrap_err().ends_with("setting is CRLF"));
        assert_eq!(Table::new("Name\r\n\"a\nb\"".to_owned(), crlf).unwrap().len(), 1);
    }

    #[test]
    fn a_record_may_be_shorter_than_the_header_and_not_longer() {
        assert_eq!(rows(&table("A,B\n1\n").unwrap()), [["1", ""]]);
        assert!(table("A,B\n1,2,3\n").is_err());
    }

    proptest! {
        #[test]
        fn written_csv_reads_back(
            values in prop::collection::vec(prop::collection::vec("[a-z\",;\n\r\u{e4} ]{0,8}", 3..=3), 1..6),
            delimiter in prop::sample::select(DELIMITERS.map(|(_, byte)| byte).to_vec()),
            crlf: bool,
        ) {
            let line_ending = if crlf { LineEnding::Crlf } else { LineEnding::Lf };
            let format = Format { line_ending, delimiter };
            let mut text = String::new();
            format.write(&mut text, ["x", "y", "z"]);
            for record in &values {
                format.write(&mut text, record.iter().map(String::as_str));
            }
            let table = Table::new(text, format).unwrap();
            let read: Vec<Vec<String>> = (0..table.len()).map(|at| table.values_of(at, format)).collect();
            prop_assert_eq!(read, values);
        }
    }
}
