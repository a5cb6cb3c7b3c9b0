//! Pages of results, parsed as their bytes arrive.

use futures::stream::{self, Stream};
use http::HeaderMap;

use super::rows::Header;
use super::splitter::{Splitter, Step};
use super::{Columns, JobId, Kind, Locator, RowError};
use crate::transport::{Incoming, Request};
use crate::{Client, Error, Record};

/// CSV that arrives, row by row. The first row has the names of the columns.
pub(super) struct CsvBody {
    incoming: Incoming,
    piece: Vec<u8>,
    read: usize,
    splitter: Splitter,
    bytes: u64,
    rows: u64,
    columns: usize,
    announced: Option<u64>,
    has_ended: bool,
}

impl CsvBody {
    /// Checks the head of the response.
    pub(super) fn new(incoming: Incoming) -> Self {
        let number = incoming.headers.get("sforce-numberofrecords").and_then(|value| value.to_str().ok());
        Self {
            announced: number.and_then(|text| text.trim().parse().ok()),
            incoming,
            piece: Vec::new(),
            read: 0,
            splitter: Splitter::new(),
            bytes: 0,
            rows: 0,
            columns: 0,
            has_ended: false,
        }
    }

    /// Reads the next row; `None` at the end.
    pub(super) async fn next_row(&mut self) -> Result<Option<&Splitter>, Error> {
        while !self.has_ended {
            let mut left = &self.piece[self.read..];
            // An empty piece would be the end.
            let step = if left.is_empty() { Step::NeedsInput } else { self.splitter.read(&mut left) };
            self.read = self.piece.len() - left.len();
            let step = match step {
                Step::NeedsInput => match self.incoming.chunk().await? {
                    Some(piece) => {
                        self.bytes += u64::try_from(piece.len()).unwrap_or_default();
                        (self.piece, self.read) = (piece, 0);
                        continue;
                    }
                    None => self.last_row()?,
                },
                step => step,
            };
            match step {
                Step::Row => {
                    self.rows += 1;
                    if self.rows == 1 {
                        self.columns = self.splitter.len();
                    }
                    return Ok(Some(&self.splitter));
                }
                Step::NeedsInput | Step::End => self.has_ended = true,
                Step::TooLarge => {
                    return Err(Error::TooLarge { operation: self.incoming.operation, what: "a row of the response" });
                }
            }
        }
        // The first row is no record. A connection that a proxy ended early can look like the end.
        if self.announced.is_some_and(|announced| announced != self.rows.saturating_sub(1)) {
            return Err(self.invalid("another number of rows than its header says"));
        }
        Ok(None)
    }

    /// Reads the row that no line end ends. A proxy may have cut it.
    fn last_row(&mut self) -> Result<Step, Error> {
        let step = self.splitter.read(&mut &[][..]);
        let is_cut = self.splitter.is_cut() || self.rows > 0 && self.splitter.len() != self.columns;
        if step == Step::Row && is_cut { Err(self.invalid("the beginning of a row")) } else { Ok(step) }
    }

    pub(super) fn invalid(&self, what: &'static str) -> Error {
        Error::InvalidResponse { operation: self.incoming.operation, what }
    }
}

/// Returns the locator of the next page in the headers of a page.
pub(super) fn next_locator(headers: &HeaderMap) -> Result<Option<Locator>, &'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !text("content-type").is_some_and(|kind| kind.starts_with("text/csv")) {
        return Err("not CSV");
    }
    // The last page has the text "null".
    let next = text("sforce-locator").filter(|text| !text.is_empty() && *text != "null").map(str::to_owned);
    next.map(Locator::try_from).transpose().map_err(|_| "not a locator")
}

/// A page of results that is being read. Salesforce may end a connection that is not read for long: ask for as many rows as are
/// worked off in a minute or two.
pub struct PageStream<'a> {
    body: CsvBody,
    next: Option<Locator>,
    columns: &'a Columns,
    header: Option<Header>,
}

impl PageStream<'_> {
    /// Returns the next record, or the error of a row that could not be read; `None` at the end of the page.
    ///
    /// # Errors
    ///
    /// [`Error::NoResponse`] or [`Error::InvalidResponse`] if the page did not arrive as a whole: its other rows are missing, and
    /// the page has to be read again. The latter too if a column is unknown ([`Error::is_unknown_column`]), before the first
    /// record. [`Error::TooLarge`] if a row has more than 8 MiB.
    pub async fn next_record(&mut self) -> Result<Option<Result<Record, RowError>>, Error> {
        if self.header.is_none() {
            let header = match self.body.next_row().await? {
                Some(names) => Header::new(names, self.columns),
                None => return Ok(None),
            };
            self.header = Some(header.map_err(|what| self.body.invalid(what))?);
        }
        let row = self.body.next_row().await?;
        Ok(row.zip(self.header.as_ref()).map(|(row, header)| header.record(row, self.columns)))
    }

    /// Returns the locator of the page after this one; `None` after the last one.
    #[must_use]
    pub fn next_page(&self) -> Option<&Locator> {
        self.next.as_ref()
    }

    /// Returns the number of bytes of CSV that have arrived, decompressed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.body.bytes
    }
}

