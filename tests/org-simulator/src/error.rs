//! Why the simulator could not start or do what its owner asked.

/// A failure of the simulator itself, or of a request its owner made; answers to API clients are not errors here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The port is taken or may not be used.
    #[error("could not listen on 127.0.0.1:{port}")]
    Listen {
        /// The port that was asked for; 0 means any free one.
        port: u16,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file or folder of CRM data could not be read.
    #[error("could not read {path}")]
    Read {
        /// The file or folder.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file of CRM data is not in the expected layout.
    #[error("{path} is not CRM data: {reason}")]
    Layout {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address is not on this machine; the simulator calls nobody else.
    #[error("{url} is not a loopback address")]
    NotLoopback {
        /// The refused address.
        url: String,
    },
    /// The org refused what was asked, with Salesforce's own code.
    #[error("the org answered {code}: {message}")]
    Refused {
        /// Salesforce's error code.
        code: String,
        /// Salesforce's message.
        message: String,
    },
    /// No such user, app, object or record.
    #[error("there is no {what} {name}")]
    Unknown {
        /// What kind of thing was looked for.
        what: &'static str,
        /// The name or id that was given.
        name: String,
    },
    /// What the owner asked for makes no sense.
    #[error("the {what} is not valid: {reason}")]
    Invalid {
        /// What was given.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A saved state could not be written or read. A file that cannot be read is left as it is.
    #[error("the state in {path} cannot be used: {reason}")]
    State {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A callout could not be made or was not answered.
    #[error("no answer from {url}")]
    NoAnswer {
        /// Where the request went.
        url: String,
        /// Whether it was waited for in vain.
        timed_out: bool,
        /// Why there is no answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Keys or the HTTP client could not be made.
    #[error("could not prepare {what}")]
    Prepare {
        /// What was being made.
        what: &'static str,
    },
}
