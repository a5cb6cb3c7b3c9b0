//! The effects that a fault can have on a request.

use serde::{Deserialize, Serialize};

/// The effect of a fault on a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Effect {
    /// Returns this response; the request is not executed.
    Answer {
        /// HTTP status.
        status: u16,
        /// Content type of the body.
        content_type: String,
        /// The body.
        body: String,
    },
    /// Returns one error in the data API's format; the request is not executed.
    Error {
        /// HTTP status.
        status: u16,
        /// `errorCode`.
        code: String,
        /// `message`.
        message: String,
    },
    /// Closes the connection before the request is executed.
    ResetBefore,
    /// Executes the request, then closes the connection without a response.
    ResetAfter,
    /// Closes the connection without a response, and executes the request later, as an org does that has received it: a call may
    /// run for up to 10 minutes (Salesforce Developer Limits, API timeouts).
    CommitLate {
        /// Seconds of the org's clock until the request takes effect.
        delay_s: u32,
    },
    /// Executes the request, then returns one error in the data API's format instead of its response.
    ErrorAfter {
        /// HTTP status.
        status: u16,
        /// `errorCode`.
        code: String,
        /// `message`.
        message: String,
    },
    /// Executes the request, then waits before sending the response.
    Delay {
        /// Milliseconds of real time.
        delay_ms: u64,
    },
    /// Waits, then executes the request, also if the client has left by then, and sends the response.
    DelayBefore {
        /// Milliseconds of real time.
        delay_ms: u64,
    },
    /// 403 `REQUEST_LIMIT_EXCEEDED`, `TotalRequests Limit exceeded.`
    RequestLimitExceeded,
    /// 403 `REQUEST_LIMIT_EXCEEDED` of the other kind, which ends within seconds: `ConcurrentPerOrgLongTxn Limit
    /// exceeded.`
    ConcurrentLimitExceeded,
    /// 503 with an HTML page, as during maintenance.
    Unavailable,
    /// 500 without a body.
    InternalError,
    /// 400 `UNABLE_TO_LOCK_ROW`.
    UnableToLockRow,
    /// 400 `QUERY_TIMEOUT`.
    QueryTimeout,
    /// Executes the request, announces the whole body in `Content-Length`, sends only its beginning and closes the
    /// connection. A response without a body is not sent at all.
    Truncate {
        /// Bytes of the body that are sent; half of the body when absent.
        #[serde(default)]
        keep_bytes: Option<usize>,
    },
    /// Executes the request, then sends the body slowly, in small chunks.
    Trickle {
        /// Bytes sent at a time.
        chunk_bytes: usize,
        /// Milliseconds of real time between two chunks.
        pause_ms: u64,
    },
    /// Executes the request, then sends the first half of the body as if it were the whole body.
    MalformedJson,
    /// Executes the request, then sends the body with another content type.
    ContentType {
        /// Value of the `Content-Type` header.
        content_type: String,
    },
}
