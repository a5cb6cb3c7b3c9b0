//! Requests that an org sends: outbound messages, and the callouts of packages.

pub(crate) mod callout;
pub(crate) mod definitions;
pub(crate) mod outbound;
pub(crate) mod packages;
