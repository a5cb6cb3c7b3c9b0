//! The HTTP server, the web pages, and the admin API.

pub(crate) mod admin;
pub(crate) mod page;
pub(crate) mod server;
