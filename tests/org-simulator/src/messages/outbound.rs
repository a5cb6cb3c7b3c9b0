//! Outbound messages: definitions and the queue of notifications. Pure state; [`sender`] does the posting.

mod ack;
mod message;
pub(crate) mod sender;
