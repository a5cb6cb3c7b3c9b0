//! Tests of the simulator over HTTP, as its clients use it.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod admin;
mod admin_apps;
mod bulk_ingest;
mod bulk_query;
mod bulk_v1;
mod client_certificate;
mod collections;
mod composite;
mod conditional;
mod crm_data;
mod crud;
mod faults;
mod features;
mod files;
mod graphql;
mod layouts;
mod limits;
mod list_views;
mod notes;
mod oauth;
mod oauth_assertions;
mod oauth_browser;
mod oauth_consent;
mod oauth_hosts;
mod oauth_tokens;
mod orgs;
mod outbound;
mod packages;
mod pages;
mod password_flow;
mod permissions;
mod program;
mod query;
mod recent_items;
mod recording;
mod records;
mod rules;
mod server;
mod shapes;
mod soap;
mod source;
mod state;
mod support;
mod ui_api;