impl Client {
    /// Opens a page of results; without a locator, the first one. A page has at most `max_rows` rows, or as many as Salesforce
    /// chooses: leave it out for the locators of [`Client::query_page_locators`], whose pages follow each other.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `INVALIDJOBSTATE` if the job is not complete, with `INVALID_QUERY_LOCATOR` if the locator has
    /// expired, with the status 409 if another API version has created the job.
    pub async fn open_query_page<'a>(
        &self,
        id: &JobId,
        locator: Option<&Locator>,
        max_rows: Option<u32>,
        columns: &'a Columns,
    ) -> Result<PageStream<'a>, Error> {
        let path = format!("{}/results", self.jobs_path(Kind::Query, Some(id)));
        let mut request = Request::get("read the results of the query job", path).with_header("accept", "text/csv");
        if let Some(rows) = max_rows {
            request = request.with_query("maxRecords", rows.to_string());
        }
        if let Some(locator) = locator {
            request = request.with_query("locator", String::from(locator.clone()));
        }
        let incoming = self.open(&request).await?;
        let operation = incoming.operation;
        let next = next_locator(&incoming.headers).map_err(|what| Error::InvalidResponse { operation, what })?;
        Ok(PageStream { body: CsvBody::new(incoming), next, columns, header: None })
    }

    /// Returns the locators of all pages of a complete job, which can be read at the same time and in any order. They are listed
    /// five at a time, as the stream is read. Salesforce lists pages since API version 58.0.
    ///
    /// The stream ends after an error: those of [`Client::list_query_pages`].
    pub fn query_page_locators(&self, id: JobId) -> impl Stream<Item = Result<Locator, Error>> + Send + '_ {
        let lists = stream::try_unfold(Some(None), move |after: Option<Option<Locator>>| async move {
            let Some(after) = after else { return Ok(None) };
            let list = self.list_query_pages(&id, after.as_ref()).await?;
            let pages = stream::iter(list.pages.into_iter().map(Ok));
            Ok::<_, Error>(Some((pages, list.next.map(Some))))
        });
        futures::TryStreamExt::try_flatten(lists)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(announced: Option<u64>, pieces: Vec<Vec<u8>>) -> CsvBody {
        let mut headers = HeaderMap::new();
        if let Some(number) = announced {
            headers.insert("sforce-numberofrecords", number.into());
        }
        CsvBody::new(Incoming::of(headers, pieces))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    /// Reads the rows of a body that arrives in these pieces.
    fn rows(announced: Option<u64>, pieces: Vec<Vec<u8>>) -> Result<Vec<Vec<String>>, Error> {
        let (mut body, mut rows) = (body(announced, pieces), Vec::new());
        block_on(async {
            while let Some(row) = body.next_row().await? {
                rows.push(row.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect());
            }
            Ok(rows)
        })
    }

    const CSV: &str = "\"Id\",\"Name\"\n\"1\",\"Ada, née\nLovelace\"\n\"2\",\"\"\n\"3\",\"Grace\"\n";

    #[test]
    fn rows_come_out_while_the_body_arrives() {
        let lines: Vec<Vec<u8>> = CSV.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect();
        let mut body = body(Some(3), lines.clone());
        block_on(async {
            // The second row has two lines.
            for arrived in [1, 3, 4, 5] {
                assert!(body.next_row().await.unwrap().is_some());
                assert_eq!(body.bytes, lines[..arrived].iter().map(Vec::len).sum::<usize>() as u64);
            }
            assert!(body.next_row().await.unwrap().is_none());
        });
    }

    #[test]
    fn a_body_without_the_announced_rows_is_an_error() {
        let whole = rows(Some(3), vec![CSV.into()]).unwrap();
        assert_eq!(whole.len(), 4);
        assert!(matches!(rows(Some(4), vec![CSV.into()]), Err(Error::InvalidResponse { .. })));
        // The last line end is no part of a row.
        for end in 0..CSV.len() - 1 {
            assert!(rows(Some(3), vec![CSV.as_bytes()[..end].to_vec()]).is_err(), "{}", &CSV[end..]);
        }
    }

    #[test]
    fn a_body_that_ends_within_a_row_is_an_error() {
        let whole = rows(None, vec![CSV.into()]).unwrap();
        for end in CSV.find('\n').unwrap()..CSV.len() {
            match rows(None, vec![CSV.as_bytes()[..end].to_vec()]) {
                Ok(rows) => assert_eq!(rows, whole[..rows.len()]),
                Err(error) => assert!(matches!(error, Error::InvalidResponse { .. }), "{error}"),
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_in_any_pieces_has_the_same_rows(
            texts in prop::collection::vec("[^\0]{0,20}", 0..20),
            sizes in prop::collection::vec(0usize..40, 1..20),
        ) {
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record(["Id", "Name"]).unwrap();
            for (number, text) in texts.iter().enumerate() {
                writer.write_record([number.to_string().as_str(), text]).unwrap();
            }
            let csv = writer.into_inner().unwrap();
            let (mut left, mut pieces) = (&csv[..], Vec::new());
            for size in sizes.iter().cycle().take(csv.len()) {
                let (piece, rest) = left.split_at(*size.min(&left.len()));
                pieces.push(piece.to_vec());
                left = rest;
            }
            pieces.push(left.to_vec());
            let found = rows(Some(texts.len() as u64), pieces).unwrap();
            let names: Vec<&String> = found[1..].iter().map(|row| &row[1]).collect();
            prop_assert_eq!(names, texts.iter().collect::<Vec<_>>());
        }
    }
}
