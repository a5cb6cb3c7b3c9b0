//! A bounded cache of what Salesforce returned, for one execution environment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use salesforce::Clock;

/// The maximum number of entries, unless the cache has one of its own.
const MAX_ENTRIES: usize = 1_000;

/// A cache whose entries expire. Clones share the entries.
#[derive(Clone, Debug)]
pub struct Cache<K, V> {
    entries: Arc<Mutex<HashMap<K, Entry<V>>>>,
    max_entries: usize,
    clock: Clock,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    expires_at: Timestamp,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Creates an empty cache.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { entries: Arc::default(), max_entries: MAX_ENTRIES, clock }
    }

    /// Sets the maximum number of entries, for large values.
    #[must_use]
    pub fn with_max_entries(self, max_entries: usize) -> Self {
        Self { max_entries, ..self }
    }

    /// Returns the value, unless it has expired.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V> {
        let now = self.clock.now();
        self.entries().get(key).filter(|entry| now < entry.expires_at).map(|entry| entry.value.clone())
    }

    /// Stores a value for a time. A full cache drops the expired entries, or else all of them.
    pub fn put(&self, key: K, value: V, ttl: SignedDuration) {
        let now = self.clock.now();
        let mut entries = self.entries();
        if entries.len() >= self.max_entries {
            entries.retain(|_, entry| now < entry.expires_at);
        }
        if entries.len() >= self.max_entries {
            entries.clear();
        }
        entries.insert(key, Entry { value, expires_at: now.saturating_add(ttl).unwrap_or(now) });
    }

    /// Removes the entries that match.
    pub fn remove_if(&self, matches: impl Fn(&K, &V) -> bool) {
        self.entries().retain(|key, entry| !matches(key, &entry.value));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Cache<usize, &'static str> {
        Cache::new(Clock::manual("2026-11-22T10:00:00Z".parse().unwrap()))
    }

    #[test]
    fn a_value_expires() {
        let cache = cache();
        cache.put(1, "one", SignedDuration::from_secs(30));
        cache.clock.advance(SignedDuration::from_secs(29));
        assert_eq!(cache.get(&1), Some("one"));
        cache.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        for (cache, max) in [(cache(), MAX_ENTRIES), (cache().with_max_entries(3), 3)] {
            for key in 0..10 * max {
                cache.put(key, "value", SignedDuration::from_secs(30));
                assert!(cache.entries().len() <= max);
                assert_eq!(cache.get(&key), Some("value"));
            }
        }
    }

    #[test]
    fn matching_entries_are_removed() {
        let cache = cache();
        cache.put(1, "one", SignedDuration::from_secs(30));
        cache.put(2, "two", SignedDuration::from_secs(30));
        cache.remove_if(|_, value| *value == "one");
        assert_eq!((cache.get(&1), cache.get(&2)), (None, Some("two")));
    }
}
