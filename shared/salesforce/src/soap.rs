//! Salesforce's SOAP: the outbound messages that it sends.

pub mod outbound_message;
