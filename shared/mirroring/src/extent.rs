//! The extent of one request: how many rows, and in how many parts their fields, are read at once.
//!
//! A request that asks for too much fails each time it is sent. So it is narrowed: to fewer rows, to a shorter span of
//! `SystemModstamp`, or to a part of the fields, which are joined by id. Which of them comes first depends on what Salesforce
//! says.

use jiff::SignedDuration;
use salesforce::Error;

/// The most rows that Salesforce returns in one page, and the most records of one `retrieve`.
pub const MAX_ROWS: u32 = 2_000;

/// The successes in a row after which an extent grows again.
const SUCCESSES: u32 = 4;

/// The shortest span of a query. `SystemModstamp` has whole seconds.
const MIN_SPAN: SignedDuration = SignedDuration::from_secs(1);

/// The span from which on a query has no end: longer than there are records in Salesforce.
const MAX_SPAN: SignedDuration = SignedDuration::from_hours(50 * 365 * 24);

/// The factor by which a query that timed out is shortened. Each attempt may take two minutes, so it is more than a half.
const SHORTENING: i32 = 4;

/// The factor by which the ids of a query that timed out become fewer.
const FEWER_IDS: u32 = 8;

/// The part of an object that one request reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    rows: u32,
    parts: u32,
    span: Option<SignedDuration>,
    by_ids: bool,
    successes: u32,
}

/// The part of a failed request that was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Rows: the response is too large.
    Rows,
    /// Time: the query takes longer than Salesforce works on one. It finds or sorts too many rows, and a limit of the rows does
    /// not help Salesforce to find them; a shorter span of `SystemModstamp` does, since it is indexed.
    Time,
    /// Rows, perhaps: no response arrived in time, as in an outage.
    RowsPerhaps,
    /// Fields: their formulas together are more than Salesforce compiles into one query.
    Fields,
}

impl Default for Extent {
    fn default() -> Self {
        Self { rows: MAX_ROWS, parts: 1, span: None, by_ids: false, successes: 0 }
    }
}

impl Excess {
    /// Returns what the failed request asked too much of; `None` if a smaller request would fail as well.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::TooLarge { what: "the response", .. } => Some(Self::Rows),
            Error::NoResponse { .. } => Some(Self::RowsPerhaps),
            error if error.has_code("QUERY_TOO_COMPLICATED") => Some(Self::Fields),
            error if error.has_code("QUERY_TIMEOUT") => Some(Self::Time),
            error if error.has_code("OPERATION_TOO_LARGE") => Some(Self::Rows),
            _ => None,
        }
    }
}

impl Extent {
    /// Returns the number of rows, from 1 to [`MAX_ROWS`].
    #[must_use]
    pub fn rows(self) -> u32 {
        self.rows
    }

    /// Returns the number of parts in which the fields are read, at least 1.
    #[must_use]
    pub fn parts(self) -> u32 {
        self.parts
    }

    /// Returns the span of `SystemModstamp` that one query of a scan reads; `None` for a query without an end.
    #[must_use]
    pub fn span(self) -> Option<SignedDuration> {
        self.span
    }

    /// Returns whether a query of a scan for the rows of one `SystemModstamp` reads a range of as many ids as [`Self::rows`].
    #[must_use]
    pub fn by_ids(self) -> bool {
        self.by_ids
    }

    /// Returns the extent without ranges of ids: for the rows of another `SystemModstamp`.
    #[must_use]
    pub fn without_ids(self) -> Self {
        Self { by_ids: false, ..self }
    }

    /// Returns whether requests need not be smaller than the largest.
    pub(crate) fn is_full(self) -> bool {
        Self { successes: 0, ..self } == Self::default()
    }

    /// Returns the extent with this number of parts.
    #[must_use]
    pub(crate) fn with_parts(self, parts: u32) -> Self {
        Self { parts, ..self }
    }

