//! Holds the whole suite to its word that no secret is logged or told in an error (invariant 5 of `ARCHITECTURE.md`).
//!
//! Every test that handles secrets [`listen`]s. From then on all that its process logs is kept, and what its functions answer
//! when they refuse is added by [`heard`]. When the test ends, none of it may hold a value that was noted as a secret, nor
//! anything that has the form of one.

#![expect(clippy::expect_used, reason = "what helps a test may fail it")]

mod forms;
mod log;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

pub use forms::looks_secret;

/// The shortest text that can open anything. A shorter one would be found in innocent lines.
const SHORTEST: usize = 16;

/// Listens for the length of one test; dropping it searches what was heard.
#[derive(Debug)]
#[must_use = "what is logged is searched when this is dropped"]
pub struct Silence {
    secrets: Mutex<BTreeSet<String>>,
    /// Where in the log of the process this test began.
    from: usize,
}

/// Keeps what is logged from now on: our own lines at every level, those of libraries as far as production would show them.
pub fn listen() -> Silence {
    log::keep();
    Silence { secrets: Mutex::default(), from: log::length() }
}

/// Adds what somebody outside was told, for example in an error.
pub fn heard(told: &str) {
    log::add(told);
}

/// The lines of `text` that hold one of the secrets, or something that has the form of one, with it taken out.
#[must_use]
pub fn leaks<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let secrets: Vec<&str> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
    let hidden = |line: &str| {
        let line = secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret, HIDDEN));
        forms::hide(&line)
    };
    text.lines().map(hidden).filter(|line| line.contains(HIDDEN)).collect()
}

const HIDDEN: &str = "[SECRET]";

impl Silence {
    /// Notes a value that may appear nowhere.
    pub fn note(&self, secret: impl Into<String>) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.into());
    }

    /// Searches what was heard so far.
    ///
    /// # Panics
    /// It holds a secret. The secret itself is not shown.
    pub fn check(&self) {
        let secrets = self.secrets.lock().expect("no other use has panicked");
        let leaks = leaks(&log::since(self.from), secrets.iter().map(String::as_str));
        assert!(leaks.is_empty(), "secrets were told: {leaks:#?}");
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A test that fails for another reason says that one.
        if !std::thread::panicking() {
            self.check();
        }
    }
}

#[cfg(test)]
mod tests;
