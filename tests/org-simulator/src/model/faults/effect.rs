//! What a fault does to a request.

use serde::{Deserialize, Serialize};

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Effect {
    /// Answer this and do nothing.
    Answer {
        /// HTTP status.
        status: u16,
        /// Content type of the body.
        content_type: String,
        /// The body.
        body: String,
    },
    /// Answer one error in the data API's form and do nothing.
    Error {
        /// HTTP status.
        status: u16,
        /// `errorCode`.
        code: String,
        /// `message`.
        message: String,
    },
    /// Close the connection before anything is done.
    ResetBefore,
    /// Do the work, then close the connection without an answer.
    ResetAfter,
    /// Do the work, then wait this long before answering.
    Delay {
        /// Milliseconds of real time.
        delay_ms: u64,
    },
    /// Wait this long, then do the work and answer.
    DelayBefore {
        /// Milliseconds of real time.
        delay_ms: u64,
    },
    /// 403 `REQUEST_LIMIT_EXCEEDED`, `TotalRequests Limit exceeded.`
    RequestLimitExceeded,
    /// 403 `REQUEST_LIMIT_EXCEEDED` of the other kind, which is over in seconds: `ConcurrentPerOrgLongTxn Limit exceeded.`
    ConcurrentLimitExceeded,
    /// 503 with an HTML page, as in maintenance.
    Unavailable,
    /// 500 without a body.
    InternalError,
    /// 400 `UNABLE_TO_LOCK_ROW`.
    UnableToLockRow,
    /// 400 `QUERY_TIMEOUT`.
    QueryTimeout,
    /// Do the work, promise the whole body in `Content-Length`, send only its beginning and close the connection.
    /// An answer that has no body is not sent at all.
    Truncate {
        /// Bytes of the body that are sent; half of it when absent.
        #[serde(default)]
        keep_bytes: Option<usize>,
    },
    /// Do the work, then let the body trickle.
    Trickle {
        /// Bytes sent at a time.
        chunk_bytes: usize,
        /// Milliseconds of real time between them.
        pause_ms: u64,
    },
    /// Do the work, then answer with the first half of the body only, as if that were all.
    MalformedJson,
    /// Do the work, then call the answer's body something else.
    ContentType {
        /// Value of the `Content-Type` header.
        content_type: String,
    },
}