    /// Returns a smaller extent, for an object of which `fields` fields are read; `None` if nothing is left to narrow. `range`
    /// is the span of `SystemModstamp` that a query without an end has to read; `None` for a request by ids.
    #[must_use]
    pub fn narrowed(self, excess: Excess, fields: usize, range: Option<SignedDuration>) -> Option<Self> {
        let fewer_rows = || (self.rows > 1).then_some(Self { rows: self.rows / 2, successes: 0, ..self });
        let more_parts = || {
            let most = u32::try_from(fields).unwrap_or(u32::MAX).max(1);
            (self.parts < most).then(|| Self { parts: (self.parts * 2).min(most), successes: 0, ..self })
        };
        let shorter = || {
            let span = range?.min(self.span.unwrap_or(MAX_SPAN));
            let rows = (self.rows / 2).max(1);
            (span > MIN_SPAN).then(|| Self {
                rows,
                span: Some((span / SHORTENING).max(MIN_SPAN)),
                successes: 0,
                ..self
            })
        };
        // All rows of one time are too many: whole pages again, of ranges of ids.
        let by_ids = || {
            let is_new = range.is_some() && self.span == Some(MIN_SPAN) && !self.by_ids;
            is_new.then_some(Self { rows: MAX_ROWS, by_ids: true, successes: 0, ..self })
        };
        let fewer_ids = || {
            let is_more = self.by_ids && self.rows > 1;
            is_more.then(|| Self { rows: (self.rows / FEWER_IDS).max(1), successes: 0, ..self })
        };
        match excess {
            Excess::Rows => fewer_rows().or_else(more_parts),
            Excess::Time => shorter().or_else(by_ids).or_else(fewer_ids).or_else(fewer_rows).or_else(more_parts),
            Excess::Fields => more_parts().or_else(fewer_rows),
            // An outage says nothing about the fields.
            Excess::RowsPerhaps => fewer_rows(),
        }
    }

    /// Returns the extent after a request that succeeded. The rows and the span grow again, since a page elsewhere may be
    /// smaller; the parts stay, since the fields stay the same.
    #[must_use]
    pub fn after_success(self) -> Self {
        match self.successes + 1 {
            SUCCESSES.. => Self { rows: (self.rows * 2).min(MAX_ROWS), successes: 0, ..self.lengthened() },
            successes => Self { successes, ..self },
        }
    }

    /// Returns the extent after a query that found no row. So a scan soon passes over a time without any.
    #[must_use]
    pub fn after_nothing(self) -> Self {
        self.lengthened().after_success()
    }

