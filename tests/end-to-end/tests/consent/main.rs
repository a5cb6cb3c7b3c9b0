//! Consents from the link to the last page, with the real functions in one process: `oauth-callback`, `token-broker` and
//! `onboarding`, on an emulated account and simulated orgs.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

mod admin;
mod attacks;
mod binding;
mod chromium;
mod forged_responses;
mod functions;
mod harness;
mod log;
mod page_checks;
mod pages;
mod visitor;
