//! Outbound messages (SOAP API guide, "Understanding notifications").
//!
//! Reading and judging are two steps: [`parse`] reports what stands in the body, as it stands there;
//! [`OutboundMessage::judge`] turns it into checked ids, or says what is wrong. What is read borrows from the body.
//!
//! A tokenizer (`quick_xml`) under it sees to the markup; all that it leaves open is checked here: characters, names,
//! namespaces, attributes, references, bounds. What is done for each element is `inline(always)`, because the release profile
//! is for size: `cargo run --release -p bench --bin outbound-message-parse` compares it with the bare tokenizer.

mod assembly;
mod characters;
mod judged;
mod namespaces;
mod reader;

use std::borrow::Cow;

use assembly::Assembly;
use reader::Reader;

pub use judged::{Change, Judged};

/// The acknowledgement. Anything else makes Salesforce send the message again.
pub const ACK: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>"#,
    r#"<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>"#,
    r#"</soapenv:Body></soapenv:Envelope>"#,
);

/// The largest body that is read.
pub const MAX_BYTES: usize = 6 * 1024 * 1024;

/// The greatest number of notifications in a message.
pub const MAX_NOTIFICATIONS: usize = 100;

/// The greatest depth of elements.
pub const MAX_DEPTH: usize = 32;

/// The greatest number of fields of a record: above what an object can have.
pub const MAX_FIELDS: usize = 2_000;

/// What a body says, without judging it: ids may be masked or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundMessage<'a> {
    /// The org that says it sent the message.
    pub organization_id: Option<Cow<'a, str>>,
    /// The outbound message's definition: the same in every delivery.
    pub action_id: Option<Cow<'a, str>>,
    /// Whether a session id came along; the session id itself is not kept.
    pub session_id_present: bool,
    /// At least one.
    pub notifications: Vec<Notification<'a>>,
}

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// Names the notification in every delivery of it.
    pub id: Option<Cow<'a, str>>,
    /// The object of the record, without a prefix; `None` when there is no `sObject` or no type.
    pub object_type: Option<Cow<'a, str>>,
    /// The record's id.
    pub record_id: Option<Cow<'a, str>>,
    /// The record's fields in the order of the body, `Id` among them; `None` is null.
    pub fields: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// Why a body is no outbound message, or not one to believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body exceeds [`MAX_BYTES`].
    #[error("the body is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// The body is not text in UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body is not well-formed XML; also a body that was cut short.
    #[error("not well-formed XML at byte {position}: {what}")]
    NotWellFormed {
        /// Where.
        position: u64,
        /// What is wrong there; never text of the body.
        what: &'static str,
    },
    /// The body has a document type, which could declare entities.
    #[error("document types and entity declarations are refused")]
    DocumentType,
    /// Elements are nested more than [`MAX_DEPTH`] deep.
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The root is not a SOAP envelope.
    #[error("the body is not a SOAP envelope")]
    NoEnvelope,
    /// There is no `notifications` element in the envelope's body.
    #[error("the envelope holds no notifications element")]
    NoNotifications,
    /// There is no `Notification` in it.
    #[error("the message holds no Notification")]
    NoNotification,
    /// There are more than [`MAX_NOTIFICATIONS`].
    #[error("the message holds more than {MAX_NOTIFICATIONS} notifications")]
    TooManyNotifications,
    /// A record has more than [`MAX_FIELDS`].
    #[error("a record holds more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// An element that may occur once occurs again: which one counts would be a guess.
    #[error("{element} occurs more than once")]
    Repeated {
        /// Which.
        element: &'static str,
    },
    /// An element that is needed is missing or empty.
    #[error("{element} is missing")]
    Missing {
        /// Which.
        element: &'static str,
    },
    /// An id or a name is malformed.
    #[error("{element} {reason}")]
    Malformed {
        /// Which.
        element: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Reads a body.
///
/// # Errors
///
/// [`ParseError`] when the body is no outbound message.
pub fn parse(body: &[u8]) -> Result<OutboundMessage<'_>, ParseError> {
    let mut assembly = Assembly::new();
    Reader::new(characters::text(body)?).read(&mut assembly)?;
    assembly.finish()
}

#[cfg(test)]
mod tests;
