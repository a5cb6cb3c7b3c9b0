//! Fails a test whose process logs a secret, or puts one into an error (invariant 5).
//!
//! A test that handles secrets calls [`start`]. From then on the log of its process is recorded, and [`add`] records the
//! responses with which functions refuse a request. When the test ends, the record is searched for every registered secret
//! and for everything that has the form of one.

#![expect(clippy::expect_used, reason = "a test helper may fail the test")]

mod forms;
mod log;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

pub use forms::looks_secret;

/// The least length of a secret in bytes. A shorter text would be found in harmless lines.
const MIN_LEN: usize = 16;
const HIDDEN: &str = "[SECRET]";

/// A scan of what one test logs. Dropping it searches the record.
#[derive(Debug)]
#[must_use = "the log is searched when this is dropped"]
pub struct SecretScan {
    secrets: Mutex<BTreeSet<String>>,
    /// The length of the process's log when this test began.
    from: usize,
}

/// Starts a scan. Lines of Ferry's crates are recorded at every level, those of libraries from `debug` up.
pub fn start() -> SecretScan {
    log::record();
    SecretScan { secrets: Mutex::default(), from: log::length() }
}

/// Records a text that left the process, for example an error response.
pub fn add(text: &str) {
    log::add(text);
}

/// Returns the lines of `text` that hold one of `secrets` or something in the form of a secret, with the secret replaced.
#[must_use]
pub fn leaks<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let secrets: Vec<&str> = secrets.into_iter().filter(|secret| secret.len() >= MIN_LEN).collect();
    let hidden = |line: &str| {
        let line = secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, HIDDEN));
        forms::hide(&forms::without_request_ids(&line))
    };
    text.lines().map(hidden).filter(|line| line.contains(HIDDEN)).collect()
}

impl SecretScan {
    /// Registers a secret that must not be logged.
    pub fn forbid(&self, secret: impl Into<String>) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.into());
    }

    /// Searches the record so far.
    ///
    /// # Panics
    /// The record holds a secret. The message shows the lines without it.
    pub fn check(&self) {
        let secrets = self.secrets.lock().expect("no other use has panicked");
        let leaks = leaks(&log::since(self.from), secrets.iter().map(String::as_str));
        assert!(leaks.is_empty(), "secrets were logged: {leaks:#?}");
    }
}

impl Drop for SecretScan {
    fn drop(&mut self) {
        // A test that already fails reports its own reason.
        if !std::thread::panicking() {
            self.check();
        }
    }
}

#[cfg(test)]
mod tests;
