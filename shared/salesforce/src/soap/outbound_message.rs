//! Outbound messages (SOAP API Developer Guide, "Understanding Notifications").
//!
//! [`parse`] reads the body and reports its values unchanged; [`OutboundMessage::validate`] checks the ids and names.
//! The values borrow from the body. `quick_xml` reads the markup; what it leaves open is checked here: characters, names,
//! attributes, references, bounds, and the order and number of elements.

pub(super) mod element;
mod message;
pub(super) mod reader;
mod validated;

use std::borrow::Cow;

pub use message::parse;
pub use validated::{Change, Validated};

/// The acknowledgement. Salesforce sends the message again after any other response.
pub const ACK: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>"#,
    r#"<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>"#,
    r#"</soapenv:Body></soapenv:Envelope>"#,
);

/// The maximum size of a body.
pub const MAX_BYTES: usize = 6 * 1024 * 1024;
/// The maximum number of notifications in a message.
pub const MAX_NOTIFICATIONS: usize = 100;
/// The maximum depth of elements.
pub const MAX_DEPTH: usize = 32;
/// The maximum number of fields of a record, which is more than an object can have.
pub const MAX_FIELDS: usize = 2_000;

/// The content of a body, before validation: ids may be masked or missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundMessage<'a> {
    /// The org that the message names as its sender.
    pub organization_id: Option<Cow<'a, str>>,
    /// The id of the outbound message's definition, the same in every delivery.
    pub action_id: Option<Cow<'a, str>>,
    /// `true` if the message contains a session id, which itself is not stored.
    pub session_id_present: bool,
    /// At least one notification.
    pub notifications: Vec<Notification<'a>>,
}

/// A notification of one changed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The notification's id, the same in every delivery.
    pub id: Option<Cow<'a, str>>,
    /// The record's object, without a prefix; `None` if there is no `sObject` or it has no type.
    pub object_type: Option<Cow<'a, str>>,
    /// The record's id.
    pub record_id: Option<Cow<'a, str>>,
    /// The record's fields in the order of the body, including `Id`. `None` is null.
    pub fields: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// A reason for which a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body exceeds [`MAX_BYTES`].
    #[error("the body is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// The body is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body is not well-formed XML, or was cut short.
    #[error("not well-formed XML at byte {position}: {what}")]
    NotWellFormed {
        /// The offset of the error in bytes, leading white space not counted.
        position: u64,
        /// The error, without text of the body.
        what: &'static str,
    },
    /// The body has a document type, which could declare entities.
    #[error("document types and entity declarations are not allowed")]
    DocumentType,
    /// Elements are nested more than [`MAX_DEPTH`] deep.
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The root is not a SOAP envelope.
    #[error("the body is not a SOAP envelope")]
    NoEnvelope,
    /// The envelope's body has no `notifications` element.
    #[error("the envelope has no notifications element")]
    NoNotifications,
    /// The `notifications` element has no `Notification`.
    #[error("the message has no Notification")]
    NoNotification,
    /// The message has more than [`MAX_NOTIFICATIONS`] notifications.
    #[error("the message has more than {MAX_NOTIFICATIONS} notifications")]
    TooManyNotifications,
    /// A record has more than [`MAX_FIELDS`] fields.
    #[error("a record has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// An element that may occur once occurs again, so that its value is ambiguous.
    #[error("{element} occurs more than once")]
    Repeated {
        /// The element.
        element: &'static str,
    },
    /// A required element is missing or empty.
    #[error("{element} is missing")]
    Missing {
        /// The element.
        element: &'static str,
    },
    /// An id or a name is malformed.
    #[error("{element} {reason}")]
    Malformed {
        /// The element.
        element: &'static str,
        /// The reason, as a verb phrase.
        reason: &'static str,
    },
}

#[cfg(test)]
mod tests;
