//! Requests that an org sends: outbound messages, the callouts of packages, and the events of Event Relay.

pub(crate) mod callout;
pub(crate) mod definitions;
pub(crate) mod event_relay;
pub(crate) mod outbound;
pub(crate) mod packages;
