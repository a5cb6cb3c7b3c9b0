//! The sending of outbound messages: the SOAP body, the delivery and the acknowledgement. The queue is in
//! [`crate::model::outbox`].

mod ack;
mod message;
pub(crate) mod sender;
