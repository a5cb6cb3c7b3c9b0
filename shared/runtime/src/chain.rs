//! An error with its sources, for the line that logs it.

use std::error::Error;
use std::fmt;

/// Displays an error and its sources, outermost first.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_error_comes_first() {
        let inner = store::Error::NotFound { operation: "load the org", entity: "org" };
        let outer = store::Error::Corrupt { operation: "load the record", source: Box::new(inner) };
        assert_eq!(
            Chain(&outer).to_string(),
            "could not load the record: the stored item is malformed: could not load the org: the org does not exist"
        );
    }
}
