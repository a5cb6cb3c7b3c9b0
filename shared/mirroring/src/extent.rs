//! The extent of one request: how many rows, and in how many parts their fields, are read at once.
//!
//! A request that asks for too much fails each time it is sent. So it is halved: first the rows, then the fields, which
//! are read in parts and joined by id. Which of the two comes first depends on what Salesforce says.

use salesforce::Error;

/// The most rows that Salesforce returns in one page, and the most records of one `retrieve`.
pub const MAX_ROWS: u32 = 2_000;

/// The successes in a row after which an extent grows again.
const SUCCESSES: u32 = 4;

/// The part of an object that one request reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    rows: u32,
    parts: u32,
    successes: u32,
}

/// The part of a failed request that was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Rows: the response is too large, or the query takes too long.
    Rows,
    /// Rows, perhaps: no response arrived in time, as in an outage.
    RowsPerhaps,
    /// Fields: their formulas together are more than Salesforce compiles into one query.
    Fields,
}

impl Default for Extent {
    fn default() -> Self {
        Self { rows: MAX_ROWS, parts: 1, successes: 0 }
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
            error if error.has_code("QUERY_TIMEOUT") || error.has_code("OPERATION_TOO_LARGE") => Some(Self::Rows),
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

    /// Returns the extent with this number of parts.
    #[must_use]
    pub(crate) fn with_parts(self, parts: u32) -> Self {
        Self { parts, ..self }
    }

    /// Returns half the extent, for an object of which `fields` fields are read; `None` if nothing is left to halve.
    #[must_use]
    pub fn halved(self, excess: Excess, fields: usize) -> Option<Self> {
        let fewer_rows = || (self.rows > 1).then_some(Self { rows: self.rows / 2, successes: 0, ..self });
        let more_parts = || {
            let most = u32::try_from(fields).unwrap_or(u32::MAX).max(1);
            (self.parts < most).then(|| Self { parts: (self.parts * 2).min(most), successes: 0, ..self })
        };
        match excess {
            Excess::Rows => fewer_rows().or_else(more_parts),
            Excess::Fields => more_parts().or_else(fewer_rows),
            // An outage says nothing about the fields.
            Excess::RowsPerhaps => fewer_rows(),
        }
    }

    /// Returns the extent after a request that succeeded. The rows grow again, since a page elsewhere may be smaller; the
    /// parts stay, since the fields stay the same.
    #[must_use]
    pub fn after_success(self) -> Self {
        match self.successes + 1 {
            SUCCESSES.. => Self { rows: (self.rows * 2).min(MAX_ROWS), successes: 0, ..self },
            successes => Self { successes, ..self },
        }
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
    fn only_a_request_that_asked_for_too_much_is_halved() {
        let cases = [
            (Error::TooLarge { operation: "query records", what: "the response" }, Some(Excess::Rows)),
            (Error::TooLarge { operation: "query records", what: "the URL" }, None),
            (Error::NoResponse { operation: "query records", source: "reset".into() }, Some(Excess::RowsPerhaps)),
            (rejected("QUERY_TIMEOUT"), Some(Excess::Rows)),
            (rejected("OPERATION_TOO_LARGE"), Some(Excess::Rows)),
            (rejected("QUERY_TOO_COMPLICATED"), Some(Excess::Fields)),
            (rejected("INVALID_FIELD"), None),
            (Error::DailyLimit { operation: "query records" }, None),
        ];
        for (error, expected) in cases {
            assert_eq!(Excess::of(&error), expected, "{error}");
        }
    }

    fn excess() -> impl Strategy<Value = Excess> {
        prop::sample::select(vec![Excess::Rows, Excess::RowsPerhaps, Excess::Fields])
    }

    proptest! {
        #[test]
        fn halving_ends_and_never_asks_for_nothing(excess in excess(), fields in 0..900_usize) {
            let (mut extent, mut halvings) = (Extent::default(), 0);
            while let Some(half) = extent.halved(excess, fields) {
                prop_assert!(half.rows < extent.rows || half.parts > extent.parts);
                prop_assert!(half.rows >= 1 && (half.parts as usize) <= fields.max(1));
                (extent, halvings) = (half, halvings + 1);
            }
            prop_assert_eq!(extent.rows, 1);
            prop_assert!(halvings <= 22, "{}", halvings);
        }

        #[test]
        fn an_extent_grows_back_to_full_pages(excess in excess(), halvings in 0..12) {
            let mut extent = Extent::default();
            for _ in 0..halvings {
                extent = extent.halved(excess, 300).unwrap_or(extent);
            }
            let parts = extent.parts;
            for _ in 0..SUCCESSES * 11 {
                let grown = extent.after_success();
                prop_assert!(grown.rows >= extent.rows && grown.rows <= MAX_ROWS);
                extent = grown;
            }
            prop_assert_eq!((extent.rows, extent.parts), (MAX_ROWS, parts));
        }
    }
}
