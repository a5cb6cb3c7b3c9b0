//! What was asked of the org, for tests that count requests. Queries and bodies are not kept.

use std::collections::VecDeque;

const KEPT: usize = 10_000;

/// The newest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<String>);

impl RequestLog {
    pub(crate) fn add(&mut self, method: &str, path: &str, status: u16) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(format!("{method} {path} {status}"));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}
