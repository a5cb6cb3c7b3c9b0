//! In which calls events go to the bus, so that no event is there before an earlier one of the same subject.
//!
//! EventBridge takes ten entries in a call and may refuse any of them. So no call has two events of one subject, and after a
//! call with a failure there is no other: what it held back comes again with what failed.

use std::collections::VecDeque;
use std::ops::Range;

use crate::batch;

/// One event on its way, as far as its order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Events with the same key keep their order.
    pub key: &'a str,
    /// What it counts in a call.
    pub bytes: usize,
}

/// Events on their way to the bus: which call is next, and which events are through.
#[derive(Clone, Debug)]
pub struct Publication {
    calls: VecDeque<Range<usize>>,
    through: Vec<bool>,
}

impl Publication {
    /// Plans the calls, in the order of the entries.
    #[must_use]
    pub fn plan(entries: &[Entry<'_>]) -> Self {
        let bytes = |entry: &&Entry<'_>| entry.bytes;
        let is_apart = |call: &[&Entry<'_>], entry: &&Entry<'_>| call.iter().all(|other| other.key != entry.key);
        let mut calls = VecDeque::new();
        let mut start = 0;
        for call in batch::split_where(entries.iter().collect(), bytes, is_apart) {
            calls.push_back(start..start + call.len());
            start += call.len();
        }
        Self { calls, through: vec![false; entries.len()] }
    }

    /// The events of the next call, by their places; `None` when all is sent or something failed.
    pub fn next_call(&mut self) -> Option<Range<usize>> {
        self.calls.pop_front()
    }

    /// What came of the events of a call, in their order. What has no answer is not through.
    pub fn answered(&mut self, call: Range<usize>, through: &[bool]) {
        for (place, is_through) in call.clone().zip(through) {
            if let Some(event) = self.through.get_mut(place) {
                *event = *is_through;
            }
        }
        if !self.through.get(call).is_some_and(|events| events.iter().all(|is_through| *is_through)) {
            self.calls.clear();
        }
    }

    /// Which events are through, in the order given.
    #[must_use]
    pub fn into_through(self) -> Vec<bool> {
        self.through
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
    fn events_of_different_subjects_share_a_call() {
        let entries = ["a", "b", "a", "c"].map(|key| Entry { key, bytes: 1 });
        let mut publication = Publication::plan(&entries);
        assert_eq!(publication.next_call(), Some(0..2));
        publication.answered(0..2, &[true, true]);
        assert_eq!(publication.next_call(), Some(2..4));
        publication.answered(2..4, &[true, true]);
        assert_eq!((publication.next_call(), publication.into_through()), (None, vec![true; 4]));
    }

    #[test]
    fn after_a_failure_or_a_missing_answer_there_is_no_other_call() {
        for (answer, through) in [(&[true, false][..], [true, false, false]), (&[true], [true, false, false])] {
            let entries = ["a", "b", "a"].map(|key| Entry { key, bytes: 1 });
            let mut publication = Publication::plan(&entries);
            let call = publication.next_call().unwrap();
            publication.answered(call, answer);
            assert_eq!((publication.next_call(), publication.into_through()), (None, through.to_vec()));
        }
    }

    proptest! {
        #[test]
        fn each_event_is_in_one_call_and_no_call_has_two_of_one_subject(entries in entries()) {
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
                prop_assert!((1..=batch::MAX_ENTRIES).contains(&of_call.len()));
                prop_assert!(of_call.iter().map(|entry| entry.bytes).sum::<usize>() <= batch::MAX_BYTES);
                publication.answered(call.clone(), &vec![true; call.len()]);
            }
            prop_assert_eq!(next, entries.len());
        }
    }
}
