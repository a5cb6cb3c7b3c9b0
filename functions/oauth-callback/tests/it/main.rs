//! Connect links and consents against the emulator and a simulated org. The token broker and `onboarding` are fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod connecting;
mod fakes;
mod harness;
mod linking;
mod logged_secrets;
mod mapping;
mod refusing;
