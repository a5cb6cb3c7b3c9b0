//! Failures as Lambda reports them.

use std::error::Error;

use lambda_runtime::Diagnostic;
use salesforce::{Classify, Retry};

use crate::Chain;

/// Converts an error to Lambda's diagnostic. Its `error_type` is `Permanent`, `NeedsHuman` or `Transient`.
pub fn diagnostic<E: Classify + Error>(error: &E) -> Diagnostic {
    let error_type = match error.retry() {
        Retry::Never => "Permanent",
        Retry::NeedsHuman => "NeedsHuman",
        Retry::After(_) | Retry::Unknown(_) => "Transient",
    };
    Diagnostic { error_type: error_type.to_owned(), error_message: Chain(error).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_type_says_what_may_be_done() {
        let org = "00D5e000000KQ2e".parse().unwrap();
        let cases = [
            (store::Error::NotFound { operation: "load the org", entity: "org" }, "Permanent"),
            (store::Error::NotAnAdministrator { org }, "NeedsHuman"),
            (store::Error::Conflict { operation: "claim the lease" }, "Transient"),
            (store::Error::NotAllQueued { missing: 1, total: 2 }, "Transient"),
        ];
        for (error, expected) in cases {
            assert_eq!(diagnostic(&error).error_type, expected, "{error}");
        }
    }
}
