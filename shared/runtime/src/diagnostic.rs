//! How an asynchronous function tells Lambda that it failed.

use std::error::Error;

use lambda_runtime::Diagnostic;
use salesforce::{Classify, Retry};

use crate::Chain;

/// The failure as Lambda's logs and metrics see it: `error_type` is `Permanent`, `NeedsHuman` or `Transient`.
pub fn diagnostic<E: Classify + Error>(error: &E) -> Diagnostic {
    let error_type = match error.retry() {
        Retry::Never => "Permanent",
        Retry::NeedsHuman => "NeedsHuman",
        Retry::After(_) | Retry::Unknown(_) => "Transient",
    };
    Diagnostic { error_type: error_type.to_owned(), error_message: Chain(error).to_string() }
}
