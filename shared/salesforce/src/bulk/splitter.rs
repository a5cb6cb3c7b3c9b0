//! CSV in pieces of any size, split into rows (RFC 4180).

use csv_core::ReadRecordResult;

/// The longest row. The long texts of one record have at most 1.6 million characters (Salesforce limits).
const MAX_ROW_BYTES: usize = 8 * 1024 * 1024;

/// The most values of a row; a record has at most 5,000 fields.
const MAX_VALUES: usize = 16_384;

/// Splits CSV into rows. It holds one row: the same CSV has the same rows, in whatever pieces it arrives.
pub(super) struct Splitter {
    core: csv_core::Reader,
    text: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    values: usize,
    is_whole: bool,
    has_begun: bool,
    is_quoted: bool,
    last: Option<u8>,
}

/// The result of reading a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The piece has no end of a row: the next piece goes on.
    NeedsInput,
    /// A row, which can be read until the next call.
    Row,
    /// All rows were read.
    End,
    /// The row is longer than any of Salesforce.
    TooLarge,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self {
            core: csv_core::Reader::new(),
            text: vec![0; 4 * 1024],
            length: 0,
            ends: vec![0; 32],
            values: 0,
            is_whole: false,
            has_begun: false,
            is_quoted: false,
            last: None,
        }
    }

    /// Reads up to the end of a row, and removes what was read from `piece`. An empty piece is the end of the CSV.
    pub(super) fn read(&mut self, piece: &mut &[u8]) -> Step {
        if std::mem::take(&mut self.is_whole) {
            (self.length, self.values) = (0, 0);
        }
        loop {
            // The library skips a byte order mark only if one piece has all of it. It never sees one, so that pieces do not matter.
            let most = if self.has_begun { piece.len() } else { piece.len().min(1) };
            let (result, read, written, ended) =
                self.core.read_record(&piece[..most], &mut self.text[self.length..], &mut self.ends[self.values..]);
            self.has_begun |= read > 0;
            self.is_quoted ^= piece[..read].iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            self.last = piece[..read].last().copied().or(self.last);
            *piece = &piece[read..];
            self.length += written;
            self.values += ended;
            match result {
                ReadRecordResult::InputEmpty if piece.is_empty() => return Step::NeedsInput,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.text.len() >= MAX_ROW_BYTES => return Step::TooLarge,
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_VALUES => return Step::TooLarge,
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    self.is_whole = true;
                    return Step::Row;
                }
                ReadRecordResult::End => return Step::End,
            }
        }
    }

    /// Returns whether the CSV ends where a value that Salesforce has written, with quotes, does not.
    pub(super) fn is_cut(&self) -> bool {
        self.is_quoted || self.last == Some(b',')
    }

    /// Returns the number of values of the row.
    pub(super) fn len(&self) -> usize {
        self.values
    }

    /// Returns the values of the row, unquoted.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends[..self.values]).map(|(start, end)| &self.text[start..*end])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Calls `visit` with each row of CSV that arrives in these pieces.
    pub(in crate::bulk) fn each_row<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, mut visit: impl FnMut(&Splitter)) {
        let mut splitter = Splitter::new();
        for mut piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            while splitter.read(&mut piece) == Step::Row {
                visit(&splitter);
            }
            assert!(piece.is_empty());
        }
        while splitter.read(&mut &[][..]) == Step::Row {
            visit(&splitter);
        }
    }

    fn rows<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        each_row(pieces, |row| {
            rows.push(row.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect())
        });
        rows
    }

    #[test]
    fn line_ends_commas_and_quotes_are_those_of_the_values() {
        let csv = "\"Id\",\"Name\"\n\"1\",\"A \"\"b\"\",\r\nc\"\r\n2,plain\n\"3\",\"\"";
        let expected = [vec!["Id", "Name"], vec!["1", "A \"b\",\r\nc"], vec!["2", "plain"], vec!["3", ""]];
        assert_eq!(rows([csv.as_bytes()]), expected);
    }

    #[test]
    fn recorded_files_are_split_as_their_rows() {
        for (file, count, columns) in [
            ("ingest-accounts-multiline-fields", 101, 30),
            ("ingest-comma-wrapped-values", 11, 5),
            ("v1-batch-result", 3, 4),
        ] {
            let Some(path) = fixtures::path(&format!("bulk/{file}.csv")) else { return };
            let csv = std::fs::read(path).unwrap();
            let found = rows([&csv[..]]);
            assert!(found.iter().all(|row| row.len() == columns), "{file}");
            assert_eq!(found.len(), count, "{file}");
            assert_eq!(rows(csv.chunks(7)), found, "{file} in pieces");
        }
    }

    #[test]
    fn a_row_longer_than_any_record_is_refused() {
        let piece = vec![b'x'; 1024 * 1024];
        let mut splitter = Splitter::new();
        let step = (0..20).map(|_| splitter.read(&mut &piece[..])).find(|step| *step != Step::NeedsInput);
        assert_eq!(step, Some(Step::TooLarge));
        let commas = vec![b','; 20_000];
        assert_eq!(Splitter::new().read(&mut &commas[..]), Step::TooLarge);
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_the_rows(csv in "[ab,\"\r\n\u{feff}é]{0,200}", cuts in prop::collection::vec(0usize..600, 0..20)) {
            let bytes = csv.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let ends = cuts.iter().copied().chain([bytes.len()]);
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let pieces = starts.zip(ends).map(|(start, end)| &bytes[start..end]);
            prop_assert_eq!(rows(pieces), rows([bytes]));
        }
    }
}
