//! The APIs of an org, one module for each, independent of HTTP: [`call`] has the request and response of the data API.
//! HTTP is in [`crate::http`], OAuth in [`crate::identity`].

pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod describe;
pub(crate) mod graphql;
pub(crate) mod list_views;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod search;
pub(crate) mod soap;
pub(crate) mod streaming;
pub(crate) mod tooling;
pub(crate) mod ui_api;
