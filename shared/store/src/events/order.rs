//! The order of publication: an event reaches the bus only after all earlier events with its key.
//!
//! EventBridge accepts ten entries in a call and may reject any of them. Therefore a call never has two events with the
//! same key, and no call follows one with a failure: the caller sends the rest again.

use std::collections::VecDeque;
use std::ops::Range;

use crate::batch;

/// An event to publish, as far as its order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The ordering key.
    pub key: &'a str,
    /// The size of the event in a call.
    pub bytes: usize,
}

/// The planned calls of a publication.
#[derive(Clone, Debug)]
pub struct Publication {
    calls: VecDeque<Range<usize>>,
}

impl Publication {
    /// Plans the calls, in the order of the entries.
    #[must_use]
    pub fn plan(entries: &[Entry<'_>]) -> Self {
        let bytes = |entry: &&Entry<'_>| entry.bytes;
        let is_apart = |call: &[&Entry<'_>], entry: &&Entry<'_>| call.iter().all(|other| other.key != entry.key);
        let mut calls = VecDeque::new();
        let mut start = 0;
        for call in batch::split_where(entries.iter().collect(), batch::MESSAGES, bytes, is_apart) {
            calls.push_back(start..start + call.len());
            start += call.len();
        }
        Self { calls }
    }

    /// Returns the indexes of the next call's events, or `None` when everything is sent or a call failed.
    pub fn next_call(&mut self) -> Option<Range<usize>> {
        self.calls.pop_front()
    }

    /// Stops the publication unless the call's events were all accepted. `accepted` has one result an event.
    pub fn record_results(&mut self, call: Range<usize>, accepted: &[bool]) {
        if accepted.len() < call.len() || accepted.contains(&false) {
            self.calls.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 4] = ["a", "b", "c", "d"];

    fn entries() -> impl Strategy<Value = Vec<Entry<'static>>> {
        let entry = (prop::sample::select(KEYS.as_slice()), 1..100_000_usize);
        prop::collection::vec(entry.prop_map(|(key, bytes)| Entry { key, bytes }), 0..60)
    }

    #[test]
    fn events_with_different_keys_share_a_call() {
        let entries = ["a", "b", "a", "c"].map(|key| Entry { key, bytes: 1 });
        let mut publication = Publication::plan(&entries);
        assert_eq!(publication.next_call(), Some(0..2));
        publication.record_results(0..2, &[true, true]);
        assert_eq!(publication.next_call(), Some(2..4));
        publication.record_results(2..4, &[true, true]);
        assert_eq!(publication.next_call(), None);
    }

    #[test]
    fn no_call_follows_a_failure_or_a_missing_result() {
        for accepted in [&[true, false][..], &[true]] {
            let entries = ["a", "b", "a"].map(|key| Entry { key, bytes: 1 });
            let mut publication = Publication::plan(&entries);
            let call = publication.next_call().unwrap();
            publication.record_results(call, accepted);
            assert_eq!(publication.next_call(), None);
        }
    }

    proptest! {
        #[test]
        fn a_call_has_one_event_a_key(entries in entries()) {
            let mut publication = Publication::plan(&entries);
            let mut next = 0;
            while let Some(call) = publication.next_call() {
                prop_assert_eq!(call.start, next);
                next = call.end;
                let of_call = &entries[call.clone()];
                let mut keys: Vec<_> = of_call.iter().map(|entry| entry.key).collect();
                keys.sort_unstable();
                keys.dedup();
                prop_assert_eq!(keys.len(), of_call.len());
                prop_assert!((1..=batch::MESSAGES.entries).contains(&of_call.len()));
                prop_assert!(of_call.iter().map(|entry| entry.bytes).sum::<usize>() <= batch::MESSAGES.bytes);
                publication.record_results(call.clone(), &vec![true; call.len()]);
            }
            prop_assert_eq!(next, entries.len());
        }
    }
}
