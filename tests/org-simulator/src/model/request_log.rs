//! The requests to the org, for tests that count them. Queries and bodies are not stored.

use std::collections::VecDeque;

use crate::model::ids::RecordId;

const KEPT: usize = 10_000;

/// The newest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    line: String,
    /// The user of the request's session.
    user: Option<RecordId>,
}

impl RequestLog {
    pub(crate) fn add(&mut self, method: &str, path: &str, status: u16, user: Option<RecordId>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Entry { line: format!("{method} {path} {status}"), user });
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.iter().map(|entry| entry.line.clone()).collect()
    }

    /// Returns the requests with a session of this user.
    pub(crate) fn lines_of(&self, user: RecordId) -> Vec<String> {
        self.0.iter().filter(|entry| entry.user == Some(user)).map(|entry| entry.line.clone()).collect()
    }
}
