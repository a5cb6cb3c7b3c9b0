//! The requests to the org: for tests that count them, and for the page that shows them.
//!
//! Headers and bodies are kept as they were sent, tokens included, and only in memory; the page masks secrets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::model::ids::RecordId;

const MAX_ENTRIES: usize = 10_000;
/// The newest requests whose headers and bodies are kept.
const MAX_MESSAGES: usize = 1_000;
/// Bytes that are kept of a body.
pub(crate) const MAX_BODY: usize = 8_192;

/// The newest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: VecDeque<Entry>,
    last_number: u64,
}

/// A request and the org's answer.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The number of the request, from 1.
    pub(crate) number: u64,
    pub(crate) request: LoggedRequest,
    /// The status that was sent.
    pub(crate) status: u16,
    /// Real time from the request to its answer.
    pub(crate) duration: Duration,
    /// The messages as the org saw them, without compression and before a fault changed the answer; absent for a request
    /// that did not reach the org, and for older ones.
    pub(crate) exchange: Option<Capture<Exchange>>,
}

/// The identity of a request.
#[derive(Clone, Debug)]
pub(crate) struct LoggedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The query string, without the question mark.
    pub(crate) query: String,
    /// The user of the request's session.
    pub(crate) user: Option<RecordId>,
    /// The time of the org's clock.
    pub(crate) at: Timestamp,
}

/// The messages of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) request: Message,
    /// The status of the answer; absent until there is one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) answer: Message,
}

impl Exchange {
    /// Returns an exchange that keeps so many bytes of each body.
    pub(crate) fn keeping(limit: usize) -> Self {
        let message = Message { limit, ..Message::default() };
        Self { request: message.clone(), status: None, answer: message }
    }
}

/// An exchange, or what holds one, that is still being copied. Clones share it; the last one goes with the answer's body.
#[derive(Debug)]
pub(crate) struct Capture<T>(Arc<Mutex<T>>);

impl<T> Capture<T> {
    pub(crate) fn new(place: T) -> Self {
        Self(Arc::new(Mutex::new(place)))
    }

    /// Returns what has been copied so far.
    pub(crate) fn get(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Capture<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl AsMut<Self> for Exchange {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// Headers and the beginning of a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The size of the whole body in bytes, as far as it is known.
    pub(crate) size: usize,
    /// Bytes of the body that were seen.
    seen: usize,
    /// Bytes that are kept of the body.
    limit: usize,
}

impl Message {
    pub(crate) fn new(headers: HeaderMap, body: &[u8]) -> Self {
        let mut message = Self { headers, limit: MAX_BODY, ..Self::default() };
        message.add(body);
        message
    }

    /// Begins with the headers, and the size of the body if it is known in advance.
    pub(crate) fn begin(&mut self, headers: HeaderMap, size: Option<u64>) {
        self.headers = headers;
        self.size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
    }

    /// Adds the next part of the body.
    pub(crate) fn add(&mut self, part: &[u8]) {
        let room = self.limit.saturating_sub(self.body.len());
        self.body.extend_from_slice(&part[..part.len().min(room)]);
        self.seen += part.len();
        self.size = self.size.max(self.seen);
    }

    /// Returns the text that is kept of the body, without a character that was cut at its end.
    pub(crate) fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.body) {
            Ok(text) => Some(text),
            Err(error) if error.error_len().is_none() && self.is_cut() => {
                std::str::from_utf8(&self.body[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }

    /// Returns whether only the beginning of the body is kept.
    pub(crate) fn is_cut(&self) -> bool {
        self.size > self.body.len()
    }
}

impl Entry {
    /// Returns `METHOD /path status`.
    pub(crate) fn line(&self) -> String {
        format!("{} {} {}", self.request.method, self.request.path, self.status)
    }
}

impl RequestLog {
    pub(crate) fn add(
        &mut self,
        request: LoggedRequest,
        status: u16,
        duration: Duration,
        exchange: Option<Capture<Exchange>>,
    ) {
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.last_number += 1;
        self.entries.push_back(Entry { number: self.last_number, request, status, duration, exchange });
        if let Some(old) = self.entries.len().checked_sub(MAX_MESSAGES + 1) {
            self.entries[old].exchange = None;
        }
    }

    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.entries.iter().map(Entry::line).collect()
    }

    /// Returns the requests with a session of this user.
    pub(crate) fn lines_of(&self, user: RecordId) -> Vec<String> {
        self.entries.iter().filter(|entry| entry.request.user == Some(user)).map(Entry::line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> LoggedRequest {
        let (method, path, query) = ("GET".to_owned(), "/x".to_owned(), String::new());
        LoggedRequest { method, path, query, user: None, at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn old_requests_lose_their_messages_and_then_their_place() {
        let mut log = RequestLog::default();
        for _ in 0..=MAX_ENTRIES {
            log.add(request(), 200, Duration::ZERO, Some(Capture::new(Exchange::default())));
        }
        assert_eq!(log.entries().filter(|entry| entry.exchange.is_some()).count(), MAX_MESSAGES);
        assert_eq!((log.lines().len(), log.entries().next().map(|entry| entry.number)), (MAX_ENTRIES, Some(2)));
        assert!(log.entries().next_back().is_some_and(|entry| entry.exchange.is_some()));
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let body = "é".repeat(MAX_BODY);
        let message = Message::new(HeaderMap::new(), &body.as_bytes()[1..]);
        assert!(message.text().is_none(), "it does not begin with a character");
        let message = Message::new(HeaderMap::new(), format!("a{body}").as_bytes());
        assert!(message.is_cut() && message.text().is_some_and(|text| text.len() == MAX_BODY - 1));
        assert_eq!(message.size, 1 + 2 * MAX_BODY);
    }
}
