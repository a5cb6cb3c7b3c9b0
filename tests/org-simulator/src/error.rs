//! The errors of the simulator.

/// An error of the simulator itself, or of a request of the test that controls it. Error responses to API clients are
/// not errors here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The port is in use or not permitted.
    #[error("could not listen on 127.0.0.1:{port}")]
    Listen {
        /// The requested port; 0 means any free one.
        port: u16,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file or folder of CRM data could not be read.
    #[error("could not read {path}")]
    Read {
        /// The file or folder.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file of CRM data is not in the expected layout.
    #[error("{path} is not CRM data: {reason}")]
    Layout {
        /// The file.
        path: String,
        /// The problem with it.
        reason: String,
    },
    /// The address is not a loopback address; the simulator sends to no other.
    #[error("{url} is not a loopback address")]
    NotLoopback {
        /// The rejected address.
        url: String,
    },
    /// The org rejected the request, with Salesforce's own code.
    #[error("the org answered {code}: {message}")]
    Refused {
        /// Salesforce's error code.
        code: String,
        /// Salesforce's message.
        message: String,
    },
    /// The user, app, object or record does not exist.
    #[error("there is no {what} {name}")]
    Unknown {
        /// The kind of thing.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// A value of the request is invalid.
    #[error("the {what} is not valid: {reason}")]
    Invalid {
        /// The name of the value.
        what: &'static str,
        /// The problem with it.
        reason: String,
    },
    /// A saved state could not be written or read. A file that cannot be read is not changed.
    #[error("the state in {path} cannot be used: {reason}")]
    State {
        /// The file.
        path: String,
        /// The problem.
        reason: String,
    },
    /// A callout failed or got no response.
    #[error("no answer from {url}")]
    NoAnswer {
        /// The URL of the callout.
        url: String,
        /// The callout timed out.
        timed_out: bool,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Keys or the HTTP client could not be created.
    #[error("could not prepare {what}")]
    Prepare {
        /// The part that failed.
        what: &'static str,
    },
}
