//! The order in which a batch is published, and what of it is left.
//!
//! `record-events` publishes a batch up to the first record that fails. It fails as a whole where its first record cannot be
//! read, and the batch is halved until that record is alone, as Lambda does it with the stream. A record whose event is not
//! published is left, and the records after it follow: they must not wait for it until they expire.

use std::ops::Range;

/// The function's answer to a part of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All of the part was published.
    Published,
    /// The part was published up to this place in the batch. If that is its first record, the event of the record was refused.
    UpTo(usize),
    /// The function failed for this cause. Which record of the part it is about is not known, unless the part is one record.
    Failed(Cause),
}

/// The reason for which a record is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The function cannot read it.
    Unreadable,
    /// Its event was not published.
    NotPublished,
}

/// The parts of a batch that have not been published yet.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The parts, the next one last.
    pending: Vec<Range<usize>>,
}

impl Plan {
    pub(crate) fn new(records: usize) -> Self {
        let pending = Some(0..records).filter(|part| !part.is_empty()).into_iter().collect();
        Self { pending }
    }

    /// Returns the next part to publish; `None` once every record is published or left.
    pub(crate) fn next_part(&self) -> Option<Range<usize>> {
        self.pending.last().cloned()
    }

    /// Records the answer to the next part. Returns the place of the record that is left by it, and the cause.
    pub(crate) fn record(&mut self, answer: Answer) -> Option<(usize, Cause)> {
        let part = self.pending.pop()?;
        let (rest, left) = match answer {
            Answer::Published => (None, None),
            Answer::UpTo(place) if part.contains(&place) && place > part.start => (Some(place..part.end), None),
            Answer::UpTo(_) => (Some(part.start + 1..part.end), Some((part.start, Cause::NotPublished))),
            Answer::Failed(cause) if part.len() == 1 => (None, Some((part.start, cause))),
            Answer::Failed(_) => {
                let middle = part.start + part.len() / 2;
                self.pending.push(middle..part.end);
                (Some(part.start..middle), None)
            }
        };
        self.pending.extend(rest.filter(|part| !part.is_empty()));
        left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reason for which a record is not published: `None` for one that is.
    type Expected = Option<Cause>;

    /// Answers as `record-events` does: it reads up to the first unreadable record, fails where that is the first, and publishes
    /// up to the first event that is refused.
    fn answer(part: Range<usize>, records: &[Expected], published: &mut Vec<usize>) -> Answer {
        if records[part.start] == Some(Cause::Unreadable) {
            return Answer::Failed(Cause::Unreadable);
        }
        for place in part {
            if records[place].is_some() {
                return Answer::UpTo(place);
            }
            published.push(place);
        }
        Answer::Published
    }

    fn expected() -> impl Strategy<Value = Expected> {
        prop::sample::select(vec![None, None, None, Some(Cause::Unreadable), Some(Cause::NotPublished)])
    }

    proptest! {
        #[test]
        fn every_readable_record_is_published_once_in_order(records in prop::collection::vec(expected(), 0..60)) {
            let mut plan = Plan::new(records.len());
            let (mut published, mut left) = (Vec::new(), Vec::new());
            while let Some(part) = plan.next_part() {
                left.extend(plan.record(answer(part, &records, &mut published)));
            }
            let (readable, others): (Vec<_>, Vec<_>) = records.iter().enumerate().partition(|(_, cause)| cause.is_none());
            let places: Vec<usize> = readable.into_iter().map(|(place, _)| place).collect();
            prop_assert_eq!(published, places);
            let others: Vec<_> = others.into_iter().filter_map(|(place, cause)| Some((place, (*cause)?))).collect();
            prop_assert_eq!(left, others);
        }

        #[test]
        fn any_answers_end(length in 0..20_usize, places in prop::collection::vec(0..30_usize, 100)) {
            let mut plan = Plan::new(length);
            let mut answers = 0;
            for place in places {
                if plan.next_part().is_none() {
                    break;
                }
                plan.record(Answer::UpTo(place));
                answers += 1;
            }
            prop_assert!(plan.next_part().is_none() && answers <= length, "{answers} answers about {length} records");
        }
    }
}