    fn lengthened(self) -> Self {
        if self.by_ids {
            return self;
        }
        Self { span: self.span.map(|span| span.saturating_mul(2)).filter(|span| *span < MAX_SPAN), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use salesforce::Problem;

    use super::*;

    fn rejected(code: &str) -> Error {
        let problems = vec![Problem { code: code.to_owned(), fields: Vec::new() }];
        Error::Rejected { operation: "query records", status: 400, problems }
    }

    #[test]
    fn only_a_request_that_asked_for_too_much_is_narrowed() {
        let cases = [
            (Error::TooLarge { operation: "query records", what: "the response" }, Some(Excess::Rows)),
            (Error::TooLarge { operation: "query records", what: "the URL" }, None),
            (Error::NoResponse { operation: "query records", source: "reset".into() }, Some(Excess::RowsPerhaps)),
            (rejected("QUERY_TIMEOUT"), Some(Excess::Time)),
            (rejected("OPERATION_TOO_LARGE"), Some(Excess::Rows)),
            (rejected("QUERY_TOO_COMPLICATED"), Some(Excess::Fields)),
            (rejected("INVALID_FIELD"), None),
            (Error::DailyLimit { operation: "query records" }, None),
        ];
        for (error, expected) in cases {
            assert_eq!(Excess::of(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_query_of_27_years_that_times_out_is_short_within_one_invocation() {
        let years = SignedDuration::from_hours(27 * 365 * 24);
        let mut extent = Extent::default();
        for _ in 0..7 {
            extent = extent.narrowed(Excess::Time, 300, Some(years)).unwrap();
        }
        assert!(extent.span() < Some(SignedDuration::from_hours(24)), "{extent:?}");
        assert_eq!(extent.parts(), 1);
    }

    #[test]
    fn a_time_without_rows_is_passed_over_soon() {
        let years = SignedDuration::from_hours(27 * 365 * 24);
        let mut extent = Extent { span: Some(SignedDuration::from_hours(1)), ..Extent::default() };
        let (mut passed, mut queries) = (SignedDuration::ZERO, 0);
        while let Some(span) = extent.span().filter(|_| passed < years) {
            (passed, queries, extent) = (passed + span, queries + 1, extent.after_nothing());
        }
        assert!(queries < 20, "{queries}");
    }

    fn excess() -> impl Strategy<Value = Excess> {
        prop::sample::select(vec![Excess::Rows, Excess::RowsPerhaps, Excess::Time, Excess::Fields])
    }

    fn range() -> impl Strategy<Value = Option<SignedDuration>> {
        prop::option::of((0..900_000_000_i64).prop_map(SignedDuration::from_secs))
    }

    #[test]
    fn a_query_for_one_time_that_times_out_is_narrowed_to_ids() {
        let range = Some(SignedDuration::from_secs(900));
        let mut extent = Extent::default();
        while !extent.by_ids() {
            extent = extent.narrowed(Excess::Time, 10, range).unwrap();
        }
        assert_eq!((extent.span(), extent.rows()), (Some(MIN_SPAN), MAX_ROWS));
        let rows: Vec<u32> = std::iter::successors(Some(extent), |extent| extent.narrowed(Excess::Time, 1, range))
            .map(Extent::rows)
            .collect();
        assert_eq!(rows, [2_000, 250, 31, 3, 1]);
        let grown = (0..100).fold(extent, |extent, _| extent.after_nothing());
        assert_eq!((grown.span(), grown.by_ids()), (Some(MIN_SPAN), true), "until the scan has passed the time");
        assert_eq!(grown.without_ids().after_nothing().span(), Some(MIN_SPAN * 2));
        let by_ids = Extent::default().narrowed(Excess::Time, 10, None).unwrap();
        assert!(!by_ids.by_ids(), "a request by ids has fewer of them");
    }

    proptest! {
        #[test]
        fn narrowing_ends_and_never_asks_for_nothing(excess in excess(), fields in 0..900_usize, range in range()) {
            let (mut extent, mut steps) = (Extent::default(), 0);
            while let Some(smaller) = extent.narrowed(excess, fields, range) {
                let is_shorter = smaller.span.unwrap_or(MAX_SPAN) < extent.span.unwrap_or(MAX_SPAN);
                let is_by_ids = smaller.by_ids && !extent.by_ids;
                prop_assert!(smaller.rows < extent.rows || smaller.parts > extent.parts || is_shorter || is_by_ids);
                prop_assert!(smaller.rows >= 1 && (smaller.parts as usize) <= fields.max(1));
                prop_assert!(smaller.span.is_none_or(|span| span >= MIN_SPAN));
                (extent, steps) = (smaller, steps + 1);
            }
            prop_assert_eq!(extent.rows, 1);
            prop_assert!(steps <= 30, "{}", steps);
        }

        #[test]
        fn an_extent_grows_back_to_full_pages(excess in excess(), steps in 0..12, range in range()) {
            let mut extent = Extent::default();
            for _ in 0..steps {
                extent = extent.narrowed(excess, 300, range).unwrap_or(extent);
            }
            extent = extent.without_ids();
            let parts = extent.parts;
            for _ in 0..SUCCESSES * 32 {
                let grown = extent.after_success();
                prop_assert!(grown.rows >= extent.rows && grown.rows <= MAX_ROWS);
                extent = grown;
            }
            prop_assert_eq!((extent.rows, extent.parts, extent.span), (MAX_ROWS, parts, None));
        }
    }
}
