//! The clients of the Streaming API: their subscriptions, and the requests that wait for events.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::model::ids::RecordId;

/// The time for which a request waits for events (`timeout` of the advice).
pub(crate) const TIMEOUT: Duration = Duration::from_secs(110);
/// The time after a response in which a client has to connect again.
const PAUSE: SignedDuration = SignedDuration::from_secs(40);

/// A client after its handshake.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) user: RecordId,
    /// The replay id of the last event that was sent, by channel, for example `/data/AccountChangeEvent`.
    pub(crate) subscriptions: BTreeMap<String, u64>,
    /// The number of the newest request that waits; it replaces the earlier ones.
    pub(crate) newest: u64,
    /// The time at which a client that has not connected again is forgotten.
    expires: Timestamp,
}

/// All clients of an org.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    clients: BTreeMap<String, Client>,
    changes: watch::Sender<()>,
    /// The org stops, so no request waits any longer.
    pub(crate) is_stopping: bool,
}

impl Streams {
    pub(crate) fn add(&mut self, id: String, user: RecordId, now: Timestamp) {
        let client = Client { user, subscriptions: BTreeMap::new(), newest: 0, expires: later(now, PAUSE) };
        self.clients.insert(id, client);
    }

    /// Returns a client, unless it is another user's or has not connected for too long.
    pub(crate) fn client(&mut self, id: &str, user: RecordId, now: Timestamp) -> Option<&mut Client> {
        self.clients.retain(|_, client| client.expires >= now);
        self.clients.get_mut(id).filter(|client| client.user == user)
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.clients.remove(id);
        self.wake();
    }

    /// Lets the waiting requests look for events.
    pub(crate) fn wake(&self) {
        // Without a request that waits, there is no receiver.
        let _ = self.changes.send(());
    }

    /// Returns a receiver that is notified when a waiting request has to look again.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Ends all waiting requests.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        self.wake();
    }
}

impl Client {
    /// Begins a request that waits for at most that time, and returns its number.
    pub(crate) fn wait(&mut self, timeout: Duration, now: Timestamp) -> u64 {
        self.newest += 1;
        let timeout = SignedDuration::try_from(timeout).unwrap_or_default();
        self.expires = later(now, timeout + PAUSE);
        self.newest
    }

    /// Ends the request that waits.
    pub(crate) fn answered(&mut self, now: Timestamp) {
        self.expires = later(now, PAUSE);
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
