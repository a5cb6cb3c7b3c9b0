//! The web server, the pages for people, and the simulator's own API.

pub(crate) mod admin;
pub(crate) mod page;
pub(crate) mod server;
