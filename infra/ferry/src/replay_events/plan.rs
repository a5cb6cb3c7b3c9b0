//! The order in which a batch is published, and what of it cannot be.
//!
//! `record-events` publishes a batch up to the first record that fails. It fails as a whole where its first record cannot be
//! read, and the batch is halved until that record is alone, as Lambda does it with the stream.

use std::ops::Range;

/// The function's answer to a part of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All of the part was published.
    Published,
    /// The part was published up to this place in the batch.
    UpTo(usize),
    /// A record of the part cannot be read. Which one is not known, unless the part is one record.
    Unreadable,
}

/// The first record of the part was not published, for a reason that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoProgress;

/// The parts of a batch that have not been published yet.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The parts, the next one last.
    pending: Vec<Range<usize>>,
    unreadable: usize,
}

impl Plan {
    pub(crate) fn new(records: usize) -> Self {
        let pending = Some(0..records).filter(|part| !part.is_empty()).into_iter().collect();
        Self { pending, unreadable: 0 }
    }

    /// Returns the next part to publish; `None` once every record is published or unreadable.
    pub(crate) fn next_part(&self) -> Option<Range<usize>> {
        self.pending.last().cloned()
    }

    /// Returns the number of records that cannot be read.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// Records the answer to the next part.
    pub(crate) fn record(&mut self, answer: Answer) -> Result<(), NoProgress> {
        let Some(part) = self.pending.pop() else { return Ok(()) };
        match answer {
            Answer::Published => {}
            Answer::UpTo(place) if part.contains(&place) && place > part.start => self.pending.push(place..part.end),
            Answer::UpTo(_) => return Err(NoProgress),
            Answer::Unreadable if part.len() == 1 => self.unreadable += 1,
            Answer::Unreadable => {
                let middle = part.start + part.len() / 2;
                self.pending.extend([middle..part.end, part.start..middle]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Answers as `record-events` does: it publishes up to the first unreadable record, and fails where that is the first.
    fn answer(part: Range<usize>, unreadable: &[bool], published: &mut Vec<usize>) -> Answer {
        for place in part.clone() {
            match (unreadable[place], place == part.start) {
                (true, true) => return Answer::Unreadable,
                (true, false) => return Answer::UpTo(place),
                (false, _) => published.push(place),
            }
        }
        Answer::Published
    }

    proptest! {
        #[test]
        fn every_readable_record_is_published_once_in_order(unreadable in prop::collection::vec(any::<bool>(), 0..60)) {
            let mut plan = Plan::new(unreadable.len());
            let mut published = Vec::new();
            while let Some(part) = plan.next_part() {
                plan.record(answer(part, &unreadable, &mut published)).unwrap();
            }
            let readable: Vec<_> = (0..unreadable.len()).filter(|place| !unreadable[*place]).collect();
            prop_assert_eq!(plan.unreadable(), unreadable.len() - readable.len());
            prop_assert_eq!(published, readable);
        }
    }

    #[test]
    fn a_part_without_progress_stops() {
        for place in [0, 7, 99] {
            assert_eq!(Plan::new(7).record(Answer::UpTo(place)), Err(NoProgress), "{place}");
        }
        assert!(Plan::new(0).next_part().is_none());
    }
}
