//! OAuth, and the realm: the state that the orgs of a process share.

pub(crate) mod oauth;
pub(crate) mod realm;
pub(crate) mod registrations;
