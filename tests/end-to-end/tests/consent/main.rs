//! Consents from link to last page, with the real functions in one process: `oauth-callback`, `token-broker` and `onboarding`
//! on an emulated account, and simulated orgs.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod admin;
mod attacks;
mod chromium;
mod forged_answers;
mod functions;
mod harness;
mod log;
mod looking;
mod pages;
mod visitor;
