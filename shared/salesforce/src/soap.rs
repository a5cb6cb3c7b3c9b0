//! Salesforce's SOAP: the outbound messages that it sends, and the operations of its partner API that REST does not have.

pub mod outbound_message;
pub mod partner;
