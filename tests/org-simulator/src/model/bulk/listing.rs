//! CSV text that can be returned in pages.

use crate::model::bulk::csv::Format;

/// CSV text with the positions of its records, so that pages can be cut from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) text: String,
    /// Byte offset of the end of the header.
    pub(crate) header: usize,
    /// Byte offset of the end of each record.
    pub(crate) ends: Vec<usize>,
    pub(crate) format: Format,
}

impl Listing {
    pub(crate) fn new(format: Format, own: &[&str], rest: &str) -> Self {
        let mut text = String::new();
        match (own, rest) {
            ([], "") => {}
            (own, "") => format.write(&mut text, own.iter().copied()),
            (own, rest) => format.write_before(&mut text, own, rest),
        }
        Self { header: text.len(), text, ends: Vec::new(), format }
    }

    /// Starts a listing with a header of column names.
    pub(crate) fn of_columns(format: Format, columns: &[String]) -> Self {
        let mut text = String::new();
        format.write(&mut text, columns.iter().map(String::as_str));
        Self { header: text.len(), text, ends: Vec::new(), format }
    }

    pub(crate) fn add(&mut self, own: &[&str], rest: &str) {
        self.format.write_before(&mut self.text, own, rest);
        self.ends.push(self.text.len());
    }

    /// Appends a record with every value in quotes.
    pub(crate) fn push<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) {
        self.format.write(&mut self.text, values);
        self.ends.push(self.text.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns the header and up to `count` records; every page repeats the header.
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
