//! Classification of failed AWS calls: the SDK's errors in the three kinds that matter to a caller.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use salesforce::BoxError;
use salesforce::deadline::OutOfTime;

use crate::Error;

/// The meaning of a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It did not take effect.
    NotApplied,
    /// It may have taken effect.
    Unknown,
    /// AWS rejected the call with this code.
    Refused(String),
}

/// Classifies an SDK error. The SDK has made its own retries by then.
pub fn classify<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Failure {
    match error {
        SdkError::ServiceError(response) => classify_response(response.err().code(), response.raw().status().as_u16()),
        SdkError::DispatchFailure(failure) if !failure.is_timeout() && !failure.is_io() => Failure::NotApplied,
        SdkError::ConstructionFailure(_) if is_out_of_time(error) => Failure::NotApplied,
        SdkError::ConstructionFailure(_) => Failure::Refused("ConstructionFailure".to_owned()),
        _ => Failure::Unknown,
    }
}

/// Returns whether the call was not made because the invocation ends. Another attempt would not be made either.
pub fn is_out_of_time(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<OutOfTime>())
}

fn classify_response(code: Option<&str>, status: u16) -> Failure {
    let code = code.unwrap_or("Unknown");
    if THROTTLES.contains(&code) || status == 429 {
        Failure::NotApplied
    } else if status >= 500 {
        Failure::Unknown
    } else {
        Failure::Refused(code.to_owned())
    }
}

/// The throttling codes. Most come with status 400.
const THROTTLES: [&str; 11] = [
    "EC2ThrottledException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ResourceInUseException",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

impl Error {
    /// Returns a function for `map_err` that turns an SDK error into an [`Error`].
    pub(crate) fn aws<E>(operation: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        move |error| {
            let failure = classify(&error);
            let source: BoxError = Box::new(error);
            match failure {
                Failure::NotApplied => Self::Unavailable { operation, source },
                Failure::Unknown => Self::NoResponse { operation, source },
                Failure::Refused(code) => Self::Refused { operation, code, source },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttled_calls_did_not_take_effect() {
        assert_eq!(classify_response(Some("ThrottlingException"), 400), Failure::NotApplied);
        assert_eq!(classify_response(Some("ProvisionedThroughputExceededException"), 400), Failure::NotApplied);
        assert_eq!(classify_response(None, 429), Failure::NotApplied);
    }

    #[test]
    fn a_server_error_may_have_taken_effect() {
        assert_eq!(classify_response(Some("InternalServerError"), 500), Failure::Unknown);
        assert_eq!(classify_response(None, 503), Failure::Unknown);
    }

    #[test]
    fn other_codes_are_carried_as_they_are() {
        assert_eq!(
            classify_response(Some("AccessDeniedException"), 400),
            Failure::Refused("AccessDeniedException".to_owned())
        );
    }
}
